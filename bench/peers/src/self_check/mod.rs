//! Is an adapter as fast as its peer's own benchmark says the peer is? A peer made slow here would be a defect.
//!
//! Both run in turns in the same pattern, on the same CPUs, in the same scheduling class. Where a peer's benchmark is no
//! program that can be installed, its loop is built again from its documented calls; each module says which file it follows.

mod iceoryx2;
mod iceoryx2_event;
mod pair;
mod redis_streams;
mod rtrb;

use crate::keeper::Keeper;
use crate::listing::{ICEORYX2, ICEORYX2_EVENT, REDIS_STREAMS, RTRB};
use ephapse_bench::ends::{LinkSpec, Wait};
use ephapse_bench::stats;
use ephapse_engine::os;
use serde::Serialize;
use std::process::ExitCode;

/// An adapter must reach this share of its peer's own benchmark.
const LEAST: f64 = 0.8;
/// Payload: the smallest, where a mechanism's own cost is not hidden behind the bytes.
const PAYLOAD: usize = 64;

/// What to run, and where.
pub struct Plan<'a> {
    /// Keeper of this process.
    pub keeper: &'a Keeper,
    /// CPUs of both sides, if they were chosen.
    pub cpus: Option<[u32; 2]>,
    /// Rounds of each.
    pub rounds: u32,
}

/// Time of one operation, ns.
type OneRound<'a> = Box<dyn FnMut() -> Result<f64, String> + 'a>;

/// A peer's own benchmark and the adapter in the same pattern.
struct Check<'a> {
    peer: &'static str,
    /// What both do.
    pattern: &'static str,
    /// Which benchmark, and what it does with a block.
    own: &'static str,
    run_own: OneRound<'a>,
    /// How the same benchmark is shipped, if `own` was given more to do: reported, not judged.
    shipped: Option<(&'static str, OneRound<'a>)>,
    run_adapter: OneRound<'a>,
}

/// What came of a check.
#[derive(Debug, Serialize)]
struct Checked {
    peer: &'static str,
    pattern: &'static str,
    own: &'static str,
    /// Median of the rounds' times per operation.
    own_ns: f64,
    adapter_ns: f64,
    /// Median of own / adapter, round by round: 1 and more if the adapter is no slower.
    reached: f64,
    /// Its interval of 95 %.
    low: f64,
    high: f64,
    passed: bool,
    shipped: Option<Shipped>,
    rounds: Vec<Round>,
}

/// The own benchmark as it is shipped.
#[derive(Debug, Serialize)]
struct Shipped {
    how: &'static str,
    ns: f64,
    /// Median of it / adapter.
    reached: f64,
}

