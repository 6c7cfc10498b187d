//! Rows of a stream as a NumPy file (format 1.0), which NumPy can read at any moment from the first block on.

use super::{Columns, PartFile, Shown, Sink, part_of};
use anyhow::Context;
use ephapse_engine::elements::{Number, element};
use ephapse_rtconfig::stream_type::{Dtype, Field, Kind, RecordLayout, StreamType};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

const MAGIC: &[u8; 8] = b"\x93NUMPY\x01\x00";
/// The array begins at a multiple of this.
const ALIGN: usize = 64;
/// Rows gather in memory up to so many bytes.
const BUFFER_BYTES: usize = 1 << 20;
/// Rhythm in which what was gathered goes to the file, so that a kill loses little.
const WRITE_EVERY: Duration = Duration::from_secs(1);

/// Writes `FILE.part`, which becomes FILE when it is whole.
pub struct NpyFile<'a> {
    file: PartFile,
    stream_type: StreamType,
    columns: &'a Columns,
    /// Of an element, as NumPy describes it.
    descr: String,
    header_bytes: usize,
    row_bytes: usize,
    buffer: Vec<u8>,
    written_rows: u64,
    written_at: Instant,
}

impl<'a> NpyFile<'a> {
    /// Makes the file, of no rows yet. `option` is how the user named it.
    ///
    /// # Errors
    /// It cannot be made, or its name is a folder's.
    pub fn create(
        path: &Path,
        option: &str,
        stream_type: &StreamType,
        columns: &'a Columns,
    ) -> anyhow::Result<Self> {
        let (descr, row_bytes) = description(stream_type, columns);
        let mut npy = NpyFile {
            file: PartFile::create(path, option)?,
            header_bytes: header(&descr, &shape(u64::MAX, stream_type, columns), 0).len(),
            stream_type: stream_type.clone(),
            columns,
            descr,
            row_bytes,
            buffer: Vec::new(),
            written_rows: 0,
            written_at: Instant::now(),
        };
        let head = npy.head();
        npy.file.write_all(&head).with_context(|| {
            let part = part_of(path);
            format!(
                "{}: cannot be made; name another file with {option} FILE",
                part.display()
            )
        })?;
        Ok(npy)
    }

    fn head(&self) -> Vec<u8> {
        let shape = shape(self.written_rows, &self.stream_type, self.columns);
        header(&self.descr, &shape, self.header_bytes)
    }

    /// Rows first, then the header that counts them: whenever this is cut short the file holds at least what it says.
    fn write(&mut self) -> anyhow::Result<()> {
        let result = self.file.write_all(&self.buffer);
        let there = match &result {
            Ok(()) => self.written_rows + (self.buffer.len() / self.row_bytes.max(1)) as u64,
            // Some of it may have come to the disk before it was full.
            Err(_) => {
                let bytes = self.file.bytes();
                bytes.saturating_sub(self.header_bytes as u64) / self.row_bytes.max(1) as u64
            }
        };
        self.buffer.clear();
        self.written_rows = there;
        self.written_at = Instant::now();
        let counted = self.file.write_at(&self.head(), 0);
        result.and(counted).with_context(|| {
            format!(
                "{}: cannot be written; {} rows are in it",
                part_of(self.file.path()).display(),
                self.written_rows
            )
        })
    }

    fn gather(&mut self, row: &[u8]) {
        if self.stream_type.kind != Kind::Frames {
            self.buffer.extend_from_slice(row);
            return;
        }
        let dtype = self.stream_type.dtype;
        for index in &self.columns.elements {
            if dtype == Dtype::Bits {
                let bit = element(dtype, row, *index);
                self.buffer.push(u8::from(bit == Some(Number::Uint(1))));
            } else {
                let bytes = dtype.bytes(1);
                let element = row.get(index * bytes..(index + 1) * bytes);
                self.buffer.extend_from_slice(element.unwrap_or_default());
            }
        }
    }
}

