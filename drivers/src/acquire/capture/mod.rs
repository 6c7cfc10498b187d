//! `acquire.capture`: a recorded stream of frames as the source of any graph.
//!
//! Its samples are those that were recorded, its gaps what was lost before the recording and in it. This plays one stream like
//! any other recording; what a whole session did, with its own decisions, is told by a replay.

mod recording;

use super::file_source::{FileFormat, Pacer, Reader};
use super::play::file_params;
use super::recording::Recording;
use ephapse_engine::stage::StageError;

file_params! {
    /// Parameters of `acquire.capture`.
    CaptureParams {
        /// Stream, by its name in the recorded graph. Default: the first that a source had made.
        #[serde(default)]
        stream: Option<String>,
    }
}

/// Captures.
pub enum Captures {}

impl FileFormat for Captures {
    const SOURCE: &'static str = "acquire.capture";
    const SOURCE_ABOUT: &'static str = "Plays a stream of frames of a capture, gaps included.";
    const READER: &'static str = "acquire.capture.reader";
    const READER_ABOUT: &'static str = "Reads a capture ahead of its pacer.";
    type Params = CaptureParams;

    fn open(params: &CaptureParams) -> Result<Box<dyn Recording>, StageError> {
        Ok(Box::new(recording::CapturedStream::open(
            &params.path,
            params.stream.as_deref(),
        )?))
    }
}

/// The stage `acquire.capture`.
pub type CaptureSource = Pacer<Captures>;
/// Its helper, `acquire.capture.reader`.
pub type CaptureReader = Reader<Captures>;
