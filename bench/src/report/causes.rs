//! The words for causes.

use super::units::{duration, thousands};
use super::walks::CauseReport;
use ephapse_engine::hindsight::{Cause, Skip};
use ephapse_rtconfig::chaos::Fault;

/// `1 tick`, `4 ticks`.
pub(super) fn many(count: u64, one: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        count => format!("{} {one}s", thousands(count)),
    }
}

/// The same of a byte that stays at its highest: `255 or more minor faults`.
fn at_least(count: u8, one: &str) -> String {
    let more = if count == u8::MAX { "or more " } else { "" };
    match count {
        1 => format!("1 {one}"),
        count => format!("{count} {more}{one}s"),
    }
}

fn behind(reader: Option<&String>) -> String {
    reader.map_or_else(String::new, |reader| format!(" behind {reader}"))
}

/// A cause as reports have it; of faults one for each sort.
pub(super) fn cause_reports(cause: &Cause) -> Vec<CauseReport> {
    let report = |kind: &str, says: String| CauseReport {
        kind: kind.to_owned(),
        who: None,
        cpu: None,
        tick: None,
        ns: None,
        count: None,
        says,
    };
    let some = |count: u64| (count > 0).then_some(count);
    vec![match cause {
        Cause::Preempted { by, priority, ns } => CauseReport {
            who: Some(by.clone()),
            ns: Some(*ns),
            ..report(
                "preempted",
                format!("preempted by {by} (priority {priority}), {}", duration(*ns)),
            )
        },
        Cause::Busy { turns, ns } => CauseReport {
            ns: Some(*ns),
            count: Some(*turns),
            ..report(
                "busy",
                format!(
                    "busy with {} before it, {}",
                    many(*turns, "turn"),
                    duration(*ns)
                ),
            )
        },
        Cause::TimerLate { ns } => CauseReport {
            ns: Some(*ns),
            ..report(
                "timer_late",
                format!("the timer woke {} late", duration(*ns)),
            )
        },
        Cause::Stall { cpu, length_ns, .. } => CauseReport {
            cpu: Some(*cpu),
            ns: Some(*length_ns),
            ..report(
                "stall",
                format!("witnessed stall of CPU {cpu}, {}", duration(*length_ns)),
            )
        },
        Cause::Faults { minor, major } => {
            let of = |kind: &str, count: u8, one: &str| CauseReport {
                count: Some(u64::from(count)),
                ..report(kind, at_least(count, one))
            };
            let all = [
                of("major_faults", *major, "major fault"),
                of("minor_faults", *minor, "minor fault"),
            ];
            return all.into_iter().filter(|of| of.count != Some(0)).collect();
        }
        Cause::Switches(count) => CauseReport {
            count: Some(u64::from(*count)),
            ..report(
                "involuntary_switches",
                match *count {
                    1 => "1 involuntary switch".to_owned(),
                    u8::MAX => "255 or more involuntary switches".to_owned(),
                    count => format!("{count} involuntary switches"),
                },
            )
        },
        Cause::Skipped {
            skip,
            ticks,
            behind: reader,
        } => CauseReport {
            who: reader.clone(),
            count: Some(*ticks),
            ..report(
                skip.name(),
                match skip {
                    Skip::LongRun => format!(
                        "long_run: its turn before ran past {}",
                        many(*ticks, "tick")
                    ),
                    Skip::LateWake => format!("late_wake: slept through {}", many(*ticks, "tick")),
                    Skip::NoRoom => {
                        format!(
                            "no_room{}: {}",
                            behind(reader.as_ref()),
                            many(*ticks, "tick")
                        )
                    }
                    Skip::Dead => format!("dead for {}", many(*ticks, "tick")),
                },
            )
        },
        Cause::NoRoom { behind: reader } => CauseReport {
            who: Some(reader.clone()),
            ..report("no_room", format!("no_room behind {reader}"))
        },
        Cause::LongRun {
            ran_ns,
            limit_ns,
            budget,
        } => CauseReport {
            ns: Some(*ran_ns),
            ..report(
                "long_run",
                if *budget {
                    format!("long run: its budget is {}", duration(*limit_ns))
                } else {
                    format!("long run: a tick is {}", duration(*limit_ns))
                },
            )
        },
        Cause::FramesLost(frames) => CauseReport {
            count: Some(*frames),
            ..report(
                "frames_lost",
                format!("{} lost before its block", many(*frames, "frame")),
            )
        },
        Cause::DecisionsLost(decisions) => CauseReport {
            count: Some(*decisions),
            ..report(
                "decisions_lost",
                format!("{} before it never came", many(*decisions, "decision")),
            )
        },
        Cause::Dropped { behind: reader } => CauseReport {
            who: reader.clone(),
            ..report(
                "dropped",
                format!("dropped blocks: no_room{}", behind(reader.as_ref())),
            )
        },
        Cause::StartedOver => report(
            "started_over",
            "first turn of a new process, without the state of the one before".to_owned(),
        ),
        Cause::PassedOver => report(
            "passed_over",
            "its block was passed over, for it had killed its stage twice (poison)".to_owned(),
        ),
        Cause::OnPurpose {
            tick,
            who,
            fault,
            ns,
            ticks,
            frames,
        } => CauseReport {
            who: Some(who.clone()),
            cpu: match fault {
                Fault::Hog { cpu, .. } => Some(*cpu),
                _ => None,
            },
            tick: Some(*tick),
            ns: some(*ns),
            count: match fault {
                Fault::PageFaults { pages, .. } => Some(u64::from(*pages)),
                _ => some(ticks + frames),
            },
            ..report(
                "injected",
                injected(*tick, who, fault, (*ns, *ticks, *frames)),
            )
        },
        Cause::OtherInput {
            stream,
            by,
            ns,
            causes,
        } => {
            let because: Vec<String> = causes
                .iter()
                .flat_map(cause_reports)
                .map(|cause| cause.says)
                .collect();
            let because = match because.as_slice() {
                [] => String::new(),
                all => format!(" ({})", all.join(", ")),
            };
            CauseReport {
                who: Some(by.clone()),
                ns: Some(*ns),
                ..report(
                    "other_input",
                    format!(
                        "waited {} for the block of `{stream}`: {by} was late{because}",
                        duration(*ns)
                    ),
                )
            }
        }
        Cause::WithoutInput { stream } => report(
            "without_input",
            format!("`{stream}` had no block of these frames"),
        ),
        Cause::Stolen { cpu, ns } => CauseReport {
            cpu: Some(*cpu),
            ns: Some(*ns),
            ..report(
                "steal",
                format!(
                    "a hypervisor took CPU {cpu}, {} in that second",
                    duration(*ns)
                ),
            )
        },
        Cause::Event { what, .. } => report("event", what.clone()),
        Cause::Unexplained { ns } => CauseReport {
            ns: Some(*ns),
            ..report(
                "unexplained",
                format!("{} late, and nothing on record says why", duration(*ns)),
            )
        },
    }]
}

/// A fault on purpose, and what it did to a hop: `injected: killed, at tick 700; at work again after 4.21 ms, 4 ticks dead`.
fn injected(tick: u64, who: &str, fault: &Fault, (ns, ticks, frames): (u64, u64, u64)) -> String {
    let words = match fault {
        Fault::Hog { .. } => format!("{who} {}", fault.words()),
        _ => fault.words(),
    };
    let came_to = match fault {
        Fault::Kill { .. } => {
            let dead = match ticks {
                0 => String::new(),
                ticks => format!(", {} dead", many(ticks, "tick")),
            };
            format!("; at work again after {}{dead}", duration(ns))
        }
        Fault::Drop { .. } => format!("; {} before its block never came", many(frames, "frame")),
        Fault::Hog { .. } => format!("; {} of that fell on it", duration(ns)),
        Fault::Stall { .. }
        | Fault::Delay { .. }
        | Fault::PageFaults { .. }
        | Fault::DiskFull { .. } => String::new(),
    };
    format!("injected: {words}, at tick {}{came_to}", thousands(tick))
}
