//! What the helper hands to the source: one record per frame; and what the source makes of it: three streams.

use super::frames::{Beside, Frame, MOST_CHANNELS, PACKETS_PER_S};
use super::params::{BoardMode, CytonParams};
use ephapse_rtconfig::stream_type::{Dtype, Field, Rate, RecordLayout, StreamType};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Channels of the aux stream at most.
pub const MOST_AUX: usize = 7;

/// A frame on its way from the helper to the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct FrameRecord {
    /// Number of the frame in the stream, lost ones counted.
    pub index: u64,
    /// When it was taken, CLOCK_MONOTONIC ns.
    pub sampled_ns: u64,
    /// When the host had it, CLOCK_MONOTONIC ns.
    pub arrived_ns: u64,
    /// Channels, uV.
    pub eeg_uv: [f64; MOST_CHANNELS],
    /// Accelerometer, g.
    pub accel_g: [f64; 3],
    /// Channels of the aux stream.
    pub aux: [u32; MOST_AUX],
    /// 0.
    pub reserved: u32,
}

/// Volts per count at gain 1: the reference of 4.5 V over 23 bits.
const VOLT_PER_COUNT: f64 = 4.5 / ((1 << 23) - 1) as f64;
/// g per count: 2 mg over 16, for the value stands in the upper 12 bits of 16.
const G_PER_COUNT: f64 = 0.002 / 16.0;
/// m/s2 per g.
const STANDARD_GRAVITY: f64 = 9.806_65;

/// Microvolts per count at a gain.
pub fn uv_per_count(gain: u8) -> f64 {
    VOLT_PER_COUNT / f64::from(gain) * 1e6
}

impl FrameRecord {
    /// A frame in physical units. `uv_per_count`: of every channel.
    pub fn new(frame: &Frame, uv_per_count: &[f64], mode: BoardMode) -> Self {
        let mut record = FrameRecord::default();
        for ((uv, count), scale) in record.eeg_uv.iter_mut().zip(frame.counts).zip(uv_per_count) {
            *uv = f64::from(count) * scale;
        }
        record.accel_g = frame
            .beside
            .accel
            .map(|count| f64::from(count) * G_PER_COUNT);
        for (to, from) in record.aux.iter_mut().zip(aux_of(&frame.beside, mode)) {
            *to = from;
        }
        record
    }
}

/// Values of the aux stream, in the order of [`aux_labels`].
fn aux_of(beside: &Beside, mode: BoardMode) -> impl Iterator<Item = u32> {
    let [a, b, c, d, e, f] = beside.raw;
    let pair = |high, low| u32::from(u16::from_be_bytes([high, low]));
    let inputs: Vec<u32> = match mode {
        BoardMode::Accel => Vec::new(),
        BoardMode::Analog => vec![pair(a, b), pair(c, d), pair(e, f)],
        // The fifth byte is the empty half of the last line's word.
        BoardMode::Digital => [a, b, c, d, f].map(u32::from).to_vec(),
    };
    inputs
        .into_iter()
        .chain([beside.board_ms, u32::from(beside.footer)])
}

/// Channels of the aux stream: the inputs of the board mode, the board's clock, and the last byte of the packet, which says
/// what was new in it.
fn aux_labels(mode: BoardMode) -> Vec<String> {
    let inputs: &[&str] = match mode {
        BoardMode::Accel => &[],
        BoardMode::Analog => &["A5", "A6", "A7"],
        BoardMode::Digital => &["D11", "D12", "D13", "D17", "D18"],
    };
    let labels = inputs.iter().chain(&["board_ms", "footer"]);
    labels.map(|label| (*label).to_owned()).collect()
}

/// Types of the three streams, and of the records they are made of.
#[derive(Clone, Debug)]
pub struct Types {
    /// `eeg`: time x channel, f64 in uV.
    pub eeg: StreamType,
    /// `accel`: time x axis, f64 in g; the last value until a new one comes.
    pub accel: StreamType,
    /// `aux`: time x channel, u32.
    pub aux: StreamType,
    /// Records.
    pub feed: StreamType,
}

