use super::graph::{DECIDE, LOG, SOURCE};
use super::resolution::cell;
use super::script::{BLOCK_FRAMES, Scripted, Truth};
use super::*;
use ephapse_engine::abi::ActivationRecord;
use std::collections::BTreeSet;

fn scripted_with(change: impl FnOnce(&mut Script)) -> Checks {
    let mut script = Script::new();
    change(&mut script);
    scripted(&script, &ProveOptions::default())
}

/// What the checks that do not hold are about.
fn failed(checks: &Checks) -> Vec<String> {
    checks.failed().iter().map(|c| c.what.clone()).collect()
}

/// Tags of the hops whose distribution is not what it should be.
fn wrong_hops(checks: &Checks) -> BTreeSet<String> {
    let failed = failed(checks).into_iter();
    let tags = failed.filter_map(|what| {
        what.ends_with(": distribution in the log")
            .then(|| what.split(',').next().unwrap_or_default().to_owned())
    });
    tags.collect()
}

fn process<'a>(script: &'a mut Script, name: &str) -> &'a mut Scripted {
    let found = script.processes.iter_mut().find(|p| p.name == name);
    found.unwrap()
}

/// An ordinary record from the middle of a process's.
fn ordinary<'a>(script: &'a mut Script, name: &str) -> &'a mut ActivationRecord {
    let records = &mut process(script, name).records;
    let middle = records.len() / 2;
    let whole = |r: &ActivationRecord| r.marks == 1 && r.committed_ns != 0 && r.skipped == [0; 4];
    records[middle..].iter_mut().find(|r| whole(r)).unwrap()
}

fn truths(script: &Script) -> impl Iterator<Item = &Truth> {
    script.processes.iter().flat_map(|p| &p.truths)
}

#[test]
fn the_instrument_proves_itself() {
    let proof = quick(&ProveOptions::default());
    assert!(proof.passed(), "{}", proof.sentence);
    assert_eq!(
        proof.sentence,
        format!("proved: {0} checks of {0} hold", proof.checks.len())
    );
    assert_eq!(proof.live, Live::NotAsked);
}

#[test]
fn a_lost_record_fails_the_proof_which_says_what_is_short() {
    let proof = quick(&ProveOptions {
        drop_record: Some(5_000),
    });
    assert!(!proof.passed());
    let short = proof
        .checks
        .iter()
        .filter(|c| c.found.ends_with(": 1 short"));
    let short: Vec<&str> = short.map(|c| c.what.as_str()).collect();
    let hops = ["act.wake", "act.run", "loop", "act.host_loop"];
    assert_eq!(short, hops.map(|tag| format!("values of {tag}")));
    assert!(
        proof
            .sentence
            .starts_with("NOT proved: values of act.wake: expected ")
    );
    assert!(proof.sentence.contains(": 1 short ("), "{}", proof.sentence);
}

#[test]
fn a_record_that_does_not_exist_cannot_be_lost() {
    for lost in [0, 1_000_000] {
        let proof = quick(&ProveOptions {
            drop_record: Some(lost),
        });
        assert!(!proof.passed());
        assert!(
            proof.sentence.contains("choose 1 to "),
            "{}",
            proof.sentence
        );
    }
}

#[test]
fn a_stamp_that_is_off_by_more_than_the_resolution_fails_the_proof_and_one_within_it_does_not() {
    let shifted = |by: fn(u64) -> u64| {
        scripted_with(|script| {
            let record = ordinary(script, "timer");
            let late_ns = record.woke_ns - record.since_ns;
            record.woke_ns = record.since_ns + by(late_ns);
        })
    };
    assert_eq!(failed(&shifted(cell)), [""; 0]);
    let off = shifted(|late_ns| cell(late_ns) - 1);
    assert_eq!(
        failed(&off),
        ["as it happened", "corrected"]
            .map(|how| format!("timer.timer_lateness, {how}: distribution in the log"))
    );
}

/// A process, a change of one field of one of its records, and the hops that must be wrong then.
type Mutation = (
    &'static str,
    fn(&mut ActivationRecord),
    &'static [&'static str],
);

