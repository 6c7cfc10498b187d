//! The type of a stream: what one block holds, how it is laid out, and what its numbers mean.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the payload of a block is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A dense array, time first: `frames_per_block` frames of equal shape.
    Frames,
    /// Up to `frames_per_block` fixed-size records, described field by field.
    Records,
    /// Up to `frames_per_block` opaque bytes.
    Bytes,
}

/// Number format of one element, little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names are the documentation")]
pub enum Dtype {
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    F32,
    F64,
    /// Digital lines: one bit per channel, packed from the least significant bit, a row padded to whole bytes.
    Bits,
}

impl Dtype {
    /// Every dtype with its ABI code's order.
    pub const ALL: [Dtype; 11] = [
        Dtype::I8,
        Dtype::I16,
        Dtype::I32,
        Dtype::I64,
        Dtype::U8,
        Dtype::U16,
        Dtype::U32,
        Dtype::U64,
        Dtype::F32,
        Dtype::F64,
        Dtype::Bits,
    ];

    /// Bytes of `count` elements standing next to each other.
    pub const fn bytes(self, count: usize) -> usize {
        match self {
            Dtype::I8 | Dtype::U8 => count,
            Dtype::I16 | Dtype::U16 => count * 2,
            Dtype::I32 | Dtype::U32 | Dtype::F32 => count * 4,
            Dtype::I64 | Dtype::U64 | Dtype::F64 => count * 8,
            Dtype::Bits => count.div_ceil(8),
        }
    }

    /// The name used in graphs, errors and `explain`: `i16`, `f64`, `bits`.
    pub const fn name(self) -> &'static str {
        match self {
            Dtype::I8 => "i8",
            Dtype::I16 => "i16",
            Dtype::I32 => "i32",
            Dtype::I64 => "i64",
            Dtype::U8 => "u8",
            Dtype::U16 => "u16",
            Dtype::U32 => "u32",
            Dtype::U64 => "u64",
            Dtype::F32 => "f32",
            Dtype::F64 => "f64",
            Dtype::Bits => "bits",
        }
    }

    /// The dtype of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|d| d.name() == name)
    }
}

/// Frames per second as an exact ratio in lowest terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// Frames in `denominator` seconds.
    pub numerator: u64,
    /// Seconds in which `numerator` frames fall; 0 together with numerator 0 means "no fixed rate".
    pub denominator: u64,
}

impl Rate {
    /// No fixed rate: records and bytes.
    pub const NONE: Rate = Rate {
        numerator: 0,
        denominator: 0,
    };

    /// `numerator / denominator` in lowest terms. Both zero gives [`Rate::NONE`].
    pub fn new(numerator: u64, denominator: u64) -> Self {
        fn gcd(a: u64, b: u64) -> u64 {
            if b == 0 { a } else { gcd(b, a % b) }
        }
        let divisor = gcd(numerator, denominator).max(1);
        Rate {
            numerator: numerator / divisor,
            denominator: denominator / divisor,
        }
    }

    /// A whole number of frames per second.
    pub fn hz(frames_per_second: u64) -> Self {
        Rate::new(frames_per_second, 1)
    }

    /// The nearest ratio of a rate given as a decimal number, exact to a microhertz; `None` if it is not positive and finite.
    pub fn from_f64(hz: f64) -> Option<Self> {
        (hz.is_finite() && hz > 0.0 && hz < 1e12)
            .then(|| Rate::new((hz * 1e6).round() as u64, 1_000_000))
    }

    /// Frames per second; 0 for [`Rate::NONE`].
    pub fn as_f64(self) -> f64 {
        if self.denominator == 0 {
            0.0
        } else {
            self.numerator as f64 / self.denominator as f64
        }
    }

    /// Nanoseconds in which `frames` frames pass, rounded up; `None` without a rate.
    pub fn ns_of_frames(self, frames: u64) -> Option<u64> {
        if self.numerator == 0 {
            return None;
        }
        let ns = (u128::from(frames) * 1_000_000_000 * u128::from(self.denominator))
            .div_ceil(u128::from(self.numerator));
        u64::try_from(ns).ok()
    }

    /// Frames that have fully passed after `ns` nanoseconds, rounded down; `None` without a rate.
    pub fn frames_in_ns(self, ns: u64) -> Option<u64> {
        if self.denominator == 0 {
            return None;
        }
        let frames = u128::from(ns) * u128::from(self.numerator)
            / (1_000_000_000 * u128::from(self.denominator));
        u64::try_from(frames).ok()
    }
}

