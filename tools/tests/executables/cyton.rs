//! A Cyton as a user meets it: its twin, the ports there are, a graph that streams it.

use crate::finished::{Finished, Report};
use crate::place::{Place, Running, signal, wait_until};
use crate::turns::alone;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

const GRAPH: &str = include_str!("../../../rtconfig/graphs/eeg-twin.toml");

/// Rows as OpenBCI's software writes them.
fn recording(rows: usize) -> String {
    let row = |row: usize| {
        let uv = |channel: usize| format!(", {:.2}", (row * 3 + channel * 100) as f64 / 10.0);
        let values: String = (0..8).map(uv).collect();
        format!("{}{values}, 0, 0, 0\n", row % 256)
    };
    let rows: String = (0..rows).map(row).collect();
    format!("%OpenBCI Raw EXG Data\n{rows}")
}

/// A twin, with these arguments beside, that has made its terminal; and the path that leads to it.
fn twin(place: &Place, more: &[&str]) -> (Running, String) {
    let link = place.path().join("board").display().to_string();
    let all = [&["twin", "cyton", "--link", &link], more].concat();
    let twin = place.start(place.command(&all));
    wait_until("its terminal's path", 10, || twin.stdout().contains('\n'));
    (twin, link)
}

/// The graph, streaming that terminal for so long.
fn stream(place: &Place, link: &str, duration: &str) -> Finished {
    place.write("eeg.toml", GRAPH);
    let port = format!("stage.source.params.port={link}");
    let settings = ["--set", &port, "--set", "defaults.policy=other"];
    let run = [
        &["run", "eeg.toml"],
        &settings[..],
        &["--duration", duration],
    ];
    place.run_session(&run.concat(), 60)
}

#[test]
fn a_twin_prints_its_terminal_and_ctrl_c_leaves_nothing() {
    let _turn = alone();
    let place = Place::new();
    let link = place.path().join("board");
    let named = ["twin", "cyton", "--link", link.to_str().unwrap()];
    for arguments in [&["twin", "cyton"][..], &named] {
        let twin = place.start(place.command(arguments));
        wait_until("its terminal's path", 10, || twin.stdout().contains('\n'));
        let path = twin.stdout().trim().to_owned();
        assert!(Path::new(&path).exists(), "{path}");
        signal(twin.pid(), "INT");
        twin.wait(5).expect(0);
        assert!(!Path::new(&path).exists(), "{path} is still there");
    }
    assert!(
        fs::symlink_metadata(&link).is_err(),
        "the link is still there"
    );
}

#[test]
fn devices_names_a_dongle_its_timer_and_the_port_to_write_in_a_graph() {
    let place = Place::new();
    let root = place.path().join("host");
    let usb = root.join("sys/devices/usb1/1-2");
    let port = usb.join("1-2:1.0/ttyUSB0");
    fs::create_dir_all(&port).unwrap();
    for (name, text) in [
        ("idVendor", "0403"),
        ("idProduct", "6015"),
        ("product", "FT231X"),
    ] {
        fs::write(usb.join(name), text).unwrap();
    }
    fs::write(port.join("latency_timer"), "16\n").unwrap();
    for folder in [
        "sys/class/tty/ttyUSB0",
        "sys/bus/usb-serial/devices",
        "dev/serial/by-id",
    ] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    symlink(&port, root.join("sys/class/tty/ttyUSB0/device")).unwrap();
    symlink(&port, root.join("sys/bus/usb-serial/devices/ttyUSB0")).unwrap();
    symlink("../../ttyUSB0", root.join("dev/serial/by-id/usb-FTDI_1")).unwrap();
    let root = root.to_str().unwrap();
    let said = place.run(&["devices", "--root", root]).expect(0).stdout;
    for part in [
        "/dev/ttyUSB0",
        "may be an OpenBCI Cyton",
        "latency_timer 16 ms",
        "/dev/serial/by-id/usb-FTDI_1",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let json = place
        .run(&["devices", "--root", root, "--json"])
        .expect(0)
        .stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json[0]["kinds"][0], "acquire.cyton");
    let empty = place.path().join("empty");
    let said = place
        .run(&["devices", "--root", empty.to_str().unwrap()])
        .expect(0)
        .stdout;
    assert!(said.contains("ephapse twin cyton"), "{said}");
}

#[test]
fn a_graph_streams_a_twin_and_its_recording_holds_what_went_in() {
    let _turn = alone();
    let place = Place::new();
    place.write("eeg.txt", &recording(5000));
    let (twin, link) = twin(&place, &["--play", "eeg.txt", "--drop", "0.02"]);
    stream(&place, &link, "3s").expect(0);
    signal(twin.pid(), "INT");
    twin.wait(5).expect(0);

    let report = Report::read(&place.report());
    let capture = report.0["capture"]["path"].as_str().unwrap();
    let out = place.path().join("eeg.csv");
    let export = [
        "export",
        capture,
        "--to",
        "csv",
        "--stream",
        "eeg",
        "--out",
        out.to_str().unwrap(),
    ];
    place.run(&export).expect(0);
    let csv = fs::read_to_string(out).unwrap();
    let mut rows = 0;
    for line in csv.lines() {
        let numbers: Vec<f64> = line.split(',').filter_map(|n| n.parse().ok()).collect();
        let Some([.., eighth]) = numbers
            .get(numbers.len().saturating_sub(8)..)
            .filter(|n| n.len() == 8)
        else {
            continue;
        };
        // A count is 0.022 uV.
        let of_first = numbers[numbers.len() - 8];
        assert!((eighth - of_first - 70.0).abs() < 0.03, "{line}");
        rows += 1;
    }
    assert!(rows > 300, "{rows} frames in 3 s");

    let said = place
        .run(&["logs", "--report", place.report().to_str().unwrap()])
        .expect(0)
        .stdout;
    for part in [
        "firmware v3.1.2",
        "not an FTDI adapter",
        "sequence:",
        "spacing:",
        "lateness:",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    place.expect_nothing_left();
}

#[test]
fn a_board_that_is_off_stops_a_graph_before_it_starts() {
    let _turn = alone();
    let place = Place::new();
    let (_twin, link) = twin(&place, &["--board-off"]);
    let said = stream(&place, &link, "3s").expect(1).stderr;
    assert!(said.contains("switch it on"), "{said}");
}

#[test]
fn a_twin_that_is_unplugged_and_comes_back_is_one_gap_of_a_stream_whose_accounts_hold() {
    let _turn = alone();
    let place = Place::new();
    let (twin, link) = twin(&place, &["--unplug-after", "3s", "--back-after", "500ms"]);
    stream(&place, &link, "6s").expect(0);
    signal(twin.pid(), "INT");
    twin.wait(5).expect(0);
    let report = Report::read(&place.report());
    report.expect_accounts(&["sources"]);
    for account in report.list("sources") {
        let [lost, valid] = ["lost", "valid"].map(|key| account[key].as_u64().unwrap());
        assert!(lost > 100 && valid > 300, "{account}");
    }
    place.expect_nothing_left();
}
