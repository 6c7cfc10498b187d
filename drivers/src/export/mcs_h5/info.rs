//! The tables that say what channels and entities are.

use super::attributes::{number, variable};
use ephapse_rtconfig::si_unit;
use ephapse_rtconfig::stream_type::{Dtype, StreamType};
use hdf5::types::VarLenAscii;
use hdf5::{Group, H5Type};

/// A row of InfoChannel.
#[derive(Clone, H5Type)]
#[repr(C)]
#[allow(non_snake_case, reason = "the format's names")]
struct InfoChannel {
    ChannelID: i32,
    RowIndex: i32,
    GroupID: i32,
    Label: VarLenAscii,
    RawDataType: VarLenAscii,
    Unit: VarLenAscii,
    Exponent: i32,
    ADZero: i32,
    Tick: i64,
    ConversionFactor: i64,
    ADCBits: i32,
    HighPassFilterType: VarLenAscii,
    HighPassFilterCutOffFrequency: VarLenAscii,
    HighPassFilterOrder: i32,
    LowPassFilterType: VarLenAscii,
    LowPassFilterCutOffFrequency: VarLenAscii,
    LowPassFilterOrder: i32,
}

/// A row of InfoTimeStamp.
#[derive(Clone, H5Type)]
#[repr(C)]
#[allow(non_snake_case, reason = "the format's names")]
struct InfoTimeStamp {
    TimeStampEntityID: i32,
    GroupID: i32,
    Label: VarLenAscii,
    Unit: VarLenAscii,
    Exponent: i32,
    SourceChannelIDs: VarLenAscii,
    SourceChannelLabels: VarLenAscii,
}

/// A row of InfoEvent.
#[derive(Clone, H5Type)]
#[repr(C)]
#[allow(non_snake_case, reason = "the format's names")]
struct InfoEvent {
    EventID: i32,
    GroupID: i32,
    Label: VarLenAscii,
    RawDataType: VarLenAscii,
    RawDataBytes: i32,
    SourceChannelIDs: VarLenAscii,
    SourceChannelLabels: VarLenAscii,
}

/// What makes a stored number a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Conversion {
    factor: i64,
    exponent: i32,
    zero: i32,
    unit: String,
}

/// The conversion of a channel: the decimal number that its scale was written as.
///
/// # Errors
/// What the layout cannot say: a zero that lies between two counts, a scale that is no number.
pub(super) fn conversion(stream_type: &StreamType, channel: usize) -> Result<Conversion, String> {
    if stream_type.si_unit.is_empty() {
        // Numbers without a meaning in SI keep the unit that they have, volts and amperes by their prefix.
        let (exponent, unit) = si_unit::split(&stream_type.unit);
        let unit = if matches!(unit, "" | "count") {
            "NoUnit"
        } else {
            unit
        };
        return Ok(Conversion {
            factor: 1,
            exponent,
            zero: 0,
            unit: unit.to_owned(),
        });
    }
    let (scale, offset) = (
        stream_type.scale_of(channel),
        stream_type.offset_of(channel),
    );
    let label = stream_type.channel_label(channel);
    let (factor, exponent) = decimal(scale).ok_or_else(|| {
        format!("the scale {scale} of channel {label} has no place in the MCS layout")
    })?;
    let zero = if offset == 0.0 {
        0.0
    } else {
        (-offset / scale).round()
    };
    if 0.0 - zero * scale != offset || zero.abs() > f64::from(i32::MAX) {
        return Err(format!(
            "the zero of channel {label} lies at {offset} {}, which is no whole number of counts, as the MCS layout's ADZero is",
            stream_type.si_unit
        ));
    }
    Ok(Conversion {
        factor,
        exponent,
        zero: zero as i32,
        unit: stream_type.si_unit.clone(),
    })
}

/// Whole digits and the power of ten behind them: the shortest decimal that reads back as the same number.
fn decimal(value: f64) -> Option<(i64, i32)> {
    let written = format!("{value:e}");
    let (mantissa, exponent) = written.split_once('e')?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}").parse().ok()?;
    let exponent: i32 = exponent.parse().ok()?;
    Some((digits, exponent - i32::try_from(fraction.len()).ok()?))
}

