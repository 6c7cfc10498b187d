//! A stage's activation records, read from its telemetry segment while it runs.

use ephapse_engine::abi::{ActivationRecord, PAGE, TELEMETRY_SLOTS_AT, TelemetryWords, segment};
use ephapse_engine::launch::segment_name;
use ephapse_engine::shm::{Access, Mapping, Segment, Words};
use ephapse_engine::sync::{AtomicU64, Ordering};
use zerocopy::FromBytes;

const BYTES: usize = size_of::<ActivationRecord>();

/// The segment, mapped read-only; it stays readable when the session has ended.
pub struct Records {
    words: Words<TelemetryWords>,
    slots: Mapping,
}

impl Records {
    /// Maps a stage's.
    pub fn of(session: &str, stage: &str) -> Self {
        let name = segment_name(session, &format!("telemetry.{stage}"));
        let segment = Segment::open(&name, segment::TELEMETRY, Access::ReadOnly).unwrap();
        let bytes = segment.bytes() - TELEMETRY_SLOTS_AT;
        let map = |at, bytes| segment.map(at, bytes, Access::ReadOnly).unwrap();
        Records {
            words: map(PAGE, PAGE).words(0),
            slots: map(TELEMETRY_SLOTS_AT, bytes),
        }
    }

    /// Records published so far.
    pub fn published(&self) -> u64 {
        self.words.published.load(Ordering::Acquire) // [P]
    }

    /// Records `first..end`, which must still be in the ring.
    pub fn read(&self, first: u64, end: u64) -> Vec<ActivationRecord> {
        let slots = (self.slots.bytes() / BYTES) as u64;
        assert!(end - first < slots, "the ring holds {slots} records");
        let record = |number: u64| {
            let slot = (number % slots) as usize;
            let words = self.slots.words::<[AtomicU64; BYTES / 8]>(slot * BYTES);
            let bytes: Vec<u8> = words
                .iter()
                .flat_map(|word| word.load(Ordering::Relaxed).to_ne_bytes())
                .collect();
            ActivationRecord::read_from_bytes(&bytes).unwrap()
        };
        (first..end).map(record).collect()
    }
}
