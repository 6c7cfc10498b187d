//! Blocks as JSON, one line each.

use super::{Columns, Shown, Sink};
use ephapse_engine::abi::{SlotHeader, flag};
use ephapse_engine::elements::{element, field_elements, field_text};
use ephapse_rtconfig::stream_type::{Kind, RecordLayout, StreamType};
use serde_json::{Map, Value, json};
use std::io::Write;

const FLAGS: [(u32, &str); 5] = [
    (flag::GAP, "GAP"),
    (flag::LATE, "LATE"),
    (flag::SYNTHETIC, "SYNTHETIC"),
    (flag::RESET, "RESET"),
    (flag::REPLAY, "REPLAY"),
];
const CLOCKS: [&str; 4] = ["nominal", "estimated", "measured", "unknown"];

/// Writes JSON lines.
pub struct JsonLines<'a, W: Write> {
    out: W,
    stream: String,
    stream_type: StreamType,
    columns: &'a Columns,
}

impl<'a, W: Write> JsonLines<'a, W> {
    /// One line per block.
    pub fn new(out: W, stream: &str, stream_type: &StreamType, columns: &'a Columns) -> Self {
        JsonLines {
            out,
            stream: stream.to_owned(),
            stream_type: stream_type.clone(),
            columns,
        }
    }

    fn frames(&self, shown: &Shown<'_>) -> Value {
        let row_bytes = self.stream_type.row_bytes();
        let rows = shown.rows.iter().map(|row| {
            let bytes = shown.payload.get(row * row_bytes..).unwrap_or_default();
            let numbers: Vec<Value> = self
                .columns
                .elements
                .iter()
                .map(|e| {
                    element(self.stream_type.dtype, bytes, *e).map_or(Value::Null, Value::from)
                })
                .collect();
            nested(numbers, &self.columns.shape)
        });
        rows.collect()
    }
}

/// Elements as nested arrays, the last axis innermost.
fn nested(mut elements: Vec<Value>, shape: &[usize]) -> Value {
    for length in shape.iter().skip(1).rev() {
        elements = elements
            .chunks((*length).max(1))
            .map(|chunk| Value::Array(chunk.to_vec()))
            .collect();
    }
    if shape.is_empty() {
        return elements.pop().unwrap_or(Value::Null);
    }
    Value::Array(elements)
}

fn records(layout: &RecordLayout, shown: &Shown<'_>) -> Value {
    let rows = shown.rows.iter().map(|row| {
        let bytes = layout.bytes as usize;
        let record = shown.payload.get(row * bytes..).unwrap_or_default();
        let fields = layout.fields.iter().map(|field| {
            let value = match field_text(field, record) {
                Some(text) => text.into(),
                None => {
                    let numbers = field_elements(field, record);
                    match numbers.as_slice() {
                        [number] if field.count == 1 => Value::from(*number),
                        many => many.iter().map(|n| Value::from(*n)).collect(),
                    }
                }
            };
            (field.name.clone(), value)
        });
        Value::Object(fields.collect())
    });
    rows.collect()
}