/// One axis of a frames stream. The first axis of every stream is time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Axis {
    /// `time`, `channel`, `frequency`, `row`, `column`, or a name of the stage's own; at most 15 bytes.
    pub name: String,
    /// Elements along this axis. For the time axis this is frames per block.
    pub length: u32,
    /// Unit of the axis, empty if it has none; at most 15 bytes.
    #[serde(default)]
    pub unit: String,
    /// One label per element, or empty.
    #[serde(default)]
    pub labels: Vec<String>,
}

impl Axis {
    /// An axis without unit and labels.
    pub fn new(name: &str, length: u32) -> Self {
        Axis {
            name: name.to_owned(),
            length,
            unit: String::new(),
            labels: Vec::new(),
        }
    }
}

/// One field of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// Name, at most 31 bytes.
    pub name: String,
    /// Number format.
    pub dtype: Dtype,
    /// Elements (1 for a scalar).
    pub count: u32,
    /// Byte offset in the record.
    pub offset: u32,
    /// Unit, empty if none; at most 15 bytes.
    #[serde(default)]
    pub unit: String,
}

/// Layout of one record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordLayout {
    /// `spike`, `event`, `command`, `mark`, or a name of the stage's own; at most 31 bytes.
    pub name: String,
    /// Bytes of one record; a multiple of 8.
    pub bytes: u32,
    /// Fields in order of offset.
    pub fields: Vec<Field>,
}

/// The type of a stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamType {
    /// What the payload is made of.
    pub kind: Kind,
    /// Number format of a frame's elements (`u8` for records and bytes).
    pub dtype: Dtype,
    /// Axes, time first, at most four. For records and bytes the time axis' length is the capacity of a block; a further
    /// axis `channel` names the channels that their `channel` fields speak of, and has no part in the layout.
    pub axes: Vec<Axis>,
    /// Frames per second; for records the rate of the frames their `frame` or `time` fields count; [`Rate::NONE`] if there
    /// is none.
    pub rate: Rate,
    /// Unit of the stored numbers (`count`, `uV`, `Hz`); at most 15 bytes.
    pub unit: String,
    /// SI unit that `stored * scale + offset` has (`V`); empty if the numbers have no SI meaning. At most 15 bytes.
    #[serde(default)]
    pub si_unit: String,
    /// Per channel: SI value per stored unit. Empty means 1 for every channel.
    #[serde(default)]
    pub scale: Vec<f64>,
    /// Per channel: SI value of a stored zero. Empty means 0 for every channel.
    #[serde(default)]
    pub offset: Vec<f64>,
    /// Layout of a record; only for [`Kind::Records`].
    #[serde(default)]
    pub record: Option<RecordLayout>,
    /// Position of each channel in micrometres (x, y, z), or empty.
    #[serde(default)]
    pub positions_um: Vec<[f64; 3]>,
}

impl StreamType {
    /// Frames `time x channel`, labels `1..=channels`, no SI scale.
    pub fn frames(
        dtype: Dtype,
        frames_per_block: u32,
        channels: u32,
        rate: Rate,
        unit: &str,
    ) -> Self {
        let mut channel = Axis::new("channel", channels);
        channel.labels = (1..=channels).map(|c| c.to_string()).collect();
        StreamType {
            kind: Kind::Frames,
            dtype,
            axes: vec![Axis::new("time", frames_per_block), channel],
            rate,
            unit: unit.to_owned(),
            si_unit: String::new(),
            scale: Vec::new(),
            offset: Vec::new(),
            record: None,
            positions_um: Vec::new(),
        }
    }

    /// Records of `layout`, at most `capacity` in a block.
    pub fn records(layout: RecordLayout, capacity: u32) -> Self {
        StreamType {
            kind: Kind::Records,
            dtype: Dtype::U8,
            axes: vec![Axis::new("time", capacity)],
            rate: Rate::NONE,
            unit: String::new(),
            si_unit: String::new(),
            scale: Vec::new(),
            offset: Vec::new(),
            record: Some(layout),
            positions_um: Vec::new(),
        }
    }

    /// Frames (or records, or bytes) that fit in one block.
    pub fn frames_per_block(&self) -> u32 {
        self.axes.first().map_or(0, |a| a.length)
    }

    /// Elements of one frame: the product of all axes but time. 1 for records and bytes.
    pub fn elements_per_frame(&self) -> usize {
        self.axes
            .iter()
            .skip(1)
            .map(|a| a.length as usize)
            .product()
    }

    /// Channels: the length of the axis named `channel`, else of the second axis, else 1.
    pub fn channels(&self) -> usize {
        self.axes
            .iter()
            .skip(1)
            .find(|a| a.name == "channel")
            .or(self.axes.get(1))
            .map_or(1, |a| a.length as usize)
    }

