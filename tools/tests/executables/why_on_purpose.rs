//! `why` of the tick at which a fault was injected names it: every fault that `[chaos]` knows, at a tick and in a stage drawn from
//! a seed. `EPHAPSE_SEEDS` says how many seeds (2); a failure says which, and what `why` said.

use crate::finished::Report;
use crate::loop_graph::LOOP;
use crate::place::Place;
use crate::random::Random;
use crate::turns::alone;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

const SEEDS: u64 = 2;
const STAGES: [&str; 7] = [
    "source",
    "band",
    "detect",
    "rate",
    "readout",
    "policy",
    "stimulate",
];
/// Each fault has a stretch of its own, which it leaves behind before the next one begins.
const STRETCH: u64 = 100;
/// A fault's first tick behind which nobody meets it any more, from the end of its stretch.
const QUIET: u64 = 120;

/// One fault of every kind, and the first tick of the stretch that it is drawn from.
fn faults(random: &mut Random) -> Vec<(&'static str, u64, String)> {
    let mut stage = || {
        let stage = STAGES[random.below(STAGES.len() as u64) as usize];
        format!("stage = \"{stage}\"")
    };
    let [stalled, delayed, faulting, killed] = core::array::from_fn(|_| stage());
    let blocks = 1 + random.below(3);
    vec![
        ("stall", 300, format!("{stalled}, for_ms = 3.0")),
        ("delay", 600, format!("{delayed}, for_ms = 4.0")),
        (
            "drop",
            900,
            format!("stage = \"source\", blocks = {blocks}"),
        ),
        ("page_faults", 1200, format!("{faulting}, pages = 300")),
        ("hog", 1500, "cpu = 1, for_ms = 12.0".to_owned()),
        ("disk_full", 1800, "for_ms = 300.0".to_owned()),
        // Last: on a busy machine it may take seconds until the stage is at work again.
        ("kill", 3500, killed),
    ]
}

fn graph(seed: u64, faults: &[(&str, u64, String)]) -> String {
    let inject = faults.iter().map(|(fault, from, rest)| {
        let to = from + STRETCH;
        format!("{{ fault = \"{fault}\", between = [{from}, {to}], {rest} }}")
    });
    let inject: Vec<String> = inject.collect();
    format!(
        "{LOOP}\n[chaos]\nseed = {seed}\ninject = [\n  {},\n]\n",
        inject.join(",\n  ")
    )
}

fn why(place: &Place, folder: &Path, tick: u64) -> Value {
    let (tick, folder) = (tick.to_string(), folder.display().to_string());
    let said = place.run(&["why", &tick, &folder, "--json"]).expect(0);
    serde_json::from_str(&said.stdout).unwrap()
}

/// Causes of a walk that are faults on purpose, with the hop they stand at.
fn injected(walk: &Value) -> Vec<(&Value, &Value)> {
    let hops = walk["hops"].as_array().unwrap().iter();
    hops.flat_map(|hop| {
        let causes = hop["causes"].as_array().unwrap().iter();
        causes
            .filter(|cause| cause["kind"] == "injected")
            .map(move |cause| (hop, cause))
    })
    .collect()
}

