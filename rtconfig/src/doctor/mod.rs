//! Is this host fit for real time? Checks of what the kernel says in its files, and of what only asking tells.
//!
//! [`examine`] reads a [`Host`] below a root folder and gives one [`Finding`] per check: what was read, from where, why it
//! matters, how to put it right. What cannot be read is [`State::Unknown`] and never counts as passed. [`Verdict`] sums the
//! findings up in a sentence. Nothing is changed here: a [`Fix`] that only writes files says which, for whoever applies it.

mod asked;
mod checks;
mod facts;
mod finding;
mod look;
pub mod verdict;

pub use asked::Asked;
pub use facts::{Facts, MeasuredCpu};
pub use finding::{Finding, Fix, FixKind, Harm, Reading, Severity, State, Write};
pub use look::Host;
pub use verdict::Verdict;

use look::{Judgement, Look, Unread};

/// Names of all checks, in the order of their findings.
pub fn check_names() -> Vec<&'static str> {
    checks::all().map(|check| check.name).collect()
}

/// Looks at a host: one finding per check.
pub fn examine(host: &Host) -> Vec<Finding> {
    checks::all().map(|check| finding(host, check)).collect()
}

fn finding(host: &Host, check: &checks::Check) -> Finding {
    let mut look = Look {
        host,
        read: Vec::new(),
    };
    let judgement = (check.look)(&mut look);
    let mut finding = Finding {
        check: check.name,
        state: State::Passed,
        severity: check.severity,
        what: String::new(),
        why: check.why,
        read: look.read,
        harm: Harm::None,
        fix: Vec::new(),
    };
    match judgement {
        Ok(Judgement::Good(what)) => finding.what = what,
        Ok(Judgement::Bad { what, harm, fix }) => {
            finding.state = State::Failed;
            finding.what = what;
            finding.harm = harm;
            finding.fix = fix;
        }
        Err(Unread(why)) => {
            finding.state = State::Unknown;
            finding.what = why;
        }
    }
    finding
}
