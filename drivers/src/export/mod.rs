//! Streams as HDF5 files that other software opens: the layout of Multi Channel Systems, and a plain matrix.
//!
//! A writer is fed [`Stretch`]es in order and keeps no more than a chunk of the file in memory. It writes under the path it
//! is given: whoever wants a file that is whole or not there gives another name and renames the file when it is finished.
//!
//! | what a stream has | MCS layout | plain layout |
//! |---|---|---|
//! | whole numbers | as they are; 8 and 16 bits and lines widened to the layout's 32 | as they are |
//! | floating point | as they are (`Float`, `Double`): nothing is rounded to counts | as they are |
//! | scale and zero | `ConversionFactor`, `Exponent`, `ADZero`: the same decimal number | not: the layout has none |
//! | rate | `Tick`, whole microseconds; other rates are refused by name | `Bitrate`, Hz |
//! | gaps and seams | a row of `ChannelDataTimeStamps` each | not: list them beside the file ([`Gap`]) |
//! | spikes | `TimeStampStream`, an entity per channel: times only | refused |
//! | events, marks | `EventStream`, an entity per line or code: times only | refused |
//! | bytes, other records, more than two axes | refused by name | refused by name |

mod error;
mod gaps;
mod matrix;
pub mod mcs_h5;
mod plain_h5;

pub use error::ExportError;
pub use gaps::{Continuity, Gap};
pub use plain_h5::PlainFile;

/// Rows of one block of a stream (or a part of them), in order, and what is missing before them.
#[derive(Clone, Copy, Debug)]
pub struct Stretch<'a> {
    /// Number of the first row in the stream, lost ones counted.
    pub first_frame: u64,
    /// Whole rows: frames, records, bytes.
    pub rows: &'a [u8],
    /// Set if the rows do not continue those before.
    pub gap: Option<&'a Gap>,
}
