//! The contest with the peers: iceoryx2, rtrb, Redis streams, Python queues, in the same run as the engine.
//!
//! Peers live in a program of their own (`bench/peers/`), which speaks the same lines as this program's ends, and with
//! `--list` says what it has.

use super::contest::Contest;
use super::lane::Lane;
use super::{DEFAULT_SLOTS, PAYLOADS, PEER_PERIOD, bytes, compare};
use crate::ends::{Class, Ends, Program, Wait, without_fifo};
use crate::hop::{ENGINE, FLOOR, NAKED};
use crate::measured::{Bound, Measure, Measured, Series, Statistic};
use crate::settings::Settings;
use anyhow::{Context, ensure};
use serde::Deserialize;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Time of each series: at one block per millisecond.
const SERIES: Duration = Duration::from_secs(3);

/// A peer as its program lists it.
#[derive(Clone, Debug, Deserialize)]
struct Peer {
    /// Name of its link.
    link: String,
    /// In words.
    what: String,
    /// Its sides are two processes that the driver starts; otherwise one end opens both.
    two_ends: bool,
    /// Its blocks cross from one process to another.
    crosses_processes: bool,
    /// How its receiver can wait, the best for latency first.
    waits: Vec<Wait>,
    /// Everything it needs is here.
    available: bool,
    /// What is missing.
    missing: String,
    /// What to do about it.
    install: String,
    /// Versions in use.
    version: String,
    /// Documentation its adapter follows.
    follows: String,
}

/// The program with the peers.
#[derive(Clone, Debug)]
pub struct Peers {
    program: Program,
    list: Vec<Peer>,
}

impl Peers {
    /// Asks the program what it has.
    ///
    /// # Errors
    /// If it is not such a program.
    pub fn ask(path: PathBuf) -> anyhow::Result<Self> {
        let refused = || {
            format!(
                "{}: is no program with peers; `make bench-peers` builds one",
                path.display()
            )
        };
        let output = Command::new(&path)
            .arg("--list")
            .stdin(Stdio::null())
            .output()
            .with_context(refused)?;
        ensure!(output.status.success(), refused());
        let list = String::from_utf8_lossy(&output.stdout)
            .lines()
            .map(serde_json::from_str)
            .collect::<Result<Vec<Peer>, _>>()
            .with_context(refused)?;
        ensure!(!list.is_empty(), refused());
        Ok(Peers {
            program: Program {
                path,
                args: Vec::new(),
            },
            list,
        })
    }
}

/// One contest per payload.
///
/// # Errors
/// If an end fails.
pub(super) fn measure(
    own: &mut Ends,
    peers: &Peers,
    settings: &Settings,
    run: &mut crate::Run,
) -> anyhow::Result<Measured> {
    let mut measured = Measured::default();
    let mut theirs = Ends::start(&peers.program, settings.cpus, settings.class)?;
    if settings.class != Class::Other && !theirs.fifo() {
        measured.without_fifo.push(without_fifo("the peers' ends"));
    }
    for peer in &peers.list {
        if peer.available {
            measured.notes.push(format!(
                "{} {}: as in {}",
                peer.what, peer.version, peer.follows
            ));
        } else {
            measured.skipped.push(format!(
                "{}: {} is missing; {}",
                peer.what, peer.missing, peer.install
            ));
        }
    }
    for payload in PAYLOADS {
        if run.watch.has_ended_it() {
            break;
        }
        measured.append(contest(own, &mut theirs, peers, payload, settings, run)?);
    }
    Ok(measured)
}

fn contest(
    own: &mut Ends,
    theirs: &mut Ends,
    peers: &Peers,
    payload: usize,
    settings: &Settings,
    run: &mut crate::Run,
) -> anyhow::Result<Measured> {
    let group = format!("peers, {}, one block per millisecond", bytes(payload));
    let tag = |name: &str| format!("peers.{payload}.{name}");
    let period = settings.period.unwrap_or(PEER_PERIOD);
    let lane = |name: &str, what: &str, link: &str, wait: Wait| {
        let series = Series::new(&tag(name), &group, what, Measure::Latency);
        Lane::paced(series, link, payload, DEFAULT_SLOTS, wait, period)
    };
    let mut lanes = vec![
        lane("engine", "engine, spin", ENGINE, Wait::Spin),
        lane("engine-futex", "engine, futex", ENGINE, Wait::Sleep),
        lane("floor", "floor, spin", FLOOR, Wait::Spin),
        lane("naked", "naked floor, spin", NAKED, Wait::Spin),
    ];
    let mut comparisons = Vec::new();
    for peer in peers.list.iter().filter(|p| p.available) {
        let wait = peer.waits.first().copied().unwrap_or(Wait::Sleep);
        lanes.push(Lane {
            ends: 1,
            in_one_process: !peer.two_ends,
            ..lane(&peer.link, &peer.what, &peer.link, wait)
        });
        let (of, to) = (tag(&peer.link), tag("engine"));
        let bound = bound(peer, payload);
        comparisons.push(compare(&of, &to, Statistic::P50, bound));
        if peer.crosses_processes {
            // How far ahead a ring could be at all that has neither header nor clock.
            comparisons.push(compare(&of, &tag("naked"), Statistic::P50, None));
        }
        if wait == Wait::Sleep {
            comparisons.push(compare(&of, &tag("engine-futex"), Statistic::P50, None));
        }
    }
    let contest = Contest::new(
        vec![own, theirs],
        lanes,
        settings,
        settings.repetitions,
        SERIES,
    );
    contest.run(run, comparisons)
}

/// What the project promises: how many times longer a block takes through the peer.
fn bound(peer: &Peer, payload: usize) -> Option<Bound> {
    match (payload, peer.link.as_str()) {
        _ if !peer.crosses_processes => None,
        (64, "iceoryx2") => Some(Bound::MedianAtLeast(3.0)),
        (64, "redis-streams") => Some(Bound::MedianAtLeast(20.0)),
        (24_000 | 61_440, _) => Some(Bound::WholeAbove(1.0)),
        _ => None,
    }
}
