//! A stage that is moved, or taken its priority, while it runs: reported by name.

use crate::finished::Report;
use crate::loop_graph::LOOP;
use crate::place::{Place, wait_until};
use crate::restarts::pid_of;
use crate::turns::alone;
use ephapse_engine::launch::read_events;
use std::process::Command;

fn tool(program: &str, arguments: &[&str]) {
    let done = Command::new(program).args(arguments).output().unwrap();
    assert!(done.status.success(), "{program} {arguments:?}: {done:?}");
}

#[test]
fn a_stage_that_loses_its_placement_is_reported_by_name_and_so_is_what_it_has_now() {
    let _turn = alone();
    let place = Place::new();
    place.write("loop.toml", &format!("record = []\n{LOOP}"));
    let run = place.start(place.session_command(&["run", "loop.toml", "--duration", "60s"]));
    let told = |who: &str, what: &str| {
        let events = read_events(place.session()).unwrap_or_default();
        events.iter().any(|e| e.who == who && e.what.contains(what))
    };
    wait_until("the session runs", 20, || told("session", "running"));
    // A look at how it is before.
    std::thread::sleep(std::time::Duration::from_millis(1500));
    let pid = pid_of(&place, "band").unwrap().to_string();
    tool("taskset", &["-pc", "0-1", &pid]);
    wait_until("it is seen", 10, || {
        told(
            "band",
            "lost its placement: may run on CPUs 0-1 instead of 1",
        )
    });
    tool("taskset", &["-pc", "1", &pid]);
    wait_until("that is seen, too", 10, || {
        told("band", "has its placement again")
    });
    let detect = pid_of(&place, "detect").unwrap().to_string();
    tool("chrt", &["--batch", "-p", "0", &detect]);
    wait_until("its policy is seen", 10, || {
        told("detect", "is batch 0 instead of ")
    });
    run.signal("INT");
    let ended = run.wait(20).expect(0);
    place.expect_nothing_left();
    let report = Report::read(&place.report());
    assert_eq!(report.0["rt"]["active"], false);
    let watch = &report.0["rt_watch"];
    let of = |name: &str| {
        let mut all = watch["processes"].as_array().unwrap().iter();
        all.find(|w| w["name"] == name).unwrap()
    };
    let band = of("band");
    assert_eq!(band["changes_seen"], 2, "{band}");
    assert_eq!(band["last"]["cpus"], "1", "{band}");
    assert_eq!(of("detect")["last"]["policy"], "batch");
    let rate = of("rate");
    assert_eq!(rate["changes"].as_array().unwrap().len(), 0, "{rate}");
    for process in watch["processes"].as_array().unwrap() {
        assert!(process["seconds"].as_u64() >= Some(3), "{process}");
    }
    // It slept and was woken a thousand times a second.
    assert!(rate["voluntary_switches"].as_u64() > Some(100), "{rate}");
    let throttling = &watch["throttling"];
    let seen = ["group_throttled", "rt_throttled_seen"];
    let unseen = seen
        .iter()
        .filter(|key| throttling[**key].is_null())
        .count();
    assert_eq!(
        throttling["not_visible"].as_array().unwrap().len(),
        unseen,
        "{throttling}"
    );
    assert!(
        ended.stdout.contains("! band lost its placement"),
        "{}",
        ended.stdout
    );
}