impl Sink for NpyFile<'_> {
    fn block(&mut self, shown: &Shown<'_>) -> anyhow::Result<()> {
        let bytes = self.stream_type.row_bytes();
        for row in shown.rows {
            let row = shown.payload.get(row * bytes..(row + 1) * bytes);
            self.gather(row.unwrap_or_default());
        }
        if self.buffer.len() >= BUFFER_BYTES {
            self.write()?;
        }
        Ok(())
    }

    fn settle(&mut self) -> anyhow::Result<()> {
        if !self.buffer.is_empty() && self.written_at.elapsed() >= WRITE_EVERY {
            self.write()?;
        }
        Ok(())
    }

    fn finish(&mut self) -> anyhow::Result<Option<String>> {
        self.write()?;
        self.file.finish()?;
        let shape = shape(self.written_rows, &self.stream_type, self.columns);
        let path = self.file.path().display();
        Ok(Some(format!("{path}: shape {shape}")))
    }
}

/// Type string of an element, and bytes of a row.
fn description(stream_type: &StreamType, columns: &Columns) -> (String, usize) {
    match (stream_type.kind, &stream_type.record) {
        (Kind::Frames, _) => {
            let bytes = match stream_type.dtype {
                Dtype::Bits => 1,
                dtype => dtype.bytes(1),
            };
            (
                format!("'{}'", code(stream_type.dtype)),
                bytes * columns.elements.len(),
            )
        }
        (Kind::Records, Some(layout)) => (structured(layout), layout.bytes as usize),
        (Kind::Records, None) | (Kind::Bytes, _) => ("'|u1'".to_owned(), 1),
    }
}

/// NumPy's code of a number format. Bits become bytes of 0 and 1.
fn code(dtype: Dtype) -> &'static str {
    match dtype {
        Dtype::I8 => "|i1",
        Dtype::I16 => "<i2",
        Dtype::I32 => "<i4",
        Dtype::I64 => "<i8",
        Dtype::U8 | Dtype::Bits => "|u1",
        Dtype::U16 => "<u2",
        Dtype::U32 => "<u4",
        Dtype::U64 => "<u8",
        Dtype::F32 => "<f4",
        Dtype::F64 => "<f8",
    }
}

/// A record as a list of fields. Holes are void fields without a name, which NumPy leaves out of what it shows.
fn structured(layout: &RecordLayout) -> String {
    let mut fields = Vec::new();
    let mut at = 0;
    let hole = |fields: &mut Vec<String>, from: u32, to: u32| {
        if to > from {
            fields.push(format!("('', '|V{}')", to - from));
        }
    };
    let mut in_order: Vec<&Field> = layout.fields.iter().collect();
    in_order.sort_by_key(|field| field.offset);
    for field in in_order {
        hole(&mut fields, at, field.offset);
        let bytes = field.dtype.bytes(field.count as usize) as u32;
        let count = if field.dtype == Dtype::Bits {
            bytes
        } else {
            field.count
        };
        let name = field.name.replace(['\'', '\\'], "_");
        let code = code(field.dtype);
        fields.push(if count == 1 {
            format!("('{name}', '{code}')")
        } else {
            format!("('{name}', '{code}', ({count},))")
        });
        at = field.offset + bytes;
    }
    hole(&mut fields, at, layout.bytes);
    format!("[{}]", fields.join(", "))
}

/// Rows, then the axes of what is shown.
fn shape(rows: u64, stream_type: &StreamType, columns: &Columns) -> String {
    let axes = match stream_type.kind {
        Kind::Frames => columns.shape.as_slice(),
        Kind::Records | Kind::Bytes => &[],
    };
    if axes.is_empty() {
        return format!("({rows},)");
    }
    let axes: Vec<String> = axes.iter().map(ToString::to_string).collect();
    format!("({rows}, {})", axes.join(", "))
}

/// Magic, length, and the description padded to `bytes` (0: to where the array may begin).
fn header(descr: &str, shape: &str, bytes: usize) -> Vec<u8> {
    let mut head = MAGIC.to_vec();
    head.extend_from_slice(&[0, 0]);
    let dictionary = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}");
    head.extend_from_slice(dictionary.as_bytes());
    let whole = (head.len() + 1).next_multiple_of(ALIGN).max(bytes);
    head.resize(whole - 1, b' ');
    head.push(b'\n');
    let length = (whole - 10) as u16;
    head[8..10].copy_from_slice(&length.to_le_bytes());
    head
}

