//! The shape of the workspace, and of what is linked.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Which crates of the workspace a crate may know.
const MAY_KNOW: [(&str, &[&str]); 9] = [
    ("ephapse-rtconfig", &[]),
    ("ephapse-engine", &["ephapse-rtconfig"]),
    ("ephapse-python", &["ephapse-engine", "ephapse-rtconfig"]),
    ("ephapse-c", &["ephapse-engine", "ephapse-rtconfig"]),
    ("ephapse-driven", &["ephapse-engine", "ephapse-rtconfig"]),
    ("ephapse-drivers", &["ephapse-engine", "ephapse-rtconfig"]),
    ("ephapse-stages", &["ephapse-engine", "ephapse-rtconfig"]),
    (
        "ephapse-bench",
        &[
            "ephapse-drivers",
            "ephapse-engine",
            "ephapse-rtconfig",
            "ephapse-stages",
        ],
    ),
    (
        "ephapse",
        &[
            "ephapse-bench",
            "ephapse-drivers",
            "ephapse-engine",
            "ephapse-rtconfig",
            "ephapse-stages",
        ],
    ),
];

/// Crates of the workspace, each with those of the workspace that it depends on; what only its tests need is left out.
fn crates() -> BTreeMap<String, BTreeSet<String>> {
    let told = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .arg("--manifest-path")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .output()
        .unwrap();
    assert!(
        told.status.success(),
        "{}",
        String::from_utf8_lossy(&told.stderr)
    );
    let metadata: Value = serde_json::from_slice(&told.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    packages
        .iter()
        .map(|package| {
            let known = package["dependencies"].as_array().unwrap().iter();
            let known = known
                .filter(|d| d["kind"] != "dev" && d["path"].is_string())
                .map(|d| d["name"].as_str().unwrap().to_owned());
            (
                package["name"].as_str().unwrap().to_owned(),
                known.collect(),
            )
        })
        .collect()
}

#[test]
fn crates_know_only_those_below_them() {
    let crates = crates();
    let listed: BTreeSet<&str> = MAY_KNOW.iter().map(|(name, _)| *name).collect();
    let found: BTreeSet<&str> = crates.keys().map(String::as_str).collect();
    assert_eq!(found, listed);
    for (name, may_know) in MAY_KNOW {
        for known in &crates[name] {
            assert!(
                may_know.contains(&known.as_str()),
                "{name} must not depend on {known}"
            );
        }
    }
}

/// Shared libraries that an executable asks for, with all that those ask for.
fn libraries(program: &str) -> String {
    let told = Command::new("ldd").arg(program).output().unwrap();
    assert!(told.status.success(), "ldd {program}: {told:?}");
    String::from_utf8(told.stdout).unwrap().to_lowercase()
}

#[test]
fn the_lean_executable_does_not_link_hdf5() {
    let lean = env!("CARGO_BIN_EXE_ephapse-stage");
    let linked = libraries(lean);
    assert!(linked.contains("libc.so"), "{linked}");
    assert!(!linked.contains("hdf5"), "{linked}");
    // Nor statically.
    let image = std::fs::read(lean).unwrap();
    let holds = |image: &[u8], words: &[u8]| image.windows(words.len()).any(|w| w == words);
    assert!(!holds(&image, b"H5Fopen"), "{lean} has HDF5 in it");
    // The same search finds it where it must be.
    let full = std::fs::read(env!("CARGO_BIN_EXE_ephapse")).unwrap();
    assert!(holds(&full, b"H5Fopen"));
}
