//! When and where each stage runs: `[defaults]` merged in, defaults of ours filled in, nonsense refused.

use super::priority;
use super::wiring::{Wired, Wiring};
use crate::graph::{Graph, OverrunWord};
use crate::plan::{OnDeath, Overrun, Pace, Policy, TimerPlan, WaitKind};
use crate::problem::Problem;

/// Blocks of the pacing input that one activation takes at most, if the graph says nothing.
const BURST: u32 = 8;
/// Shortest tick: below, waking a stage costs more than the tick lasts.
const SHORTEST_TICK_NS: u64 = 10_000;
/// Longest tick: all waits are bounded by it, and a stopped session must not hang for longer.
const LONGEST_TICK_NS: u64 = 10_000_000_000;

/// Engine keys of one stage, decided.
pub struct Placed {
    pub policy: Policy,
    pub priority: u8,
    pub nice: i8,
    pub cpu: Option<u32>,
    pub pace: Pace,
    pub wait: WaitKind,
    pub divider: u32,
    pub phase: u32,
    pub burst: u32,
    pub overrun: Overrun,
    pub on_death: OnDeath,
    pub spare: bool,
    pub restarts_per_minute: Option<u32>,
    pub budget_ns: Option<u64>,
}

/// The timer and all stages, in order of the flow.
pub struct Placement {
    pub timer: Option<TimerPlan>,
    pub stages: Vec<Placed>,
    /// Some source has pace `none`: logical time, no timer, normal priority.
    pub unpaced: bool,
}

/// Decides; problems are added to `problems` and the answer is then not to be used.
pub fn place(graph: &Graph, wiring: &Wiring<'_>, problems: &mut Vec<Problem>) -> Placement {
    let paces: Vec<Pace> = wiring
        .stages
        .iter()
        .map(|stage| pace(graph, stage, problems))
        .collect();
    let unpaced = paces.contains(&Pace::None);
    if unpaced {
        for (stage, pace) in wiring.stages.iter().zip(&paces) {
            if matches!(pace, Pace::Clock | Pace::Device) {
                problems.push(graph.stage_problem(
                    stage.name,
                    "pace",
                    "another source has pace `none`; logical time needs all sources to be unpaced",
                    "give all sources pace = \"none\", or none of them",
                ));
            }
        }
    }
    let timer = if unpaced {
        None
    } else {
        timer(graph, problems)
    };
    let mut stages: Vec<Placed> = wiring
        .stages
        .iter()
        .zip(&paces)
        .map(|(stage, pace)| {
            if unpaced {
                unpaced_stage(graph, stage, *pace)
            } else {
                paced_stage(graph, stage, *pace, problems)
            }
        })
        .collect();
    for (stage, placed) in wiring.stages.iter().zip(&stages) {
        check_numbers(graph, stage, problems);
        if placed.restarts_per_minute == Some(0) {
            problems.push(graph.stage_problem(
                stage.name,
                "restarts_per_minute",
                "0 restarts in a minute are none",
                "say on_death = \"stop\", or choose 1 or more",
            ));
        }
        if placed.spare && placed.on_death != OnDeath::Restart {
            problems.push(graph.stage_problem(
                stage.name,
                "spare",
                "a parked stand-in takes over only where a dead stage is started again",
                "say on_death = \"restart\", or leave `spare` out",
            ));
        }
    }
    if !unpaced {
        let limit = timer.as_ref().map_or(priority::TIMER, |t| t.priority);
        prioritise(graph, wiring, &mut stages, limit, problems);
    }
    Placement {
        timer,
        stages,
        unpaced,
    }
}

fn pace(graph: &Graph, stage: &Wired<'_>, problems: &mut Vec<Problem>) -> Pace {
    let source = stage.is_source();
    let fits = |pace: &Pace| source != matches!(pace, Pace::Tick | Pace::Data);
    if let Some(own) = stage.keys.pace.filter(|own| !fits(own)) {
        let (role, possible) = if source {
            ("a source", "`clock`, `device`, `none`")
        } else {
            ("a stage with inputs", "`tick`, `data`")
        };
        problems.push(graph.stage_problem(
            stage.name,
            "pace",
            format!("`{}` cannot pace {role}", word(own)),
            format!("possible: {possible}"),
        ));
    }
    stage
        .keys
        .pace
        .filter(fits)
        .or(graph.keys().defaults.pace.filter(fits))
        .unwrap_or(if source { Pace::Clock } else { Pace::Tick })
}

