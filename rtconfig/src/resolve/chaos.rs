//! `[chaos]`: which fault strikes whom at which tick. Drawn here and not when it is run, so that `explain` shows it and the
//! resolved graph strikes the same.

use crate::chaos::{Fault, Injection};
use crate::describe::Role;
use crate::graph::{FaultWord, Graph, InjectKeys};
use crate::host::cpu_ranges;
use crate::plan::{Plan, RECORDER};
use crate::problem::{Problem, suggest};
use std::collections::BTreeSet;

const SEED: u64 = 1;
const PAGES: u32 = 256;
const MOST_PAGES: u32 = 1 << 16;
const MOST_TIMES: u32 = 10_000;
const FOR_MS: core::ops::RangeInclusive<f64> = 0.001..=60_000.0;

/// Decides about every fault, in order of their ticks.
pub fn decide(
    graph: &Graph,
    plan: &Plan,
    online: Option<&BTreeSet<u32>>,
    problems: &mut Vec<Problem>,
) -> Vec<Injection> {
    let keys = &graph.keys().chaos;
    let mut draw = Draw(keys.seed.unwrap_or(SEED));
    let mut chosen = Vec::new();
    for (at, inject) in keys.inject.iter().enumerate() {
        // Also of one that is refused: the ticks of the others do not change when it is mended.
        let ticks = ticks(inject, &mut draw);
        match ticks.and_then(|ticks| Ok((ticks, fault(plan, online, inject)?))) {
            Ok((ticks, fault)) => chosen.extend(ticks.into_iter().map(|tick| Injection {
                tick,
                fault: fault.clone(),
            })),
            Err((what, remedy)) => problems.push(Problem {
                place: graph.place_of_element(&["chaos", "inject"], at).clone(),
                key: "chaos.inject".to_owned(),
                what,
                remedy,
            }),
        }
    }
    if plan.timer.is_none() && !keys.inject.is_empty() {
        problems.push(graph.problem(
            &["chaos"],
            "faults strike at ticks, and an unpaced run keeps no deadline that they could break",
            "give the graph a timer and no source the pace `none`, or remove the table",
        ));
    }
    chosen.sort_by_key(|injection: &Injection| injection.tick);
    chosen
}

/// What is wrong, and what to do.
type Refused = (String, String);

fn refused<T>(what: impl Into<String>, remedy: impl Into<String>) -> Result<T, Refused> {
    Err((what.into(), remedy.into()))
}

fn ticks(inject: &InjectKeys, draw: &mut Draw) -> Result<Vec<u64>, Refused> {
    match (inject.tick, inject.between, inject.times) {
        (Some(0), None, _) => refused("tick 0 is the start itself", "choose 1 or more"),
        (Some(tick), None, None) => Ok(vec![tick]),
        (Some(_), None, Some(_)) => refused(
            "`times` needs `between`",
            "name two ticks between which it strikes so often, or several faults",
        ),
        (None, Some([first, end]), times) => {
            let times = times.unwrap_or(1);
            if first == 0 || first >= end {
                return refused(
                    format!("there is no tick from {first} on and before {end}"),
                    "write between = [FIRST, END] with 1 <= FIRST < END",
                );
            }
            if !(1..=MOST_TIMES).contains(&times) || u64::from(times) > end - first {
                return refused(
                    format!("{times} times do not fit between the ticks {first} and {end}"),
                    format!("choose 1 to {}", u64::from(MOST_TIMES).min(end - first)),
                );
            }
            let mut drawn = BTreeSet::new();
            while drawn.len() < times as usize {
                drawn.insert(first + draw.next() % (end - first));
            }
            Ok(drawn.into_iter().collect())
        }
        (None, None, _) => refused(
            "the fault has no tick at which it strikes",
            "name one (`tick = 500`), or two between which it is drawn (`between = [100, 900]`)",
        ),
        (Some(_), Some(_), _) => refused(
            "the fault strikes at a tick and at random",
            "remove `tick` or `between`",
        ),
    }
}

