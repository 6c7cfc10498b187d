use super::sample_runs::*;
use crate::golden_files::same_as;
use crate::report::{text, walk_text};
use ephapse_engine::hindsight::{Cause, Skip};
use ephapse_engine::launch::SaidAccount;
use ephapse_engine::outcome::{
    BrokenBudget, Fault, HopKind, LogRecord, Outcome, PlacementChange, RtWatch, StealRecord,
    StolenSecond, ThrottlingRecord, ToldRecord, WatchedProcess,
};
use ephapse_rtconfig::chaos::Fault as Injected;

fn rendered(outcome: &Outcome) -> String {
    text(&report(outcome), &suggestions())
}

/// Names, numbers and reasons as long as they may get.
pub(super) fn sprawling() -> Outcome {
    let mut outcome = sound();
    let long = "a_stage_whose_name_is_far_too_long_for_any_table.helper_of_it".to_owned();
    outcome.rt.active = false;
    outcome.rt.why =
        "no permission for SCHED_FIFO or mlock: run as root, or raise rtprio and memlock"
            .to_owned();
    outcome.ticks[1].who = long.clone();
    outcome.ticks[1].due = 3_600_000_000;
    outcome.rings[0].stream = long.clone();
    outcome.edges[0].seat = long.clone();
    outcome.sources[0].stream = long.clone();
    outcome.stages[1].name = long.clone();
    outcome.stages[1].helper = true;
    outcome.stages[1].cpu = None;
    outcome.stages[1].voluntary_switches = 10_000_000;
    outcome.stages[1].minor_faults = 123_456;
    outcome.stages[1].locked_bytes = 40 << 30;
    outcome.stages[1].rt_why =
        "policy is other, should be fifo: Operation not permitted (EPERM)".to_owned();
    outcome
        .hops
        .push(hop(&long, HopKind::Run, 1_000_000, 29_000_000_000 / 9));
    outcome.broken_budgets.push(BrokenBudget {
        stage: long.clone(),
        budget_ns: 1,
        broken: 99_999_999,
        worst_ns: 29_999_999_999,
    });
    let worst = &mut outcome.incidents[0].worst;
    worst.broken = Some("no record of source tells of the block".to_owned());
    (worst.lost, worst.lost_ns) = (12_345, 12_345_000_000);
    for hop in &mut worst.hops {
        hop.stage = format!("{long}.{}", hop.stage);
        hop.causes.extend(every_cause(&long));
    }
    outcome.faults = (0..12)
        .map(|i| Fault {
            at_ns: i * 1_000_000 - 2_000_000,
            tick: i as u64,
            who: long.clone(),
            what: "ring filtered was full and its policy is fault: make its slots more or its reader faster".to_owned(),
        })
        .collect();
    outcome.log = LogRecord {
        path: Some("/a/folder/of/some/length/out/demo/logs.jsonl".into()),
        why: "No space left on device (os error 28)".to_owned(),
        said: vec![SaidAccount {
            stage: long.clone(),
            bytes: 9_000_000_000,
            lines: 90_000_000,
            kept: 123_456,
            repeated: 80_000_000,
            not_kept: 9_876_544,
            cut: 3,
        }],
    };
    outcome.told = vec![ToldRecord {
        on: "fault".to_owned(),
        cause: format!("{long}: ring filtered was full"),
        at_ns: 5_000_000,
        command: vec!["/home/lab/mail-report.sh".into(), "lab@example.org".into()],
        how: "was killed: it ran longer than 10s".to_owned(),
        exit_code: None,
    }];
    outcome.rt_watch = RtWatch {
        processes: vec![WatchedProcess {
            name: long,
            changes: vec![PlacementChange {
                at_ns: 3_000_000_000,
                tick: 3000,
                what: "lost its placement: is other 0 instead of fifo 60; may run on CPUs 0-1 instead of 1"
                    .to_owned(),
            }],
            changes_seen: 7,
            seconds: 10,
            ..WatchedProcess::default()
        }],
        throttling: ThrottlingRecord {
            rt_throttled_seen: Some(2),
            ..ThrottlingRecord::default()
        },
        steal: vec![StealRecord {
            cpu: 1,
            ns: 340_000_000,
            worst: vec![StolenSecond {
                at_ns: 4_000_000_000,
                over_ns: 1_000_200_000,
                ns: 40_000_000,
            }],
        }],
    };
    outcome
}

