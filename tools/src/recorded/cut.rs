//! Which rows of a stream lie between two moments.

use ephapse_engine::abi::SlotHeader;
use ephapse_engine::capture::layout::kind;
use ephapse_engine::capture::{Capture, Item};
use ephapse_rtconfig::stream_type::{Dtype, Kind, StreamType};
use std::ops::Range;

/// What tells the time of a row.
enum Clock {
    /// Its number, at so many rows per second.
    Rows(f64),
    /// The frame that it names in its first eight bytes, at so many frames per second.
    Frames(f64),
    /// When its block was committed, from this moment on, ns.
    Committed(u64),
}

/// A part of a stream, in seconds of the stream's own count of frames; of a stream without a rate, in seconds since the first
/// block of the capture.
pub struct Cut {
    from_s: f64,
    until_s: f64,
    whole: bool,
    clock: Clock,
    row_bytes: usize,
}

impl Cut {
    /// From a moment (default: the beginning) to a moment (default: the end).
    ///
    /// # Errors
    /// The capture cannot be read.
    pub fn new(
        capture: &Capture,
        stream_type: &StreamType,
        from_s: Option<f64>,
        until_s: Option<f64>,
    ) -> anyhow::Result<Self> {
        let rate = stream_type.rate.as_f64();
        let names_frame = stream_type.record.as_ref().is_some_and(|layout| {
            let mut first = layout.fields.iter().filter(|f| f.offset == 0);
            first.any(|f| f.dtype == Dtype::U64 && (f.name == "frame" || f.name == "time"))
        });
        let clock = match stream_type.kind {
            Kind::Frames if rate > 0.0 => Clock::Rows(rate),
            Kind::Records if rate > 0.0 && names_frame => Clock::Frames(rate),
            _ => Clock::Committed(first_commit_ns(capture)?),
        };
        Ok(Cut {
            from_s: from_s.unwrap_or(f64::NEG_INFINITY),
            until_s: until_s.unwrap_or(f64::INFINITY),
            whole: from_s.is_none() && until_s.is_none(),
            clock,
            row_bytes: stream_type.row_bytes().max(1),
        })
    }

    /// The rows of a block that lie inside.
    pub fn rows(&self, header: &SlotHeader, payload: &[u8]) -> Range<usize> {
        let valid = (header.valid as usize).min(payload.len() / self.row_bytes);
        if self.whole {
            return 0..valid;
        }
        let inside = |time_s: f64| time_s >= self.from_s && time_s < self.until_s;
        let time_s = |row: usize| match self.clock {
            Clock::Rows(rate) => (header.first_frame + row as u64) as f64 / rate,
            Clock::Frames(rate) => {
                let record = payload.get(row * self.row_bytes..);
                let frame = record.and_then(|r| r.first_chunk::<8>());
                frame.map_or(f64::NAN, |f| u64::from_le_bytes(*f) as f64 / rate)
            }
            Clock::Committed(first_ns) => (header.committed_ns as f64 - first_ns as f64) / 1e9,
        };
        let first = (0..valid).find(|row| inside(time_s(*row)));
        let last = (0..valid).rfind(|row| inside(time_s(*row)));
        match (first, last) {
            (Some(first), Some(last)) => first..last + 1,
            _ => 0..0,
        }
    }
}

fn first_commit_ns(capture: &Capture) -> anyhow::Result<u64> {
    let first = capture.items()?.next_item_of(|h| h.kind == kind::BLOCKS)?;
    Ok(match first {
        Some(Item::Block { header, .. }) => header.committed_ns,
        _ => 0,
    })
}
