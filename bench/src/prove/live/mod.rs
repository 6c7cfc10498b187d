//! The same on a real session: a thread of higher priority takes the timer's CPU away for known lengths.
//!
//! ```text
//! deadline    d0        d1        d2        d3        d4
//! hog              ├──────── spins ────────────┤
//! timer       ran       ·         ·         ·  └ wakes: late by (end of the spin - d1); the ticks of d1 and d2 are skipped
//! ```

mod hog;
mod judge;

use super::proof::Checks;
use super::read_back;
use crate::ends::{Class, place};
use crate::programs::Programs;
use crate::report::units::duration;
use ephapse_engine::abi::{PAGE, SessionWords, segment};
use ephapse_engine::launch::{self, LaunchError, segment_name};
use ephapse_engine::outcome::Outcome;
use ephapse_engine::shm::{Access, Segment};
use ephapse_rtconfig::describe::Catalogue;
use ephapse_rtconfig::graph::Graph;
use ephapse_rtconfig::host::online_cpus;
use ephapse_rtconfig::plan::Plan;
use ephapse_rtconfig::resolve::{ResolveOptions, resolve};
use hog::{Away, Hog, Spin, Watcher};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

/// Name of the session: one at a time, for two would take each other's CPU away.
const SESSION: &str = "prove";
/// A timer on one CPU, the shortest chain that decides on the other.
const GRAPH: &str = r#"
name = "prove"
record = []
timer = { period_ns = 1_000_000, cpu = TIMER }

[defaults]
policy = "fifo"
cpu = STAGES
on_death = "stop"

[stage]
source = { use = "acquire.synthetic", params = { channels = 4, block_frames = 20 }, out = { frames = "raw" } }
readout = { use = "readout.linear", params = { weights = "population" }, in = { features = "raw" }, out = { decision = "decision" } }
policy = { use = "policy.frequency", params = { table_hz = [[0.5, 10.0], [2.0, 20.0]] }, in = { decision = "decision" }, out = { commands = "commands" } }
stimulate = { use = "stimulate.null", in = { commands = "commands" } }

[stream]
raw = { slots = 64, full = "drop_newest" }
"#;
/// Nothing can be proved on a CPU that is away for so long; nor can anything be measured there.
const MUCH_TOO_LONG_NS: u64 = 500_000_000;
/// The hog ends the session long before.
const LONGEST: Duration = Duration::from_secs(60);

/// What the live part needs from whoever has it.
pub struct Setup<'a> {
    /// Executables.
    pub programs: Programs,
    /// The kinds of stage they can run.
    pub catalogue: &'a dyn Catalogue,
    /// CPU of the timer, CPU of the stages.
    pub cpus: [u32; 2],
}

/// A stall that was put on the timer's CPU.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Injection {
    /// When it began, ns after the start of the session.
    pub began_ns: u64,
    /// How long it was, ns.
    pub length_ns: u64,
    /// How late the timer was for the first deadline in it, ns: at least.
    pub late_ns: u64,
    /// The same: at most, for by then it had run.
    pub at_most_ns: u64,
    /// Further deadlines in it.
    pub skipped: u64,
    /// What else happened to the CPU meanwhile; then it proves nothing and was repeated. Null if nothing did.
    pub disturbed: Option<String>,
}

/// What came of the live part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Live {
    /// It was not asked for.
    NotAsked,
    /// It cannot be had here.
    NotPossible {
        /// Why, and what to do about it.
        why: String,
    },
    /// No session came to run that should have; that is a failed check.
    Failed {
        /// Why.
        why: String,
    },
    /// It ran; what it found stands among the checks.
    Ran {
        /// Stalls, in the order they were put there.
        injections: Vec<Injection>,
    },
}

impl Live {
    /// For the sentence of the proof.
    pub(super) fn sentence(&self) -> Option<String> {
        match self {
            Live::NotAsked | Live::Failed { .. } => None,
            Live::NotPossible { why } => {
                Some(format!("not possible here on a live session: {why}"))
            }
            Live::Ran { injections } => {
                let disturbed = injections.iter().filter(|i| i.disturbed.is_some()).count();
                let counted = injections.len() - disturbed;
                let mut sentence = format!("{counted} stalls put on the CPU of a live timer");
                if disturbed > 0 {
                    sentence += &format!(
                        " ({disturbed} more were disturbed by something else and prove nothing)"
                    );
                }
                Some(sentence)
            }
        }
    }
}

/// Puts stalls on the timer's CPU of a real session and looks for them in its report.
///
/// # Errors
/// What kept the session from being run or read.
pub(super) fn prove(setup: &Setup<'_>, checks: &mut Checks) -> Result<Live, String> {
    if let Some(online) = online_cpus(Path::new("/"))
        && let Some(cpu) = setup.cpus.iter().find(|cpu| !online.contains(cpu))
    {
        let why = format!("there is no CPU {cpu} on this host: choose others with -c");
        return Ok(Live::NotPossible { why });
    }
    let plan = plan(setup)?;
    let over = AtomicBool::new(false);
    let [timers, stages] = [Watcher::default(), Watcher::default()];
    let interrupts = Arc::new(AtomicU32::new(0));
    let (placed, placing) = channel();
    let cpus = setup.cpus;
    let ran = std::thread::scope(|scope| {
        scope.spawn(|| timers.run(cpus[0], hog::BELOW_TIMER, &over));
        scope.spawn(|| stages.run(cpus[1], hog::BELOW_STAGES, &over));
        let hogging = scope.spawn(|| {
            let mine = place(cpus[0], Class::Fifo(hog::PRIORITY));
            let fifo = mine == Ok(true);
            // The receiver waits for exactly this.
            let _ = placed.send(mine);
            let spins = match fifo.then(|| start_ns(&over)).flatten() {
                Some(start_ns) => Hog::new(start_ns, &over, &timers).run(),
                None => Vec::new(),
            };
            interrupts.store(1, Ordering::Release);
            spins
        });
        let session = match placing.recv() {
            Ok(Ok(true)) => Ok(run(&plan, setup, &interrupts)),
            Ok(Ok(false)) => Err(format!(
                "SCHED_FIFO {} is not permitted; it needs CAP_SYS_NICE or `ulimit -r {0}`",
                hog::PRIORITY
            )),
            Ok(Err(why)) => Err(why),
            Err(gone) => Err(gone.to_string()),
        };
        over.store(true, Ordering::Release);
        (hogging.join(), session)
    });
    let (Ok(spins), session) = ran else {
        return Err("the thread that takes the CPU away panicked".to_owned());
    };
    let outcome = match session {
        Ok(session) => session.map_err(|e| e.to_string())?,
        Err(why) => return Ok(Live::NotPossible { why }),
    };
    found(
        &outcome,
        &spins,
        [&timers, &stages].map(Watcher::away),
        checks,
    )
}

