//! Edge adapters: work done on the consumer's end of an edge, in its process, before `process`, without allocation.

mod cast;
mod window;

use crate::abi::{SlotHeader, flag};
use cast::Cast;
use ephapse_rtconfig::plan::Adapter;
use ephapse_rtconfig::stream_type::StreamType;
use window::Window;

/// The adapters of one input. With none, blocks are read in place.
#[derive(Default)]
pub(crate) struct Chain {
    cast: Option<Cast>,
    window: Option<Window>,
}

/// A block behind the adapters.
pub(crate) struct Adapted<'a> {
    pub header: SlotHeader,
    pub payload: &'a [u8],
}

impl Chain {
    /// Adapters for an input whose ring carries `ring_type`. A cast comes before a window, whatever their order in the
    /// graph: the two commute, and the window then holds the smaller or final numbers once.
    pub fn new(adapters: &[Adapter], ring_type: &StreamType) -> Self {
        let mut cast_type = ring_type.clone();
        let mut cast = None;
        let mut window = None;
        for adapter in adapters {
            match adapter {
                Adapter::Cast(to) => {
                    cast = Some(Cast::new(ring_type, *to));
                    cast_type.dtype = *to;
                }
                Adapter::Window { n, step } => window = Some((*n, *step)),
            }
        }
        Chain {
            cast,
            window: window.map(|(n, step)| Window::new(&cast_type, n, step)),
        }
    }

    /// True if blocks pass as they are.
    pub fn is_empty(&self) -> bool {
        self.cast.is_none() && self.window.is_none()
    }

    /// Most blocks that can come out for one that goes in.
    pub fn most_parts(&self, frames_per_block: u32) -> u32 {
        self.window
            .as_ref()
            .map_or(1, |w| w.most_parts(frames_per_block))
    }

    /// Takes a block in; then [`Chain::next`] until it gives `None`.
    pub fn feed(&mut self, header: &SlotHeader, payload: &[u8]) {
        let cast = self
            .cast
            .as_mut()
            .map(|c| c.apply(payload, header.valid as usize));
        if let Some(window) = &mut self.window {
            window.feed(header, cast.unwrap_or(payload));
        }
    }

    /// The next block out of the one fed. Without a window there is exactly one, given to the `first` call.
    pub fn next<'a>(
        &'a mut self,
        fed: &SlotHeader,
        payload: &'a [u8],
        first: bool,
    ) -> Option<Adapted<'a>> {
        if self.window.is_some() {
            return self.window.as_mut().and_then(Window::next);
        }
        first.then(|| Adapted {
            header: *fed,
            payload: self.cast_of(fed, payload),
        })
    }

    /// The block fed, behind a cast if there is one.
    pub fn cast_of<'a>(&'a self, fed: &SlotHeader, payload: &'a [u8]) -> &'a [u8] {
        match &self.cast {
            Some(cast) => cast.output(fed.valid as usize),
            None => payload,
        }
    }
}

/// True if the signal does not continue from the block before.
pub(crate) fn breaks(header: &SlotHeader) -> bool {
    header.flags & (flag::GAP | flag::RESET) != 0 || header.lost != 0
}
