//! The command line.

use super::program;
use std::process::Command;

#[test]
fn usage_errors_exit_1_and_never_2() {
    for args in [
        &["--no-such-flag"][..],
        &["--list", "--self-check"],
        &["--cpus", "0"],
        &["--own-benchmark", "carrier-pigeon"],
    ] {
        let told = Command::new(program().path).args(args).output().unwrap();
        assert_eq!(told.status.code(), Some(1), "{args:?}");
        assert!(!told.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn the_list_has_one_json_object_per_peer_with_its_documentation() {
    let told = Command::new(program().path).arg("--list").output().unwrap();
    let lines = String::from_utf8(told.stdout).unwrap();
    let links: Vec<String> = lines
        .lines()
        .map(|line| {
            let peer: serde_json::Value = serde_json::from_str(line).unwrap();
            let follows = peer["follows"].as_str().unwrap();
            assert!(follows.starts_with("https://"), "{line}");
            peer["link"].as_str().unwrap().to_owned()
        })
        .collect();
    let all = [
        "iceoryx2",
        "iceoryx2-event",
        "rtrb",
        "redis-streams",
        "python-queue",
    ];
    assert_eq!(links, all);
}