fn fault(
    plan: &Plan,
    online: Option<&BTreeSet<u32>>,
    inject: &InjectKeys,
) -> Result<Fault, Refused> {
    use FaultWord::{Delay, DiskFull, Drop, Hog, Kill, PageFaults, Stall};
    let word = inject.fault;
    let takes =
        |written: bool, key: &str, words: &[FaultWord]| match written && !words.contains(&word) {
            true => refused(
                format!("`{key}` says nothing about this fault"),
                "remove it",
            ),
            false => Ok(()),
        };
    takes(
        inject.stage.is_some(),
        "stage",
        &[Stall, Delay, Kill, Drop, PageFaults],
    )?;
    takes(inject.cpu.is_some(), "cpu", &[Hog])?;
    takes(
        inject.for_ms.is_some(),
        "for_ms",
        &[Stall, Delay, Hog, DiskFull],
    )?;
    takes(inject.blocks.is_some(), "blocks", &[Drop])?;
    takes(inject.pages.is_some(), "pages", &[PageFaults])?;
    Ok(match word {
        Stall => Fault::Stall {
            stage: stage(plan, inject)?,
            for_ns: for_ns(inject)?,
        },
        Delay => Fault::Delay {
            stage: stage(plan, inject)?,
            for_ns: for_ns(inject)?,
        },
        Kill => Fault::Kill {
            stage: stage(plan, inject)?,
        },
        Drop => {
            let stage = stage(plan, inject)?;
            if plan.stages[stage].role != Role::Acquire {
                return refused(
                    format!(
                        "`{}` is no source: what it makes waits for room and is not dropped",
                        plan.stages[stage].name
                    ),
                    "name a source, or use `stall`",
                );
            }
            Fault::Drop {
                stage,
                blocks: inject.blocks.unwrap_or(1).max(1),
            }
        }
        PageFaults => match inject.pages.unwrap_or(PAGES) {
            pages @ 1..=MOST_PAGES => Fault::PageFaults {
                stage: stage(plan, inject)?,
                pages,
            },
            pages => {
                return refused(
                    format!("{pages} pages are not 1 to {MOST_PAGES}"),
                    format!("choose {PAGES}"),
                );
            }
        },
        Hog => match inject.cpu {
            Some(cpu) if online.is_some_and(|online| !online.contains(&cpu)) => {
                return refused(
                    format!("CPU {cpu} does not exist"),
                    format!(
                        "online here: {}",
                        online.map(cpu_ranges).unwrap_or_default()
                    ),
                );
            }
            Some(cpu) => Fault::Hog {
                cpu,
                for_ns: for_ns(inject)?,
            },
            None => return refused("the fault names no CPU", "write cpu = 1"),
        },
        DiskFull if plan.recorder.is_none() => {
            return refused(
                "nothing is recorded, so that no disk can be full",
                "record something, or remove the fault",
            );
        }
        DiskFull => Fault::DiskFull {
            for_ns: for_ns(inject)?,
        },
    })
}

fn stage(plan: &Plan, inject: &InjectKeys) -> Result<usize, Refused> {
    let own = |index: &usize| plan.stages[*index].helper_of.is_none();
    let names: Vec<&str> = (0..plan.stages.len())
        .filter(own)
        .map(|index| plan.stages[index].name.as_str())
        .collect();
    let Some(wanted) = &inject.stage else {
        return refused(
            "the fault names no stage",
            format!("one of: {}", names.join(", ")),
        );
    };
    (0..plan.stages.len())
        .filter(own)
        .find(|index| plan.stages[*index].name == *wanted)
        .map_or_else(
            || match wanted.as_str() {
                RECORDER => refused("the recorder is no stage", "use `disk_full`"),
                _ => refused(
                    format!("there is no stage `{wanted}`"),
                    suggest(wanted, &names),
                ),
            },
            Ok,
        )
}

fn for_ns(inject: &InjectKeys) -> Result<u64, Refused> {
    match inject.for_ms {
        Some(ms) if FOR_MS.contains(&ms) => Ok((ms * 1e6).round() as u64),
        Some(ms) => refused(
            format!("{ms} ms is not 0.001 to 60000 ms"),
            "choose a few milliseconds",
        ),
        None => refused(
            "the fault does not say how long it lasts",
            "write for_ms = 3.0",
        ),
    }
}

/// Numbers from a seed: SplitMix64 (Steele, Lea and Flood 2014).
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}
