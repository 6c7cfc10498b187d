//! What the findings come to: for which ticks a host is good, what to do for the others, what cannot be promised.

use super::finding::{Finding, FixKind, Harm, Severity, State};
use serde::Serialize;

/// A delay spoils ticks shorter than so many times itself: a stage that wakes a tenth of a tick late has the rest to work in.
pub const TICKS_PER_DELAY: u64 = 10;

/// What has to be done for something.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Steps {
    /// Checks that stand in the way.
    pub checks: Vec<&'static str>,
    /// Shell commands, in order.
    pub commands: Vec<String>,
    /// Kernel parameters, in effect after a reboot.
    pub boot: Vec<String>,
    /// Those of the checks against which nothing can be typed.
    pub without_command: Vec<&'static str>,
}

/// A tick, and what stands in its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TickVerdict {
    /// Length, ns.
    pub tick_ns: u64,
    /// Nothing that is known stands in its way.
    pub good: bool,
    /// What to do, if something does.
    pub steps: Steps,
}

/// What the findings come to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Every critical check has passed.
    pub real_time: bool,
    /// Critical checks that have not passed, unknown ones included.
    pub critical: Vec<&'static str>,
    /// Checks that could not be read.
    pub unknown: Vec<&'static str>,
    /// What stages need before any tick can be spoken of.
    pub to_run: Steps,
    /// Tick by tick, the longest first.
    pub ticks: Vec<TickVerdict>,
    /// All of it in one sentence.
    pub sentence: String,
}

impl Verdict {
    /// Sums up findings for ticks of these lengths, ns.
    pub fn of(findings: &[Finding], ticks_ns: &[u64]) -> Self {
        let names = |wanted: &dyn Fn(&Finding) -> bool| {
            let wanted = findings.iter().filter(|f| wanted(f));
            wanted.map(|f| f.check).collect::<Vec<_>>()
        };
        let critical = names(&|f| f.severity == Severity::Critical && f.state != State::Passed);
        let unknown = names(&|f| f.state == State::Unknown);
        let to_run = Steps::against(findings, |harm| *harm == Harm::Run);
        let mut ticks_ns = ticks_ns.to_vec();
        ticks_ns.sort_unstable_by(|a, b| b.cmp(a));
        let ticks = ticks_ns.into_iter().map(|tick_ns| {
            let steps = Steps::against(findings, |harm| match harm {
                Harm::Delay { delay_ns } => delay_ns.saturating_mul(TICKS_PER_DELAY) > tick_ns,
                Harm::Run | Harm::Promise { .. } | Harm::None => false,
            });
            TickVerdict {
                tick_ns,
                good: steps.checks.is_empty(),
                steps,
            }
        });
        let mut verdict = Verdict {
            real_time: critical.is_empty(),
            critical,
            unknown,
            to_run,
            ticks: ticks.collect(),
            sentence: String::new(),
        };
        verdict.sentence = verdict.say(findings);
        verdict
    }

    fn say(&self, findings: &[Finding]) -> String {
        let unread = |name: &&&str| self.unknown.contains(name);
        let critical_unread: Vec<&str> = self.critical.iter().filter(unread).copied().collect();
        let mut parts = Vec::new();
        if self.unknown.len() == findings.len() {
            return format!(
                "Nothing is known: none of {} checks could be read",
                findings.len()
            );
        }
        if !self.to_run.checks.is_empty() {
            parts.push(format!(
                "Not fit for real time as it is ({}): {}",
                self.to_run.checks.join(", "),
                self.to_run.say()
            ));
        }
        let good: Vec<String> = self
            .ticks
            .iter()
            .filter(|tick| tick.good)
            .map(|tick| time(tick.tick_ns))
            .collect();
        if !good.is_empty() {
            let ticks = good.join(" and ");
            parts.push(if !parts.is_empty() {
                format!("then good for {ticks} ticks")
            } else if critical_unread.is_empty() {
                format!("Good for {ticks} ticks as it is")
            } else {
                format!("Nothing that could be read stands in the way of {ticks} ticks")
            });
        }
        let spoiled: Vec<&TickVerdict> = self.ticks.iter().filter(|tick| !tick.good).collect();
        for same in spoiled.chunk_by(|a, b| a.steps == b.steps) {
            let word = if parts.is_empty() { "For" } else { "for" };
            let ticks: Vec<String> = same.iter().map(|tick| time(tick.tick_ns)).collect();
            let noun = if good.is_empty() { " ticks" } else { "" };
            let steps = same[0].steps.say();
            parts.push(format!("{word} {}{noun}: {steps}", ticks.join(" and ")));
        }
        parts.extend(findings.iter().filter_map(|f| match &f.harm {
            Harm::Promise { words } => Some(words.clone()),
            Harm::Run | Harm::Delay { .. } | Harm::None => None,
        }));
        if !critical_unread.is_empty() {
            parts.push(format!("not known: {}", critical_unread.join(", ")));
        }
        match self.unknown.len() - critical_unread.len() {
            0 => {}
            1 => parts.push("one check could not be read".to_owned()),
            more => parts.push(format!("{} checks could not be read", count(more))),
        }
        parts.join("; ")
    }
}

impl Steps {
    fn against(findings: &[Finding], harmful: impl Fn(&Harm) -> bool) -> Self {
        let mut steps = Steps::default();
        for finding in findings.iter().filter(|f| harmful(&f.harm)) {
            steps.checks.push(finding.check);
            let mut typed = false;
            for fix in &finding.fix {
                let list = match fix.kind {
                    FixKind::Command => &mut steps.commands,
                    FixKind::Boot => &mut steps.boot,
                    FixKind::Advice => continue,
                };
                typed = true;
                if !list.contains(&fix.text) {
                    list.push(fix.text.clone());
                }
            }
            if !typed {
                steps.without_command.push(finding.check);
            }
        }
        steps
    }

    fn say(&self) -> String {
        let mut words = Vec::new();
        match self.commands.len() {
            0 => {}
            1 => words.push("one command, printed here".to_owned()),
            more => words.push(format!("{} commands, printed here", count(more))),
        }
        if !self.boot.is_empty() {
            words.push("kernel parameters and a reboot".to_owned());
        }
        if !self.without_command.is_empty() {
            let checks = self.without_command.join(", ");
            words.push(format!("the advice at {checks}"));
        }
        words.join(", ")
    }
}

/// Small numbers in words.
fn count(number: usize) -> String {
    const WORDS: [&str; 13] = [
        "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
        "eleven", "twelve",
    ];
    WORDS
        .get(number)
        .map_or_else(|| number.to_string(), |word| (*word).to_owned())
}

/// A time in the unit that fits, with at most two digits behind its point: `10 ms`, `26.5 us`.
pub fn time(ns: u64) -> String {
    let (unit, size) = match ns {
        0..1_000 => return format!("{ns} ns"),
        1_000..1_000_000 => ("us", 1e3),
        1_000_000..1_000_000_000 => ("ms", 1e6),
        _ => ("s", 1e9),
    };
    let digits = format!("{:.2}", ns as f64 / size);
    let digits = digits.trim_end_matches('0').trim_end_matches('.');
    format!("{digits} {unit}")
}
