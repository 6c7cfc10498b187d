use super::sample_runs::*;
use crate::report::{Report, html};
use ephapse_engine::outcome::{BrokenBudget, Fault, Outcome, WatchedProcess};

fn page(outcome: &Outcome) -> String {
    html(&report(outcome), &suggestions())
}

fn with_thousands(number: u64) -> String {
    crate::report::units::thousands(number)
}

#[test]
fn the_page_refers_to_nothing_outside_itself() {
    let page = page(&sound()).replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
    for reference in [
        "http:", "https:", "//", "<script", "<link", "@import", "url(", " src=", " href=",
    ] {
        assert!(!page.contains(reference), "the page contains {reference}");
    }
}

#[test]
fn the_page_shows_every_figure_of_the_tables() {
    let mut outcome = sound();
    outcome.ticks[2].no_room = 771_001;
    outcome.rings[2].offered = 771_002;
    outcome.edges[2].jumped = 771_003;
    outcome.edges[3].lost_frames = 771_004;
    outcome.sources[0].counted = 771_005;
    outcome.stages[4].allocations_after_start = 771_006;
    outcome.stages[5].spurious_rings = 771_007;
    outcome.broken_budgets.push(BrokenBudget {
        stage: "band".to_owned(),
        budget_ns: 300_000,
        broken: 771_008,
        worst_ns: 500_000,
    });
    let report = report(&outcome);
    let page = html(&report, &[]);
    for number in 771_001..=771_008 {
        assert!(
            page.contains(&format!("<td>{}</td>", with_thousands(number))),
            "{number}"
        );
    }
    for number in numbers(&report) {
        assert!(page.contains(&format!("<td>{number}</td>")), "{number}");
    }
    for text in [
        "Made-up 3000",
        "synthetic, seed 7",
        "culture.h5, Electrode Raw Data",
    ] {
        assert!(page.contains(text), "{text}");
    }
}

/// Every count of accounts and processes, and every latency of the hops, as shown.
fn numbers(report: &Report) -> Vec<String> {
    use crate::report::units::{kib, microseconds};
    let mut out = Vec::new();
    for a in &report.ticks {
        out.extend([a.due, a.run, a.late_wake, a.long_run, a.no_room, a.dead].map(with_thousands));
    }
    for a in &report.rings {
        out.extend([a.offered, a.published, a.dropped].map(with_thousands));
    }
    for a in &report.edges {
        let counts = [
            a.published,
            a.consumed,
            a.jumped,
            a.lapped,
            a.left,
            a.gaps,
            a.lost_frames,
        ];
        out.extend(counts.map(with_thousands));
    }
    for s in &report.stages {
        out.extend(
            [
                s.minor_faults,
                s.major_faults,
                s.voluntary_switches,
                s.activations,
            ]
            .map(with_thousands),
        );
        out.extend([
            with_thousands(kib(s.locked_bytes)),
            s.pid.to_string(),
            s.priority.to_string(),
        ]);
    }
    for hop in &report.hops {
        let f = &hop.figures;
        out.push(with_thousands(f.count));
        out.extend([f.p50_ns, f.p99_ns, f.p999_ns, f.p9999_ns, f.max_ns].map(microseconds));
    }
    out
}

#[test]
fn the_page_says_why_the_worst_loops_took_so_long_and_what_was_said_and_done_beside_the_loop() {
    let page = page(&super::text::sprawling());
    for words in [
        // Worst loops: the incident, and its way.
        "8 decisions in 17.2 ms, ticks 2,001 to 2,008",
        "witnessed stall of CPU 1, 3.10 ms",
        "injected: killed, at tick 700; at work again after 4.21 ms, 4 ticks dead",
        "<td>80,000,000</td>",
        "/a/folder/of/some/length/out/demo/logs.jsonl",
        "No space left on device",
        "/home/lab/mail-report.sh lab@example.org",
        "was killed: it ran longer than 10s",
        "1 of 1 did not end with 0",
        "lost its placement: is other 0 instead of fifo 60",
        "and 6 more",
        "real-time threads were throttled: seen 2 times",
        "a hypervisor took 340 ms of CPU 1, 40.0 ms of it in one second",
    ] {
        assert!(page.contains(words), "{words}");
    }
    let mut sound = sound();
    sound.rt_watch.processes.push(WatchedProcess {
        name: "band".to_owned(),
        seconds: 12,
        ..WatchedProcess::default()
    });
    let page = self::page(&sound);
    assert!(page.contains("policy, priority and CPUs of ready in all 12 looks"));
    assert!(!page.contains("Commands of [on]") && !page.contains("What the processes said"));
}

#[test]
fn the_page_has_four_plots_each_with_a_sentence() {
    let page = page(&sound());
    assert_eq!(page.matches("<svg ").count(), 4);
    assert_eq!(page.matches("<figcaption>").count(), 4);
    assert!(!page.contains("could not be drawn"));
    assert!(!page.contains("<figcaption></figcaption>"));
    for axis in [
        "latency",
        "decisions",
        "time since the start, s",
        "99.9 %",
        "1 ms",
    ] {
        assert!(page.contains(axis), "{axis}");
    }
}

#[test]
fn markup_in_names_and_reasons_stays_text() {
    let mut outcome = sound();
    outcome.faults.push(Fault {
        at_ns: 0,
        tick: 0,
        who: "<script>alert(1)</script>".to_owned(),
        what: "a & b < \"c\"".to_owned(),
    });
    outcome.hops[3].stage = "<b>bold</b>".to_owned();
    let page = page(&outcome);
    assert!(!page.contains("<script") && !page.contains("<b>"));
    assert!(page.contains("&lt;script&gt;alert(1)"));
    assert!(page.contains("a &amp; b &lt; &quot;c&quot;"));
}

#[test]
fn little_data_makes_a_plain_page_rather_than_a_broken_one() {
    let none = page(&without_loop());
    assert!(none.contains("no stimulate stage") && !none.contains("<svg "));
    assert!(page(&with_loop(0, 1)).contains("No decision was handed over"));
    for outcome in [
        with_loop(1, 1),
        with_loop(1, 1_000_000),
        with_loop(2, 8_000_000_000),
    ] {
        let page = page(&outcome);
        assert!(
            !page.contains("could not be drawn") && !page.contains("NaN") && !page.contains("inf")
        );
    }
}
