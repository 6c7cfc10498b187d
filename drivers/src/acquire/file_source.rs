//! A file source is two stages: a helper that reads the file, and a pacer that releases its blocks in time.
//!
//! The pacer runs under FIFO and knows neither file nor time: the runner wakes it when a block is due. The helper
//! opens the file, at normal priority, and runs ahead by as many blocks as the ring between them has slots.

use super::play::FileParams;
use super::playback::{Cursor, Playback};
use super::recording::Recording;
use ephapse_engine::abi::SlotHeader;
use ephapse_engine::stage::{
    Ctx, Described, Helper, HelperDirection, Inputs, Next, Outputs, Ports, Program, Role, Stage,
    StageError,
};
use ephapse_rtconfig::stream_type::StreamType;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use std::marker::PhantomData;
#[cfg(not(feature = "hdf5"))]
use std::path::Path;

/// Slots of the ring between reader and pacer: how far the reader may run ahead.
const FEED_SLOTS: u32 = 64;

/// A file format: how a recording of it is opened, and what its two stages are called.
pub trait FileFormat: 'static {
    /// Kind of the pacer, the graph's `use`.
    const SOURCE: &'static str;
    /// One sentence about it.
    const SOURCE_ABOUT: &'static str;
    /// Kind of the helper.
    const READER: &'static str;
    /// One sentence about it.
    const READER_ABOUT: &'static str;
    /// Parameters of both.
    type Params: DeserializeOwned + JsonSchema + FileParams;

    /// Opens the file.
    ///
    /// # Errors
    /// `Resource` for whatever is wrong with the file, `Parameter` for what is wrong with the parameters.
    fn open(params: &Self::Params) -> Result<Box<dyn Recording>, StageError>;
}

/// Opens and cuts the recording that `params` name: what the helper reads from, and what describes the pacer.
///
/// # Errors
/// As [`FileFormat::open`]; `Parameter` also if the cut leaves nothing.
pub fn open_playback<F: FileFormat>(params: &F::Params) -> Result<Playback, StageError> {
    let play = params.play()?;
    Playback::new(F::open(params)?, &play)
}

/// FIFO side of a file source.
pub struct Pacer<F> {
    row_bytes: usize,
    format: PhantomData<fn() -> F>,
}

impl<F: FileFormat> Stage for Pacer<F> {
    const KIND: &'static str = F::SOURCE;
    const ABOUT: &'static str = F::SOURCE_ABOUT;
    const ROLE: Role = Role::Acquire;
    const PORTS: Ports = Ports {
        inputs: &["feed"],
        outputs: &["frames"],
    };
    type Params = F::Params;

    /// Opens the file to learn its type. `inputs` is empty: the feed comes from the helper described here.
    fn describe(
        params: &Self::Params,
        _inputs: &[(&str, &StreamType)],
    ) -> Result<Described, StageError> {
        let stream_type = open_playback::<F>(params)?.stream_type().clone();
        Ok(Described {
            outputs: vec![("frames".to_owned(), stream_type.clone())],
            parts_per_call: 1,
            memoryless: true,
            helpers: vec![Helper {
                kind: F::READER.to_owned(),
                direction: HelperDirection::Feeds,
                port: "feed".to_owned(),
                stream_type,
                slots: FEED_SLOTS,
            }],
            ..Described::default()
        })
    }

    fn prepare(
        _params: Self::Params,
        _inputs: &[(&str, &StreamType)],
        what: &Described,
    ) -> Result<Self, StageError> {
        Ok(Pacer {
            row_bytes: what.outputs.first().map_or(0, |(_, t)| t.row_bytes()),
            format: PhantomData,
        })
    }

    fn process(
        &mut self,
        _ctx: &mut Ctx<'_>,
        inputs: &Inputs<'_>,
        outputs: &mut Outputs<'_>,
    ) -> Next {
        let feed = inputs.pacing();
        let mut block = outputs.block(0);
        let room = block.room();
        let frames = pass_rows(feed.payload, self.row_bytes, room, block.payload());
        let header = block.header();
        pass_header(feed.header, header);
        block.commit(frames);
        outputs.count_source(0, frames as u64 + feed.header.lost);
        Next::Continue
    }

