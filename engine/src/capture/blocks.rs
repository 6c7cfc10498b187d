//! What was recorded of one stream, or of one process, in order, with what is missing named.

use super::cursor::{Cursor, Item};
use super::layout::{RecordHeader, kind};
use super::meta::{GapNote, GapOf};
use super::reader::CaptureError;
use crate::abi::{ActivationRecord, SlotHeader};

/// Why something is missing that no gap note names.
const UNNAMED: &str = "damaged or never written";

/// One block of a stream.
#[derive(Clone, Debug, PartialEq)]
pub enum Recorded {
    /// As it stood in the ring.
    Block(SlotHeader, Vec<u8>),
    /// Blocks that are not there.
    Missing {
        /// Position of the first.
        from: u64,
        /// How many.
        count: u64,
        /// Why.
        why: String,
    },
}

/// One activation record of a process.
#[derive(Clone, Debug, PartialEq)]
pub enum RecordedActivation {
    /// As it stood in the telemetry ring, and its number there.
    Record(u64, ActivationRecord),
    /// Records that are not there.
    Missing {
        /// Number of the first.
        from: u64,
        /// How many.
        count: u64,
        /// Why.
        why: String,
    },
}

/// Items of one source with a number each, and what is missing between them.
struct Ordered<T> {
    cursor: Cursor,
    of: GapOf,
    next: u64,
    gaps: Vec<GapNote>,
    held: Option<(u64, T)>,
}

/// Either an item or what is missing before it.
enum Next<T> {
    Here(u64, T),
    Missing { from: u64, count: u64, why: String },
}

impl<T> Ordered<T> {
    fn new(cursor: Cursor, of: GapOf) -> Self {
        Ordered {
            cursor,
            of,
            next: 0,
            gaps: Vec::new(),
            held: None,
        }
    }

    fn wants(of: GapOf, header: &RecordHeader) -> bool {
        match (of, header.kind) {
            (GapOf::Stream(stream), kind::BLOCKS) => header.source == stream,
            (GapOf::Activations(process), kind::ACTIVATIONS) => header.source == process,
            (_, kind::GAP) => true,
            _ => false,
        }
    }

    fn next(
        &mut self,
        take: impl Fn(Item) -> Option<(u64, T)>,
    ) -> Result<Option<Next<T>>, CaptureError> {
        let of = self.of;
        while self.held.is_none() {
            let Some(item) = self.cursor.next_item_of(|h| Self::wants(of, h))? else {
                return Ok(self.missing_before(u64::MAX));
            };
            match item {
                Item::Gap(note) => {
                    if note.of == of {
                        self.gaps.push(note);
                    }
                }
                // What comes a second time, a successor has appended again.
                item => self.held = take(item).filter(|(at, _)| *at >= self.next),
            }
        }
        let at = self.held.as_ref().map_or(0, |(at, _)| *at);
        if let Some(missing) = self.missing_before(at) {
            return Ok(Some(missing));
        }
        self.next = at + 1;
        Ok(self.held.take().map(|(at, held)| Next::Here(at, held)))
    }

    /// The first stretch that is missing before `at`; at the very end (`u64::MAX`) only what a note names.
    fn missing_before(&mut self, at: u64) -> Option<Next<T>> {
        self.gaps
            .retain(|gap| gap.from.saturating_add(gap.count) > self.next);
        let here = self.next;
        let gap = self.gaps.iter().min_by_key(|gap| gap.from);
        let (end, why) = match gap {
            Some(gap) if gap.from <= here => {
                (gap.from.saturating_add(gap.count).min(at), gap.why.clone())
            }
            Some(gap) if gap.from < at && at != u64::MAX => (gap.from, UNNAMED.to_owned()),
            _ if at == u64::MAX => return None,
            _ => (at, UNNAMED.to_owned()),
        };
        if end <= here {
            return None;
        }
        self.next = end;
        Some(Next::Missing {
            from: here,
            count: end - here,
            why,
        })
    }
}

/// The blocks of a stream, in the order of their positions. At the end of a capture that is still being written it may be
/// asked again later.
pub struct Blocks(Ordered<(SlotHeader, Vec<u8>)>);

impl Blocks {
    pub(super) fn new(cursor: Cursor, stream: u32) -> Self {
        Blocks(Ordered::new(cursor, GapOf::Stream(stream)))
    }
}

impl Blocks {
    /// Bytes of the capture that lie before where this stands.
    pub fn passed_bytes(&self) -> u64 {
        self.0.cursor.passed_bytes()
    }
}

impl Iterator for Blocks {
    type Item = Result<Recorded, CaptureError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.0.next(|item| match item {
            Item::Block {
                header, payload, ..
            } => Some((header.position, (header, payload))),
            _ => None,
        });
        Some(match next.transpose()? {
            Ok(Next::Here(_, (header, payload))) => Ok(Recorded::Block(header, payload)),
            Ok(Next::Missing { from, count, why }) => Ok(Recorded::Missing { from, count, why }),
            Err(error) => Err(error),
        })
    }
}

/// The activation records of a process, in the order in which they were made.
pub struct Activations(Ordered<ActivationRecord>);

impl Activations {
    pub(super) fn new(cursor: Cursor, process: u32) -> Self {
        Activations(Ordered::new(cursor, GapOf::Activations(process)))
    }
}

impl Iterator for Activations {
    type Item = Result<RecordedActivation, CaptureError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.0.next(|item| match item {
            Item::Activation { number, record, .. } => Some((number, record)),
            _ => None,
        });
        Some(match next.transpose()? {
            Ok(Next::Here(number, record)) => Ok(RecordedActivation::Record(number, record)),
            Ok(Next::Missing { from, count, why }) => {
                Ok(RecordedActivation::Missing { from, count, why })
            }
            Err(error) => Err(error),
        })
    }
}
