//! Blocks as lines for people. Lines that begin with `#` are no data.

use super::{Columns, Shown, Sink};
use ephapse_engine::abi::{SlotHeader, flag};
use ephapse_engine::elements::{Number, element, field_elements, field_text};
use ephapse_rtconfig::stream_type::{Field, Kind, RecordLayout, StreamType};
use std::io::Write;

/// Columns shown of frames whose channels were not named.
const MOST_COLUMNS: usize = 6;
/// Bytes in a line.
const BYTES_IN_LINE: usize = 32;
/// Flags that say how a block came to be, and not only what it holds.
const TOLD: [(u32, &str); 3] = [
    (flag::GAP, "GAP"),
    (flag::LATE, "LATE"),
    (flag::RESET, "RESET"),
];

/// Writes lines.
pub struct Text<'a, W: Write> {
    out: W,
    stream: String,
    stream_type: StreamType,
    columns: &'a Columns,
    most: usize,
    begun: bool,
}

impl<'a, W: Write> Text<'a, W> {
    /// Nothing is written before the first block.
    pub fn new(out: W, stream: &str, stream_type: &StreamType, columns: &'a Columns) -> Self {
        let all = columns.elements.len();
        Text {
            out,
            stream: stream.to_owned(),
            stream_type: stream_type.clone(),
            most: if columns.chosen {
                all
            } else {
                all.min(MOST_COLUMNS)
            },
            columns,
            begun: false,
        }
    }

    fn begin(&mut self) -> std::io::Result<()> {
        self.begun = true;
        let t = &self.stream_type;
        writeln!(self.out, "# {}: {}", one_line(&self.stream), t.summary())?;
        if t.kind == Kind::Frames {
            write!(self.out, "#{:>13} {:>12}", "frame", "time_s")?;
            for label in self.columns.labels.iter().take(self.most) {
                write!(self.out, " {:>11}", one_line(label))?;
            }
            self.end_row()?;
        }
        Ok(())
    }

    fn end_row(&mut self) -> std::io::Result<()> {
        let cut = self.most < self.columns.elements.len();
        writeln!(self.out, "{}", if cut { " ..." } else { "" })
    }

    fn frames(&mut self, shown: &Shown<'_>) -> std::io::Result<()> {
        let row_bytes = self.stream_type.row_bytes();
        for row in shown.rows {
            let frame = shown.header.first_frame + *row as u64;
            write!(self.out, "{frame:>14} {:>12}", self.seconds(frame))?;
            let bytes = row_of(shown.payload, *row, row_bytes);
            for index in self.columns.elements.iter().take(self.most) {
                match element(self.stream_type.dtype, bytes, *index) {
                    Some(number) => write!(self.out, " {number:>11}")?,
                    None => write!(self.out, " {:>11}", "?")?,
                }
            }
            self.end_row()?;
        }
        Ok(())
    }

    fn seconds(&self, frame: u64) -> String {
        let rate = self.stream_type.rate.as_f64();
        if rate > 0.0 {
            format!("{:.6}", frame as f64 / rate)
        } else {
            "-".to_owned()
        }
    }

    fn records(&mut self, layout: &RecordLayout, shown: &Shown<'_>) -> std::io::Result<()> {
        for row in shown.rows {
            let record = row_of(shown.payload, *row, layout.bytes as usize);
            let fields: Vec<String> = layout
                .fields
                .iter()
                .map(|field| self.field(field, record))
                .collect();
            writeln!(self.out, "{}", fields.join("  "))?;
        }
        Ok(())
    }

    fn field(&self, field: &Field, record: &[u8]) -> String {
        let name = one_line(&field.name);
        if let Some(text) = field_text(field, record) {
            return format!("{name}={text:?}");
        }
        let numbers = field_elements(field, record);
        let mut told = match numbers.as_slice() {
            [number] => format!("{name}={number}"),
            many => {
                let many: Vec<String> = many.iter().map(ToString::to_string).collect();
                format!("{name}=[{}]", many.join(", "))
            }
        };
        if !field.unit.is_empty() {
            told += &format!(" {}", one_line(&field.unit));
        }
        // Records name channels by number; what the number is called stands in the stream's type.
        if field.name == "channel"
            && let [Number::Uint(channel)] = numbers.as_slice()
            && let Some(axis) = self.stream_type.axes.iter().find(|a| a.name == "channel")
            && let Some(label) = axis.labels.get(*channel as usize)
        {
            told += &format!(" (label {})", one_line(label));
        }
        told
    }

    fn bytes(&mut self, shown: &Shown<'_>) -> std::io::Result<()> {
        for rows in shown.rows.chunks(BYTES_IN_LINE) {
            let first = rows.first().map_or(0, |row| *row as u64);
            write!(self.out, "{:012x} ", shown.header.first_frame + first)?;
            for row in rows {
                write!(self.out, " {:02x}", shown.payload.get(*row).unwrap_or(&0))?;
            }
            writeln!(self.out)?;
        }
        Ok(())
    }

    fn write(&mut self, shown: &Shown<'_>) -> std::io::Result<()> {
        if !self.begun {
            self.begin()?;
        }
        if shown.missed > 0 {
            writeln!(
                self.out,
                "# {} blocks missed before block {}: this observer was slower than the stream",
                shown.missed, shown.header.position
            )?;
        }
        if let Some(told) = remarks(shown.header) {
            writeln!(self.out, "# block {}: {told}", shown.header.position)?;
        }
        match (self.stream_type.kind, self.stream_type.record.clone()) {
            (Kind::Frames, _) => self.frames(shown),
            (Kind::Records, Some(layout)) => self.records(&layout, shown),
            (Kind::Records, None) | (Kind::Bytes, _) => self.bytes(shown),
        }
    }
}

