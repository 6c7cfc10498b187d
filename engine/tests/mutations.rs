//! Whether the models of `tests/loom.rs` would notice: the engine is broken in one place, in a copy, and a model must fail.
//!
//! Takes minutes, for the engine is built anew for every mutation: `make proofs`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// One way to break the engine.
struct Mutation {
    name: &'static str,
    /// File, what stands there exactly once, and what stands there instead.
    patches: &'static [(&'static str, &'static str, &'static str)],
    /// The model that must fail.
    found_by: &'static str,
}

const WHOLE: &str = "every_block_is_read_whole_and_no_slot_is_overwritten_under_its_reader";
const TORN: &str = "an_observer_never_takes_a_torn_copy_for_a_block";
const BELLS: &str = "neither_side_sleeps_through_the_other_ones_bell";
const TICKS: &str =
    "no_tick_is_lost_between_a_stage_that_goes_to_sleep_and_a_timer_that_does_not_ring";

const MUTATIONS: &[Mutation] = &[
    Mutation {
        name: "publish Relaxed [P]",
        patches: &[(
            "src/ring/producer.rs",
            ".store(self.published, Ordering::Release); // [P]",
            ".store(self.published, Ordering::Relaxed);",
        )],
        found_by: WHOLE,
    },
    Mutation {
        name: "release Relaxed [R]",
        patches: &[(
            "src/ring/hold.rs",
            "self.words.position.store(self.position, Ordering::Release); // [R]",
            "self.words.position.store(self.position, Ordering::Relaxed);",
        )],
        found_by: WHOLE,
    },
    Mutation {
        name: "the version word first [V]",
        patches: &[(
            "src/shm.rs",
            "    header.version = 0;\n",
            "    header.version = abi::VERSION;\n",
        )],
        found_by: "a_segment_is_seen_whole_or_not_at_all",
    },
    Mutation {
        name: "an observer without the writer's fence [L]",
        patches: &[(
            "src/ring/producer.rs",
            "            fence(Ordering::Release); // [L]\n",
            "",
        )],
        found_by: TORN,
    },
    Mutation {
        name: "an observer without the reader's fence [L]",
        patches: &[(
            "src/ring/lap.rs",
            "        fence(Ordering::Acquire); // [L]\n",
            "",
        )],
        found_by: TORN,
    },
    Mutation {
        name: "an observer without the second load of published",
        patches: &[(
            "src/ring/lap.rs",
            "let after = self.producer.published.load(Ordering::Relaxed);",
            "let after = before;",
        )],
        found_by: TORN,
    },
    Mutation {
        name: "a hold seat that joins late",
        patches: &[
            (
                "src/ring/producer.rs",
                "seat.closed.load(Ordering::Acquire) != 0 {",
                "seat.closed.load(Ordering::Acquire) + u64::from(seat.owner.load(Ordering::Acquire) == 0) != 0 {",
            ),
            (
                "src/ring/hold.rs",
                "        let position = words.position.load(Ordering::Acquire);
        let producer: Words<ProducerWords> = producer.words(0);
",
                "        let producer: Words<ProducerWords> = producer.words(0);
        let position = producer.published.load(Ordering::Acquire);
        words.position.store(position, Ordering::Release);
",
            ),
        ],
        found_by: "a_seat_whose_owner_comes_late_has_lost_nothing",
    },
    Mutation {
        name: "the door-bell without the timer's fence [T]",
        patches: &[(
            "src/doorbell.rs",
            "    fence(Ordering::SeqCst); // [T] pairs",
            "    // pairs",
        )],
        found_by: TICKS,
    },
    Mutation {
        name: "the door-bell without the stage's fence [T]",
        patches: &[(
            "src/doorbell.rs",
            "        fence(Ordering::SeqCst); // [T] `ran` was stored before\n",
            "",
        )],
        found_by: TICKS,
    },
    Mutation {
        name: "a ring for readers without a fence [W]",
        patches: &[(
            "src/ring/producer.rs",
            "        store_load_fence(); // [W]\n        if self\n            .sleepers",
            "        if self\n            .sleepers",
        )],
        found_by: BELLS,
    },
    Mutation {
        name: "a producer that sleeps without a fence [W]",
        patches: &[(
            "src/ring/producer.rs",
            "        store_load_fence(); // [W]\n        trap(Point::Wait);\n        if self.room",
            "        if self.room",
        )],
        found_by: BELLS,
    },
    Mutation {
        name: "a ring for the producer without a fence [W]",
        patches: &[(
            "src/ring/hold.rs",
            "        store_load_fence(); // [W]\n        if self.producer",
            "        if self.producer",
        )],
        found_by: BELLS,
    },
    Mutation {
        name: "a hold seat that sleeps without a fence [W]",
        patches: &[(
            "src/ring/hold.rs",
            "        store_load_fence(); // [W]\n        trap(Point::Wait);\n        self.refresh();",
            "        self.refresh();",
        )],
        found_by: BELLS,
    },
    Mutation {
        name: "a lap seat that sleeps without a fence [W]",
        patches: &[(
            "src/ring/lap.rs",
            "        store_load_fence(); // [W]\n",
            "",
        )],
        found_by: "a_lap_seat_does_not_sleep_through_the_bell_or_the_end",
    },
    Mutation {
        name: "end Relaxed [E]",
        patches: &[(
            "src/ring/producer.rs",
            "self.words.end.store(self.published, Ordering::Release); // [E]",
            "self.words.end.store(self.published, Ordering::Relaxed);",
        )],
        found_by: "the_end_is_seen_with_its_reason_and_behind_the_last_block",
    },
];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Where loom builds go: beside the others, for they are built with another flag.
fn target() -> PathBuf {
    let all = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| repository().join("target"), PathBuf::from);
    all.join("loom")
}

