//! `plan`: said before a run, kept to by `run`, and set beside what was measured.

use crate::loop_graph::LOOP;
use crate::place::Place;
use crate::turns::{alone, shared};
use serde_json::Value;

const BUDGETS: [&str; 2] = ["--set", "defaults.budget_ns=20_000"];
const TOO_LONG: [&str; 2] = ["--set", "defaults.budget_ns=400_000"];

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[test]
fn a_plan_names_the_stages_that_nobody_bounds_and_fits_once_they_have_budgets() {
    let _turn = shared();
    let place = Place::new();
    place.write("loop.toml", LOOP);
    let plain = place.run(&["plan", "loop.toml"]).expect(0);
    assert!(
        plain
            .stdout
            .contains("no bound: nobody says how long `source`"),
        "{}",
        plain.stdout
    );
    let fits = place
        .run(&[&["plan", "loop.toml"], &BUDGETS[..]].concat())
        .expect(0);
    assert!(fits.stdout.contains("\nfits: "), "{}", fits.stdout);
    let long = place
        .run(&[&["plan", "loop.toml"], &TOO_LONG[..]].concat())
        .expect(2);
    assert!(long.stdout.contains("\ndoes not fit: `"), "{}", long.stdout);
    place.expect_nothing_left();
}

#[test]
fn a_model_of_the_run_stays_below_the_bound_and_a_change_is_set_beside_it() {
    let _turn = shared();
    let place = Place::new();
    place.write("loop.toml", LOOP);
    let asked = [
        "plan",
        "loop.toml",
        "--simulate",
        "--duration",
        "10s",
        "--json",
    ];
    let slower = ["--what-if", "timer.period_ns=2_000_000"];
    let both = place
        .run(&[&asked[..], &BUDGETS, &slower].concat())
        .expect(0);
    let both = json(&both.stdout);
    for view in [&both, &both["as_it_is"]] {
        let most = view["prediction"]["loop"]["max_ns"].as_u64();
        assert!(most.is_some() && most <= view["loop_ns"].as_u64(), "{view}");
    }
    assert!(both["loop_ns"].as_u64() > both["as_it_is"]["loop_ns"].as_u64());
    let typed = ["plan", "loop.toml", "--what-if", "bnd.cpu=1"];
    let refused = place.run(&typed).expect(1);
    assert!(
        refused.only_line().contains("did you mean `band`?"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_graph_that_cannot_fit_is_not_run_unless_told_to_and_a_report_holds_the_bound() {
    let _turn = alone();
    let place = Place::new();
    place.write("loop.toml", LOOP);
    let run = ["run", "loop.toml", "--duration", "1s", "--record", "off"];
    let refused = place
        .run_session(&[&run[..], &TOO_LONG].concat(), 30)
        .expect(1);
    assert!(
        refused.only_line().contains("does not fit: `"),
        "{}",
        refused.stderr
    );
    assert!(
        refused.only_line().contains("--unfit"),
        "{}",
        refused.stderr
    );
    place.expect_nothing_left();

    // A second, for the host may break a budget or not: only what is written down counts here.
    place.run_session(&[&run[..], &TOO_LONG, &["--unfit"]].concat(), 30);
    let report = place.report().join("report.json");
    let told = json(&std::fs::read_to_string(&report).unwrap());
    assert!(told["loop"]["count"].as_u64() > Some(0));
    let planned = [
        "plan",
        "loop.toml",
        "--report",
        report.to_str().unwrap(),
        "--json",
    ];
    let planned = json(&place.run(&planned).stdout);
    assert_eq!(
        planned["measured"]["loop"]["count"],
        told["loop"]["uncorrected"]["count"]
    );

    place.run_session(&[&run[..], &BUDGETS].concat(), 30);
    let held = json(&std::fs::read_to_string(&report).unwrap());
    let expected = held["rt"]["active"] == true;
    assert_eq!(
        held["loop"]["bound_ns"].as_u64().is_some(),
        expected,
        "{}",
        held["loop"]
    );
    place.expect_nothing_left();
}
