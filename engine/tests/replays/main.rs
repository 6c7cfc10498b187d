//! A recorded run gives the same bits again when its turns are taken once more, whatever has happened to it: late wakes, joins
//! by arrival, feedback, dropped blocks, gaps, restarts, new parameters.
//!
//! The processes of the sessions are this executable itself, so it has a `main` of its own.

mod record;
mod session;
mod stages;

use ephapse_engine::capture::Capture;
use ephapse_engine::replay::{ParamChange, Proof, ProofVerdict, Stamps, compare, prove};
use ephapse_engine::runner::file::STAGE_VARIABLE;
use record::{Damage, record};
use serde_json::json;
use session::{Mishap, Place, run};
use std::path::Path;
use std::process::{Command, ExitCode};

/// Runs that are recorded and replayed; `make accept` asks for more.
fn replays() -> usize {
    let asked = std::env::var("EPHAPSE_REPLAYS").ok();
    asked.and_then(|n| n.parse().ok()).unwrap_or(1)
}

fn main() -> ExitCode {
    if std::env::var_os(STAGE_VARIABLE).is_some() {
        return stages::run();
    }
    // Session files go to a folder of their own, which a process learns from its environment alone.
    if std::env::var_os("EPHAPSE_REPLAY_TEST").is_none() {
        let folder = tempfile::tempdir().unwrap();
        let status = Command::new(std::env::current_exe().unwrap())
            .args(std::env::args().skip(1))
            .env("EPHAPSE_REPLAY_TEST", "1")
            .env("XDG_RUNTIME_DIR", folder.path())
            .status()
            .unwrap();
        return ExitCode::from(u8::from(!status.success()));
    }
    let wanted = std::env::args().skip(1).find(|a| !a.starts_with('-'));
    let tests: [(&str, fn()); 4] = [
        (
            "a_run_with_every_mishap_replays_bit_for_bit",
            a_run_with_every_mishap_replays_bit_for_bit,
        ),
        (
            "an_unpaced_run_replays_bit_for_bit",
            an_unpaced_run_replays_bit_for_bit,
        ),
        (
            "a_changed_parameter_shows_in_the_tick_from_which_on_it_counts",
            a_changed_parameter_shows_in_the_tick_from_which_on_it_counts,
        ),
        (
            "a_record_or_block_that_is_wrong_or_missing_is_noticed",
            a_record_or_block_that_is_wrong_or_missing_is_noticed,
        ),
    ];
    if std::env::args().any(|a| a == "--list") {
        tests.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    for (name, test) in tests {
        if wanted
            .as_ref()
            .is_none_or(|wanted| name.contains(wanted.as_str()))
        {
            // A panic ends the program with its message, and with a code that is not 0.
            test();
            println!("test {name} ... ok");
        }
    }
    ExitCode::SUCCESS
}

#[track_caller]
fn proved(capture: &Path, changes: Vec<ParamChange>) -> Proof {
    prove(capture, &mut session::proof_options(changes)).unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn expect_identical(capture: &Path) -> Proof {
    let proof = proved(capture, Vec::new());
    assert_eq!(
        proof.verdict,
        ProofVerdict::Identical,
        "{}\n{proof:#?}",
        proof.line()
    );
    assert!(proof.decisions > 100, "{}", proof.line());
    for stream in &proof.streams {
        assert!(stream.compared > 0, "{stream:?}");
        assert_eq!(
            (stream.uncompared, stream.beyond, stream.differing),
            (0, 0, 0),
            "{stream:?}"
        );
    }
    proof
}

fn a_run_with_every_mishap_replays_bit_for_bit() {
    for _ in 0..replays() {
        let place = Place::new("mishaps");
        let mishaps = [
            Mishap::Stall("walk"),
            Mishap::Set("walk", json!({ "gain": 3.0 })),
            Mishap::Kill("walk"),
            Mishap::Kill("decide"),
            Mishap::Stall("join"),
            Mishap::Off,
        ];
        let recorded = run(&place, true, &mishaps);
        let capture = place.path().join("run.cap");
        record(&recorded, &capture, Damage::None);
        // What is to be reproduced must have happened.
        let seen = recorded.circumstances();
        assert!(seen.skipped > 0, "nothing was skipped");
        assert!(seen.dropped > 0, "nothing was dropped");
        assert!(seen.started_over > 0, "nothing began without its state");
        assert!(seen.epochs > 1, "no parameter was set");
        assert!(seen.several > 0, "no turn saw several blocks of an input");
        assert!(seen.without > 0, "no turn lacked a block");
        expect_identical(&capture);
    }
}

fn an_unpaced_run_replays_bit_for_bit() {
    let place = Place::new("unpaced");
    let recorded = run(&place, false, &[]);
    let capture = place.path().join("run.cap");
    record(&recorded, &capture, Damage::None);
    expect_identical(&capture);
}

fn a_changed_parameter_shows_in_the_tick_from_which_on_it_counts() {
    let place = Place::new("changed");
    let recorded = run(&place, true, &[]);
    let capture = place.path().join("run.cap");
    record(&recorded, &capture, Damage::None);
    let change = ParamChange {
        stage: "decide".into(),
        key: "from".into(),
        value: json!(50.0),
    };
    let proof = proved(&capture, vec![change]);
    assert_eq!(proof.verdict, ProofVerdict::Differs, "{}", proof.line());
    let finding = proof.first.as_ref().unwrap();
    let first = finding.first.as_ref().unwrap();
    assert_eq!((finding.stage.as_str(), first.position), ("decide", 50));
    let tick = recorded.header("decision", 50).tick;
    assert_eq!(first.tick, tick);
    assert!(
        proof.line().contains(&format!("tick {tick}")),
        "{}",
        proof.line()
    );
    let unchanged = proof.streams.iter().find(|s| s.stream == "walked").unwrap();
    assert_eq!(unchanged.differing, 0, "what stands before it is the same");
}

fn a_record_or_block_that_is_wrong_or_missing_is_noticed() {
    let place = Place::new("damaged");
    let recorded = run(&place, true, &[]);
    let sound = place.path().join("sound.cap");
    record(&recorded, &sound, Damage::None);
    let damaged = |name: &str, damage: Damage| {
        let capture = place.path().join(name);
        record(&recorded, &capture, damage);
        let proof = proved(&capture, Vec::new());
        (capture, proof)
    };

    let (capture, proof) = damaged("flipped.cap", Damage::Flip("walked", 40));
    let first = proof.first.clone().unwrap();
    assert_eq!(proof.verdict, ProofVerdict::Differs, "{}", proof.line());
    assert_eq!(
        (first.stream.as_str(), first.first.unwrap().position),
        ("walked", 40)
    );
    let (left, right) = (
        Capture::open(&sound).unwrap(),
        Capture::open(&capture).unwrap(),
    );
    let comparison = compare(&left, &right, Stamps::Compared).unwrap();
    let first = comparison.first.unwrap();
    assert_eq!((first.stream.as_str(), first.differing), ("walked", 1));
    assert!(compare(&left, &left, Stamps::Compared).unwrap().identical());

    // Another clock: what depends on it comes out otherwise.
    let (_, proof) = damaged("clock.cap", Damage::Clock("walk", 30));
    assert_eq!(proof.verdict, ProofVerdict::Differs, "{}", proof.line());
    assert_eq!(proof.first.unwrap().stage, "walk");

    let (_, proof) = damaged("records.cap", Damage::LoseRecords("walk", 30));
    assert_eq!(proof.verdict, ProofVerdict::Unproved, "{}", proof.line());
    assert!(
        proof.line().contains("walk") && proof.line().contains("cannot be proved from here"),
        "{}",
        proof.line()
    );

    let (_, proof) = damaged("blocks.cap", Damage::LoseBlocks("raw", 30));
    assert_eq!(proof.verdict, ProofVerdict::Unproved, "{}", proof.line());
    assert!(
        proof
            .line()
            .contains("from position 30 on are not in the capture (spool full)"),
        "{}",
        proof.line()
    );
}