/// Frames per second.
pub fn rate(params: &CytonParams) -> Rate {
    Rate::new(PACKETS_PER_S, if params.daisy { 2 } else { 1 })
}

impl Types {
    /// Of a board with these parameters.
    pub fn of(params: &CytonParams) -> Self {
        let rate = rate(params);
        let frames = |dtype, labels: Vec<String>, unit: &str| {
            let channels = labels.len() as u32;
            let mut t = StreamType::frames(dtype, params.block_frames, channels, rate, unit);
            t.axes[1].labels = labels;
            t
        };
        let names = (1..=params.channel_count())
            .map(|c| c.to_string())
            .collect();
        let mut eeg = frames(Dtype::F64, names, "uV");
        eeg.si_unit = "V".to_owned();
        eeg.scale = vec![1e-6; params.channel_count()];
        let axes = ["x", "y", "z"].map(str::to_owned).to_vec();
        let mut accel = frames(Dtype::F64, axes, "g");
        accel.si_unit = "m/s2".to_owned();
        accel.scale = vec![STANDARD_GRAVITY; 3];
        Types {
            eeg,
            accel,
            aux: frames(Dtype::U32, aux_labels(params.board_mode), ""),
            feed: StreamType::records(layout(), params.block_frames),
        }
    }
}

fn layout() -> RecordLayout {
    let field = |name: &str, dtype, count: usize, offset: usize, unit: &str| Field {
        name: name.to_owned(),
        dtype,
        count: count as u32,
        offset: offset as u32,
        unit: unit.to_owned(),
    };
    use core::mem::offset_of;
    RecordLayout {
        name: "cyton_frame".to_owned(),
        bytes: size_of::<FrameRecord>() as u32,
        fields: vec![
            field("index", Dtype::U64, 1, offset_of!(FrameRecord, index), ""),
            field(
                "sampled",
                Dtype::U64,
                1,
                offset_of!(FrameRecord, sampled_ns),
                "ns",
            ),
            field(
                "arrived",
                Dtype::U64,
                1,
                offset_of!(FrameRecord, arrived_ns),
                "ns",
            ),
            field(
                "eeg",
                Dtype::F64,
                MOST_CHANNELS,
                offset_of!(FrameRecord, eeg_uv),
                "uV",
            ),
            field(
                "accel",
                Dtype::F64,
                3,
                offset_of!(FrameRecord, accel_g),
                "g",
            ),
            field(
                "aux",
                Dtype::U32,
                MOST_AUX,
                offset_of!(FrameRecord, aux),
                "",
            ),
            field(
                "reserved",
                Dtype::U32,
                1,
                offset_of!(FrameRecord, reserved),
                "",
            ),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_at_gain_24_is_22_nanovolts() {
        assert!((uv_per_count(24) - 0.022_351_744_455_307_063).abs() < 1e-17);
        assert_eq!(uv_per_count(1), uv_per_count(24) * 24.0);
    }

    #[test]
    fn aux_channels_are_those_of_the_board_mode_then_its_clock_and_footer() {
        let mut beside = Beside::default();
        beside.raw = [1, 2, 3, 4, 5, 6];
        beside.board_ms = 1234;
        beside.footer = 0xC1;
        let aux = |mode| -> Vec<u32> { aux_of(&beside, mode).collect() };
        assert_eq!(aux(BoardMode::Accel), [1234, 0xC1]);
        assert_eq!(aux(BoardMode::Analog), [0x0102, 0x0304, 0x0506, 1234, 0xC1]);
        assert_eq!(aux(BoardMode::Digital), [1, 2, 3, 4, 6, 1234, 0xC1]);
        for mode in [BoardMode::Accel, BoardMode::Analog, BoardMode::Digital] {
            assert_eq!(aux(mode).len(), aux_labels(mode).len());
            assert!(aux(mode).len() <= MOST_AUX);
        }
    }
}
