//! Looking at sessions and graphs without running one: `status`, `gc`, `list`, `check`.

use crate::loop_graph::LOOP;
use crate::place::{Place, wait_until};
use crate::turns::{alone, shared};
use serde_json::Value;

/// The endless loop, played slowly enough to leave the CPUs to others.
const SLOW: [&str; 6] = [
    "run",
    "loop.toml",
    "--set",
    "timer.period_ns=10_000_000",
    "--set",
    "stage.source.params.block_frames=200",
];

fn status(place: &Place) -> Vec<Value> {
    let ended = place.run(&["status", "--json"]).expect(0);
    serde_json::from_str(&ended.stdout).unwrap()
}

#[test]
fn status_lists_the_sessions_that_run_and_gc_leaves_them_alone() {
    let _turn = alone();
    let place = Place::new();
    place.write("loop.toml", LOOP);
    let names = ["b", "a"].map(|part| format!("{}-{part}", place.session()));
    let running = names.clone().map(|name| {
        let mut command = place.command(&SLOW);
        command
            .args(["--set", &format!("name={name:?}"), "--report", &name])
            .args(["--set", "defaults.burst=4"]);
        place.start(command)
    });
    wait_until("both sessions run", 20, || {
        let all = status(&place);
        all.len() == 2 && all.iter().all(|s| s["state"] == "running")
    });
    let all = status(&place);
    assert_eq!(all[0]["session"], names[1].as_str());
    assert_eq!(all[1]["session"], names[0].as_str());
    for session in &all {
        assert_eq!(session["running"], true);
        let processes = session["processes"].as_array().unwrap();
        assert_eq!(session["alive"], processes.len());
        assert_eq!(processes[0]["name"], "launcher");
        assert!(
            session["streams"]
                .as_array()
                .unwrap()
                .contains(&"raw".into())
        );
    }
    let told = place.run(&["status"]).expect(0).stdout;
    for (name, run) in names.iter().zip(&running) {
        let line = told
            .lines()
            .find(|line| line.starts_with(name.as_str()))
            .unwrap_or_else(|| panic!("no line of {name}:\n{told}"));
        assert!(line.contains("running"), "{line}");
        assert!(line.contains(&run.pid().to_string()), "{line}");
    }
    let collected = place.run(&["gc"]).expect(0);
    assert_eq!(collected.stdout, "nothing to remove\n");
    assert_eq!(status(&place).len(), 2);
    for run in running {
        run.signal("INT");
        run.wait(15).expect(0);
    }
    assert_eq!(place.run(&["status"]).expect(0).stdout, "no sessions\n");
    place.expect_nothing_left();
}

#[test]
fn a_second_session_of_the_same_name_is_refused_with_the_pid_of_the_first() {
    let _turn = alone();
    let place = Place::new();
    place.write("loop.toml", LOOP);
    let first = place.start(place.session_command(&SLOW));
    wait_until("the session runs", 20, || {
        status(&place).iter().any(|s| s["state"] == "running")
    });
    let mut again = place.session_command(&SLOW);
    again.args(["--duration", "1s"]);
    let refused = place.finish(again, 20).expect(1);
    let line = refused.only_line();
    assert!(line.contains(place.session()), "{line}");
    assert!(line.contains(&format!("pid {}", first.pid())), "{line}");
    // The first has not been disturbed.
    first.signal("INT");
    first.wait(15).expect(0);
    place.expect_nothing_left();
}

#[test]
fn gc_and_status_with_nothing_to_do_say_so() {
    let _turn = shared();
    let place = Place::new();
    let collected = place.run(&["gc"]).expect(0);
    assert_eq!(collected.stdout, "nothing to remove\n");
    assert_eq!(place.run(&["status"]).expect(0).stdout, "no sessions\n");
    assert_eq!(status(&place), Vec::<Value>::new());
    place.expect_nothing_left();
}

#[test]
fn list_names_every_kind_in_order_and_json_has_their_parameters() {
    let _turn = shared();
    let place = Place::new();
    let listed = place.run(&["list", "--json"]).expect(0);
    let kinds: Vec<Value> = serde_json::from_str(&listed.stdout).unwrap();
    let names: Vec<&str> = kinds.iter().map(|k| k["kind"].as_str().unwrap()).collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    assert_eq!(names, sorted);
    for kind in ["acquire.mcs_h5", "filter.bandpass", "stimulate.log"] {
        assert!(names.contains(&kind), "{names:?}");
    }
    for kind in &kinds {
        assert!(kind["params_schema"].is_object(), "{kind}");
    }
    let text = place.run(&["list"]).expect(0).stdout;
    let told: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(told, names);
}

#[test]
fn a_sound_graph_is_called_sound_and_nothing_is_started() {
    let _turn = shared();
    let place = Place::new();
    place.write("loop.toml", LOOP);
    let checked = place.run(&["check", "loop.toml"]).expect(0);
    assert!(
        checked
            .stdout
            .contains("loop.toml: sound: 7 stages, 6 streams"),
        "{}",
        checked.stdout
    );
    assert_eq!(checked.stderr, "");
    place.expect_nothing_left();
}