#[cfg(test)]
mod tests {
    use super::super::Rows;
    use super::*;
    use ephapse_engine::abi::SlotHeader;
    use ephapse_rtconfig::stream_type::{Rate, mark_layout};
    use zerocopy::IntoBytes;

    fn written(path: &Path, stream_type: &StreamType, channels: &[&str], payload: &[u8]) -> String {
        let channels: Vec<String> = channels.iter().map(|c| (*c).to_owned()).collect();
        let columns = Columns::new("s", stream_type, &channels).unwrap();
        let header = SlotHeader {
            valid: (payload.len() / stream_type.row_bytes()) as u32,
            ..SlotHeader::default()
        };
        let rows = Rows::new(1, None).of(&header);
        let mut npy = NpyFile::create(path, "--npy", stream_type, &columns).unwrap();
        let block = Shown {
            header: &header,
            payload,
            rows: &rows,
            missed: 0,
        };
        npy.block(&block).unwrap();
        npy.finish().unwrap().unwrap()
    }

    /// Length as the header says it, description, data.
    fn parts(file: &[u8]) -> (String, Vec<u8>) {
        assert_eq!(&file[..8], MAGIC);
        let length = usize::from(u16::from_le_bytes([file[8], file[9]]));
        assert!((10 + length).is_multiple_of(ALIGN));
        let text = String::from_utf8(file[10..10 + length].to_vec()).unwrap();
        assert!(text.ends_with(" \n"), "{text:?}");
        (text.trim_end().to_owned(), file[10 + length..].to_vec())
    }

    #[test]
    fn frames_become_an_array_of_frames_and_chosen_channels() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("raw.npy");
        let raw = StreamType::frames(Dtype::I16, 4, 3, Rate::hz(1000), "uV");
        let values: Vec<i16> = (0..6).collect();
        let told = written(&path, &raw, &["3", "1"], values.as_bytes());
        assert!(told.ends_with("raw.npy: shape (2, 2)"), "{told}");
        let (head, data) = parts(&std::fs::read(&path).unwrap());
        assert_eq!(
            head,
            "{'descr': '<i2', 'fortran_order': False, 'shape': (2, 2), }"
        );
        assert_eq!(data, [2_i16, 0, 5, 3].as_bytes());
        assert!(!folder.path().join("raw.npy.part").exists());
    }

    #[test]
    fn records_become_a_structured_array_whose_holes_have_no_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("marks.npy");
        let mut layout = mark_layout();
        layout.fields.retain(|f| f.name != "length");
        written(&path, &StreamType::records(layout, 4), &[], &[7; 160]);
        let (head, data) = parts(&std::fs::read(&path).unwrap());
        assert_eq!(
            head,
            "{'descr': [('time', '<u8'), ('code', '<u4'), ('', '|V4'), ('text', '|u1', (64,))], \
             'fortran_order': False, 'shape': (2,), }"
        );
        assert_eq!(data.len(), 160);
    }

    #[test]
    fn the_header_keeps_its_length_whatever_the_number_of_rows() {
        let raw = StreamType::frames(Dtype::Bits, 4, 11, Rate::NONE, "");
        let columns = Columns::new("s", &raw, &[]).unwrap();
        let most = header("'|u1'", &shape(u64::MAX, &raw, &columns), 0);
        for rows in [0, 1, u64::from(u32::MAX)] {
            let head = header("'|u1'", &shape(rows, &raw, &columns), most.len());
            assert_eq!(head.len(), most.len());
        }
    }

    #[test]
    fn a_full_disk_and_a_folder_are_one_line_that_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("raw.npy");
        std::os::unix::fs::symlink("/dev/full", folder.path().join("raw.npy.part")).unwrap();
        let raw = StreamType::frames(Dtype::F64, 4, 1, Rate::NONE, "");
        let columns = Columns::new("s", &raw, &[]).unwrap();
        for (path, why) in [(path.as_path(), "No space left"), (folder.path(), "folder")] {
            let refused = match NpyFile::create(path, "--npy", &raw, &columns) {
                Ok(_) => panic!("{} was made", path.display()),
                Err(error) => format!("{error:#}"),
            };
            assert!(refused.contains(why), "{refused}");
            assert!(
                refused.starts_with(&path.display().to_string()),
                "{refused}"
            );
            assert_eq!(refused.lines().count(), 1);
        }
    }
}
