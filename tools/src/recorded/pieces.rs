//! The rows of a recorded stream, one block after the other, with what is missing between them.

use super::Cut;
use ephapse_drivers::export::{Continuity, Gap};
use ephapse_engine::abi::SlotHeader;
use ephapse_engine::capture::{Capture, Recorded};
use ephapse_rtconfig::stream_type::StreamType;

/// The rows of one block that are wanted.
pub struct Piece<'a> {
    /// Header, of these rows.
    pub header: &'a SlotHeader,
    /// Rows.
    pub rows: &'a [u8],
    /// What lies before them.
    pub gap: Option<&'a Gap>,
}

/// What went by.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Blocks that had wanted rows, or none at all.
    pub blocks: u64,
    /// Rows.
    pub rows: u64,
    /// Gaps and seams between them.
    pub gaps: u64,
    /// Frames (records, bytes) that are not there.
    pub lost_frames: u64,
}

/// Gives every wanted piece of a stream to `take`; `go_on` is told the bytes passed, and ends it with an error.
///
/// # Errors
/// The capture cannot be read; what the two say.
pub fn each_piece(
    capture: &Capture,
    stream: u32,
    stream_type: &StreamType,
    cut: &Cut,
    mut go_on: impl FnMut(u64) -> anyhow::Result<()>,
    mut take: impl FnMut(&Piece<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<Told> {
    let row_bytes = stream_type.row_bytes();
    let mut continuity = Continuity::default();
    let mut told = Told::default();
    let mut blocks = capture.blocks(stream)?;
    while let Some(found) = blocks.next() {
        go_on(blocks.passed_bytes())?;
        let (header, payload) = match found? {
            Recorded::Block(header, payload) => (header, payload),
            Recorded::Missing { count, why, .. } => {
                continuity.missing(count, &why);
                continue;
            }
        };
        let rows = cut.rows(&header, &payload);
        if rows.is_empty() && header.valid > 0 {
            continue;
        }
        let header = SlotHeader {
            first_frame: header.first_frame + rows.start as u64,
            valid: rows.len() as u32,
            ..header
        };
        let gap = continuity.block(&header);
        told.blocks += 1;
        told.rows += rows.len() as u64;
        told.gaps += u64::from(gap.is_some());
        told.lost_frames += gap.as_ref().map_or(0, |gap| gap.lost_frames);
        take(&Piece {
            header: &header,
            rows: payload
                .get(rows.start * row_bytes..rows.end * row_bytes)
                .unwrap_or_default(),
            gap: gap.as_ref(),
        })?;
    }
    Ok(told)
}
