//! Where the rows of a stream do not follow each other.

use ephapse_engine::abi::{SlotHeader, flag};

/// What lies between two rows of a file that are not neighbours in the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Rows of the file before it.
    pub row: u64,
    /// Number of the next row in the stream, lost ones counted.
    pub first_frame: u64,
    /// Frames (records, bytes) that are not there; 0 for a seam, where a source began anew or lost nothing that it counts.
    pub lost_frames: u64,
    /// Blocks that were published and are not in the recording; their frames are among the lost ones.
    pub missing_blocks: u64,
    /// Why those blocks are missing; empty if the frames were lost before they reached the ring.
    pub why: String,
}

/// Follows a stream block by block.
#[derive(Clone, Debug, Default)]
pub struct Continuity {
    rows: u64,
    next_frame: Option<u64>,
    missing_blocks: u64,
    why: String,
}

impl Continuity {
    /// Blocks are missing here.
    pub fn missing(&mut self, blocks: u64, why: &str) {
        self.missing_blocks += blocks;
        if !self.why.is_empty() && self.why != why {
            self.why.push_str(", ");
            self.why.push_str(why);
        } else {
            why.clone_into(&mut self.why);
        }
    }

    /// What lies before the block of this header, if anything does. The first block continues nothing.
    pub fn block(&mut self, header: &SlotHeader) -> Option<Gap> {
        let lost_frames = match self.next_frame {
            Some(next) => header.first_frame.saturating_sub(next),
            None => 0,
        };
        let begun = self.next_frame.is_some();
        let seam = header.flags & flag::GAP != 0 && header.lost == 0;
        let broken = begun && (lost_frames > 0 || seam || self.missing_blocks > 0);
        let gap = broken.then(|| Gap {
            row: self.rows,
            first_frame: header.first_frame,
            lost_frames,
            missing_blocks: self.missing_blocks,
            why: core::mem::take(&mut self.why),
        });
        self.missing_blocks = 0;
        self.why.clear();
        self.rows += u64::from(header.valid);
        self.next_frame = Some(header.first_frame + u64::from(header.valid));
        gap
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(first_frame: u64, lost: u64, flags: u32) -> SlotHeader {
        SlotHeader {
            first_frame,
            valid: 10,
            lost,
            flags,
            ..SlotHeader::default()
        }
    }

    #[test]
    fn lost_frames_missing_blocks_and_seams_break_a_stream_and_its_beginning_does_not() {
        let mut stream = Continuity::default();
        stream.missing(3, "off");
        assert_eq!(stream.block(&header(70, 0, flag::GAP)), None);
        assert_eq!(stream.block(&header(80, 0, 0)), None);
        let lost = stream.block(&header(95, 5, flag::GAP)).unwrap();
        assert_eq!((lost.row, lost.first_frame, lost.lost_frames), (20, 95, 5));
        assert_eq!((lost.missing_blocks, lost.why.as_str()), (0, ""));
        let seam = stream.block(&header(105, 0, flag::GAP)).unwrap();
        assert_eq!((seam.row, seam.lost_frames), (30, 0));
        stream.missing(1, "disk");
        stream.missing(2, "disk");
        let missing = stream.block(&header(145, 0, 0)).unwrap();
        assert_eq!((missing.lost_frames, missing.missing_blocks), (30, 3));
        assert_eq!(missing.why, "disk");
        assert_eq!(stream.block(&header(155, 0, 0)), None);
    }
}
