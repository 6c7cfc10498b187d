//! What every stream type must keep to, whoever made it: the limits of the ring ABI's type description.

use crate::stream_type::{Kind, RecordLayout, StreamType};

/// Most axes of a type, time included.
const MOST_AXES: usize = 4;
/// Longest unit or axis name, in bytes.
const LONGEST_WORD: usize = 15;
/// Longest name of a record layout or of one of its fields, in bytes.
const LONGEST_RECORD_NAME: usize = 31;
/// Largest block: beyond it a copy takes longer than any tick, and sizes of a ring stop fitting into 64 bits.
const LARGEST_BLOCK_BYTES: u128 = 1 << 30;

/// The first rule that a type breaks, if it breaks one.
pub fn fault(stream_type: &StreamType) -> Option<String> {
    let axes = &stream_type.axes;
    if axes.is_empty() || axes.len() > MOST_AXES || axes[0].name != "time" {
        return Some(format!(
            "a type has 1 to {MOST_AXES} axes, time first; this one has {}",
            axes.len()
        ));
    }
    if stream_type.kind != Kind::Frames && axes.iter().skip(1).any(|a| a.name != "channel") {
        return Some(
            "records and bytes have the time axis, and at most the channels they speak of"
                .to_owned(),
        );
    }
    if (stream_type.kind == Kind::Records) != stream_type.record.is_some() {
        return Some("records, and only records, have a record layout".to_owned());
    }
    for axis in axes {
        if axis.length == 0 {
            return Some(format!("the axis `{}` has no element", axis.name));
        }
        if !axis.labels.is_empty() && axis.labels.len() != axis.length as usize {
            return Some(format!(
                "the axis `{}` has {} elements and {} labels",
                axis.name,
                axis.length,
                axis.labels.len()
            ));
        }
    }
    let words = axes
        .iter()
        .flat_map(|axis| [&axis.name, &axis.unit])
        .chain([&stream_type.unit, &stream_type.si_unit]);
    if let Some(long) = words.into_iter().find(|word| word.len() > LONGEST_WORD) {
        return Some(format!("`{long}` is longer than {LONGEST_WORD} bytes"));
    }
    if let Some(fault) = stream_type.record.as_ref().and_then(record_fault) {
        return Some(fault);
    }
    let rate = stream_type.rate;
    if (rate.numerator == 0) != (rate.denominator == 0) {
        return Some(format!(
            "{} frames in {} seconds are no rate",
            rate.numerator, rate.denominator
        ));
    }
    let bytes = block_bytes(stream_type);
    if bytes > LARGEST_BLOCK_BYTES {
        return Some(format!(
            "a block of {bytes} bytes is larger than {LARGEST_BLOCK_BYTES}"
        ));
    }
    let channels = stream_type.channels();
    let tables = [
        ("scales", stream_type.scale.len()),
        ("offsets", stream_type.offset.len()),
        ("positions", stream_type.positions_um.len()),
    ];
    tables
        .into_iter()
        .find(|(_, length)| *length != 0 && *length != channels)
        .map(|(name, length)| format!("there are {channels} channels and {length} {name}"))
}

/// Fields stand behind each other inside the record.
fn record_fault(record: &RecordLayout) -> Option<String> {
    let names = record.fields.iter().map(|field| &field.name);
    if let Some(name) = names
        .chain([&record.name])
        .find(|name| name.is_empty() || name.len() > LONGEST_RECORD_NAME)
    {
        return Some(format!(
            "`{name}` is not a name of 1 to {LONGEST_RECORD_NAME} bytes"
        ));
    }
    let mut end = 0;
    for field in &record.fields {
        let bytes = field.dtype.bytes(1) as u64 * u64::from(field.count);
        if field.unit.len() > LONGEST_WORD {
            return Some(format!(
                "the unit of the field `{}` is longer than {LONGEST_WORD} bytes",
                field.name
            ));
        }
        if field.count == 0 || u64::from(field.offset) < end {
            return Some(format!(
                "the field `{}` holds nothing, or stands in the one before it",
                field.name
            ));
        }
        end = u64::from(field.offset) + bytes;
    }
    (end == 0 || end > u64::from(record.bytes) || !record.bytes.is_multiple_of(8)).then(|| {
        format!(
            "a record `{}` of {} bytes: its fields take {end}, and it must be a multiple of 8",
            record.name, record.bytes
        )
    })
}