/// A pace as it is written.
pub fn word(pace: Pace) -> &'static str {
    match pace {
        Pace::Tick => "tick",
        Pace::Data => "data",
        Pace::Clock => "clock",
        Pace::Device => "device",
        Pace::None => "none",
    }
}

fn timer(graph: &Graph, problems: &mut Vec<Problem>) -> Option<TimerPlan> {
    let Some(keys) = &graph.keys().timer else {
        problems.push(graph.problem(
            &["timer"],
            "nothing makes the tick",
            "add `timer = { period_ns = 1_000_000, cpu = 0 }`, or set pace = \"none\" on all sources",
        ));
        return None;
    };
    if !(SHORTEST_TICK_NS..=LONGEST_TICK_NS).contains(&keys.period_ns) {
        problems.push(graph.problem(
            &["timer", "period_ns"],
            format!("a tick of {} ns cannot be kept", keys.period_ns),
            format!("choose {SHORTEST_TICK_NS} to {LONGEST_TICK_NS}"),
        ));
    }
    let spin_ns = keys.spin_ns.unwrap_or(0);
    if spin_ns >= keys.period_ns {
        problems.push(graph.problem(
            &["timer", "spin_ns"],
            format!("spinning for {spin_ns} ns leaves nothing of the tick"),
            "choose less than period_ns",
        ));
    }
    let priority = keys.priority.unwrap_or(priority::TIMER);
    if !(2..=priority::HIGHEST).contains(&priority) {
        problems.push(graph.problem(
            &["timer", "priority"],
            format!("the timer cannot have priority {priority}"),
            format!(
                "choose 2 to {}; every stage stays below it",
                priority::HIGHEST
            ),
        ));
    }
    Some(TimerPlan {
        period_ns: keys.period_ns,
        cpu: keys.cpu,
        priority,
        spin_ns,
    })
}

/// Logical time: data alone begins activations, at normal priority.
fn unpaced_stage(graph: &Graph, stage: &Wired<'_>, pace: Pace) -> Placed {
    let defaults = &graph.keys().defaults;
    let keys = stage.keys;
    Placed {
        policy: Policy::Other,
        priority: 0,
        nice: keys.nice.or(defaults.nice).unwrap_or(0),
        cpu: keys.cpu.or(defaults.cpu),
        pace: if stage.is_source() { pace } else { Pace::Data },
        wait: WaitKind::Futex,
        divider: 1,
        phase: 0,
        burst: keys.burst.or(defaults.burst).unwrap_or(BURST),
        overrun: overrun(graph, stage),
        on_death: keys.on_death.or(defaults.on_death).unwrap_or(OnDeath::Stop),
        spare: keys.spare.or(defaults.spare).unwrap_or(false),
        restarts_per_minute: keys.restarts_per_minute.or(defaults.restarts_per_minute),
        budget_ns: keys.budget_ns.or(defaults.budget_ns),
    }
}

fn overrun(graph: &Graph, stage: &Wired<'_>) -> Overrun {
    stage
        .keys
        .overrun
        .or(graph.keys().defaults.overrun)
        .map_or(Overrun::Skip, |OverrunWord(overrun)| overrun)
}