impl<W: Write> Sink for Text<'_, W> {
    fn block(&mut self, shown: &Shown<'_>) -> anyhow::Result<()> {
        Ok(self.write(shown)?)
    }

    fn settle(&mut self) -> anyhow::Result<()> {
        Ok(self.out.flush()?)
    }

    fn finish(&mut self) -> anyhow::Result<Option<String>> {
        self.out.flush()?;
        Ok(None)
    }
}

/// What the header says of losses and new beginnings.
fn remarks(header: &SlotHeader) -> Option<String> {
    let mut told: Vec<String> = TOLD
        .iter()
        .filter(|(bit, _)| header.flags & bit != 0)
        .map(|(_, name)| (*name).to_owned())
        .collect();
    if header.lost > 0 {
        told.push(format!("{} frames lost before it", header.lost));
    }
    if header.settling > 0 {
        told.push(format!("{} frames settling", header.settling));
    }
    (!told.is_empty()).then(|| told.join(", "))
}

fn row_of(payload: &[u8], row: usize, row_bytes: usize) -> &[u8] {
    payload
        .get(row * row_bytes..(row + 1) * row_bytes)
        .unwrap_or_default()
}

/// Names come from elsewhere: no control character of theirs reaches a terminal.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::Rows;
    use super::*;
    use ephapse_rtconfig::stream_type::{Axis, Dtype, Rate, mark_layout, spike_layout};
    use zerocopy::IntoBytes;

    fn shown(
        stream_type: &StreamType,
        channels: &[&str],
        header: &SlotHeader,
        payload: &[u8],
        missed: u64,
    ) -> String {
        let channels: Vec<String> = channels.iter().map(|c| (*c).to_owned()).collect();
        let columns = Columns::new("s", stream_type, &channels).unwrap();
        let rows = Rows::new(1, None).of(header);
        let mut out = Vec::new();
        let mut text = Text::new(&mut out, "s", stream_type, &columns);
        let block = Shown {
            header,
            payload,
            rows: &rows,
            missed,
        };
        text.block(&block).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn header(first_frame: u64, valid: u32) -> SlotHeader {
        SlotHeader {
            position: 7,
            first_frame,
            valid,
            ..SlotHeader::default()
        }
    }

    #[test]
    fn frames_are_a_table_under_their_labels_with_losses_between() {
        let mut raw = StreamType::frames(Dtype::F32, 4, 2, Rate::hz(1000), "uV");
        raw.axes[1].labels = vec!["A1".into(), "B\x1b2".into()];
        let values = [1.5_f32, -55.125, 0.0, 1e9];
        let lossy = SlotHeader {
            flags: flag::GAP | flag::SYNTHETIC,
            lost: 40,
            settling: 3,
            ..header(1200, 2)
        };
        assert_eq!(
            shown(&raw, &[], &lossy, values.as_bytes(), 5),
            "\
# s: 4 x 2 f32, 1000 Hz, uV
#        frame       time_s          A1         B?2
# 5 blocks missed before block 7: this observer was slower than the stream
# block 7: GAP, 40 frames lost before it, 3 frames settling
          1200     1.200000     1.50000    -55.1250
          1201     1.201000           0   1.00000e9
"
        );
    }

    #[test]
    fn many_channels_are_cut_unless_they_were_named() {
        let raw = StreamType::frames(Dtype::I16, 1, 10, Rate::NONE, "count");
        let values: Vec<i16> = (0..10).collect();
        let cut = shown(&raw, &[], &header(3, 1), values.as_bytes(), 0);
        assert!(cut.ends_with("          4           5 ...\n"), "{cut}");
        let names = ["1", "2", "3", "4", "5", "6", "7", "8", "10"];
        let whole = shown(&raw, &names, &header(3, 1), values.as_bytes(), 0);
        assert!(whole.ends_with("          7           9\n"), "{whole}");
        assert!(whole.contains("             3            -  "), "{whole}");
    }

    #[test]
    fn records_are_told_by_field_with_units_and_the_channels_label() {
        let mut spikes = StreamType::records(spike_layout("uV"), 4);
        let mut channel = Axis::new("channel", 60);
        channel.labels = (0..60).map(|c| format!("E{c}")).collect();
        spikes.axes.push(channel);
        let mut payload = Vec::new();
        payload.extend_from_slice(&400_u64.to_le_bytes());
        payload.extend_from_slice(&12_u32.to_le_bytes());
        payload.extend_from_slice(&3_u32.to_le_bytes());
        payload.extend_from_slice(&(-61.25_f64).to_le_bytes());
        let told = shown(&spikes, &[], &header(0, 1), &payload, 0);
        assert_eq!(
            told,
            "\
# s: spike records, up to 4 a block
frame=400  channel=12 (label E12)  width=3 frame  amplitude=-61.2500 uV
"
        );
    }

    #[test]
    fn the_text_of_a_mark_is_text_and_bytes_are_hexadecimal() {
        let marks = StreamType::records(mark_layout(), 1);
        let mut payload = vec![0; 80];
        payload[16..21].copy_from_slice(b"go\x1b[m");
        let told = shown(&marks, &[], &header(0, 1), &payload, 0);
        assert!(told.ends_with("text=\"go\\u{1b}[m\"\n"), "{told}");
        let bytes = StreamType {
            kind: Kind::Bytes,
            ..StreamType::frames(Dtype::U8, 64, 1, Rate::NONE, "")
        };
        let told = shown(&bytes, &[], &header(256, 33), &[0xab; 33], 0);
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(lines[1].len(), 13 + 32 * 3);
        assert_eq!(lines[2], "000000000120  ab");
    }
}
