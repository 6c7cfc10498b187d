//! A recording as the player sees it: a type, contiguous segments, and rows of samples at any place.

use super::timeline::Segment;
use ephapse_engine::stage::StageError;
use ephapse_rtconfig::stream_type::StreamType;

/// A file opened for playing.
pub trait Recording {
    /// Type of the stream in blocks of `frames_per_block` frames.
    fn stream_type(&self, frames_per_block: u32) -> StreamType;

    /// Contiguous segments in order of their columns; never empty, none of zero frames.
    fn segments(&self) -> &[Segment];

    /// Frames stored in the file.
    fn columns(&self) -> u64;

    /// Frames that are cheap to read at once: one to a few of the file's own chunks.
    fn chunk_frames(&self) -> usize;

    /// Reads `frames` frames from column `first` on into `rows`, frame after frame, little-endian
    /// (`frames * row_bytes` bytes).
    ///
    /// # Errors
    /// `Resource` if the file cannot be read there any more.
    fn read(&mut self, first: u64, frames: usize, rows: &mut [u8]) -> Result<(), StageError>;
}
