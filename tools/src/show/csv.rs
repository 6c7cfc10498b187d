//! Rows of a stream as comma-separated values, every number as exact as it was stored.

use super::{Columns, PartFile, Shown, Sink};
use anyhow::Context;
use ephapse_engine::elements::{Number, element, field_elements, field_text};
use ephapse_rtconfig::stream_type::{Dtype, Field, Kind, StreamType};
use std::io::{BufWriter, Write};
use std::path::Path;

/// Writes `FILE.part`, which becomes FILE when it is whole.
pub struct CsvFile<'a> {
    out: BufWriter<PartFile>,
    stream_type: StreamType,
    columns: &'a Columns,
    rows: u64,
}

impl<'a> CsvFile<'a> {
    /// Makes the file, with the names of its columns. `option` is how the user named it.
    ///
    /// # Errors
    /// It cannot be made, or its name is a folder's.
    pub fn create(
        path: &Path,
        option: &str,
        stream_type: &StreamType,
        columns: &'a Columns,
    ) -> anyhow::Result<Self> {
        let mut csv = CsvFile {
            out: BufWriter::new(PartFile::create(path, option)?),
            stream_type: stream_type.clone(),
            columns,
            rows: 0,
        };
        let names = csv.names();
        let names: Vec<String> = names.iter().map(|name| quoted(name)).collect();
        let written = writeln!(csv.out, "{}", names.join(","));
        csv.checked(written)?;
        Ok(csv)
    }

    fn checked(&self, result: std::io::Result<()>) -> anyhow::Result<()> {
        let path = self.out.get_ref().path();
        result.with_context(|| format!("{}: cannot be written", path.display()))
    }

    /// Frames: number, time if there is a rate, channels. Records: their fields, one column per element.
    fn names(&self) -> Vec<String> {
        let t = &self.stream_type;
        match (t.kind, &t.record) {
            (Kind::Frames, _) => {
                let unit = if t.unit.is_empty() {
                    String::new()
                } else {
                    format!(" [{}]", t.unit)
                };
                let mut names = vec!["frame".to_owned()];
                if t.rate.numerator > 0 {
                    names.push("time_s".to_owned());
                }
                names.extend(
                    self.columns
                        .labels
                        .iter()
                        .map(|label| format!("{label}{unit}")),
                );
                names
            }
            (Kind::Records, Some(layout)) => layout.fields.iter().flat_map(field_names).collect(),
            (Kind::Records, None) | (Kind::Bytes, _) => {
                vec!["offset".to_owned(), "byte".to_owned()]
            }
        }
    }

    fn row(&mut self, shown: &Shown<'_>, row: usize) -> std::io::Result<()> {
        let t = &self.stream_type;
        let bytes = t.row_bytes();
        let stored = shown
            .payload
            .get(row * bytes..(row + 1) * bytes)
            .unwrap_or_default();
        let number = shown.header.first_frame + row as u64;
        match (t.kind, &t.record) {
            (Kind::Frames, _) => {
                write!(self.out, "{number}")?;
                if t.rate.numerator > 0 {
                    write!(self.out, ",{}", number as f64 / t.rate.as_f64())?;
                }
                for index in &self.columns.elements {
                    self.out.write_all(b",")?;
                    exact(&mut self.out, element(t.dtype, stored, *index))?;
                }
            }
            (Kind::Records, Some(layout)) => {
                let mut separator: &[u8] = b"";
                for field in &layout.fields {
                    if let Some(text) = field_text(field, stored) {
                        self.out.write_all(separator)?;
                        write!(self.out, "{}", quoted(&text))?;
                        separator = b",";
                        continue;
                    }
                    for number in field_elements(field, stored) {
                        self.out.write_all(separator)?;
                        exact(&mut self.out, Some(number))?;
                        separator = b",";
                    }
                }
            }
            (Kind::Records, None) | (Kind::Bytes, _) => {
                write!(self.out, "{number},")?;
                exact(&mut self.out, element(Dtype::U8, stored, 0))?;
            }
        }
        self.out.write_all(b"\n")
    }
}

