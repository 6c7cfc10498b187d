//! Plays a recording block by block: any block size, seams and gaps as block borders, forwards or backwards.

use super::play::Play;
use super::recording::Recording;
use super::timeline::{Piece, cut, pieces};
use ephapse_engine::abi::{SlotHeader, flag};
use ephapse_engine::stage::StageError;
use ephapse_rtconfig::stream_type::StreamType;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Where the player stands: the whole state of a file source. All zero is the beginning.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Cursor {
    /// Piece being played, in order of play.
    pub piece: u64,
    /// Frames of that piece already played.
    pub within: u64,
    /// Frames delivered so far, lost ones included.
    pub count: u64,
    /// Times the recording has started over.
    pub laps: u64,
}

/// What [`Playback::fill`] made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filled {
    /// Frames written.
    pub valid: u32,
    /// Frames lost before them.
    pub lost: u64,
    /// The block does not continue the one before: a gap of the file, or the seam of a loop.
    pub gap: bool,
    /// Number of the block's first frame in the stream, lost ones included.
    pub first_frame: u64,
    /// Column of the block's first frame in the file.
    pub column: u64,
}

impl Filled {
    /// Writes it to the header of the block; `user` gets the file's column of the first frame. The frame's number is the
    /// runner's to count: it knows what was dropped.
    pub fn describe_in(&self, header: &mut SlotHeader) {
        header.lost = self.lost;
        header.flags |= flag::REPLAY | if self.gap { flag::GAP } else { 0 };
        header.user = self.column;
    }
}

/// A recording being played. Reads the file in chunks, never as a whole.
pub struct Playback {
    recording: Box<dyn Recording>,
    stream_type: StreamType,
    pieces: Vec<Piece>,
    looped: bool,
    reverse: bool,
    zero: bool,
    row_bytes: usize,
    chunk: Chunk,
}

/// The part of the file that is in memory.
struct Chunk {
    rows: Vec<u8>,
    first: u64,
    frames: usize,
    capacity: usize,
}

/// No chunk is larger than this, however many channels there are.
const CHUNK_BYTES: usize = 8 << 20;

impl Playback {
    /// Cuts the recording as `play` says.
    ///
    /// # Errors
    /// `Parameter` if the cut leaves nothing.
    pub fn new(recording: Box<dyn Recording>, play: &Play) -> Result<Self, StageError> {
        let stream_type = recording.stream_type(play.block_frames);
        let row_bytes = stream_type.row_bytes();
        let kept = cut(
            recording.segments(),
            stream_type.rate,
            play.start_s,
            play.duration_s,
        )?;
        let capacity = recording
            .chunk_frames()
            .min(CHUNK_BYTES / row_bytes.max(1))
            .max(1);
        Ok(Playback {
            pieces: pieces(&kept, play.reverse),
            stream_type,
            looped: play.looped,
            reverse: play.reverse,
            zero: play.zero,
            row_bytes,
            chunk: Chunk {
                rows: Vec::new(),
                first: 0,
                frames: 0,
                capacity,
            },
            recording,
        })
    }

    /// Type of the stream.
    pub fn stream_type(&self) -> &StreamType {
        &self.stream_type
    }

    /// Frames of one pass, without the lost ones.
    pub fn frames(&self) -> u64 {
        self.pieces.iter().map(|p| p.frames).sum()
    }

    /// Fills at most `room` frames of `payload` from where `cursor` stands and moves it on; `None` at the end.
    ///
    /// A block ends at a gap and at the end of the file, full or not.
    ///
    /// # Errors
    /// `Resource` if the file cannot be read any more. The cursor has not moved then.
    pub fn fill(
        &mut self,
        cursor: &mut Cursor,
        payload: &mut [u8],
        room: usize,
    ) -> Result<Option<Filled>, StageError> {
        let mut next = *cursor;
        if next.piece as usize >= self.pieces.len() {
            if !self.looped {
                return Ok(None);
            }
            next = Cursor {
                piece: 0,
                within: 0,
                laps: next.laps + 1,
                ..next
            };
        }
        let piece = self.pieces[next.piece as usize];
        let frames = (piece.frames - next.within).min(room as u64) as usize;
        let gap = next.within == 0 && (next.piece > 0 || next.laps > 0) && frames > 0;
        let lost = if gap { piece.lost_before } else { 0 };
        let column = if self.reverse {
            piece.first_column + piece.frames - 1 - next.within
        } else {
            piece.first_column + next.within
        };
        let rows = &mut payload[..frames * self.row_bytes];
        if self.zero {
            rows.fill(0);
        } else if self.reverse {
            self.copy_backwards(column, rows)?;
        } else {
            self.copy_forwards(column, rows)?;
        }
        let filled = Filled {
            valid: frames as u32,
            lost,
            gap,
            first_frame: next.count + lost,
            column,
        };
        next.count = filled.first_frame + frames as u64;
        next.within += frames as u64;
        if next.within == piece.frames {
            next.piece += 1;
            next.within = 0;
        }
        *cursor = next;
        Ok(Some(filled))
    }

    fn copy_forwards(&mut self, mut column: u64, mut rows: &mut [u8]) -> Result<(), StageError> {
        while !rows.is_empty() {
            self.load(column)?;
            let skip = (column - self.chunk.first) as usize;
            let frames = (self.chunk.frames - skip).min(rows.len() / self.row_bytes);
            let (now, later) = rows.split_at_mut(frames * self.row_bytes);
            now.copy_from_slice(&self.chunk.rows[skip * self.row_bytes..][..now.len()]);
            rows = later;
            column += frames as u64;
        }
        Ok(())
    }

    fn copy_backwards(&mut self, column: u64, rows: &mut [u8]) -> Result<(), StageError> {
        for (back, row) in rows.chunks_exact_mut(self.row_bytes).enumerate() {
            let column = column - back as u64;
            self.load(column)?;
            let at = (column - self.chunk.first) as usize * self.row_bytes;
            row.copy_from_slice(&self.chunk.rows[at..at + self.row_bytes]);
        }
        Ok(())
    }

    /// Makes sure the chunk holds `column`. Chunks lie on multiples of their length, as the file's own chunks do.
    fn load(&mut self, column: u64) -> Result<(), StageError> {
        let chunk = &mut self.chunk;
        if (chunk.first..chunk.first + chunk.frames as u64).contains(&column) {
            return Ok(());
        }
        let first = column - column % chunk.capacity as u64;
        let frames = (self.recording.columns() - first).min(chunk.capacity as u64) as usize;
        // Whatever a failed read leaves behind must not be taken for samples.
        chunk.frames = 0;
        chunk.rows.resize(chunk.capacity * self.row_bytes, 0);
        self.recording
            .read(first, frames, &mut chunk.rows[..frames * self.row_bytes])?;
        chunk.first = first;
        chunk.frames = frames;
        Ok(())
    }
}
