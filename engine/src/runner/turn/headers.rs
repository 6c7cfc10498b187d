//! What the headers of a turn's outputs begin with.

use super::Moment;
use crate::abi::{SlotHeader, flag};
use crate::runner::memory::Accounts;

impl Accounts {
    /// Settling of a stage's output: what its input has left, plus its own time from there, and at least what it had
    /// left itself. Returns the frames of this block that are still settling and keeps the rest.
    pub(super) fn settle(&mut self, input_settling: u32, valid: u32, settle_frames: u64) -> u32 {
        let from_input = if input_settling > 0 {
            u64::from(input_settling) + settle_frames
        } else {
            0
        };
        let settling = self.settle_left.max(from_input);
        self.settle_left = settling.saturating_sub(u64::from(valid));
        settling.min(u64::from(valid)) as u32
    }
}

/// What the header of an output begins with: what its maker passes on from the pacing block.
pub(super) fn preset_of(moment: &Moment, pacing: &SlotHeader) -> SlotHeader {
    SlotHeader {
        tick: moment.tick,
        first_frame: pacing.first_frame,
        origin_stream: pacing.origin_stream,
        flags: pacing.flags & flag::PASSED_ON | if moment.late { flag::LATE } else { 0 },
        origin_first: pacing.origin_first,
        origin_frame: pacing.origin_frame,
        sampled_ns: pacing.sampled_ns,
        arrived_ns: pacing.arrived_ns,
        ..SlotHeader::default()
    }
}

/// A source's own stamps: its frames are the origin of everything behind it.
pub(super) fn stamp_source(header: &mut SlotHeader, moment: &Moment, origin: u32, paced: bool) {
    header.origin_stream = origin;
    header.sampled_ns = moment.sampled_ns;
    header.arrived_ns = if paced {
        moment.woke_ns
    } else {
        moment.sampled_ns
    };
}