#[test]
fn every_field_that_is_measured_is_proved() {
    // In one run only such changes as leave no doubt which of them a hop suffers from.
    let runs: [&[Mutation]; 2] = [
        &[
            (ACT, |r| r.since_ns -= 5_000_000, &["act.wake"]),
            (ACT, |r| r.sampled_ns -= 500_000_000, &["loop"]),
            (ACT, |r| r.arrived_ns -= 500_000_000, &["act.host_loop"]),
            (
                SOURCE,
                |r| r.woke_ns -= 200_000_000,
                &["source.run", "source.wake"],
            ),
            (DECIDE, |r| r.marks = 0, &["decide.wake"]),
            (
                "timer",
                |r| r.since_ns -= 5_000_000,
                &["timer.timer_lateness"],
            ),
        ],
        &[
            (
                ACT,
                |r| r.committed_ns += 5_000_000,
                &["act.host_loop", "act.run", "loop"],
            ),
            (
                SOURCE,
                |r| r.arrived_ns += 500_000_000,
                &["source.transport"],
            ),
            (DECIDE, |r| r.sampled_ns -= 500_000_000, &["decide.age"]),
            (
                "timer",
                |r| r.woke_ns += 5_000_000,
                &["timer.timer_lateness"],
            ),
            (LOG, |r| r.committed_ns += 500_000_000, &["act.log.run"]),
        ],
    ];
    for mutations in runs {
        let checks = scripted_with(|script| {
            for (name, mutate, _) in mutations {
                mutate(ordinary(script, name));
            }
        });
        let wrong = mutations.iter().flat_map(|(_, _, wrong)| *wrong);
        let wrong: BTreeSet<String> = wrong.map(|tag| (*tag).to_owned()).collect();
        assert_eq!(wrong_hops(&checks), wrong);
    }
}

#[test]
fn a_stall_recorded_as_one_period_shorter_than_it_was_is_found_out() {
    let checks = scripted_with(|script| {
        let timer = &mut process(script, "timer").records;
        timer
            .iter_mut()
            .find(|r| r.skipped[0] == 6)
            .unwrap()
            .skipped[0] = 5;
        let decide = &mut process(script, DECIDE).records;
        decide
            .iter_mut()
            .find(|r| r.skipped[1] == 6)
            .unwrap()
            .skipped[1] = 5;
        // From the stall on, every decision is said to be one nearer to those before.
        let act = process(script, ACT).records.iter_mut();
        let step = 2 * u64::from(BLOCK_FRAMES);
        let behind = act.skip_while(|r| r.origin_frame < 6_006 * step - 1);
        behind.for_each(|r| r.origin_frame -= step);
    });
    let stalls = failed(&checks).into_iter();
    let stalls: Vec<String> = stalls.filter(|what| what.ends_with(": 7")).collect();
    assert_eq!(
        stalls,
        [
            "timer.timer_lateness: deadlines slept through: 7",
            "decide.wake: ticks passed over by a long run: 7",
            "loop: decisions due for one that came: 7"
        ]
    );
}

#[test]
fn a_stall_of_more_periods_than_happened_is_not_found() {
    let checks = scripted_with(|script| {
        let truth = &mut process(script, "timer").truths[0];
        let stall = truth
            .stalls
            .iter_mut()
            .find(|s| s.each_ns.len() == 7)
            .unwrap();
        stall.each_ns.push(stall.once_ns + script::PERIOD_NS);
    });
    assert_eq!(
        failed(&checks),
        ["timer.timer_lateness: deadlines slept through: 7"]
    );
}

/// Otherwise a stall could be found where an ordinary delay lies.
#[test]
fn nothing_else_in_the_script_looks_like_a_stall() {
    let script = Script::new();
    let mut stalls = 0;
    for truth in truths(&script) {
        let times =
            |values: &[u64], ns: u64| values.iter().filter(|v| cell(**v) == cell(ns)).count();
        for stall in &truth.stalls {
            assert_eq!(
                times(&truth.uncorrected, stall.once_ns),
                1,
                "{}",
                stall.what
            );
            for ns in &stall.each_ns {
                assert_eq!(times(&truth.corrected, *ns), 1, "{}: {ns}", stall.what);
            }
            stalls += 1;
        }
    }
    assert_eq!(stalls, 19);
}