/// Bytes of a block, for types that have not been checked yet: no product overflows.
fn block_bytes(stream_type: &StreamType) -> u128 {
    if let Some(record) = &stream_type.record {
        return u128::from(record.bytes) * u128::from(stream_type.frames_per_block());
    }
    let elements = stream_type.axes.iter().fold(1_u128, |product, axis| {
        product.saturating_mul(u128::from(axis.length))
    });
    elements.saturating_mul(stream_type.dtype.bytes(8) as u128) / 8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream_type::{Axis, Dtype, Rate, spike_layout};

    fn frames() -> StreamType {
        StreamType::frames(Dtype::F64, 20, 60, Rate::hz(20_000), "uV")
    }

    #[test]
    fn types_of_the_usual_makers_keep_the_rules() {
        assert_eq!(fault(&frames()), None);
        assert_eq!(fault(&StreamType::records(spike_layout("uV"), 256)), None);
    }

    #[test]
    fn each_broken_rule_is_named() {
        let broken = |change: fn(&mut StreamType), words: &str| {
            let mut changed = frames();
            change(&mut changed);
            let fault = fault(&changed).unwrap_or_default();
            assert!(fault.contains(words), "{words}: {fault}");
        };
        broken(|t| t.axes.clear(), "this one has 0");
        broken(|t| t.axes.swap(0, 1), "time first");
        broken(|t| t.axes.resize(5, Axis::new("row", 1)), "this one has 5");
        broken(|t| t.axes[0].length = 0, "no element");
        broken(|t| t.axes[1].labels.truncate(2), "60 elements and 2 labels");
        broken(|t| t.scale = vec![1.0; 3], "3 scales");
        broken(
            |t| t.unit = "much too long a unit".to_owned(),
            "longer than 15",
        );
        let shaped = |t: &mut StreamType| {
            t.kind = Kind::Records;
            t.axes[1].name = "row".to_owned();
        };
        broken(shaped, "at most the channels");
        broken(|t| t.rate.denominator = 0, "no rate");
    }

    #[test]
    fn each_broken_record_layout_is_named() {
        let broken = |change: fn(&mut RecordLayout), words: &str| {
            let mut layout = spike_layout("uV");
            change(&mut layout);
            let fault = fault(&StreamType::records(layout, 1)).unwrap_or_default();
            assert!(fault.contains(words), "{words}: {fault}");
        };
        broken(|r| r.name.clear(), "not a name");
        broken(|r| r.fields[1].name = "x".repeat(32), "not a name");
        broken(|r| r.fields[1].offset = 4, "`channel`");
        broken(|r| r.fields[0].count = 0, "`frame`");
        broken(|r| r.fields[3].count = u32::MAX, "its fields take");
        broken(|r| r.bytes = 28, "multiple of 8");
        broken(|r| r.fields.clear(), "its fields take 0");
        broken(
            |r| r.fields[0].unit = "x".repeat(16),
            "the unit of the field",
        );
    }

    #[test]
    fn a_block_too_large_to_count_is_refused_without_overflow() {
        let mut huge = frames();
        for axis in &mut huge.axes {
            axis.length = u32::MAX;
            axis.labels.clear();
        }
        huge.axes.push(Axis::new("row", u32::MAX));
        huge.axes.push(Axis::new("column", u32::MAX));
        assert!(fault(&huge).is_some_and(|what| what.contains("larger than")));
    }
}
