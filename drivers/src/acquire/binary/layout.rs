//! What is in a plain binary file, however it was said.

use ephapse_rtconfig::stream_type::{Dtype, Rate};
use serde::{Deserialize, Serialize};

/// Order of the bytes of one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ByteOrder {
    /// Least significant byte first.
    #[default]
    Little,
    /// Most significant byte first.
    Big,
}

/// What is in a plain binary file.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    /// Number format; never `bits`.
    pub dtype: Dtype,
    /// Byte order of a number.
    pub byte_order: ByteOrder,
    /// Channels, at least 1.
    pub channels: u32,
    /// Frames per second.
    pub rate: Rate,
    /// Unit of the stored numbers.
    pub unit: String,
    /// SI unit of `stored * scale + offset`; empty if unknown.
    pub si_unit: String,
    /// SI value per stored unit, per channel; empty if unknown.
    pub scale: Vec<f64>,
    /// SI value of a stored zero, per channel; empty means 0.
    pub offset: Vec<f64>,
    /// Channel labels; empty means their numbers.
    pub labels: Vec<String>,
}