    fn reset(&mut self, _state: &mut [u8]) {}
}

/// What a format answers that was built without HDF5.
#[cfg(not(feature = "hdf5"))]
pub(super) fn no_hdf5(path: &Path) -> StageError {
    StageError::resource(
        path.display().to_string(),
        "cannot be opened by an executable without HDF5; build it with the feature `hdf5`",
    )
}

/// True if blocks of the two types have the same form. Scales are left out: they have been through JSON.
fn same_blocks(a: &StreamType, b: &StreamType) -> bool {
    (a.kind, a.dtype, &a.axes, a.rate) == (b.kind, b.dtype, &b.axes, b.rate)
}

/// Copies whole rows, at most `room`, and returns how many.
pub fn pass_rows(feed: &[u8], row_bytes: usize, room: usize, payload: &mut [u8]) -> usize {
    if row_bytes == 0 {
        return 0;
    }
    let frames = (feed.len() / row_bytes).min(room);
    let bytes = frames * row_bytes;
    payload[..bytes].copy_from_slice(&feed[..bytes]);
    frames
}

/// Passes on what the reader said of the block. The frame's number is the runner's to count: it knows what was dropped.
pub fn pass_header(feed: &SlotHeader, header: &mut SlotHeader) {
    header.lost = feed.lost;
    header.flags |= feed.flags;
    header.user = feed.user;
}

/// Helper side of a file source.
pub struct Reader<F> {
    playback: Playback,
    format: PhantomData<fn() -> F>,
}

impl<F: FileFormat> Stage for Reader<F> {
    const KIND: &'static str = F::READER;
    const ABOUT: &'static str = F::READER_ABOUT;
    const ROLE: Role = Role::Acquire;
    const PORTS: Ports = Ports {
        inputs: &[],
        outputs: &["helped"],
    };
    const PROGRAM: Program = Program::Full;
    const HELPER: bool = true;
    type Params = F::Params;

    fn describe(
        params: &Self::Params,
        _inputs: &[(&str, &StreamType)],
    ) -> Result<Described, StageError> {
        Ok(Described {
            outputs: vec![(
                "helped".to_owned(),
                open_playback::<F>(params)?.stream_type().clone(),
            )],
            state_bytes: size_of::<Cursor>(),
            parts_per_call: 1,
            ..Described::default()
        })
    }

    fn prepare(
        params: Self::Params,
        _inputs: &[(&str, &StreamType)],
        what: &Described,
    ) -> Result<Self, StageError> {
        let playback = open_playback::<F>(&params)?;
        match what.outputs.first() {
            Some((_, described)) if same_blocks(described, playback.stream_type()) => {}
            _ => {
                return Err(StageError::resource(
                    params.play()?.path.display().to_string(),
                    "has changed since it was described; start again",
                ));
            }
        }
        Ok(Reader {
            playback,
            format: PhantomData,
        })
    }

    fn process(
        &mut self,
        ctx: &mut Ctx<'_>,
        _inputs: &Inputs<'_>,
        outputs: &mut Outputs<'_>,
    ) -> Next {
        let mut block = outputs.block(0);
        let room = block.room();
        match self.playback.fill(ctx.state.typed(), block.payload(), room) {
            Ok(None) => Next::Done,
            Ok(Some(filled)) => {
                filled.describe_in(block.header());
                block.commit(filled.valid as usize);
                outputs.count_source(0, u64::from(filled.valid) + filled.lost);
                Next::Continue
            }
            // Said once, and the process ends with it.
            Err(error) => Next::Stop(Box::leak(error.to_string().into_boxed_str())),
        }
    }

    /// The state is a place in the file, not a memory of the signal: it survives whatever asks for a reset.
    fn reset(&mut self, _state: &mut [u8]) {}
}
