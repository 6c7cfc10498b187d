//! The program as ends, with real processes.

mod killed;
mod links;
mod usage;

use ephapse_bench::ends::{Class, LinkSpec, Program, Wait};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// As the tests run: beside others, so that nobody is kept from the CPU.
pub const CLASS: Class = Class::Other;

pub fn program() -> Program {
    Program {
        path: PathBuf::from(env!("CARGO_BIN_EXE_ephapse-peers")),
        args: Vec::new(),
    }
}

/// One line of `--list`.
pub struct Peer {
    pub link: String,
    pub two_ends: bool,
    pub wait: Wait,
}

/// The peers that can run here; says which cannot.
pub fn available() -> Vec<Peer> {
    let told = Command::new(program().path).arg("--list").output().unwrap();
    assert!(told.status.success(), "{told:?}");
    let lines = String::from_utf8(told.stdout).unwrap();
    let mut peers = Vec::new();
    for line in lines.lines() {
        let peer: serde_json::Value = serde_json::from_str(line).unwrap();
        let link = peer["link"].as_str().unwrap().to_owned();
        if peer["available"] == true {
            peers.push(Peer {
                link,
                two_ends: peer["two_ends"].as_bool().unwrap(),
                wait: serde_json::from_value(peer["waits"][0].clone()).unwrap(),
            });
        } else {
            println!("SKIPPED: {link}: {}: {}", peer["missing"], peer["install"]);
        }
    }
    peers
}

/// The first and the last CPU that this process may use.
pub fn cpus() -> [u32; 2] {
    let allowed = ephapse_engine::os::allowed_cpus();
    [allowed[0], allowed[allowed.len() - 1]]
}

pub fn link(peer: &Peer, payload: usize) -> LinkSpec {
    static KEY: AtomicU32 = AtomicU32::new(0);
    LinkSpec {
        link: peer.link.clone(),
        key: KEY.fetch_add(1, Ordering::Relaxed),
        payload,
        slots: 16,
        wait: peer.wait,
        memory: String::new(),
        run: format!("test-{}", std::process::id()),
        cpus: cpus(),
    }
}

/// Spinning ends of two tests on the same CPUs would only keep each other waiting.
pub fn one_at_a_time() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}
