//! A matrix `channel x sample` that grows by whole chunks.

use ephapse_rtconfig::stream_type::Dtype;
use hdf5::{Dataset, Extent, Group, H5Type};
use ndarray::ArrayView2;

/// Samples per channel in a chunk, where the channels are few: what recording programs of the field write.
const CHUNK_FRAMES: usize = 2000;
/// No chunk is longer, if that leaves it [`FEWEST_FRAMES`].
const CHUNK_BYTES: usize = 1 << 20;
const FEWEST_FRAMES: usize = 32;

/// A growing dataset and the frames that do not fill a chunk yet.
pub(super) struct Matrix {
    dataset: Dataset,
    from: Dtype,
    stored: Dtype,
    channels: usize,
    row_bytes: usize,
    chunk_frames: usize,
    held: Vec<u8>,
    frames: usize,
}

/// Calls `$call::<T>` with the type of a stored number.
macro_rules! for_stored {
    ($dtype:expr, $call:ident($($argument:expr),*)) => {
        match $dtype {
            Dtype::I8 => $call::<i8>($($argument),*),
            Dtype::I16 => $call::<i16>($($argument),*),
            Dtype::I32 => $call::<i32>($($argument),*),
            Dtype::I64 => $call::<i64>($($argument),*),
            Dtype::U8 | Dtype::Bits => $call::<u8>($($argument),*),
            Dtype::U16 => $call::<u16>($($argument),*),
            Dtype::U32 => $call::<u32>($($argument),*),
            Dtype::U64 => $call::<u64>($($argument),*),
            Dtype::F32 => $call::<f32>($($argument),*),
            Dtype::F64 => $call::<f64>($($argument),*),
        }
    };
}

impl Matrix {
    /// An empty matrix of `channels` rows for frames of `from`, kept as `stored`: the same, or [`Dtype::I32`] for what is
    /// narrower.
    pub(super) fn create(
        place: &Group,
        name: &str,
        from: Dtype,
        stored: Dtype,
        channels: usize,
    ) -> hdf5::Result<Self> {
        let column_bytes = channels * stored.bytes(8) / 8;
        let chunk_frames = (CHUNK_BYTES / column_bytes.max(1)).clamp(FEWEST_FRAMES, CHUNK_FRAMES);
        fn make<T: H5Type>(
            place: &Group,
            name: &str,
            channels: usize,
            chunk_frames: usize,
        ) -> hdf5::Result<Dataset> {
            place
                .new_dataset::<T>()
                .chunk((channels, chunk_frames))
                .shuffle()
                .deflate(1)
                .shape((Extent::fixed(channels), Extent::resizable(0)))
                .create(name)
        }
        let dataset = for_stored!(stored, make(place, name, channels, chunk_frames))?;
        let row_bytes = from.bytes(channels);
        Ok(Matrix {
            dataset,
            from,
            stored,
            channels,
            row_bytes,
            chunk_frames,
            held: Vec::with_capacity(chunk_frames * row_bytes),
            frames: 0,
        })
    }

    /// The dataset.
    pub(super) fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    /// Samples per channel taken so far.
    pub(super) fn frames(&self) -> u64 {
        (self.frames + self.held.len() / self.row_bytes.max(1)) as u64
    }

    /// Takes whole frames.
    pub(super) fn push(&mut self, mut rows: &[u8]) -> hdf5::Result<()> {
        let full = self.chunk_frames * self.row_bytes;
        while !rows.is_empty() {
            let (now, later) = rows.split_at(rows.len().min(full - self.held.len()));
            self.held.extend_from_slice(now);
            rows = later;
            if self.held.len() == full {
                self.write()?;
            }
        }
        Ok(())
    }

    /// Writes what fills no chunk.
    pub(super) fn finish(&mut self) -> hdf5::Result<()> {
        if self.held.is_empty() {
            return Ok(());
        }
        self.write()
    }

    fn write(&mut self) -> hdf5::Result<()> {
        match (self.from, self.stored) {
            (Dtype::I8, Dtype::I32) => self.columns(|b: [u8; 1]| i32::from(i8::from_le_bytes(b))),
            (Dtype::U8, Dtype::I32) => self.columns(|b: [u8; 1]| i32::from(b[0])),
            (Dtype::I16, Dtype::I32) => self.columns(|b| i32::from(i16::from_le_bytes(b))),
            (Dtype::U16, Dtype::I32) => self.columns(|b| i32::from(u16::from_le_bytes(b))),
            (Dtype::Bits, Dtype::I32) => self.lines(i32::from),
            (Dtype::Bits, _) => self.lines(u8::from),
            (Dtype::I8, _) => self.columns(i8::from_le_bytes),
            (Dtype::I16, _) => self.columns(i16::from_le_bytes),
            (Dtype::I32, _) => self.columns(i32::from_le_bytes),
            (Dtype::I64, _) => self.columns(i64::from_le_bytes),
            (Dtype::U8, _) => self.columns(u8::from_le_bytes),
            (Dtype::U16, _) => self.columns(u16::from_le_bytes),
            (Dtype::U32, _) => self.columns(u32::from_le_bytes),
            (Dtype::U64, _) => self.columns(u64::from_le_bytes),
            (Dtype::F32, _) => self.columns(f32::from_le_bytes),
            (Dtype::F64, _) => self.columns(f64::from_le_bytes),
        }
    }

    /// One row per channel from elements of `N` bytes.
    fn columns<T: H5Type, const N: usize>(
        &mut self,
        number: impl Fn([u8; N]) -> T,
    ) -> hdf5::Result<()> {
        let elements = self.held.as_chunks::<N>().0;
        let channels = self.channels;
        let values: Vec<T> = (0..channels)
            .flat_map(|channel| elements.iter().skip(channel).step_by(channels))
            .map(|element| number(*element))
            .collect();
        self.append(&values)
    }

    /// One row per line from packed bits.
    fn lines<T: H5Type>(&mut self, number: impl Fn(bool) -> T) -> hdf5::Result<()> {
        let values: Vec<T> = (0..self.channels)
            .flat_map(|line| {
                let bytes = self.held.iter().skip(line / 8).step_by(self.row_bytes);
                bytes.map(move |byte| byte >> (line % 8) & 1 == 1)
            })
            .map(number)
            .collect();
        self.append(&values)
    }

    fn append<T: H5Type>(&mut self, values: &[T]) -> hdf5::Result<()> {
        let frames = values.len() / self.channels.max(1);
        let view = ArrayView2::from_shape((self.channels, frames), values)
            .map_err(|error| hdf5::Error::from(error.to_string()))?;
        let until = self.frames + frames;
        self.dataset.resize((self.channels, until))?;
        self.dataset.write_slice(view, (.., self.frames..until))?;
        self.frames = until;
        self.held.clear();
        Ok(())
    }
}
