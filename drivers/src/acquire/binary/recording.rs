//! A plain binary file as a recording: one segment, read in place.

use super::layout::{ByteOrder, Layout};
use crate::acquire::file::open_regular;
use crate::acquire::recording::Recording;
use crate::acquire::timeline::Segment;
use ephapse_engine::stage::StageError;
use ephapse_rtconfig::stream_type::StreamType;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A plain binary file, open.
pub(super) struct BinaryRecording {
    file: File,
    path: PathBuf,
    layout: Layout,
    row_bytes: usize,
    segment: [Segment; 1],
}

impl BinaryRecording {
    /// Opens the file.
    ///
    /// # Errors
    /// `Resource`: missing, a directory, empty, or not a whole number of frames of this layout.
    pub(super) fn open(path: &Path, layout: Layout) -> Result<Self, StageError> {
        let (file, bytes) = open_regular(path)?;
        let row_bytes = layout.dtype.bytes(layout.channels as usize);
        let frames = bytes / row_bytes as u64;
        if bytes % row_bytes as u64 != 0 {
            return Err(StageError::resource(
                path.display().to_string(),
                format!(
                    "its {bytes} bytes are not a whole number of {row_bytes}-byte frames ({} channels of {}): it is cut off, or described wrongly",
                    layout.channels,
                    layout.dtype.name()
                ),
            ));
        }
        Ok(BinaryRecording {
            file,
            path: path.to_owned(),
            layout,
            row_bytes,
            segment: [Segment {
                first_column: 0,
                frames,
                clock_frame: 0,
            }],
        })
    }
}

impl Recording for BinaryRecording {
    fn stream_type(&self, frames_per_block: u32) -> StreamType {
        let layout = &self.layout;
        let mut stream_type = StreamType::frames(
            layout.dtype,
            frames_per_block,
            layout.channels,
            layout.rate,
            &layout.unit,
        );
        if !layout.labels.is_empty() {
            stream_type.axes[1].labels.clone_from(&layout.labels);
        }
        stream_type.si_unit.clone_from(&layout.si_unit);
        stream_type.scale.clone_from(&layout.scale);
        stream_type.offset.clone_from(&layout.offset);
        stream_type
    }

    fn segments(&self) -> &[Segment] {
        &self.segment
    }

    fn columns(&self) -> u64 {
        self.segment[0].frames
    }

    fn chunk_frames(&self) -> usize {
        2000
    }

    fn read(&mut self, first: u64, _frames: usize, rows: &mut [u8]) -> Result<(), StageError> {
        self.file
            .read_exact_at(rows, first * self.row_bytes as u64)
            .map_err(|error| {
                StageError::resource(
                    self.path.display().to_string(),
                    format!("cannot be read at frame {first} ({error}); has it been changed?"),
                )
            })?;
        if self.layout.byte_order == ByteOrder::Big {
            for number in rows.chunks_exact_mut(self.layout.dtype.bytes(1)) {
                number.reverse();
            }
        }
        Ok(())
    }
}
