//! `acquire.binary`: plain frame-major samples, described by a sidecar of ours or by a format string.

mod format;
mod layout;
mod recording;
mod sidecar;

pub use layout::{ByteOrder, Layout};
pub use sidecar::{PerChannel, RateHz, Sidecar, SidecarLayout, sidecar_path};

use super::file_source::{FileFormat, Pacer, Reader};
use super::play::file_params;
use super::recording::Recording;
use ephapse_engine::stage::StageError;

file_params! {
    /// Parameters of `acquire.binary`.
    BinaryParams {
        /// What is in the file, e.g. `f32le,1ch,15000Hz` or `i16le,32ch,30000Hz,0.195uV` (the last: value of one
        /// count). Default: the sidecar `<file>.ephapse.json`.
        #[serde(default)]
        format: Option<String>,
    }
}

/// Plain binary files.
pub enum Binary {}

impl FileFormat for Binary {
    const SOURCE: &'static str = "acquire.binary";
    const SOURCE_ABOUT: &'static str =
        "Plays a plain binary recording, described by a sidecar file or a format string.";
    const READER: &'static str = "acquire.binary.reader";
    const READER_ABOUT: &'static str = "Reads a plain binary file ahead of its pacer.";
    type Params = BinaryParams;

    fn open(params: &BinaryParams) -> Result<Box<dyn Recording>, StageError> {
        let layout = match &params.format {
            Some(text) => format::parse(text)?,
            None => sidecar::read_beside(&params.path)?,
        };
        Ok(Box::new(recording::BinaryRecording::open(
            &params.path,
            layout,
        )?))
    }
}

/// The stage `acquire.binary`.
pub type BinarySource = Pacer<Binary>;
/// Its helper, `acquire.binary.reader`.
pub type BinaryReader = Reader<Binary>;
