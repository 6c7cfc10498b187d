//! Where two captures first differ.

use super::finding::earliest;
use super::{Difference, Stamps, StreamFinding, difference};
use crate::abi::SlotHeader;
use crate::capture::{Blocks, Capture, CaptureError, Recorded};
use serde::Serialize;

/// Two captures beside each other.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// Streams that both have, by name, in the first one's order.
    pub streams: Vec<StreamFinding>,
    /// Streams that only the first has.
    pub only_left: Vec<String>,
    /// Streams that only the second has.
    pub only_right: Vec<String>,
    /// Where they first differ.
    pub first: Option<StreamFinding>,
}

impl Comparison {
    /// Nothing differs, and something was compared.
    pub fn identical(&self) -> bool {
        self.first.is_none()
            && self.only_left.is_empty()
            && self.only_right.is_empty()
            && self.streams.iter().any(|s| s.compared > 0)
    }
}

/// Blocks of one capture, with the positions that it does not have.
struct Side {
    blocks: Blocks,
    next: Option<(SlotHeader, Vec<u8>)>,
    missing: u64,
}

impl Side {
    fn new(blocks: Blocks) -> Result<Self, CaptureError> {
        let mut side = Side {
            blocks,
            next: None,
            missing: 0,
        };
        side.advance()?;
        Ok(side)
    }

    fn advance(&mut self) -> Result<(), CaptureError> {
        self.next = loop {
            match self.blocks.next().transpose()? {
                Some(Recorded::Block(header, payload)) => break Some((header, payload)),
                Some(Recorded::Missing { count, .. }) => self.missing += count,
                None => break None,
            }
        };
        Ok(())
    }
}

/// Compares what two captures hold of the streams of the same name, block by block. A block that one of them lacks is counted and is no
/// difference if it says so, or if its recording ended before.
///
/// # Errors
/// A file cannot be read.
pub fn compare(
    left: &Capture,
    right: &Capture,
    stamps: Stamps,
) -> Result<Comparison, CaptureError> {
    let (a, b) = (left.meta(), right.meta());
    let mut streams = Vec::new();
    let mut only_left = Vec::new();
    for stream in a.streams.iter().copied() {
        let name = a.stream_name(stream);
        match b.stream(name) {
            Some(other) => streams.push(one(left, right, (stream, other), stamps)?),
            None => only_left.push(name.to_owned()),
        }
    }
    let names = b.streams.iter().map(|stream| b.stream_name(*stream));
    let only_right = names.filter(|name| a.stream(name).is_none());
    let place = |stage: &str| {
        a.plan
            .stages
            .iter()
            .position(|s| s.name == stage)
            .unwrap_or(0)
    };
    Ok(Comparison {
        first: earliest(&streams, place).map(|(finding, _)| finding.clone()),
        only_right: only_right.map(str::to_owned).collect(),
        only_left,
        streams,
    })
}

fn one(
    left: &Capture,
    right: &Capture,
    (stream, other): (u32, u32),
    stamps: Stamps,
) -> Result<StreamFinding, CaptureError> {
    let mut finding = StreamFinding::of(left.meta(), stream);
    let types = (
        left.meta().stream_type(stream),
        right.meta().stream_type(other),
    );
    let (Some(stream_type), Some(other_type)) = types else {
        return Ok(finding);
    };
    if stream_type != other_type {
        finding.first = Some(Difference {
            tick: 0,
            position: 0,
            place: "type of the stream".into(),
            left: stream_type.summary(),
            right: other_type.summary(),
        });
        return Ok(finding);
    }
    let mut a = Side::new(left.blocks(stream)?)?;
    let mut b = Side::new(right.blocks(other)?)?;
    loop {
        match (&a.next, &b.next) {
            (Some((x, x_rows)), Some((y, y_rows))) if x.position == y.position => {
                finding.compared += 1;
                if let Some(found) = difference(stream_type, (x, x_rows), (y, y_rows), stamps) {
                    finding.differing += 1;
                    finding.first.get_or_insert(found);
                }
                finding.last_tick = x.tick;
                a.advance()?;
                b.advance()?;
            }
            (Some((x, _)), Some((y, _))) if x.position < y.position => a.advance()?,
            (_, Some((y, _))) => {
                finding.replayed = y.position + 1;
                finding.uncompared += 1;
                b.advance()?;
            }
            (Some((x, _)), None) => {
                if finding.beyond == 0 {
                    finding.beyond_tick = x.tick;
                }
                finding.beyond += 1;
                a.advance()?;
            }
            (None, None) => break,
        }
    }
    finding.missing = a.missing;
    finding.replayed = finding.replayed.max(finding.compared);
    Ok(finding)
}
