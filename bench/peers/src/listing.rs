//! What peers there are, and whether this machine has what they need.

use crate::{python_queue, redis_server};
use ephapse_bench::ends::Wait;
use serde::Serialize;
use std::process::Command;

/// iceoryx2, polled.
pub const ICEORYX2: &str = "iceoryx2";
/// iceoryx2, woken by its event.
pub const ICEORYX2_EVENT: &str = "iceoryx2-event";
/// rtrb.
pub const RTRB: &str = "rtrb";
/// Redis streams.
pub const REDIS_STREAMS: &str = "redis-streams";
/// Python's queue between processes.
pub const PYTHON_QUEUE: &str = "python-queue";

/// Versions of what is compiled in.
const LOCK_FILE: &str = include_str!("../Cargo.lock");

/// One line of `--list`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Peer {
    /// Name of the link.
    pub link: &'static str,
    /// What it is, in words.
    pub what: &'static str,
    /// Its sides are two processes that the driver starts. Otherwise one end opens both sides.
    pub two_ends: bool,
    /// Its blocks cross from one process to another.
    pub crosses_processes: bool,
    /// Blocks are written and read where they travel.
    pub in_place: bool,
    /// How its receiver can wait.
    pub waits: &'static [Wait],
    /// Everything it needs is here.
    pub available: bool,
    /// What is missing; empty if nothing is.
    pub missing: String,
    /// What to do about it; empty if nothing is missing.
    pub install: String,
    /// Versions in use.
    pub version: String,
    /// Documentation whose pattern the adapter follows.
    pub follows: &'static str,
}

/// All of them.
pub fn peers() -> Vec<Peer> {
    [ICEORYX2, ICEORYX2_EVENT, RTRB, REDIS_STREAMS, PYTHON_QUEUE]
        .into_iter()
        .filter_map(peer)
        .collect()
}

/// The peer of that name.
pub fn peer(link: &str) -> Option<Peer> {
    const INSTALL: &str = "make bench-peers";
    let compiled = Peer {
        link: ICEORYX2,
        what: "iceoryx2 publish-subscribe, polled",
        two_ends: true,
        crosses_processes: true,
        in_place: true,
        waits: &[Wait::Spin],
        available: true,
        missing: String::new(),
        install: String::new(),
        version: locked("iceoryx2"),
        follows: "https://docs.rs/iceoryx2/0.10.0/iceoryx2/port/publisher/index.html",
    };
    let needing = |missing: &str, version: Option<String>| Peer {
        available: version.is_some(),
        missing: version.as_ref().map_or(missing, |_| "").to_owned(),
        install: version.as_ref().map_or(INSTALL, |_| "").to_owned(),
        version: version.unwrap_or_default(),
        in_place: false,
        waits: &[Wait::Sleep],
        ..compiled.clone()
    };
    Some(match link {
        ICEORYX2 => compiled,
        ICEORYX2_EVENT => Peer {
            link: ICEORYX2_EVENT,
            what: "iceoryx2 publish-subscribe, the subscriber woken by an iceoryx2 event",
            waits: &[Wait::Sleep],
            follows: "https://docs.rs/iceoryx2/0.10.0/iceoryx2/port/listener/index.html",
            ..compiled
        },
        RTRB => Peer {
            link: RTRB,
            what: "rtrb ring between two threads of one process",
            two_ends: false,
            crosses_processes: false,
            version: locked("rtrb"),
            follows: "https://docs.rs/rtrb/0.4.1/rtrb/chunks/index.html",
            ..compiled
        },
        REDIS_STREAMS => Peer {
            link: REDIS_STREAMS,
            what: "Redis streams over a Unix socket, the server at normal priority on every CPU",
            follows: "https://redis.io/docs/latest/commands/xread/",
            ..needing(
                "redis-server is not on the PATH",
                redis_version().map(|v| format!("{v}, redis crate {}", locked("redis"))),
            )
        },
        PYTHON_QUEUE => Peer {
            link: PYTHON_QUEUE,
            what: "Python multiprocessing.Queue with numpy arrays",
            two_ends: false,
            follows: "https://docs.python.org/3/library/multiprocessing.html#pipes-and-queues",
            ..needing(
                "no python3 with numpy is on the PATH",
                python_queue::python().map(|(_, versions)| versions),
            )
        },
        _ => return None,
    })
}

/// Version of a crate in this program's lock file.
fn locked(name: &str) -> String {
    let entry = format!("name = \"{name}\"\nversion = \"");
    let after = LOCK_FILE.split(&entry).nth(1).unwrap_or_default();
    after.split('"').next().unwrap_or_default().to_owned()
}

fn redis_version() -> Option<String> {
    let told = Command::new(redis_server::PROGRAM)
        .arg("--version")
        .output()
        .ok()?;
    let told = String::from_utf8(told.stdout).ok()?;
    let version = told.split_whitespace().find_map(|w| w.strip_prefix("v="))?;
    Some(version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_peer_names_its_version_or_what_is_missing() {
        let peers = peers();
        assert_eq!(peers.len(), 5);
        for peer in peers {
            assert_eq!(peer.available, !peer.version.is_empty(), "{peer:?}");
            assert_eq!(peer.available, peer.missing.is_empty(), "{peer:?}");
            assert_eq!(peer.available, peer.install.is_empty(), "{peer:?}");
        }
    }

    #[test]
    fn documentation_is_that_of_the_version_compiled_in() {
        for link in [ICEORYX2, ICEORYX2_EVENT, RTRB] {
            let peer = peer(link).unwrap();
            assert!(
                peer.follows.contains(&format!("/{}/", peer.version)),
                "{peer:?}"
            );
        }
    }
}
