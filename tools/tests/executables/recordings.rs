//! Real recordings in logical time: what is logged depends on the recording and on nothing else.

use crate::place::Place;
use crate::turns::{alone, shared};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

const FINALSPARK: &str = "mea_raw/finalspark_exp_240213_151732_dev.i16";
const MCS: &str = "mcs_h5/2014-02-27T08-30-03W8SpikeCutoutsAndTimestampsAndRawData.h5";
const LOCUST: &str = "mea_raw/locust_trial_01.raw";
const PURKINJE: &str = "mea_raw/purkinje_cell_attached.f32.raw";

/// The recording, if the shared data are there.
fn recording(name: &str) -> Option<PathBuf> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data"));
    let path = folder.join(name);
    if !path.exists() {
        println!("SKIPPED: {name}: no such recording in ../shared/data");
        return None;
    }
    Some(path)
}

/// Plays 8 s of a recording in logical time, and returns what was logged.
#[track_caller]
fn log_of(recording: &Path, set: &[&str]) -> String {
    let place = Place::new();
    let recording = recording.to_str().unwrap();
    let mut arguments = vec![
        "demo",
        "--recording",
        recording,
        "--unpaced",
        "--duration",
        "8s",
        "--record",
        "off",
    ];
    for set in set {
        arguments.extend(["--set", set]);
    }
    place.run_session(&arguments, 60).expect(0);
    place.expect_nothing_left();
    std::fs::read_to_string(place.report().join("stimulation.jsonl")).unwrap()
}

/// The lines of a log without what tells of the run rather than of the recording.
fn decisions(log: &str) -> Vec<Value> {
    let mut lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for line in &mut lines {
        let keys = line.as_object_mut().unwrap();
        assert!(keys.remove("tick").is_some());
        assert!(keys.remove("age_ns").is_some());
    }
    lines
}

#[track_caller]
fn expect_controls_to_differ(name: &str) {
    let Some(recording) = recording(name) else {
        return;
    };
    let _turn = shared();
    let played = decisions(&log_of(&recording, &[]));
    assert!(!played.is_empty(), "{name} led to no command");
    let zero = log_of(&recording, &["stage.source.params.zero=true"]);
    assert_eq!(zero, "", "{name} without its samples led to commands");
    let reversed = decisions(&log_of(&recording, &["stage.source.params.reverse=true"]));
    assert!(
        played != reversed,
        "{name} leads to the same commands backwards"
    );
}

#[test]
fn an_organoid_leads_to_commands_and_its_controls_to_others() {
    expect_controls_to_differ(FINALSPARK);
}

#[test]
fn a_culture_on_an_electrode_array_leads_to_commands_and_its_controls_to_others() {
    expect_controls_to_differ(MCS);
}

#[test]
fn a_locust_leads_to_commands_and_its_controls_to_others() {
    expect_controls_to_differ(LOCUST);
}

#[test]
fn a_purkinje_cell_leads_to_commands_and_its_controls_to_others() {
    expect_controls_to_differ(PURKINJE);
}

/// Keeps every CPU busy until it is dropped.
struct Load {
    over: &'static AtomicBool,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Load {
    fn new() -> Self {
        let over: &'static AtomicBool = Box::leak(Box::new(AtomicBool::new(false)));
        let spin = move || while !over.load(Ordering::Relaxed) {};
        Load {
            over,
            threads: (0..2).map(|_| std::thread::spawn(spin)).collect(),
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

#[test]
fn commands_depend_neither_on_block_length_nor_on_cpus_nor_on_load() {
    let _turn = alone();
    for name in [FINALSPARK, MCS, LOCUST, PURKINJE] {
        let Some(recording) = recording(name) else {
            continue;
        };
        let usual = log_of(&recording, &[]);
        assert!(!usual.is_empty(), "{name} led to no command");
        for frames in [7, 64] {
            let set = format!("stage.source.params.block_frames={frames}");
            let other = log_of(&recording, &[&set]);
            assert_eq!(
                decisions(&other),
                decisions(&usual),
                "{name} in blocks of {frames} frames"
            );
        }
        let one_cpu = log_of(&recording, &["defaults.cpu=0", "stage.source.cpu=0"]);
        assert_eq!(one_cpu, usual, "{name} with all stages on one CPU");
        let load = Load::new();
        let loaded = log_of(&recording, &[]);
        drop(load);
        assert_eq!(loaded, usual, "{name} beside busy threads");
    }
}
