//! The graph of an alpha loop: what it decides is what its signal is worth, and its filter and window may be changed while it runs.

use crate::place::{Place, wait_until};
use crate::turns::{alone, shared};
use serde_json::Value;
use std::fs;

const GRAPH: &str = include_str!("../../../rtconfig/graphs/eeg-alpha-loop.toml");

#[test]
fn an_alpha_wave_of_200_square_microvolts_is_answered_with_its_rung_of_the_table() {
    let _turn = shared();
    let place = Place::new();
    place.write("alpha.toml", GRAPH);
    place
        .run_session(&["run", "alpha.toml", "--unpaced", "--duration", "10s"], 60)
        .expect(0);
    let log = fs::read_to_string(place.report().join("stimulation.jsonl")).unwrap();
    let said: Vec<Value> = log
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    // 200 uV^2 lie between the rungs of 100 and 400: 10 Hz, commanded once, with the first full window.
    let [commanded, ended] = said.as_slice() else {
        panic!("{log}");
    };
    assert_eq!(commanded["values"][0], 10.0, "{log}");
    // And with the end of the data the interlock ends it.
    assert_eq!(
        (&ended["value"], &ended["forced"]),
        (&0.0.into(), &"end".into()),
        "{log}"
    );
    place.expect_nothing_left();
}

#[test]
fn edges_and_windows_are_changed_while_it_runs_and_what_cannot_be_is_refused() {
    let _turn = alone();
    let place = Place::new();
    place.write("alpha.toml", GRAPH);
    let run = place.start(place.session_command(&["run", "alpha.toml", "--duration", "60s"]));
    // The first is taken as soon as its stage runs.
    wait_until("a change is taken", 20, || {
        let told = place.run(&["set", "band", "low_hz=2.0"]).stdout;
        told.contains("epoch")
    });
    for changes in [
        &["band", "low_hz=4.0", "high_hz=40.0"][..],
        &["mains", "low_hz=49.0", "high_hz=51.0"],
        &["alpha", "window_s=1.0"],
        &["quality", "noisy_above=20.0"],
    ] {
        let told = place.run(&[&["set"], changes].concat()).expect(0).stdout;
        assert!(told.contains("epoch"), "{told}");
    }
    for (changes, why) in [
        (["band", "high_hz=200.0"], "200 Hz is not below 125 Hz"),
        (["band", "order=4"], "cannot change while it runs"),
        (["alpha", "window_s=3.0"], "longer than max_window_s"),
    ] {
        let refused = place
            .run(&[&["set"], &changes[..]].concat())
            .expect(1)
            .stderr;
        assert!(
            refused.contains(why) && refused.trim_end().lines().count() == 1,
            "{refused}"
        );
    }
    place.run(&["stop"]).expect(0);
    run.wait(15).expect(0);
    place.expect_nothing_left();
}
