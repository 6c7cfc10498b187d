//! Telemetry ring: bare 128-byte activation records, from the process that makes them to the collector and the recorder.
#![allow(unsafe_code, reason = "writes slots of mapped memory")]

use crate::abi::{
    ActivationRecord, CollectorWords, PAGE, RecorderWords, SegmentHeader, TELEMETRY_RECORDER_AT,
    TELEMETRY_SLOTS_AT, TelemetryWords, segment,
};
use crate::shm::{self, Access, Mapping, Segment, ShmError, Words};
use crate::sync::{AtomicU64, Ordering, fence};
use std::fs::File;
use zerocopy::IntoBytes;

/// Slots that hold 10 s at `per_second` records, at most 2 MiB.
pub fn slots_for(per_second: f64) -> u64 {
    let most = (2 << 20) / size_of::<ActivationRecord>() as u64;
    ((per_second * 10.0).ceil() as u64)
        .clamp(64, most)
        .next_power_of_two()
        .min(most)
}

fn header(slots: u64, image: &mut [u8], header: SegmentHeader) -> SegmentHeader {
    shm::write_at(image, 128, &slots);
    SegmentHeader {
        kind: segment::TELEMETRY,
        fixed_bytes: PAGE as u64,
        ..header
    }
}

/// Makes a telemetry segment.
///
/// # Errors
/// As [`shm::Owned::create`].
pub fn create(name: &str, slots: u64, session: SegmentHeader) -> Result<shm::Owned, ShmError> {
    let mut owned = shm::Owned::create(name, TELEMETRY_SLOTS_AT + slots as usize * 128)?;
    let fixed = header(slots, owned.bytes_mut(), session);
    owned.publish(fixed);
    Ok(owned)
}

/// Makes one without a name.
///
/// # Errors
/// What the system said.
pub fn create_anonymous(slots: u64) -> std::io::Result<File> {
    let bytes = TELEMETRY_SLOTS_AT + slots as usize * 128;
    let file = shm::anonymous(bytes)?;
    let mut image = vec![0; shm::pages(bytes)];
    let fixed = header(
        slots,
        &mut image,
        SegmentHeader {
            launcher_pid: std::process::id(),
            ..SegmentHeader::default()
        },
    );
    shm::publish_anonymous(&file, image, fixed)?;
    Ok(file)
}

/// Number of slots of an opened telemetry segment; the power of two its slots region holds.
pub(crate) fn slots_of(segment: &Segment) -> Result<u64, ShmError> {
    let slots: u64 = shm::read_at(segment.fixed(), 128).unwrap_or(0);
    let needed = slots
        .checked_mul(128)
        .and_then(|b| b.checked_add(TELEMETRY_SLOTS_AT as u64));
    if slots.is_power_of_two() && needed.is_some_and(|n| n <= segment.bytes() as u64) {
        Ok(slots)
    } else {
        Err(ShmError::refused(
            segment.name(),
            "its telemetry geometry is damaged",
        ))
    }
}

/// Writer's end.
pub struct TelemetryWriter {
    words: Words<TelemetryWords>,
    collector: Words<CollectorWords>,
    recorder: Words<RecorderWords>,
    slots: Mapping,
    count: u64,
    mask: u64,
}

impl TelemetryWriter {
    /// Attaches.
    ///
    /// # Errors
    /// A damaged segment.
    pub fn attach(segment: &Segment) -> Result<Self, ShmError> {
        let slots = slots_of(segment)?;
        let words: Words<TelemetryWords> = segment.map(PAGE, PAGE, Access::ReadWrite)?.words(0);
        let readers = segment.map(2 * PAGE, PAGE, Access::ReadOnly)?;
        let map = segment.map(TELEMETRY_SLOTS_AT, slots as usize * 128, Access::ReadWrite)?;
        let count = words.published.load(Ordering::Acquire);
        if count > crate::abi::OPEN / 2 {
            return Err(ShmError::refused(
                segment.name(),
                format!("says it has {count} records: damaged"),
            ));
        }
        Ok(TelemetryWriter {
            words,
            collector: readers.words(0),
            recorder: readers.words(TELEMETRY_RECORDER_AT - 2 * PAGE),
            slots: map,
            count,
            mask: slots - 1,
        })
    }

    /// True if collector and recorder have left room: only unpaced runs ask.
    pub fn has_room(&self) -> bool {
        let taken = self.collector.taken.load(Ordering::Acquire);
        let kept = match self.recorder.kept.load(Ordering::Acquire) {
            0 => u64::MAX,
            more => more - 1,
        };
        self.count.saturating_sub(taken.min(kept)) <= self.mask
    }

    /// Appends a record, over the oldest if the collector is behind.
    pub fn push(&mut self, record: &ActivationRecord) {
        fence(Ordering::Release); // [L]
        let at = (self.count & self.mask) as usize * size_of::<ActivationRecord>();
        for (index, word) in record.as_bytes().as_chunks::<8>().0.iter().enumerate() {
            // SAFETY: `at` and the 16 words behind it lie in the mapped slots (mask checked at attach), 8-aligned.
            let slot =
                unsafe { AtomicU64::from_ptr(self.slots.as_ptr().add(at + index * 8).cast()) };
            slot.store(u64::from_ne_bytes(*word), Ordering::Relaxed);
        }
        self.count += 1;
        self.words.published.store(self.count, Ordering::Release); // [P]
    }