/// What is wrong with the answer about a fault's own tick; `None`: nothing.
fn missed(fault: &str, struck: &Value, walk: &Value) -> Option<String> {
    let asked = &walk["on_purpose"][0];
    let named = injected(walk);
    let own: Vec<_> = named
        .iter()
        .filter(|(_, cause)| cause["tick"] == struck["tick"] && cause["who"] == struck["who"])
        .collect();
    if asked["who"] != struck["who"] || asked["what"] != struck["what"] {
        return Some("the fault of the tick is not named".to_owned());
    }
    if fault == "disk_full" {
        let lost = asked["lost_blocks"].as_u64() > Some(0);
        let says = asked["says"].as_str().unwrap();
        let told = says.contains("no stage was touched; the capture lacks ");
        return (!named.is_empty() || !lost || !told)
            .then(|| "a full disk costs the recording, and touches no stage".to_owned());
    }
    let [(hop, cause)] = own[..] else {
        return Some(format!("{} hops name it, not one", own.len()));
    };
    let says = cause["says"].as_str().unwrap();
    let (place, words) = match fault {
        "stall" => (hop["stage"] == struck["who"], "injected: stalled for 3 ms"),
        "delay" => (hop["stage"] == struck["who"], "injected: delayed by 4 ms"),
        "drop" => (hop["stage"] == "source", "before its block never came"),
        "page_faults" => (hop["stage"] == struck["who"], "injected: 300 page faults"),
        "hog" => (hop["cpu"] == 1, "injected: CPU 1 hogged for 12 ms"),
        _ => (hop["stage"] == struck["who"], "; at work again after "),
    };
    (asked["met"] != true || !place || !says.contains(words))
        .then(|| format!("at {}: {says}", hop["stage"]))
}

/// A hog holds every stage of its CPU: one hop of many is enough.
fn first_of_many(fault: &str, struck: &Value, walk: &Value) -> Option<String> {
    if fault != "hog" {
        return missed(fault, struck, walk);
    }
    let mut one = walk.clone();
    let mut seen = false;
    for hop in one["hops"].as_array_mut().unwrap() {
        let causes = hop["causes"].as_array_mut().unwrap();
        causes.retain(|cause| cause["kind"] != "injected" || !core::mem::replace(&mut seen, true));
    }
    missed(fault, struck, &one)
}

#[test]
fn every_injected_fault_is_named_at_its_tick_and_nowhere_else() {
    let seeds = std::env::var("EPHAPSE_SEEDS").ok();
    let seeds = seeds.and_then(|n| n.parse().ok()).unwrap_or(SEEDS);
    let _alone = alone();
    let mut named: BTreeMap<&str, u64> = BTreeMap::new();
    let mut failures = Vec::new();
    for seed in 1..=seeds {
        let faults = faults(&mut Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
        let place = Place::new();
        let graph = place.write("loop.toml", &graph(seed, &faults));
        let arguments = [
            "run",
            graph.to_str().unwrap(),
            "--duration",
            "7s",
            "--set",
            "defaults.on_death=restart",
            "--set",
            "record.spool_s=0.1",
        ];
        place.run_session(&arguments, 60).expect(0);
        place.expect_nothing_left();
        let folder = place.report();
        let report = Report::read(&folder);
        let mut fail = |fault: &str, tick: u64, what: String| {
            let (tick, folder) = (tick.to_string(), folder.display().to_string());
            let text = place.run(&["why", &tick, &folder]).stdout;
            failures.push(format!("seed {seed}, {fault}: {what}\n{text}"));
        };
        for ((fault, from, _), struck) in faults.iter().zip(report.list("chaos")) {
            let tick = struck["tick"].as_u64().unwrap();
            assert!((*from..from + STRETCH).contains(&tick), "{struck}");
            assert_eq!(struck["struck"], true, "seed {seed}: {struck}");
            if *fault == "hog" && report.0["rt"]["active"] != true {
                let why = &report.0["rt"]["why"];
                println!("seed {seed}: a hog without real time, not looked at: {why}");
                continue;
            }
            match first_of_many(fault, struck, &why(&place, &folder, tick)) {
                None => *named.entry(fault).or_default() += 1,
                Some(what) => fail(fault, tick, what),
            }
            if matches!(*fault, "disk_full" | "kill") {
                // What came behind may not be on record, or be met for long.
                continue;
            }
            let quiet = from + STRETCH + QUIET;
            let walk = why(&place, &folder, quiet);
            if !injected(&walk).is_empty() || walk["on_purpose"] != Value::Array(Vec::new()) {
                fail(fault, quiet, "blamed where it met nobody".to_owned());
            }
        }
    }
    for (fault, count) in &named {
        println!("{fault}: named in {count} of {seeds}");
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