    /// Bytes from one frame (or record) to the next.
    pub fn row_bytes(&self) -> usize {
        match (self.kind, &self.record) {
            (Kind::Records, Some(layout)) => layout.bytes as usize,
            (Kind::Bytes, _) | (Kind::Records, None) => 1,
            (Kind::Frames, _) => self.dtype.bytes(self.elements_per_frame()),
        }
    }

    /// Bytes of a full block.
    pub fn block_bytes(&self) -> usize {
        self.row_bytes() * self.frames_per_block() as usize
    }

    /// SI value per stored unit of a channel.
    pub fn scale_of(&self, channel: usize) -> f64 {
        self.scale.get(channel).copied().unwrap_or(1.0)
    }

    /// SI value of a stored zero of a channel.
    pub fn offset_of(&self, channel: usize) -> f64 {
        self.offset.get(channel).copied().unwrap_or(0.0)
    }

    /// Label of a channel; its 1-based number if the stream has no labels.
    pub fn channel_label(&self, channel: usize) -> String {
        self.axes
            .iter()
            .skip(1)
            .find(|a| a.name == "channel")
            .and_then(|a| a.labels.get(channel).cloned())
            .unwrap_or_else(|| (channel + 1).to_string())
    }

    /// One line for `explain`, errors and logs: `20 x 60 i32, 20000 Hz, count`.
    pub fn summary(&self) -> String {
        match (self.kind, &self.record) {
            (Kind::Records, Some(layout)) => format!(
                "{} records, up to {} a block",
                layout.name,
                self.frames_per_block()
            ),
            (Kind::Records, None) => format!("records, up to {} a block", self.frames_per_block()),
            (Kind::Bytes, _) => format!("up to {} bytes a block", self.frames_per_block()),
            (Kind::Frames, _) => {
                let shape = self
                    .axes
                    .iter()
                    .map(|a| a.length.to_string())
                    .collect::<Vec<_>>()
                    .join(" x ");
                let rate = self.rate.as_f64();
                let unit = if self.unit.is_empty() {
                    "no unit"
                } else {
                    &self.unit
                };
                format!("{shape} {}, {rate} Hz, {unit}", self.dtype.name())
            }
        }
    }
}

fn field(name: &str, dtype: Dtype, count: u32, offset: u32, unit: &str) -> Field {
    Field {
        name: name.to_owned(),
        dtype,
        count,
        offset,
        unit: unit.to_owned(),
    }
}

/// The standard `spike` layout, 24 bytes: frame u64, channel u32, width u32 (frames), amplitude f64 (in `amplitude_unit`).
pub fn spike_layout(amplitude_unit: &str) -> RecordLayout {
    RecordLayout {
        name: "spike".to_owned(),
        bytes: 24,
        fields: vec![
            field("frame", Dtype::U64, 1, 0, ""),
            field("channel", Dtype::U32, 1, 8, ""),
            field("width", Dtype::U32, 1, 12, "frame"),
            field("amplitude", Dtype::F64, 1, 16, amplitude_unit),
        ],
    }
}

/// The standard `event` layout, 24 bytes: time u64 (frame), line u32, code u32, value f64.
pub fn event_layout() -> RecordLayout {
    RecordLayout {
        name: "event".to_owned(),
        bytes: 24,
        fields: vec![
            field("time", Dtype::U64, 1, 0, "frame"),
            field("line", Dtype::U32, 1, 8, ""),
            field("code", Dtype::U32, 1, 12, ""),
            field("value", Dtype::F64, 1, 16, ""),
        ],
    }
}

/// The standard `command` layout, 72 bytes: tick u64, target u32, code u32, first_frame u64, last_frame u64,
/// values f64 x 4, age i64 (ns).
pub fn command_layout() -> RecordLayout {
    RecordLayout {
        name: "command".to_owned(),
        bytes: 72,
        fields: vec![
            field("tick", Dtype::U64, 1, 0, ""),
            field("target", Dtype::U32, 1, 8, ""),
            field("code", Dtype::U32, 1, 12, ""),
            field("first_frame", Dtype::U64, 1, 16, ""),
            field("last_frame", Dtype::U64, 1, 24, ""),
            field("values", Dtype::F64, 4, 32, ""),
            field("age", Dtype::I64, 1, 64, "ns"),
        ],
    }
}

/// The standard `mark` layout, 80 bytes: time u64 (frame), code u32, length u32, text u8 x 64.
pub fn mark_layout() -> RecordLayout {
    RecordLayout {
        name: "mark".to_owned(),
        bytes: 80,
        fields: vec![
            field("time", Dtype::U64, 1, 0, "frame"),
            field("code", Dtype::U32, 1, 8, ""),
            field("length", Dtype::U32, 1, 12, ""),
            field("text", Dtype::U8, 64, 16, ""),
        ],
    }
}