impl Sink for CsvFile<'_> {
    fn block(&mut self, shown: &Shown<'_>) -> anyhow::Result<()> {
        for row in shown.rows {
            let written = self.row(shown, *row);
            self.checked(written)?;
            self.rows += 1;
        }
        Ok(())
    }

    fn settle(&mut self) -> anyhow::Result<()> {
        let flushed = self.out.flush();
        self.checked(flushed)
    }

    fn finish(&mut self) -> anyhow::Result<Option<String>> {
        self.settle()?;
        self.out.get_ref().finish()?;
        let path = self.out.get_ref().path().display();
        Ok(Some(format!("{path}: {} rows", self.rows)))
    }
}

fn field_names(field: &Field) -> Vec<String> {
    let unit = if field.unit.is_empty() {
        String::new()
    } else {
        format!(" [{}]", field.unit)
    };
    if field.count == 1 || field.dtype == Dtype::U8 && field.name == "text" {
        return vec![format!("{}{unit}", field.name)];
    }
    (0..field.count)
        .map(|n| format!("{}_{n}{unit}", field.name))
        .collect()
}

fn exact(out: &mut impl Write, number: Option<Number>) -> std::io::Result<()> {
    number.map_or(Ok(()), |number| out.write_all(number.exact().as_bytes()))
}

/// A cell that may hold anything (RFC 4180); line ends and other control characters become `?`.
fn quoted(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect();
    if text.contains([',', '"']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::super::Rows;
    use super::*;
    use ephapse_engine::abi::SlotHeader;
    use ephapse_rtconfig::stream_type::{Rate, command_layout, mark_layout};
    use zerocopy::IntoBytes;

    fn written(stream_type: &StreamType, first_frame: u64, payload: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.csv");
        let columns = Columns::new("s", stream_type, &[]).unwrap();
        let header = SlotHeader {
            first_frame,
            valid: (payload.len() / stream_type.row_bytes()) as u32,
            ..SlotHeader::default()
        };
        let mut csv = CsvFile::create(&path, "--csv", stream_type, &columns).unwrap();
        let rows = Rows::new(1, None).of(&header);
        let block = Shown {
            header: &header,
            payload,
            rows: &rows,
            missed: 0,
        };
        csv.block(&block).unwrap();
        assert!(!path.exists());
        csv.finish().unwrap();
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn frames_have_number_time_and_exact_values_under_their_labels() {
        let mut raw = StreamType::frames(Dtype::F32, 4, 2, Rate::hz(8), "uV");
        raw.axes[1].labels = vec!["A,1".into(), "B\"2\n".into()];
        let text = written(&raw, 2, [0.1_f32, -1e-20, f32::NAN, 3.0].as_bytes());
        assert_eq!(
            text,
            "frame,time_s,\"A,1 [uV]\",\"B\"\"2? [uV]\"\n2,0.25,0.1,-1e-20\n3,0.375,NaN,3.0\n"
        );
    }

    #[test]
    fn records_have_a_column_per_element_and_texts_are_cells() {
        let mut payload = vec![0; 72];
        payload[32..40].copy_from_slice(&0.3_f64.to_le_bytes());
        let text = written(&StreamType::records(command_layout(), 1), 0, &payload);
        assert_eq!(
            text,
            "tick,target,code,first_frame,last_frame,values_0,values_1,values_2,values_3,age [ns]\n\
             0,0,0,0,0,0.3,0.0,0.0,0.0,0\n"
        );
        let mut payload = vec![0; 80];
        payload[16..20].copy_from_slice(b"a,b\"");
        let text = written(&StreamType::records(mark_layout(), 1), 0, &payload);
        assert!(text.ends_with("\n0,0,0,\"a,b\"\"\"\n"), "{text}");
    }
}
