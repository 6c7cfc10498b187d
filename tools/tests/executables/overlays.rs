//! Files laid over a graph, from the command line.

use crate::loop_graph::LOOP;
use crate::place::Place;
use crate::turns::shared;

const OWN: &str = "extends = [\"loop.toml\"]\n\n[stage.band.params]\nlow_hz = 250.0\n";

fn prepared() -> Place {
    let place = Place::new();
    place.write("loop.toml", LOOP);
    place.write("own.toml", OWN);
    place.write("site.toml", "[stage.band.params]\nhigh_hz = 2500.0\n");
    place
}

#[test]
fn check_explain_and_schema_take_files_that_are_laid_over_a_graph() {
    let _turn = shared();
    let place = prepared();
    for command in ["check", "explain", "schema"] {
        place
            .run(&[command, "own.toml", "--with", "site.toml"])
            .expect(0);
        let refused = place
            .run(&[command, "own.toml", "--with", "sit.toml"])
            .expect(1);
        let line = refused.only_line();
        assert!(
            line.contains("sit.toml:1: ") && line.contains("did you mean `site.toml`?"),
            "{line}"
        );
    }
    let with_set = [
        "explain",
        "own.toml",
        "--with",
        "site.toml",
        "--set",
        "stage.band.params.order=3",
    ];
    let text = place.run(&with_set).expect(0).stdout;
    for (at, value) in [
        ("own.toml:4", "stage.band.params.low_hz = 250.0"),
        ("site.toml:2", "stage.band.params.high_hz = 2500.0"),
        ("--set", "stage.band.params.order = 3"),
        ("loop.toml:3", "timer.cpu = 0"),
    ] {
        let told = |line: &&str| line.trim_start().starts_with(at) && line.ends_with(value);
        assert_eq!(text.lines().filter(told).count(), 1, "{at} {value}\n{text}");
    }
}

#[test]
fn a_run_keeps_the_whole_graph_that_its_files_make() {
    let _turn = shared();
    let place = prepared();
    place
        .run_session(
            &[
                "run",
                "own.toml",
                "--with",
                "site.toml",
                "--unpaced",
                "--duration",
                "1s",
                "--record",
                "off",
            ],
            60,
        )
        .expect(0);
    let kept = std::fs::read_to_string(place.report().join("graph.toml")).unwrap();
    for words in ["low_hz = 250.0", "high_hz = 2500.0"] {
        assert!(kept.contains(words), "{words}:\n{kept}");
    }
    assert!(!kept.contains("extends"));
    place.run(&["check", "report/graph.toml"]).expect(0);
    place.expect_nothing_left();
}