fn paced_stage(
    graph: &Graph,
    stage: &Wired<'_>,
    pace: Pace,
    problems: &mut Vec<Problem>,
) -> Placed {
    let defaults = &graph.keys().defaults;
    let keys = stage.keys;
    let policy = keys.policy.or(defaults.policy).unwrap_or(Policy::Fifo);
    let cpu = keys.cpu.or(defaults.cpu);
    if policy == Policy::Fifo && cpu.is_none() {
        problems.push(graph.problem(
            &["stage", stage.name, "cpu"],
            "a stage under policy `fifo` needs a CPU",
            "add `cpu` here or in [defaults], or write policy = \"other\"",
        ));
    }
    if pace != Pace::Data && keys.wait == Some(WaitKind::Spin) {
        problems.push(graph.stage_problem(
            stage.name,
            "wait",
            format!("a stage of pace `{}` does not wait for a ring", word(pace)),
            "remove the key or write pace = \"data\"",
        ));
    }
    let wait = match pace {
        Pace::Data => keys.wait.or(defaults.wait).unwrap_or(WaitKind::Futex),
        _ => WaitKind::Futex,
    };
    let ticked = pace == Pace::Tick;
    for (key, value) in [("divider", keys.divider), ("phase", keys.phase)] {
        if !ticked && value.is_some() {
            problems.push(graph.stage_problem(
                stage.name,
                key,
                format!("a stage of pace `{}` has no ticks to divide", word(pace)),
                "remove the key or write pace = \"tick\"",
            ));
        }
    }
    let from_tick = |own: Option<u32>, default: Option<u32>, otherwise: u32| {
        own.or(default).filter(|_| ticked).unwrap_or(otherwise)
    };
    let divider = from_tick(keys.divider, defaults.divider, 1);
    let phase = from_tick(keys.phase, defaults.phase, 0);
    if phase >= divider.max(1) {
        problems.push(graph.stage_problem(
            stage.name,
            "phase",
            format!("phase {phase} never comes with a divider of {divider}"),
            "choose less than the divider",
        ));
    }
    Placed {
        policy,
        priority: 0,
        nice: match policy {
            Policy::Fifo => 0,
            Policy::Other => keys.nice.or(defaults.nice).unwrap_or(0),
        },
        cpu,
        pace,
        wait,
        divider,
        phase,
        burst: keys.burst.or(defaults.burst).unwrap_or(BURST),
        overrun: overrun(graph, stage),
        on_death: keys.on_death.or(defaults.on_death).unwrap_or(OnDeath::Stop),
        spare: keys.spare.or(defaults.spare).unwrap_or(false),
        restarts_per_minute: keys.restarts_per_minute.or(defaults.restarts_per_minute),
        budget_ns: keys.budget_ns.or(defaults.budget_ns),
    }
}

/// Numbers that are wrong whatever the run.
fn check_numbers(graph: &Graph, stage: &Wired<'_>, problems: &mut Vec<Problem>) {
    let defaults = &graph.keys().defaults;
    let keys = stage.keys;
    for (key, zero) in [
        ("divider", keys.divider.or(defaults.divider) == Some(0)),
        ("burst", keys.burst.or(defaults.burst) == Some(0)),
        (
            "budget_ns",
            keys.budget_ns.or(defaults.budget_ns) == Some(0),
        ),
    ] {
        if zero {
            problems.push(graph.stage_problem(
                stage.name,
                key,
                format!("a {key} of 0 never lets the stage run"),
                "choose 1 or more",
            ));
        }
    }
    if let Some(nice) = keys
        .nice
        .or(defaults.nice)
        .filter(|nice| !(-20..=19).contains(nice))
    {
        problems.push(graph.stage_problem(
            stage.name,
            "nice",
            format!("there is no nice value {nice}"),
            "choose -20 to 19",
        ));
    }
}

fn prioritise(
    graph: &Graph,
    wiring: &Wiring<'_>,
    stages: &mut [Placed],
    timer: u8,
    problems: &mut Vec<Problem>,
) {
    let places: Vec<priority::Place> = stages
        .iter()
        .map(|placed| priority::Place {
            pace: placed.pace,
            cpu: placed.cpu,
        })
        .collect();
    let defaults = priority::defaults(&places, timer);
    for ((stage, placed), default) in wiring.stages.iter().zip(stages).zip(defaults) {
        if placed.policy == Policy::Other {
            continue;
        }
        placed.priority = stage
            .keys
            .priority
            .or(graph.keys().defaults.priority)
            .unwrap_or(default);
        if !(1..=priority::HIGHEST).contains(&placed.priority) {
            problems.push(graph.stage_problem(
                stage.name,
                "priority",
                format!("a stage cannot have priority {}", placed.priority),
                format!("choose 1 to {}", priority::HIGHEST),
            ));
        } else if placed.priority >= timer {
            problems.push(graph.stage_problem(
                stage.name,
                "priority",
                format!(
                    "priority {} is not below the timer's, {timer}: the tick would wait for the stage",
                    placed.priority
                ),
                format!("choose 1 to {}", timer.saturating_sub(1)),
            ));
        }
    }
}
