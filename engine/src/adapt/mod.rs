//! Edge adapters: work done on the consumer's end of an edge, in its process, before `process`, without allocation.
//!
//! Which there are, in which order they work and what they make of a type: [`ephapse_rtconfig::adapter`].
//!
//! ```text
//! ring ──> merge ──> select ──> scale ──> decimate ──> cast ──> window ──> process
//!                                            │                    │
//!                                            └─ history           └─ frames      held once, behind the append-only state
//! ```
//!
//! What an adapter knows from block to block stands in the stage's segment: [`Words`] flip with the stage's state, and say
//! which frames of the [`held`] stores count. So a stage that is started again goes on with the same bits.

mod buffer;
mod cast;
mod decimate;
mod fir;
mod held;
mod merge;
mod numbers;
mod scale;
mod select;
mod window;

#[cfg(test)]
mod tests;

use crate::abi::{SlotHeader, flag};
use cast::Cast;
use decimate::Decimate;
use ephapse_rtconfig::adapter::behind;
use ephapse_rtconfig::plan::{Adapter, StagePlan};
use ephapse_rtconfig::stream_type::{Dtype, StreamType};
use merge::Merge;
use scale::Scale;
use select::Select;
use window::Window;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The adapters of one input. With none, blocks are read in place.
#[derive(Default)]
pub(crate) struct Chain {
    merge: Option<Merge>,
    select: Option<Select>,
    scale: Option<Scale>,
    decimate: Option<Decimate>,
    cast: Option<Cast>,
    window: Option<Window>,
    /// The block fed, behind everything but a window, until it is taken.
    ready: Option<SlotHeader>,
}

/// A block behind the adapters.
pub(crate) struct Adapted<'a> {
    pub header: SlotHeader,
    pub payload: &'a [u8],
}

/// What the adapters of a pacing input know from block to block, where it flips. All zero at first.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Words {
    /// Frame of the stream that the next block begins with if nothing is lost.
    next_frame: u64,
    /// 1: the next block with frames does not continue from the one before, for an empty one between said so.
    broken: u64,
    decimate: decimate::Words,
    window: window::Words,
}

/// Memory that the adapters of a stage need in its segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Space {
    /// Behind the stage's state, flipping with it.
    pub words: usize,
    /// Behind its append-only state, held once.
    pub held: usize,
}

/// That memory during a turn; empty for adapters that keep nothing.
#[derive(Default)]
pub(crate) struct Kept<'a> {
    pub words: &'a mut [u8],
    pub held: &'a mut [u8],
}

/// The memory that a stage's pacing input needs, whose stream has this type; no other input's adapters keep anything.
pub fn space(plan: &StagePlan, pacing_type: Option<&StreamType>) -> Space {
    let input = plan.pacing.and_then(|pacing| plan.inputs.get(pacing));
    let (Some(input), Some(pacing_type)) = (input, pacing_type) else {
        return Space::default();
    };
    // Adapters that cannot be are refused by name when the stage attaches.
    Chain::new(&input.adapters, pacing_type).map_or_else(|_| Space::default(), |c| c.space())
}

impl Chain {
    /// Adapters for an input whose ring carries `ring_type`, in the order of the plan.
    ///
    /// # Errors
    /// An adapter that cannot work on what is before it: a plan that no planner made.
    pub fn new(adapters: &[Adapter], ring_type: &StreamType) -> Result<Self, String> {
        let mut chain = Chain::default();
        let mut before = ring_type.clone();
        for adapter in adapters {
            let after = behind(adapter, before.clone())
                .map_err(|(key, what, remedy)| format!("its adapter `{key}`: {what}; {remedy}"))?;
            match adapter {
                Adapter::Merge(streams) => chain.merge = Some(Merge::new(streams)),
                Adapter::Select(channels) => {
                    chain.select = Some(Select::new(channels, &before, &after));
                }
                Adapter::Scale(unit) => chain.scale = Some(Scale::new(unit, &before)),
                Adapter::Decimate(factor) => {
                    if before.dtype != Dtype::F64 {
                        chain.scale = Some(Scale::widening(&before));
                        before.dtype = Dtype::F64;
                    }
                    chain.decimate = Some(Decimate::new(*factor, &before));
                }
                Adapter::Cast(to) => chain.cast = Some(Cast::new(&before, *to)),
                Adapter::Window { n, step } => chain.window = Some(Window::new(&before, *n, *step)),
            }
            before = after;
        }
        Ok(chain)
    }

    /// True if blocks pass as they are.
    pub fn is_empty(&self) -> bool {
        let Chain {
            merge: None,
            select: None,
            scale: None,
            decimate: None,
            cast: None,
            window: None,
            ..
        } = self
        else {
            return false;
        };
        true
    }

