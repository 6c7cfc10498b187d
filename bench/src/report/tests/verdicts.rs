use super::sample_runs::{report, sound, suggestions};
use crate::report::{html, text};
use ephapse_engine::outcome::{BrokenBudget, Fault, Outcome};

/// The verdict line must be the first thing read, on the terminal and on the page.
fn first_words(outcome: &Outcome) -> String {
    let report = report(outcome);
    let text = text(&report, &suggestions());
    let first = text.split("\n\n").next().unwrap();
    let first = first.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    assert!(html(&report, &suggestions()).contains("class=\"verdict"));
    first
}

#[test]
fn a_sound_run_passes_and_says_what_held() {
    let words = first_words(&sound());
    assert!(words.starts_with("PASSED: every account holds"), "{words}");
}

#[test]
fn the_first_fault_is_named_before_any_account() {
    let mut outcome = sound();
    outcome.rings[0].holds = false;
    for (what, at_ns) in [
        ("died of signal 9; see the event ring", 1_500_000_000),
        ("later", 2_000_000_000),
    ] {
        outcome.faults.push(Fault {
            at_ns,
            tick: 1_500,
            who: "band".to_owned(),
            what: what.to_owned(),
        });
    }
    let words = first_words(&outcome);
    assert!(
        words.starts_with("FAILED: band: died of signal 9; see the event ring (tick 1,500, 1.50 s after the start)"),
        "{words}"
    );
    assert_eq!(report(&outcome).exit_code, 1);
}

#[test]
fn a_broken_account_is_shown_with_its_numbers() {
    let mut outcome = sound();
    outcome.rings[1].dropped = 1;
    outcome.rings[1].holds = false;
    let words = first_words(&outcome);
    assert!(
        words.contains("ring clean: offered 10,000 is not published 9,998 + dropped 1 = 9,999"),
        "{words}"
    );
    assert!(text(&report(&outcome), &[]).contains("BROKEN"));
}

#[test]
fn each_kind_of_account_can_be_the_one_that_is_broken() {
    let mut ticks = sound();
    ticks.ticks[2].run -= 1;
    ticks.ticks[2].holds = false;
    assert!(first_words(&ticks).contains("ticks of mains: due 10,000 is not run 9,997"));
    let mut edges = sound();
    edges.edges[0].consumed -= 1;
    edges.edges[0].holds = false;
    assert!(
        first_words(&edges).contains("edge raw > mains: published 9,998 is not consumed 9,997")
    );
    let mut left = sound();
    left.edges[0].consumed -= 1;
    left.edges[0].left = 1;
    left.edges[0].holds = false;
    assert!(first_words(&left).contains("1 blocks were left in the ring after the drain"));
    let mut sources = sound();
    sources.sources[0].lost = 39;
    sources.sources[0].holds = false;
    assert!(
        first_words(&sources)
            .contains("source raw: counted 200,000 frames is not valid 199,960 + lost 39")
    );
}

#[test]
fn an_incomplete_histogram_fails_the_run_by_name() {
    let mut outcome = sound();
    outcome.loop_hop.as_mut().unwrap().missing = 12;
    let words = first_words(&outcome);
    assert!(
        words.starts_with("FAILED: histogram incomplete: 12 records of stimulate (loop)"),
        "{words}"
    );
}

#[test]
fn a_broken_budget_is_the_threshold_and_names_the_stage() {
    let mut outcome = sound();
    outcome.broken_budgets.push(BrokenBudget {
        stage: "band".to_owned(),
        budget_ns: 300_000,
        broken: 1_204,
        worst_ns: 1_250_000,
    });
    let words = first_words(&outcome);
    assert!(
        words.starts_with("THRESHOLD: band took longer than its budget of 300 us in 1,204 activations, at worst 1.25 ms"),
        "{words}"
    );
    assert_eq!(report(&outcome).exit_code, 2);
}

#[test]
fn a_run_that_was_not_in_real_time_says_so_loudly_although_it_passed() {
    let mut outcome = sound();
    outcome.rt.active = false;
    outcome.rt.why = "SCHED_FIFO refused: Operation not permitted".to_owned();
    outcome.stages[3].rt_why = "policy is other: Operation not permitted".to_owned();
    let words = first_words(&outcome);
    assert!(
        words.contains("!!! rt = false: SCHED_FIFO refused"),
        "{words}"
    );
    assert!(text(&report(&outcome), &[]).contains("! band: policy is other"));
    let page = html(&report(&outcome), &[]);
    assert!(page.contains("rt = false") && page.contains("does not run in real time"));
}

#[test]
fn a_counter_that_holds_nonsense_is_reported_not_tripped_over() {
    let mut outcome = sound();
    outcome.ticks[1].late_wake = u64::MAX;
    outcome.ticks[1].holds = false;
    let words = first_words(&outcome);
    assert!(
        words.contains("late wake 18,446,744,073,709,551,615"),
        "{words}"
    );
}