/// Writes InfoChannel.
pub(super) fn channels(group: &Group, stream_type: &StreamType, tick_us: i64) -> hdf5::Result<()> {
    let bits = stream_type.dtype.bytes(8) as i32;
    let raw = match stream_type.dtype {
        Dtype::F32 => "Float",
        Dtype::F64 => "Double",
        _ => "Int",
    };
    let rows = (0..stream_type.elements_per_frame()).map(|channel| {
        let of = conversion(stream_type, channel)?;
        Ok(InfoChannel {
            ChannelID: channel as i32,
            RowIndex: channel as i32,
            GroupID: 0,
            Label: variable(&stream_type.channel_label(channel)),
            RawDataType: variable(raw),
            Unit: variable(&of.unit),
            Exponent: of.exponent,
            ADZero: of.zero,
            Tick: tick_us,
            ConversionFactor: of.factor,
            ADCBits: bits,
            HighPassFilterType: variable(""),
            HighPassFilterCutOffFrequency: variable("-1"),
            HighPassFilterOrder: -1,
            LowPassFilterType: variable(""),
            LowPassFilterCutOffFrequency: variable("-1"),
            LowPassFilterOrder: -1,
        })
    });
    table(
        group,
        "InfoChannel",
        &rows.collect::<hdf5::Result<Vec<_>>>()?,
    )
}

/// Writes InfoTimeStamp for entities of these ids and labels: each is the channel of its number.
pub(super) fn time_stamps(group: &Group, entities: &[(u32, String)]) -> hdf5::Result<()> {
    let row = |(id, label): &(u32, String)| InfoTimeStamp {
        TimeStampEntityID: *id as i32,
        GroupID: 0,
        Label: variable(label),
        Unit: variable("s"),
        Exponent: -6,
        SourceChannelIDs: variable(&id.to_string()),
        SourceChannelLabels: variable(&label.replace(',', ";")),
    };
    table(
        group,
        "InfoTimeStamp",
        &entities.iter().map(row).collect::<Vec<_>>(),
    )
}

/// Writes InfoEvent for entities of these ids and labels, which no channel has caused.
pub(super) fn events(group: &Group, entities: &[(u32, String)]) -> hdf5::Result<()> {
    let row = |(id, label): &(u32, String)| InfoEvent {
        EventID: *id as i32,
        GroupID: 0,
        Label: variable(label),
        RawDataType: variable("Int"),
        RawDataBytes: 4,
        SourceChannelIDs: variable("-1"),
        SourceChannelLabels: variable("N/A"),
    };
    table(
        group,
        "InfoEvent",
        &entities.iter().map(row).collect::<Vec<_>>(),
    )
}

fn table<T: H5Type>(group: &Group, name: &str, rows: &[T]) -> hdf5::Result<()> {
    let table = group.new_dataset_builder().with_data(rows).create(name)?;
    number(&table, "InfoVersion", 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ephapse_rtconfig::stream_type::Rate;

    #[test]
    fn a_scale_becomes_the_decimal_that_it_was_written_as() {
        for (factor, exponent) in [(59_605, -12), (381_469, -9), (195, -9), (1, 0), (-5, 3)] {
            let scale = si_unit::decimal(factor as f64, exponent);
            assert_eq!(decimal(scale), Some((factor, exponent)), "{scale}");
        }
        for odd in [1.0 / 3.0, 5e-324, f64::MAX] {
            let (factor, exponent) = decimal(odd).unwrap();
            assert_eq!(format!("{factor}e{exponent}").parse(), Ok(odd));
        }
        assert_eq!(decimal(f64::NAN), None);
    }

    #[test]
    fn a_zero_between_two_counts_is_refused_and_a_whole_one_kept() {
        let mut raw = StreamType::frames(Dtype::U16, 20, 2, Rate::hz(20_000), "count");
        "V".clone_into(&mut raw.si_unit);
        raw.scale = vec![0.195e-6; 2];
        raw.offset = vec![0.0 - 32_768.0 * 0.195e-6, -0.3e-6];
        let kept = conversion(&raw, 0).unwrap();
        assert_eq!((kept.factor, kept.exponent, kept.zero), (195, -9, 32_768));
        let refused = conversion(&raw, 1).unwrap_err();
        assert!(refused.contains("zero of channel 2"), "{refused}");
    }

    #[test]
    fn numbers_without_si_keep_their_unit() {
        let of = |unit| {
            let raw = StreamType::frames(Dtype::F64, 20, 1, Rate::hz(1000), unit);
            let of = conversion(&raw, 0).unwrap();
            (of.factor, of.exponent, of.unit)
        };
        assert_eq!(of("uV"), (1, -6, "V".to_owned()));
        assert_eq!(of("count"), (1, 0, "NoUnit".to_owned()));
        assert_eq!(of("Hz"), (1, 0, "Hz".to_owned()));
    }
}