    /// Memory for what is kept from block to block.
    pub fn space(&self) -> Space {
        let held = self.decimate.as_ref().map_or(0, Decimate::held_bytes)
            + self.window.as_ref().map_or(0, Window::held_bytes);
        let keeps = held > 0 || self.merge.is_some();
        Space {
            words: if keeps { size_of::<Words>() } else { 0 },
            held,
        }
    }

    /// Joins the blocks of merged streams; the header to feed. `None` if one of them has no block of the same frames.
    pub fn join<'a>(
        &mut self,
        head: &SlotHeader,
        payload: &[u8],
        others: impl Iterator<Item = Option<(SlotHeader, &'a [u8])>>,
    ) -> Option<SlotHeader> {
        match &mut self.merge {
            Some(merge) => merge.join(head, payload, others),
            None => Some(*head),
        }
    }

    /// Takes a block in; then [`Chain::next`] until it gives `None`.
    pub fn feed(&mut self, kept: &mut Kept<'_>, header: &SlotHeader, payload: &[u8]) {
        let mut header = *header;
        let mut words = Words::mut_from_bytes(kept.words).ok();
        self.ready = None;
        if let Some(words) = &mut words
            && !expect(words, &mut header)
        {
            return;
        }
        let Chain {
            merge,
            select,
            scale,
            decimate,
            cast,
            window,
            ready,
        } = self;
        let rows = header.valid as usize;
        let mut data = merge.as_ref().map_or(payload, |merge| merge.output(rows));
        if let Some(select) = select {
            data = select.apply(data, rows);
        }
        if let Some(scale) = scale {
            data = scale.apply(data, rows);
        }
        let history = decimate.as_ref().map_or(0, Decimate::held_bytes);
        let (history, frames) = kept.held.split_at_mut(history);
        if let (Some(decimate), Some(words)) = (decimate, &mut words) {
            let Some(made) = decimate.feed(&mut words.decimate, history, &header, data) else {
                return;
            };
            header = made;
            data = decimate.output(header.valid as usize);
        }
        if let Some(cast) = cast {
            data = cast.apply(data, header.valid as usize);
        }
        match (window, &mut words) {
            (Some(window), Some(words)) => {
                window.feed(&mut words.window, frames, &header, data);
            }
            _ => *ready = Some(header),
        }
    }

    /// The next block out of the one fed; without a window there is one at most.
    pub fn next<'a>(
        &'a mut self,
        kept: &'a mut Kept<'_>,
        payload: &'a [u8],
    ) -> Option<Adapted<'a>> {
        if let Some(window) = &self.window {
            let words = Words::mut_from_bytes(kept.words).ok()?;
            let history = self.decimate.as_ref().map_or(0, Decimate::held_bytes);
            return window.next(&mut words.window, &kept.held[history..]);
        }
        let header = self.ready.take()?;
        Some(Adapted {
            header,
            payload: self.output(payload, header.valid as usize),
        })
    }

    /// So many rows of the block fed, behind everything but a window.
    pub fn output<'a>(&'a self, payload: &'a [u8], rows: usize) -> &'a [u8] {
        match self {
            Chain { cast: Some(c), .. } => c.output(rows),
            Chain {
                decimate: Some(d), ..
            } => d.output(rows),
            Chain { scale: Some(s), .. } => s.output(rows),
            Chain {
                select: Some(s), ..
            } => s.output(rows),
            Chain { merge: Some(m), .. } => m.output(rows),
            _ => payload,
        }
    }
}

/// What was lost before a block is known by its frame number, too: blocks jumped over, and blocks of merged streams that
/// found no partner. False if the block has no frames: then nothing else of its header counts, for it may be a damaged one.
fn expect(words: &mut Words, header: &mut SlotHeader) -> bool {
    if header.valid == 0 {
        words.broken |= u64::from(breaks(header));
        return false;
    }
    // No stream comes that far: a producer's fault must not become an overflow here.
    header.first_frame &= u64::MAX >> 1;
    let lost = header.first_frame.saturating_sub(words.next_frame);
    if core::mem::take(&mut words.broken) != 0 || lost > 0 {
        header.flags |= flag::GAP;
        header.lost = header.lost.max(lost);
    }
    words.next_frame = header.first_frame + u64::from(header.valid);
    true
}

/// True if the signal does not continue from the block before.
pub(crate) fn breaks(header: &SlotHeader) -> bool {
    header.flags & (flag::GAP | flag::RESET) != 0 || header.lost != 0
}

/// Frames of the pacing source that one frame of a block stands for; `None` if they are not the same for all.
fn origin_step(header: &SlotHeader) -> Option<u64> {
    let span = header
        .origin_frame
        .checked_sub(header.origin_first)?
        .checked_add(1)?;
    let valid = u64::from(header.valid);
    (valid > 0 && span.is_multiple_of(valid)).then(|| span / valid)
}
