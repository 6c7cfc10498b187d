//! What a capture holds of each stream, in one pass.

use super::cursor::Item;
use super::layout::kind;
use super::meta::GapOf;
use super::reader::{Capture, CaptureError};
use serde::Serialize;
use std::collections::BTreeMap;

/// One stream.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct StreamSummary {
    /// Name.
    pub name: String,
    /// Blocks that are there.
    pub blocks: u64,
    /// Frames (records, bytes) in them.
    pub frames: u64,
    /// Position of the first block.
    pub first_position: u64,
    /// One more than the position of the last.
    pub next_position: u64,
    /// Blocks between the first and the last position that are not there.
    pub missing_blocks: u64,
    /// Frames that were lost before they reached the ring, as the blocks' headers say.
    pub lost_frames: u64,
    /// `sampled_ns` of the first block.
    pub first_sampled_ns: u64,
    /// `sampled_ns` of the last.
    pub last_sampled_ns: u64,
    /// Bytes of the blocks with their headers.
    pub bytes: u64,
}

/// All streams.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// In the order of `meta.streams`.
    pub streams: Vec<StreamSummary>,
    /// Activation records that are missing.
    pub missing_activations: u64,
    /// Stretches that the recorder itself says are missing.
    pub gaps: u64,
    /// Events.
    pub events: u64,
    /// Remarks.
    pub marks: u64,
    /// Time from the first to the last thing recorded, ns.
    pub duration_ns: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// Nothing can follow: the session was over, or has been recovered.
    pub sealed: bool,
    /// Why it is sealed; empty if it is not.
    pub sealed_why: String,
}

impl Summary {
    pub(super) fn of(capture: &Capture) -> Result<Self, CaptureError> {
        let meta = capture.meta();
        let mut streams: BTreeMap<u32, StreamSummary> = meta
            .streams
            .iter()
            .map(|stream| {
                let name = meta.stream_name(*stream).to_owned();
                (
                    *stream,
                    StreamSummary {
                        name,
                        ..StreamSummary::default()
                    },
                )
            })
            .collect();
        let mut summary = Summary::default();
        let (mut first_ns, mut last_ns) = (u64::MAX, 0);
        let mut cursor = capture.items()?;
        let about = |kind| kind != kind::ACTIVATIONS && kind != kind::META;
        while let Some(item) = cursor.next_item_of(|header| {
            first_ns = first_ns.min(header.at_ns);
            last_ns = last_ns.max(header.at_ns);
            about(header.kind)
        })? {
            summary.sealed_why.clear();
            match item {
                Item::Block {
                    stream,
                    header,
                    payload,
                } => {
                    let Some(of) = streams.get_mut(&stream) else {
                        continue;
                    };
                    if of.blocks == 0 {
                        of.first_position = header.position;
                        of.next_position = header.position;
                        of.first_sampled_ns = header.sampled_ns;
                    }
                    if header.position < of.next_position {
                        continue;
                    }
                    of.missing_blocks += header.position - of.next_position;
                    of.next_position = header.position + 1;
                    of.blocks += 1;
                    of.frames += u64::from(header.valid);
                    of.lost_frames += header.lost;
                    of.last_sampled_ns = header.sampled_ns;
                    of.bytes += (size_of_val(&header) + payload.len()) as u64;
                }
                Item::Gap(note) => {
                    summary.gaps += 1;
                    if let GapOf::Activations(_) = note.of {
                        summary.missing_activations += note.count;
                    }
                }
                Item::Event(_) => summary.events += 1,
                Item::Mark(_) => summary.marks += 1,
                Item::Seal(note) => summary.sealed_why = note.why,
                _ => {}
            }
        }
        summary.sealed = cursor.at_seal() && summary.sealed_why != super::seal_why::ROLLED;
        let order = meta.streams.iter();
        summary.streams = order.filter_map(|stream| streams.remove(stream)).collect();
        summary.duration_ns = last_ns.saturating_sub(first_ns);
        for file in capture.files() {
            let size = std::fs::metadata(&file).map_err(|source| CaptureError::Io {
                path: file.clone(),
                source,
            })?;
            summary.bytes += size.len();
        }
        Ok(summary)
    }
}
