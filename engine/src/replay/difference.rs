//! Where two blocks of a stream first differ.

use crate::abi::{SlotHeader, flag};
use crate::elements::element;
use ephapse_rtconfig::stream_type::{Dtype, RecordLayout, StreamType};
use serde::{Deserialize, Serialize};

/// What of the headers is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamps {
    /// Everything but the REPLAY flag.
    Compared,
    /// Neither are `sampled_ns`, `arrived_ns`, `committed_ns`: two runs of the same data, not a replay.
    Ignored,
}

/// A difference between two blocks of the same position.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Tick of the first of the two.
    pub tick: u64,
    /// Their position.
    pub position: u64,
    /// Header field, or row and element.
    pub place: String,
    /// What stands there in the first.
    pub left: String,
    /// What stands there in the second.
    pub right: String,
}

/// The first difference between two blocks (header and valid rows), bit by bit; the REPLAY flag is none.
pub fn difference(
    stream_type: &StreamType,
    left: (&SlotHeader, &[u8]),
    right: (&SlotHeader, &[u8]),
    stamps: Stamps,
) -> Option<Difference> {
    let ((a, a_rows), (b, b_rows)) = (left, right);
    let at = |place: String, left: String, right: String| Difference {
        tick: a.tick,
        position: a.position,
        place,
        left,
        right,
    };
    macro_rules! fields {
        ($($field:ident)*) => {
            $( if a.$field != b.$field {
                return Some(at(stringify!($field).to_owned(), a.$field.to_string(), b.$field.to_string()));
            } )*
        };
    }
    fields!(position valid first_frame lost tick cause part parts origin_stream origin_first origin_frame settling epoch user);
    if stamps == Stamps::Compared {
        fields!(sampled_ns arrived_ns committed_ns);
    }
    let flags = |header: &SlotHeader| header.flags & !flag::REPLAY;
    if flags(a) != flags(b) {
        let shown = |header| format!("{:#x}", flags(header));
        return Some(at("flags".into(), shown(a), shown(b)));
    }
    if a.reserved != b.reserved {
        return Some(at(
            "reserved".into(),
            format!("{:?}", a.reserved),
            format!("{:?}", b.reserved),
        ));
    }
    if a_rows == b_rows {
        return None;
    }
    if a_rows.len() != b_rows.len() {
        let bytes = |rows: &[u8]| format!("{} bytes", rows.len());
        return Some(at("payload".into(), bytes(a_rows), bytes(b_rows)));
    }
    let row_bytes = stream_type.row_bytes().max(1);
    let rows = a_rows.chunks(row_bytes).zip(b_rows.chunks(row_bytes));
    let (row, (a_row, b_row)) = rows.enumerate().find(|(_, (a, b))| a != b)?;
    let (element, left, right) = match &stream_type.record {
        Some(layout) => in_record(layout, a_row, b_row),
        None => in_frame(stream_type, a_row, b_row),
    };
    let what = if stream_type.record.is_some() {
        "record"
    } else {
        "frame"
    };
    Some(at(format!("{what} {row}, {element}"), left, right))
}

fn in_frame(stream_type: &StreamType, a: &[u8], b: &[u8]) -> (String, String, String) {
    let elements = stream_type.elements_per_frame().max(1);
    for index in 0..elements {
        if let Some((left, right)) = unequal(stream_type.dtype, a, b, index) {
            let place = if stream_type.axes.len() == 2 {
                format!("channel {}", stream_type.channel_label(index))
            } else {
                format!("element {index}")
            };
            return (place, left, right);
        }
    }
    bytes(a, b)
}

fn in_record(layout: &RecordLayout, a: &[u8], b: &[u8]) -> (String, String, String) {
    for field in &layout.fields {
        let from = field.offset as usize;
        let (Some(a), Some(b)) = (a.get(from..), b.get(from..)) else {
            continue;
        };
        for index in 0..field.count as usize {
            if let Some((left, right)) = unequal(field.dtype, a, b, index) {
                let place = match field.count {
                    1 => format!("field `{}`", field.name),
                    _ => format!("field `{}`[{index}]", field.name),
                };
                return (place, left, right);
            }
        }
    }
    bytes(a, b)
}

