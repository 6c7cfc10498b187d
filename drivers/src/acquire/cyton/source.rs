//! `acquire.cyton`, FIFO side: makes three streams of what the helper has read.

use super::params::CytonParams;
use super::reader::CytonReader;
use super::record::{FrameRecord, Types};
use ephapse_engine::abi::flag;
use ephapse_engine::stage::{
    Ctx, Described, Helper, HelperDirection, Inputs, Next, OutBlock, Outputs, Ports, Role, Stage,
    StageError,
};
use ephapse_rtconfig::stream_type::StreamType;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Slots of the ring between helper and source: four seconds of single frames.
const FEED_SLOTS: u32 = 1024;
const NOT_ITS_PACE: &str =
    "`acquire.cyton` is paced by its device: say pace = \"device\" for it in the graph";
const ESTIMATED: u32 = 1 << flag::CLOCK_SHIFT;

/// The stage `acquire.cyton`. Its whole state is the number of the next frame.
pub struct CytonSource {
    channels: usize,
    aux: usize,
}

impl Stage for CytonSource {
    const KIND: &'static str = "acquire.cyton";
    const ABOUT: &'static str =
        "Streams an OpenBCI Cyton, with or without Daisy, from its USB dongle.";
    const ROLE: Role = Role::Acquire;
    const PORTS: Ports = Ports {
        inputs: &["feed"],
        outputs: &["eeg", "accel", "aux"],
    };
    type Params = CytonParams;

    fn describe(
        params: &Self::Params,
        _inputs: &[(&str, &StreamType)],
    ) -> Result<Described, StageError> {
        params.check()?;
        if !params.port.exists() {
            return Err(StageError::resource(
                params.port.display().to_string(),
                "no such serial port; plug the dongle in, or give another `port` (`ephapse devices` lists what there is)",
            ));
        }
        let types = Types::of(params);
        Ok(Described {
            outputs: vec![
                ("eeg".to_owned(), types.eeg),
                ("accel".to_owned(), types.accel),
                ("aux".to_owned(), types.aux),
            ],
            state_bytes: size_of::<u64>(),
            parts_per_call: 1,
            helpers: vec![Helper {
                kind: CytonReader::KIND.to_owned(),
                direction: HelperDirection::Feeds,
                port: "feed".to_owned(),
                stream_type: types.feed,
                slots: FEED_SLOTS,
            }],
            ..Described::default()
        })
    }

    fn prepare(
        params: Self::Params,
        _inputs: &[(&str, &StreamType)],
        _what: &Described,
    ) -> Result<Self, StageError> {
        let types = Types::of(&params);
        Ok(CytonSource {
            channels: types.eeg.channels(),
            aux: types.aux.channels(),
        })
    }

    fn process(
        &mut self,
        ctx: &mut Ctx<'_>,
        inputs: &Inputs<'_>,
        outputs: &mut Outputs<'_>,
    ) -> Next {
        // A source on a clock of the engine's finds the time already written, and would have the frames' own written over.
        if outputs.block(0).header().sampled_ns != 0 {
            return Next::Stop(NOT_ITS_PACE);
        }
        let feed = inputs.pacing();
        let records: &[FrameRecord] = feed.slice();
        let (Some(first), Some(last)) = (records.first(), records.last()) else {
            return Next::Again;
        };
        let next_frame: &mut u64 = ctx.state.typed();
        // By the frames' own numbers: what a helper that was killed took with it is counted here, too.
        let lost = first.index.saturating_sub(*next_frame);
        *next_frame = last.index + 1;
        let head = Head {
            lost,
            sampled_ns: last.sampled_ns,
            arrived_ns: last.arrived_ns,
        };
        head.fill(outputs.block(0), records, self.channels, |r| &r.eeg_uv);
        head.fill(outputs.block(1), records, 3, |r| &r.accel_g);
        head.fill(outputs.block(2), records, self.aux, |r| &r.aux);
        for port in 0..3 {
            outputs.count_source(port, records.len() as u64 + lost);
        }
        Next::Continue
    }

    /// The state is a place in the stream, not a memory of the signal: it survives whatever asks for a reset.
    fn reset(&mut self, _state: &mut [u8]) {}
}

/// What the headers of the three blocks say alike.
struct Head {
    lost: u64,
    sampled_ns: u64,
    arrived_ns: u64,
}

impl Head {
    /// Fills a block with `width` numbers of every record.
    fn fill<T: FromBytes + IntoBytes + Immutable + Copy>(
        &self,
        mut block: OutBlock<'_>,
        records: &[FrameRecord],
        width: usize,
        of: impl Fn(&FrameRecord) -> &[T],
    ) {
        let room = block.room();
        let rows = block.slice::<T>().chunks_exact_mut(width);
        for (row, record) in rows.zip(records).take(room) {
            row.copy_from_slice(&of(record)[..width]);
        }
        let header = block.header();
        header.lost = self.lost;
        header.flags |= ESTIMATED | if self.lost > 0 { flag::GAP } else { 0 };
        header.sampled_ns = self.sampled_ns;
        header.arrived_ns = self.arrived_ns;
        block.commit(records.len());
    }
}