fn plan(setup: &Setup<'_>) -> Result<Plan, String> {
    let text = GRAPH
        .replace("TIMER", &setup.cpus[0].to_string())
        .replace("STAGES", &setup.cpus[1].to_string());
    let graph = Graph::from_str(&text, "prove.toml").map_err(|e| e.to_string())?;
    let options = ResolveOptions {
        check_host: true,
        ..ResolveOptions::default()
    };
    resolve(&graph, setup.catalogue, &options).map_err(|problems| {
        problems
            .first()
            .map_or_else(String::new, ToString::to_string)
    })
}

fn run(
    plan: &Plan,
    setup: &Setup<'_>,
    interrupts: &Arc<AtomicU32>,
) -> Result<Outcome, LaunchError> {
    let mut options = launch::Options {
        hold_cpu_latency: true,
        duration: Some(LONGEST),
        require_rt: false,
        lean_program: setup.programs.lean.clone(),
        full_program: setup.programs.full.clone(),
        capture_folder: std::path::PathBuf::new(),
        log: None,
        interrupts: interrupts.clone(),
        live: &mut |_| {},
        redescribe: &|stage, _| Ok(stage.described.clone()),
        live_params: &|_| Vec::new(),
        before_check: &mut |_| {},
    };
    launch::launch(plan, &mut options)
}

/// The common start of the session, once this process has launched it; `None` if it is over before that.
fn start_ns(over: &AtomicBool) -> Option<u64> {
    let name = segment_name(SESSION, "session");
    while !over.load(Ordering::Acquire) {
        std::thread::sleep(Duration::from_millis(5));
        let session = Segment::open(&name, segment::SESSION, Access::ReadOnly).ok();
        // What a killed session has left is not ours.
        let ours = session.filter(|s| s.header().launcher_pid == std::process::id());
        let words = ours.and_then(|s| s.map(PAGE, PAGE, Access::ReadOnly).ok());
        let words = words.map(|region| region.words::<SessionWords>(0));
        let start_ns = words.map_or(0, |words| words.start_ns.load(Ordering::Acquire)); // [S]
        if start_ns != 0 {
            return Some(start_ns);
        }
    }
    None
}

/// Compares the session's report with what the hog did and the watchers of the two CPUs saw.
fn found(
    outcome: &Outcome,
    spins: &[Spin],
    [timers, stages]: [Vec<Away>; 2],
    checks: &mut Checks,
) -> Result<Live, String> {
    let timer = outcome.stages.iter().find(|s| s.name == "timer");
    if timer.is_none_or(|timer| timer.policy != "fifo") {
        return Ok(Live::NotPossible {
            why: outcome.rt.why.clone(),
        });
    }
    let others = judge::others(spins, &timers);
    let longest_ns = others
        .iter()
        .copied()
        .chain(stages.iter().map(Away::at_most_ns))
        .max();
    if let Some(ns) = longest_ns.filter(|ns| *ns >= MUCH_TOO_LONG_NS) {
        return Ok(Live::NotPossible {
            why: format!(
                "something more urgent had one of the CPUs for {}: end it, or choose others with -c",
                duration(ns)
            ),
        });
    }
    let injections = judge::injections(outcome.start_ns, spins);
    if injections.iter().all(|i| i.disturbed.is_some()) {
        let last = injections.last().and_then(|i| i.disturbed.clone());
        return Ok(Live::NotPossible {
            why: format!(
                "each of {} stalls was disturbed; the last: {}",
                injections.len(),
                last.unwrap_or_else(|| "the session ended first".to_owned())
            ),
        });
    }
    let files = read_back(outcome)?;
    judge::judge(hog::PERIOD_NS, &injections, &others, &files, checks);
    judge::loop_holds(outcome.start_ns, &injections, &stages, &files, checks);
    Ok(Live::Ran { injections })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ephapse_engine::stage::Registry;
    use std::path::PathBuf;

    #[test]
    fn without_the_cpu_it_needs_the_live_part_is_not_possible_and_no_failure() {
        let catalogue = Registry::new([]);
        let setup = Setup {
            programs: Programs {
                lean: PathBuf::new(),
                full: (PathBuf::new(), Vec::new()),
            },
            catalogue: &catalogue,
            cpus: [0, 60_000],
        };
        let mut checks = Checks::default();
        let live = prove(&setup, &mut checks).unwrap();
        assert_eq!(
            live.sentence().unwrap(),
            "not possible here on a live session: there is no CPU 60000 on this host: choose others with -c"
        );
        assert!(checks.failed().is_empty());
    }
}
