//! Blocks as a stage sees them: inputs read in place, outputs written in place.

use crate::abi::SlotHeader;
use crate::runner::{InputPort, OutputPort};
use ephapse_rtconfig::stream_type::StreamType;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// A block of an input. The header is a checked private copy; the payload lies in the ring (or behind an edge adapter).
#[derive(Clone, Copy)]
pub struct Block<'a> {
    /// Checked copy of the slot's header: `valid` never exceeds the capacity.
    pub header: &'a SlotHeader,
    /// The valid rows: `header.valid * stream_type.row_bytes()` bytes. It begins on a 64-byte boundary, but for a block of
    /// a `window` on an edge: that begins with one of its rows, wherever they are held.
    pub payload: &'a [u8],
    /// Type of the stream.
    pub stream_type: &'a StreamType,
}

impl<'a> Block<'a> {
    /// Valid frames (records, bytes).
    pub fn len(&self) -> usize {
        self.header.valid as usize
    }

    /// True if the block says only that nothing happened.
    pub fn is_empty(&self) -> bool {
        self.header.valid == 0
    }

    /// The payload as a slice of `T`, row after row; `T` must match the dtype or the record layout.
    ///
    /// # Panics
    /// If the payload is not a whole number of `T`: types are compared at attach, so this is a fault of the stage.
    pub fn slice<T: FromBytes + Immutable>(&self) -> &'a [T] {
        <[T]>::ref_from_bytes(self.payload)
            .unwrap_or_else(|_| panic!("payload is not a whole number of this type"))
    }
}

/// A block of an input beside the pacing one: where it is found, and the checked copy of its header.
#[derive(Clone, Copy, Default)]
pub(crate) struct Beside {
    pub port: usize,
    pub index: usize,
    pub header: SlotHeader,
}

/// The blocks of one activation, by port number.
pub struct Inputs<'a> {
    pub(crate) ports: &'a [InputPort],
    /// Number of the pacing port and its block, behind its adapters.
    pub(crate) pacing: Option<(usize, Block<'a>)>,
    /// The blocks of the other ports, port after port and in order.
    pub(crate) beside: &'a [Beside],
}

impl<'a> Inputs<'a> {
    /// The block this activation is about.
    ///
    /// # Panics
    /// In a source, which has no inputs.
    pub fn pacing(&self) -> Block<'a> {
        match self.pacing {
            Some((_, block)) => block,
            None => panic!("a stage with inputs always has a pacing block"),
        }
    }

    /// The newest block of a port, if one is there (a `read = "newest"` port may have none yet).
    pub fn port(&self, port: usize) -> Option<Block<'a>> {
        self.all(port).last()
    }

    /// The blocks of a port in order: several only for `read = "all"`.
    pub fn all(&self, port: usize) -> impl Iterator<Item = Block<'a>> + '_ {
        let pacing = self.pacing.filter(|(paces, _)| *paces == port);
        let beside = self.beside.iter().filter(move |b| b.port == port);
        pacing
            .into_iter()
            .map(|(_, block)| block)
            .chain(beside.map(|b| Block {
                header: &b.header,
                payload: self.ports[b.port].adapted(b.index),
                stream_type: &self.ports[b.port].stream_type,
            }))
    }
}

/// The outputs of one activation, by port number. Nothing is visible to readers before the whole call has returned.
pub struct Outputs<'a> {
    pub(crate) ports: &'a mut [OutputPort],
}

impl Outputs<'_> {
    /// The next block of a port, to be filled and kept with [`OutBlock::commit`]; dropped, it is aborted.
    ///
    /// The header is preset from the pacing block: origin, stamps, flags, settling; for an output with the pacing
    /// input's rate also `first_frame` and `lost`.
    pub fn block(&mut self, port: usize) -> OutBlock<'_> {
        self.ports[port].begin();
        OutBlock {
            writer: &mut self.ports[port],
        }
    }

    /// The block of a port that was begun with [`Outputs::block`] and let go without commit, as long as none was begun after
    /// it in the same call: for the bindings, whose authors hold pointers between begin and commit.
    pub fn begun(&mut self, port: usize) -> OutBlock<'_> {
        OutBlock {
            writer: &mut self.ports[port],
        }
    }

    /// Source account: `frames` more frames (or records) were delivered by the device, file or driver for this port.
    pub fn count_source(&mut self, port: usize, frames: u64) {
        self.ports[port].count_source(frames);
    }
}

/// A block being written.
pub struct OutBlock<'a> {
    writer: &'a mut OutputPort,
}

impl OutBlock<'_> {
    /// Type of the stream.
    pub fn stream_type(&self) -> &StreamType {
        self.writer.stream_type()
    }

    /// Frames (records) that may be written: a full block, or less at the end of a timed run.
    pub fn room(&self) -> usize {
        self.writer.room() as usize
    }

    /// The header, preset; a stage may change `first_frame`, `lost`, `flags`, `origin_*`, `settling`, the stamps and `user`.
    pub fn header(&mut self) -> &mut SlotHeader {
        self.writer.stage().0
    }

    /// The payload, [`StreamType::block_bytes`] long. It holds what an earlier block left there.
    pub fn payload(&mut self) -> &mut [u8] {
        self.writer.stage().1
    }

    /// [`OutBlock::header`] and [`OutBlock::payload`], both at once.
    pub fn parts(&mut self) -> (&mut SlotHeader, &mut [u8]) {
        self.writer.stage()
    }

    /// The payload as a slice of `T`.
    ///
    /// # Panics
    /// If the payload is not a whole number of `T`.
    pub fn slice<T: FromBytes + IntoBytes + Immutable>(&mut self) -> &mut [T] {
        <[T]>::mut_from_bytes(self.payload())
            .unwrap_or_else(|_| panic!("payload is not a whole number of this type"))
    }

    /// Keeps the block with `valid` frames (records, bytes); more than [`OutBlock::room`] is cut to it.
    pub fn commit(self, valid: usize) {
        let room = self.writer.room();
        self.writer.stage().0.valid = u32::try_from(valid).unwrap_or(u32::MAX).min(room);
        self.writer.keep();
    }
}