fn header_fields(stream: &str, header: &SlotHeader) -> Map<String, Value> {
    let flags: Vec<&str> = FLAGS
        .iter()
        .filter(|(bit, _)| header.flags & bit != 0)
        .map(|(_, name)| *name)
        .collect();
    let clock = (header.flags & flag::CLOCK_MASK) >> flag::CLOCK_SHIFT;
    let fields = json!({
        "stream": stream,
        "position": header.position,
        "tick": header.tick,
        "first_frame": header.first_frame,
        "valid_frames": header.valid,
        "lost_frames": header.lost,
        "settling_frames": header.settling,
        "flags": flags,
        "clock": CLOCKS.get(clock as usize),
        "origin_stream": header.origin_stream,
        "origin_first": header.origin_first,
        "origin_frame": header.origin_frame,
        "cause": header.cause,
        "part": header.part,
        "parts": header.parts,
        "epoch": header.epoch,
        "sampled_ns": header.sampled_ns,
        "arrived_ns": header.arrived_ns,
        "committed_ns": header.committed_ns,
        "user": header.user,
    });
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

impl<W: Write> Sink for JsonLines<'_, W> {
    fn block(&mut self, shown: &Shown<'_>) -> anyhow::Result<()> {
        let mut line = header_fields(&self.stream, shown.header);
        line.insert("missed_blocks".into(), shown.missed.into());
        let (key, payload) = match (self.stream_type.kind, &self.stream_type.record) {
            (Kind::Frames, _) => {
                line.insert("unit".into(), self.stream_type.unit.clone().into());
                ("frames", self.frames(shown))
            }
            (Kind::Records, Some(layout)) => ("records", records(layout, shown)),
            (Kind::Records, None) | (Kind::Bytes, _) => {
                let bytes = shown.rows.iter().filter_map(|row| shown.payload.get(*row));
                let hex: String = bytes.map(|byte| format!("{byte:02x}")).collect();
                ("bytes", hex.into())
            }
        };
        // Without them the rows follow each other from `first_frame` on.
        if shown.rows.len() != shown.header.valid as usize {
            let numbers = shown.rows.iter();
            let numbers = numbers.map(|row| Value::from(shown.header.first_frame + *row as u64));
            line.insert("frame_numbers".into(), numbers.collect());
        }
        line.insert(key.into(), payload);
        serde_json::to_writer(&mut self.out, &line).map_err(std::io::Error::from)?;
        self.out.write_all(b"\n")?;
        Ok(())
    }

    fn settle(&mut self) -> anyhow::Result<()> {
        Ok(self.out.flush()?)
    }

    fn finish(&mut self) -> anyhow::Result<Option<String>> {
        self.out.flush()?;
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Rows;
    use super::*;
    use ephapse_rtconfig::stream_type::{Axis, Dtype, Rate, command_layout};
    use zerocopy::IntoBytes;

    fn line(stream_type: &StreamType, every: u64, header: &SlotHeader, payload: &[u8]) -> Value {
        let columns = Columns::new("s", stream_type, &[]).unwrap();
        let rows = Rows::new(every, None).of(header);
        let mut out = Vec::new();
        let block = Shown {
            header,
            payload,
            rows: &rows,
            missed: 2,
        };
        JsonLines::new(&mut out, "s", stream_type, &columns)
            .block(&block)
            .unwrap();
        assert_eq!(out.iter().filter(|b| **b == b'\n').count(), 1);
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn a_block_of_frames_has_its_header_with_units_and_its_values_by_axis() {
        let mut spectrum = StreamType::frames(Dtype::I16, 2, 2, Rate::hz(10), "uV");
        spectrum.axes.push(Axis::new("frequency", 3));
        let values: Vec<i16> = (0..12).collect();
        let header = SlotHeader {
            position: 4,
            first_frame: 9,
            valid: 2,
            lost: 1,
            flags: flag::GAP | 2 << flag::CLOCK_SHIFT,
            committed_ns: 77,
            ..SlotHeader::default()
        };
        let told = line(&spectrum, 1, &header, values.as_bytes());
        assert_eq!(
            told["frames"],
            json!([[[0, 1, 2], [3, 4, 5]], [[6, 7, 8], [9, 10, 11]]])
        );
        assert_eq!(told["flags"], json!(["GAP"]));
        assert_eq!(told["clock"], "measured");
        for (key, value) in [
            ("position", 4),
            ("first_frame", 9),
            ("valid_frames", 2),
            ("lost_frames", 1),
            ("committed_ns", 77),
            ("missed_blocks", 2),
        ] {
            assert_eq!(told[key], value, "{key}");
        }
        let decimated = line(&spectrum, 2, &header, values.as_bytes());
        assert_eq!(decimated["frame_numbers"], json!([10]));
        assert_eq!(decimated["frames"], json!([[[6, 7, 8], [9, 10, 11]]]));
    }

    #[test]
    fn records_are_objects_and_an_empty_block_says_that_there_was_none() {
        let commands = StreamType::records(command_layout(), 4);
        let mut payload = vec![0; 72];
        payload[..8].copy_from_slice(&5_u64.to_le_bytes());
        payload[32..40].copy_from_slice(&20.0_f64.to_le_bytes());
        payload[64..].copy_from_slice(&(-3_i64).to_le_bytes());
        let header = SlotHeader {
            valid: 1,
            ..SlotHeader::default()
        };
        let told = line(&commands, 1, &header, &payload);
        assert_eq!(
            told["records"],
            json!([{
                "tick": 5, "target": 0, "code": 0, "first_frame": 0, "last_frame": 0,
                "values": [20.0, 0.0, 0.0, 0.0], "age": -3
            }])
        );
        let none = line(&commands, 1, &SlotHeader::default(), &[]);
        assert_eq!(none["records"], json!([]));
    }
}