fn every_cause(who: &str) -> Vec<Cause> {
    let who = || who.to_owned();
    let skipped = |skip, ticks, behind| Cause::Skipped {
        skip,
        ticks,
        behind,
    };
    vec![
        Cause::Preempted {
            by: who(),
            priority: 80,
            ns: 120_000,
        },
        Cause::Busy {
            turns: 3,
            ns: 2_100_000,
        },
        Cause::TimerLate { ns: 1_200_000 },
        Cause::Faults {
            minor: 255,
            major: 1,
        },
        skipped(Skip::LateWake, 4, None),
        skipped(Skip::LongRun, 1, None),
        skipped(Skip::NoRoom, 2, Some(who())),
        skipped(Skip::Dead, 12, None),
        Cause::NoRoom { behind: who() },
        Cause::LongRun {
            ran_ns: 3_000_000,
            limit_ns: 300_000,
            budget: true,
        },
        Cause::LongRun {
            ran_ns: 3_000_000,
            limit_ns: 1_000_000,
            budget: false,
        },
        Cause::FramesLost(40),
        Cause::DecisionsLost(1),
        Cause::Dropped { behind: None },
        Cause::StartedOver,
        Cause::PassedOver,
        Cause::OnPurpose {
            tick: 700,
            who: who(),
            fault: Injected::Kill { stage: 0 },
            ns: 4_210_000,
            ticks: 4,
            frames: 0,
        },
        Cause::OnPurpose {
            tick: 701,
            who: who(),
            fault: Injected::Drop {
                stage: 0,
                blocks: 3,
            },
            ns: 0,
            ticks: 0,
            frames: 60,
        },
        Cause::OnPurpose {
            tick: 702,
            who: "CPU 1".to_owned(),
            fault: Injected::Hog {
                cpu: 1,
                for_ns: 30_000_000,
            },
            ns: 28_300_000,
            ticks: 0,
            frames: 0,
        },
        Cause::OnPurpose {
            tick: 703,
            who: who(),
            fault: Injected::Stall {
                stage: 0,
                for_ns: 3_000_000,
            },
            ns: 0,
            ticks: 0,
            frames: 0,
        },
        Cause::OtherInput {
            stream: "gate".to_owned(),
            by: who(),
            ns: 5_000_000,
            causes: vec![Cause::StartedOver],
        },
        Cause::WithoutInput {
            stream: "gate".to_owned(),
        },
        Cause::Stolen {
            cpu: 1,
            ns: 40_000_000,
        },
        Cause::Event {
            what: "died (signal: 9 (SIGKILL)); started again".to_owned(),
            at_ns: 0,
        },
        Cause::Unexplained { ns: 5_000_000 },
    ]
}

#[test]
fn the_worst_loops_name_the_hop_that_cost_most_and_why() {
    let text = rendered(&sound());
    assert!(text.contains("Worst loops"), "{text}");
    assert!(
        text.contains("band: waited 9.28 ms: witnessed stall of CPU 1,"),
        "{text}"
    );
    assert!(!rendered(&without_loop()).contains("Worst loops"));
}

#[test]
fn a_walk_has_one_line_per_hop_and_marks_the_one_that_cost_most() {
    let report = report(&sound());
    let text = walk_text(&report.worst[0]);
    same_as("src/report/tests/golden/walk.txt", &text);
    assert_eq!(text.matches("<- ").count(), 1);
    let hops = text.lines().filter(|line| line.contains(" +")).count();
    assert_eq!(hops, report.worst[0].hops.len());
}

#[test]
fn what_an_event_says_reaches_no_terminal_as_it_is() {
    let mut report = report(&sound());
    report.worst[0].hops[0].stage = "a\u{1b}[2Jb".to_owned();
    assert!(walk_text(&report.worst[0]).contains("a?[2Jb"));
}

#[test]
fn the_report_of_a_sound_run_is_the_golden_one() {
    same_as("src/report/tests/golden/sound.txt", &rendered(&sound()));
}

#[test]
fn the_report_of_a_run_full_of_trouble_is_the_golden_one() {
    same_as(
        "src/report/tests/golden/trouble.txt",
        &rendered(&sprawling()),
    );
}

#[test]
fn no_line_is_wider_than_80_columns_or_ends_in_blanks() {
    for outcome in [
        sound(),
        sprawling(),
        without_loop(),
        with_loop(0, 1),
        with_loop(1, 5),
        with_loop(3, 9_000_000_000),
    ] {
        for line in rendered(&outcome).lines() {
            assert!(
                line.chars().count() <= 80,
                "{} columns: {line}",
                line.chars().count()
            );
            assert_eq!(line, line.trim_end());
        }
    }
}

#[test]
fn a_run_without_a_loop_and_one_without_decisions_say_so() {
    assert!(rendered(&without_loop()).contains("none: the graph has no stimulate stage"));
    assert!(rendered(&with_loop(0, 1)).contains("no decision was handed over"));
}

#[test]
fn a_single_decision_has_a_histogram_of_one_row() {
    let text = rendered(&with_loop(1, 1_200_000));
    assert!(text.contains("1 decision,"), "{text}");
    assert_eq!(text.matches('█').count(), 40);
}

#[test]
fn values_beyond_the_range_are_not_passed_off_as_the_maximum() {
    let mut outcome = sound();
    outcome.loop_hop.as_mut().unwrap().saturated = 7;
    assert!(rendered(&outcome).contains("is saturated: 7 values were longer than max says"));
}

#[test]
fn corrected_and_uncorrected_are_both_shown_when_decisions_were_skipped() {
    let text = rendered(&sound());
    assert!(text.contains("10,000 decisions, sampled to handed: p50 "));
    assert!(text.contains("as 9,998 decisions happened"));
}

#[test]
fn a_bound_stands_beside_the_loop_and_is_called_broken_only_if_it_is() {
    let mut report = report(&sound());
    let with = |report: &crate::report::Report| text(report, &suggestions());
    assert!(!with(&report).contains("by the budgets"));
    let measured = report.loop_latency.as_mut().unwrap();
    let max_ns = measured.hop.uncorrected.max_ns.unwrap();
    for (bound_ns, broken) in [(max_ns, false), (max_ns - 1, true)] {
        report.loop_latency.as_mut().unwrap().hop.bound_ns = Some(bound_ns);
        let text = with(&report);
        assert!(
            text.contains("by the budgets of the graph at most"),
            "{text}"
        );
        assert_eq!(text.contains("broken: a stage took"), broken, "{text}");
    }
}