/// Times per operation of one round.
#[derive(Debug, Serialize)]
struct Round {
    own_ns: f64,
    adapter_ns: f64,
    shipped_ns: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Report {
    least: f64,
    fifo: bool,
    checks: Vec<Checked>,
    skipped: Vec<String>,
}

/// Runs all checks, or one peer's own benchmark alone.
///
/// # Errors
/// One line: what, why.
pub fn run(plan: &Plan, own_alone: Option<&str>, json: bool) -> Result<ExitCode, String> {
    let cpus = match plan.cpus {
        Some(cpus) => cpus,
        None => match os::allowed_cpus()[..] {
            [first, second, ..] => [first, second],
            _ => return Err("two CPUs are needed; this process may use only one".to_owned()),
        },
    };
    let mut skipped = Vec::new();
    let names = [ICEORYX2, ICEORYX2_EVENT, RTRB, REDIS_STREAMS];
    if let Some(peer) = own_alone
        && !names.contains(&peer)
    {
        return Err(format!(
            "no benchmark of `{peer}` here; there are {names:?}"
        ));
    }
    let wanted = |name: &&str| own_alone.is_none_or(|peer| peer == *name);
    let mut checks = Vec::new();
    for name in names.into_iter().filter(wanted) {
        let check = match name {
            ICEORYX2 => iceoryx2::check(plan.keeper, cpus),
            ICEORYX2_EVENT => iceoryx2_event::check(plan.keeper, cpus),
            RTRB => Ok(rtrb::check(cpus)),
            _ => redis_streams::check(plan.keeper),
        };
        match check {
            Ok(check) => checks.push(check),
            Err(why) => skipped.push(format!("{name}: {why}")),
        }
    }
    if own_alone.is_some() {
        return own_benchmark(checks, skipped, plan.rounds, json);
    }
    let mut report = Report {
        least: LEAST,
        fifo: pair::fifo(cpus)?,
        checks: Vec::new(),
        skipped,
    };
    for check in checks {
        report.checks.push(check.run(plan.rounds)?);
    }
    if json {
        println!(
            "{}",
            serde_json::to_string(&report).map_err(|e| e.to_string())?
        );
    } else {
        print_text(&report);
    }
    let passed = report.checks.iter().all(|c| c.passed);
    Ok(ExitCode::from(if passed { 0 } else { 2 }))
}

fn own_benchmark(
    checks: Vec<Check>,
    skipped: Vec<String>,
    rounds: u32,
    json: bool,
) -> Result<ExitCode, String> {
    for mut check in checks {
        for round in 0..rounds {
            let (how, run) = match &mut check.shipped {
                Some((how, run)) => (*how, run),
                None => (check.own, &mut check.run_own),
            };
            let ns = run()?;
            if json {
                println!(
                    "{}",
                    serde_json::json!({ "peer": check.peer, "round": round, "ns": ns })
                );
            } else {
                println!("{}: {ns:.0} ns ({}; {how})", check.peer, check.pattern);
            }
        }
    }
    match skipped.into_iter().next() {
        Some(why) => Err(why),
        None => Ok(ExitCode::SUCCESS),
    }
}

impl Check<'_> {
    fn round(&mut self) -> Result<Round, String> {
        Ok(Round {
            own_ns: (self.run_own)()?,
            adapter_ns: (self.run_adapter)()?,
            shipped_ns: self.shipped.as_mut().map(|(_, run)| run()).transpose()?,
        })
    }

    fn run(mut self, rounds: u32) -> Result<Checked, String> {
        // The first of each warms caches and is not counted.
        self.round()?;
        let rounds: Result<Vec<Round>, String> = (0..rounds).map(|_| self.round()).collect();
        let rounds = rounds?;
        let own: Vec<f64> = rounds.iter().map(|r| r.own_ns).collect();
        let adapter: Vec<f64> = rounds.iter().map(|r| r.adapter_ns).collect();
        let shipped: Vec<f64> = rounds.iter().filter_map(|r| r.shipped_ns).collect();
        let none = || format!("{}: no rounds", self.peer);
        let reached = stats::paired_ratio(&own, &adapter).ok_or_else(none)?;
        let shipped = self.shipped.as_ref().and_then(|(how, _)| {
            Some(Shipped {
                how,
                ns: stats::median(&shipped)?,
                reached: stats::paired_ratio(&shipped, &adapter)?.median,
            })
        });
        Ok(Checked {
            peer: self.peer,
            pattern: self.pattern,
            own: self.own,
            own_ns: stats::median(&own).ok_or_else(none)?,
            adapter_ns: stats::median(&adapter).ok_or_else(none)?,
            reached: reached.median,
            low: reached.low,
            high: reached.high,
            passed: reached.median >= LEAST,
            shipped,
            rounds,
        })
    }
}

fn print_text(report: &Report) {
    if !report.fifo {
        println!("without SCHED_FIFO: not permitted here");
    }
    for check in &report.checks {
        println!("{}: {}", check.peer, check.pattern);
        println!("  own benchmark {:>9.0} ns   {}", check.own_ns, check.own);
        println!("  adapter       {:>9.0} ns", check.adapter_ns);
        println!(
            "  reached       {:>9.2}      [{:.2}, {:.2}], at least {LEAST}: {}",
            check.reached,
            check.low,
            check.high,
            if check.passed { "passed" } else { "FAILED" }
        );
        if let Some(Shipped { how, ns, reached }) = &check.shipped {
            println!("  as shipped    {ns:>9.0} ns   {how}: reached {reached:.2}, not judged");
        }
    }
    for skipped in &report.skipped {
        println!("SKIPPED: {skipped}");
    }
}

/// A link of this process to itself.
fn link(peer: &str, key: u32, slots: u32, wait: Wait, cpus: [u32; 2]) -> LinkSpec {
    LinkSpec {
        link: peer.to_owned(),
        key,
        payload: PAYLOAD,
        slots,
        wait,
        memory: String::new(),
        run: format!("self-check-{}", std::process::id()),
        cpus,
    }
}