    /// Records written.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Touches every page.
    pub fn touch(&self) {
        self.slots.touch();
    }
}

/// A look at a telemetry ring that leaves no trace: the lap rule.
struct Tap {
    words: Words<TelemetryWords>,
    slots: Mapping,
    mask: u64,
}

impl Tap {
    fn attach(segment: &Segment) -> Result<Self, ShmError> {
        let slots = slots_of(segment)?;
        Ok(Tap {
            words: segment.map(PAGE, PAGE, Access::ReadOnly)?.words(0),
            slots: segment.map(TELEMETRY_SLOTS_AT, slots as usize * 128, Access::ReadOnly)?,
            mask: slots - 1,
        })
    }

    fn published(&self) -> u64 {
        self.words.published.load(Ordering::Acquire) // [P]
    }

    /// Oldest number that may still be read when so many are published.
    fn oldest(&self, published: u64) -> u64 {
        published.saturating_sub(self.mask)
    }

    /// Copies a published record out; `None` if it was overwritten meanwhile.
    fn copy(&self, number: u64) -> Option<ActivationRecord> {
        let mut record = ActivationRecord::default();
        let at = (number & self.mask) as usize * size_of::<ActivationRecord>();
        // In bounds: the mapping holds `mask + 1` records, as checked at attach.
        shm::copy_relaxed(self.slots.as_ptr().wrapping_add(at), record.as_mut_bytes());
        fence(Ordering::Acquire); // [L]
        let after = self.words.published.load(Ordering::Relaxed);
        (after <= number + self.mask).then_some(record)
    }
}

/// The collector's end.
pub struct TelemetryReader {
    tap: Tap,
    collector: Words<CollectorWords>,
    taken: u64,
    missing: u64,
}

impl TelemetryReader {
    /// Attaches, at the first record. A ring has one collector.
    ///
    /// # Errors
    /// A damaged segment.
    pub fn attach(segment: &Segment) -> Result<Self, ShmError> {
        Ok(TelemetryReader {
            tap: Tap::attach(segment)?,
            collector: segment.map(2 * PAGE, PAGE, Access::ReadWrite)?.words(0),
            taken: 0,
            missing: 0,
        })
    }

    /// Copies the next record out; what was overwritten meanwhile is counted as missing. When there is none left, the
    /// writer is told how far this reader is.
    pub fn take(&mut self) -> Option<ActivationRecord> {
        loop {
            let published = self.tap.published();
            if self.taken >= published {
                self.collector.taken.store(self.taken, Ordering::Release);
                return None;
            }
            let oldest = self.tap.oldest(published);
            if self.taken < oldest {
                self.missing += oldest - self.taken;
                self.taken = oldest;
            }
            let record = self.tap.copy(self.taken);
            self.taken += 1;
            if record.is_some() {
                return record;
            }
            self.missing += 1;
        }
    }

    /// Records that were overwritten before they were read.
    pub fn missing(&self) -> u64 {
        self.missing
    }
}

/// The recorder's end: it stands where its account says, and tells the writer how far that is.
pub struct KeptRecords {
    tap: Tap,
    words: Words<RecorderWords>,
}

impl KeptRecords {
    /// Attaches.
    ///
    /// # Errors
    /// A damaged segment.
    pub fn attach(segment: &Segment) -> Result<Self, ShmError> {
        let page = segment.map(2 * PAGE, PAGE, Access::ReadWrite)?;
        Ok(KeptRecords {
            tap: Tap::attach(segment)?,
            words: page.words(TELEMETRY_RECORDER_AT - 2 * PAGE),
        })
    }

    /// Records published.
    pub fn published(&self) -> u64 {
        self.tap.published()
    }

    /// Copies records from number `from` on into `to`, as many as there are and fit: the number of the first, and how many.
    /// The first is not `from` if that was overwritten before it was read.
    pub fn copy(&self, from: u64, to: &mut [ActivationRecord]) -> (u64, usize) {
        let published = self.tap.published();
        let mut first = from.max(self.tap.oldest(published));
        loop {
            let mut count = 0;
            for (number, place) in (first..published).zip(to.iter_mut()) {
                let Some(record) = self.tap.copy(number) else {
                    break;
                };
                *place = record;
                count += 1;
            }
            if count > 0 || first >= published {
                return (first, count);
            }
            first += 1;
        }
    }

    /// Tells the writer that all before `number` are kept.
    pub fn keep(&self, number: u64) {
        self.words
            .kept
            .store(number.saturating_add(1), Ordering::Release);
    }
}

/// The launcher's: from now on the writer of an unpaced run waits for a recorder; or for none.
pub(crate) fn expect_recorder(segment: &shm::Owned, expected: bool) {
    let words: &RecorderWords = segment.words(TELEMETRY_RECORDER_AT);
    words.kept.store(u64::from(expected), Ordering::Release);
}