/// Writes only what differs, so that cargo builds no more than it must.
fn write(path: &Path, text: &[u8]) {
    if fs::read(path).is_ok_and(|old| old == text) {
        return;
    }
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &to);
        } else {
            write(&to, &fs::read(entry.path()).unwrap());
        }
    }
}

/// A workspace of the engine and what it stands on.
fn copy() -> PathBuf {
    let (from, to) = (repository(), target().join("mutated"));
    for folder in ["engine", "rtconfig"] {
        copy_folder(&from.join(folder), &to.join(folder));
    }
    let manifest = fs::read_to_string(from.join("Cargo.toml")).unwrap();
    let members = manifest.lines().find(|l| l.starts_with("members = "));
    let smaller = manifest.replace(
        members.expect("a workspace"),
        "members = [\"rtconfig\", \"engine\"]",
    );
    write(&to.join("Cargo.toml"), smaller.as_bytes());
    write(
        &to.join("Cargo.lock"),
        &fs::read(from.join("Cargo.lock")).unwrap(),
    );
    to
}

/// `cargo test --test loom` in the copy.
fn models(copy: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO"))
        .args(["test", "--quiet", "--offline", "-p", "ephapse-engine"])
        .args(["--test", "loom"])
        .args(arguments)
        .current_dir(copy)
        .env("CARGO_TARGET_DIR", target())
        .env("RUSTFLAGS", "--cfg loom")
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    format!("{out}{err}")
}

/// What the model said when it failed; `None` if it passed.
fn finding(copy: &Path, mutation: &Mutation) -> Option<String> {
    for (file, from, to) in mutation.patches {
        let path = copy.join("engine").join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(
            text.matches(from).count(),
            1,
            "{}: {file} has not exactly one place {from:?}: the mutation must follow the source",
            mutation.name
        );
        write(&path, text.replace(from, to).as_bytes());
    }
    let built = models(copy, &["--no-run"]);
    assert!(
        built.status.success(),
        "{} does not compile: {}",
        mutation.name,
        said(&built)
    );
    let ran = models(copy, &["--", "--exact", mutation.found_by]);
    for (file, ..) in mutation.patches {
        let sound = fs::read(repository().join("engine").join(file)).unwrap();
        write(&copy.join("engine").join(file), &sound);
    }
    let said = said(&ran);
    assert!(
        said.contains("running 1 test"),
        "{}: no model {}: {said}",
        mutation.name,
        mutation.found_by
    );
    let line = said.lines().skip_while(|l| !l.contains("panicked at"));
    (!ran.status.success()).then(|| line.skip(1).take(1).collect())
}

#[test]
#[ignore = "builds the engine for every mutation: `make proofs`"]
fn every_mutation_of_the_engine_is_found_by_a_model() {
    let copy = copy();
    let mut missed = Vec::new();
    for mutation in MUTATIONS {
        match finding(&copy, mutation) {
            Some(why) if !why.is_empty() => println!("found  {}: {}", mutation.name, why.trim()),
            _ => missed.push(mutation.name),
        }
    }
    assert!(missed.is_empty(), "no model notices: {missed:?}");
}
