//! What happens in a made-up session of five minutes: every wake and commit at a known instant, stalls of known length.
//!
//! Each process is told twice, from the same instants and by different reasoning: as the activation records that the
//! engine would write, and as the truth, by asking of every single deadline and every single decision how long it waited.

mod decisions;
mod source;
mod stalls;
mod ticked;
mod timer;

use ephapse_engine::abi::ActivationRecord;
use ephapse_engine::outcome::HopKind;

/// Length of a tick.
pub(super) const PERIOD_NS: u64 = 10_000_000;
/// Ticks of the session: more seconds than the collector keeps intervals apart, so that it has to join some.
pub(super) const TICKS: u64 = 30_000;
/// CLOCK_MONOTONIC at tick 0.
pub(super) const START_NS: u64 = 7_200_000_000_000;
/// Sampling rate.
pub(super) const FRAMES_HZ: u64 = 20_000;
/// Frames of a block: one tick long.
pub(super) const BLOCK_FRAMES: u32 = 200;
/// A decision covers so many blocks.
pub(super) const BLOCKS_PER_DECISION: u64 = 2;
/// The ticked stage runs at every second tick.
pub(super) const TICKED_EVERY: u64 = 2;
/// End of the session, and time for the last to finish.
pub(super) const END_NS: u64 = START_NS + (TICKS + 700) * PERIOD_NS;

/// When a tick is due.
fn deadline(tick: u64) -> u64 {
    START_NS + tick * PERIOD_NS
}

/// As the engine counts skipped ticks in a record.
fn saturated(count: u64) -> u8 {
    u8::try_from(count).unwrap_or(u8::MAX)
}

/// A stall that was put into the script.
#[derive(Clone, Debug)]
pub(super) struct Stall {
    /// In words.
    pub what: String,
    /// The one value it is as it happened, ns.
    pub once_ns: u64,
    /// What each deadline or decision that fell due meanwhile waited, ns.
    pub each_ns: Vec<u64>,
}

/// What a hop's histograms must hold.
#[derive(Clone, Debug)]
pub(super) struct Truth {
    /// Process.
    pub stage: String,
    /// Hop.
    pub kind: HopKind,
    /// As it happened, ns.
    pub uncorrected: Vec<u64>,
    /// What each deadline or decision waited, ns.
    pub corrected: Vec<u64>,
    /// Stalls among them.
    pub stalls: Vec<Stall>,
}

impl Truth {
    fn new(stage: &str, kind: HopKind) -> Self {
        Truth {
            stage: stage.to_owned(),
            kind,
            uncorrected: Vec::new(),
            corrected: Vec::new(),
            stalls: Vec::new(),
        }
    }

    /// A value of a hop that nothing can be missing from.
    fn push(&mut self, value_ns: u64) {
        self.uncorrected.push(value_ns);
        self.corrected.push(value_ns);
    }
}

/// One process.
#[derive(Clone, Debug)]
pub(super) struct Scripted {
    /// Name in the graph, or `timer`.
    pub name: String,
    /// Its records, in the order it writes them.
    pub records: Vec<ActivationRecord>,
    /// Its hops.
    pub truths: Vec<Truth>,
}

/// One decision: when the command was handed over, and the age of the data behind it then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decision {
    /// CLOCK_MONOTONIC, ns.
    pub handed_ns: u64,
    /// ns.
    pub age_ns: u64,
}

/// The session.
#[derive(Clone, Debug)]
pub(super) struct Script {
    /// Its processes.
    pub processes: Vec<Scripted>,
    /// Its decisions, in order.
    pub decisions: Vec<Decision>,
}

impl Script {
    /// The same one every time.
    pub fn new() -> Self {
        let (act, decisions) = decisions::act();
        Script {
            processes: vec![
                timer::timer(),
                source::source(),
                ticked::decide(),
                act,
                decisions::log(),
            ],
            decisions,
        }
    }
}