/// Element `index` of both, if its bits differ.
fn unequal(dtype: Dtype, a: &[u8], b: &[u8], index: usize) -> Option<(String, String)> {
    let (left, right) = (element(dtype, a, index)?, element(dtype, b, index)?);
    let (left, right) = (left.exact(), right.exact());
    if left != right {
        return Some((left, right));
    }
    // Two that are no numbers are shown alike.
    let size = dtype_bytes(dtype)?;
    let (a, b) = (
        a.get(index * size..)?.get(..size)?,
        b.get(index * size..)?.get(..size)?,
    );
    (a != b).then(|| (hex(a), hex(b)))
}

fn dtype_bytes(dtype: Dtype) -> Option<usize> {
    match dtype {
        Dtype::F32 => Some(4),
        Dtype::F64 => Some(8),
        _ => None,
    }
}

/// Rows that differ in bytes that belong to no element.
fn bytes(a: &[u8], b: &[u8]) -> (String, String, String) {
    let at = a.iter().zip(b).position(|(a, b)| a != b).unwrap_or(0);
    let one = |row: &[u8]| hex(row.get(at..=at).unwrap_or_default());
    (format!("byte {at}"), one(a), one(b))
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .rev()
        .fold("0x".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ephapse_rtconfig::stream_type::{Rate, command_layout};
    use zerocopy::IntoBytes;

    fn header() -> SlotHeader {
        SlotHeader {
            position: 7,
            tick: 40,
            valid: 2,
            committed_ns: 5,
            ..SlotHeader::default()
        }
    }

    #[test]
    fn equal_blocks_do_not_differ_and_the_replay_flag_is_no_difference() {
        let frames = StreamType::frames(Dtype::F64, 2, 2, Rate::hz(1000), "uV");
        let rows = [1.0_f64, 2.0, 3.0, f64::NAN];
        let replayed = SlotHeader {
            flags: flag::REPLAY,
            ..header()
        };
        let (a, b) = ((&header(), rows.as_bytes()), (&replayed, rows.as_bytes()));
        assert_eq!(difference(&frames, a, b, Stamps::Compared), None);
    }

    #[test]
    fn a_difference_is_named_by_row_and_element_with_both_values() {
        let frames = StreamType::frames(Dtype::F64, 2, 2, Rate::hz(1000), "uV");
        let left = [1.0_f64, 2.0, 3.0, 0.1];
        let right = [1.0_f64, 2.0, 3.0, 0.1 + f64::EPSILON];
        let (a, b) = ((&header(), left.as_bytes()), (&header(), right.as_bytes()));
        let found = difference(&frames, a, b, Stamps::Compared).unwrap();
        assert_eq!((found.tick, found.position), (40, 7));
        assert_eq!(found.place, "frame 1, channel 2");
        assert_eq!(
            (found.left, found.right),
            ("0.1".to_owned(), right[3].to_string())
        );
    }

    #[test]
    fn numbers_that_are_shown_alike_differ_by_their_bits() {
        let frames = StreamType::frames(Dtype::F64, 1, 1, Rate::hz(1000), "uV");
        let left = f64::NAN.to_bits().to_le_bytes();
        let right = (f64::NAN.to_bits() | 1).to_le_bytes();
        let (a, b) = ((&header(), &left[..]), (&header(), &right[..]));
        let found = difference(&frames, a, b, Stamps::Compared).unwrap();
        assert_eq!(
            (found.left.as_str(), found.right.as_str()),
            ("0x7ff8000000000000", "0x7ff8000000000001")
        );
    }

    #[test]
    fn a_record_is_named_by_its_field() {
        let commands = StreamType::records(command_layout(), 2);
        let bytes = commands.row_bytes();
        let left = vec![0; 2 * bytes];
        let mut right = left.clone();
        let target = command_layout();
        let target = target.fields.iter().find(|f| f.name == "target").unwrap();
        right[bytes + target.offset as usize] = 9;
        let (a, b) = ((&header(), &left[..]), (&header(), &right[..]));
        let found = difference(&commands, a, b, Stamps::Compared).unwrap();
        assert_eq!(found.place, "record 1, field `target`");
    }

    #[test]
    fn stamps_are_ignored_when_asked() {
        let frames = StreamType::frames(Dtype::U8, 1, 2, Rate::hz(1000), "V");
        let later = SlotHeader {
            committed_ns: 6,
            ..header()
        };
        let (a, b) = ((&header(), &[1_u8, 2][..]), (&later, &[1_u8, 2][..]));
        assert_eq!(difference(&frames, a, b, Stamps::Ignored), None);
        let found = difference(&frames, a, b, Stamps::Compared).unwrap();
        assert_eq!(found.place, "committed_ns");
    }
}
