//! What findings come to, in one sentence.

use crate::{finding, fixtures};
use ephapse_rtconfig::doctor::{Finding, State, Verdict};

/// Findings of a host on which exactly these checks fail.
fn failing(checks: &[&str]) -> Vec<Finding> {
    fixtures::all()
        .iter()
        .map(|fixture| {
            let side = if checks.contains(&fixture.check) {
                &fixture.fails
            } else {
                &fixture.passes
            };
            finding(&side.make().host, fixture.check)
        })
        .collect()
}

fn sentence(findings: &[Finding]) -> String {
    Verdict::of(findings, &[10_000_000, 1_000_000]).sentence
}

#[test]
fn the_verdict_is_a_sentence_that_says_what_is_good_what_to_do_and_what_is_not_promised() {
    assert_eq!(
        sentence(&failing(&[])),
        "Good for 10 ms and 1 ms ticks as it is"
    );
    assert_eq!(
        sentence(&failing(&["governor", "thp", "preempt_rt", "smt"])),
        "Good for 10 ms ticks as it is; for 1 ms: two commands, printed here; no PREEMPT_RT, so no promise above p99.9"
    );
    assert_eq!(
        sentence(&failing(&["fifo", "rlimit_rtprio", "rlimit_memlock"])),
        "Not fit for real time as it is (fifo, rlimit_rtprio, rlimit_memlock): one command, printed here; then good for 10 ms and 1 ms ticks"
    );
    assert_eq!(
        sentence(&failing(&["rt_throttling", "spin_gaps", "hypervisor"])),
        "For 10 ms and 1 ms ticks: one command, printed here, the advice at spin_gaps; under a hypervisor, so no promise of any maximum"
    );
}

#[test]
fn a_verdict_names_the_critical_checks_that_could_not_be_read() {
    let mut findings = failing(&[]);
    for finding in &mut findings {
        if ["shm", "boost", "disk"].contains(&finding.check) {
            finding.state = State::Unknown;
        }
    }
    let verdict = Verdict::of(&findings, &[1_000_000]);
    assert_eq!(verdict.critical, ["shm"]);
    assert!(!verdict.real_time);
    assert_eq!(
        verdict.sentence,
        "Nothing that could be read stands in the way of 1 ms ticks; not known: shm; two checks could not be read"
    );
}
