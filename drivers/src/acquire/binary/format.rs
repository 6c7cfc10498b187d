//! The format string: `f32le,1ch,15000Hz`, with an optional value per count: `,0.195uV`.

use super::layout::{ByteOrder, Layout};
use ephapse_engine::stage::StageError;
use ephapse_rtconfig::si_unit;
use ephapse_rtconfig::stream_type::{Dtype, Rate};

/// Reads a format string: number format with byte order (`le` if none), channels, rate (a number or a ratio), and
/// optionally what one count is worth.
///
/// # Errors
/// `Parameter` naming the part that is wrong or missing.
pub(super) fn parse(text: &str) -> Result<Layout, StageError> {
    let refuse = |why: String| {
        StageError::parameter(
            "format",
            format!(
                "`{text}`: {why}; write it like f32le,1ch,15000Hz or i16le,32ch,30000Hz,0.195uV"
            ),
        )
    };
    let (mut number, mut channels, mut rate, mut value) = (None, None, None, None);
    for part in text.split(',').map(str::trim) {
        if let Some(found) = number_format(part) {
            number = Some(found);
        } else if let Some(count) = part.strip_suffix("ch") {
            let count: u32 = count
                .trim()
                .parse()
                .map_err(|_| refuse(format!("`{part}` is no number of channels")))?;
            channels = Some(count);
        } else if let Some(hz) = part.strip_suffix("Hz").or_else(|| part.strip_suffix("hz")) {
            rate = Some(parse_rate(hz).ok_or_else(|| refuse(format!("`{part}` is no rate")))?);
        } else if let Some(found) = value_per_count(part) {
            value = Some(found);
        } else {
            return Err(refuse(format!(
                "`{part}` is neither number format, channels, rate nor value per count"
            )));
        }
    }
    let (dtype, byte_order) =
        number.ok_or_else(|| refuse("no number format (i8 to f64)".to_owned()))?;
    let channels = channels
        .filter(|c| *c > 0)
        .ok_or_else(|| refuse("no channels (at least 1ch)".to_owned()))?;
    let rate = rate.ok_or_else(|| refuse("no rate".to_owned()))?;
    let (scale, si_unit) = match value {
        Some((scale, unit)) => (vec![scale; channels as usize], unit),
        None => (Vec::new(), String::new()),
    };
    Ok(Layout {
        dtype,
        byte_order,
        channels,
        rate,
        unit: "count".to_owned(),
        si_unit,
        scale,
        offset: Vec::new(),
        labels: Vec::new(),
    })
}

fn number_format(part: &str) -> Option<(Dtype, ByteOrder)> {
    let (name, order) = match (part.strip_suffix("le"), part.strip_suffix("be")) {
        (Some(name), _) => (name, ByteOrder::Little),
        (_, Some(name)) => (name, ByteOrder::Big),
        _ => (part, ByteOrder::Little),
    };
    Dtype::from_name(name)
        .filter(|d| *d != Dtype::Bits)
        .map(|d| (d, order))
}

/// A rate in Hz: `15000`, `24414.0625` or the ratio `30000/1`.
pub(super) fn parse_rate(text: &str) -> Option<Rate> {
    let text = text.trim();
    match text.split_once('/') {
        Some((numerator, denominator)) => {
            let (n, d) = (
                numerator.trim().parse().ok()?,
                denominator.trim().parse().ok()?,
            );
            (n > 0 && d > 0).then(|| Rate::new(n, d))
        }
        None => Rate::from_f64(text.parse().ok()?).filter(|r| r.numerator > 0),
    }
}

fn value_per_count(part: &str) -> Option<(f64, String)> {
    let digits = part
        .find(|c: char| !(c.is_ascii_digit() || ".+-e".contains(c)))
        .unwrap_or(part.len());
    let (number, unit) = part.split_at(digits);
    let value: f64 = number
        .parse()
        .ok()
        .filter(|v: &f64| v.is_finite() && *v != 0.0)?;
    let (exponent, base) = si_unit::split(unit);
    ["V", "A"]
        .contains(&base)
        .then(|| (si_unit::decimal(value, exponent), base.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_number_format_channels_and_rate() {
        let layout = parse("f32le, 1ch, 15000Hz").unwrap();
        assert_eq!(
            (layout.dtype, layout.channels, layout.rate),
            (Dtype::F32, 1, Rate::hz(15_000))
        );
        assert!(layout.scale.is_empty() && layout.si_unit.is_empty());
    }

    #[test]
    fn may_say_what_one_count_is_worth() {
        let layout = parse("i16be,2ch,30000/1Hz,0.195uV").unwrap();
        assert_eq!(layout.byte_order, ByteOrder::Big);
        assert_eq!(layout.scale, [0.195e-6, 0.195e-6]);
        assert_eq!(layout.si_unit, "V");
    }

    #[test]
    fn keeps_a_fractional_rate_exact() {
        assert_eq!(
            parse("i16,1ch,24414.0625Hz").unwrap().rate,
            Rate::new(390_625, 16)
        );
    }

    #[test]
    fn names_the_part_that_is_wrong() {
        for (text, part) in [
            ("i17le,1ch,1000Hz", "i17le"),
            ("i16le,xch,1000Hz", "xch"),
            ("i16le,0ch,1000Hz", "no channels"),
            ("i16le,1ch,0Hz", "0Hz"),
            ("i16le,1ch", "no rate"),
            ("1ch,1000Hz", "no number format"),
            ("bits,8ch,1000Hz", "bits"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(
                error.contains(part) && error.contains("0.195uV"),
                "{text}: {error}"
            );
        }
    }
}
