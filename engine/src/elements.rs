//! Single numbers out of a block's bytes.

use ephapse_rtconfig::stream_type::{Dtype, Field};
use serde_json::Value;
use std::fmt;

/// A number as it was stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// Signed.
    Int(i64),
    /// Unsigned, and digital lines.
    Uint(u64),
    /// f32.
    Single(f32),
    /// f64.
    Double(f64),
}

impl Number {
    /// All digits that tell it from every other number of its format.
    pub fn exact(self) -> String {
        match self {
            Number::Int(value) => value.to_string(),
            Number::Uint(value) => value.to_string(),
            Number::Single(value) => format!("{value:?}"),
            Number::Double(value) => format!("{value:?}"),
        }
    }
}

/// Element `index` of a row; `None` behind its end.
pub fn element(dtype: Dtype, row: &[u8], index: usize) -> Option<Number> {
    fn bytes<const N: usize>(row: &[u8], index: usize) -> Option<[u8; N]> {
        row.get(index * N..)?.first_chunk::<N>().copied()
    }
    Some(match dtype {
        Dtype::I8 => Number::Int(i8::from_le_bytes(bytes(row, index)?).into()),
        Dtype::I16 => Number::Int(i16::from_le_bytes(bytes(row, index)?).into()),
        Dtype::I32 => Number::Int(i32::from_le_bytes(bytes(row, index)?).into()),
        Dtype::I64 => Number::Int(i64::from_le_bytes(bytes(row, index)?)),
        Dtype::U8 => Number::Uint(u8::from_le_bytes(bytes(row, index)?).into()),
        Dtype::U16 => Number::Uint(u16::from_le_bytes(bytes(row, index)?).into()),
        Dtype::U32 => Number::Uint(u32::from_le_bytes(bytes(row, index)?).into()),
        Dtype::U64 => Number::Uint(u64::from_le_bytes(bytes(row, index)?)),
        Dtype::F32 => Number::Single(f32::from_le_bytes(bytes(row, index)?)),
        Dtype::F64 => Number::Double(f64::from_le_bytes(bytes(row, index)?)),
        Dtype::Bits => Number::Uint(u64::from(row.get(index / 8)? >> (index % 8) & 1)),
    })
}

/// The elements of a record's field.
pub fn field_elements(field: &Field, record: &[u8]) -> Vec<Number> {
    let bytes = record.get(field.offset as usize..).unwrap_or_default();
    (0..field.count as usize)
        .filter_map(|index| element(field.dtype, bytes, index))
        .collect()
}

/// The words of a field that holds text; `None` for one of numbers.
pub fn field_text(field: &Field, record: &[u8]) -> Option<String> {
    if field.dtype != Dtype::U8 || field.count == 1 || field.name != "text" {
        return None;
    }
    let from = field.offset as usize;
    let bytes = record.get(from..from + field.count as usize)?;
    Some(crate::text::of(bytes))
}

/// Six significant digits, which is more than a converter gives; whole numbers as they are.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = match *self {
            Number::Int(value) => return value.fmt(f),
            Number::Uint(value) => return value.fmt(f),
            Number::Single(value) => f64::from(value),
            Number::Double(value) => value,
        };
        let size = value.abs();
        let text = if value == 0.0 || !value.is_finite() {
            value.to_string()
        } else if (1e-3..1e6).contains(&size) {
            let decimals = (5 - size.log10().floor() as i32).clamp(0, 8) as usize;
            format!("{value:.decimals$}")
        } else {
            format!("{value:.5e}")
        };
        f.pad_integral(true, "", &text)
    }
}

impl From<Number> for Value {
    /// Exact; what JSON cannot say (not a number, infinite) is `null`.
    fn from(number: Number) -> Value {
        match number {
            Number::Int(value) => value.into(),
            Number::Uint(value) => value.into(),
            // By its shortest decimal form: widened, 0.1 would become 0.10000000149011612.
            Number::Single(value) => value
                .to_string()
                .parse::<f64>()
                .map_or(Value::Null, f64::into),
            Number::Double(value) => value.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dtype_is_read_as_it_was_written() {
        assert_eq!(
            element(Dtype::I16, &[0, 0, 0xfe, 0xff], 1),
            Some(Number::Int(-2))
        );
        assert_eq!(
            element(Dtype::U64, &[255; 8], 0),
            Some(Number::Uint(u64::MAX))
        );
        assert_eq!(
            element(Dtype::F32, &1.5_f32.to_le_bytes(), 0),
            Some(Number::Single(1.5))
        );
        assert_eq!(element(Dtype::Bits, &[0, 0b10], 9), Some(Number::Uint(1)));
        assert_eq!(element(Dtype::I32, &[0; 7], 1), None);
    }

    #[test]
    fn numbers_are_shown_with_six_digits_whatever_their_size() {
        let shown = |value: f64| Number::Double(value).to_string();
        assert_eq!(shown(-55.123_456_7), "-55.1235");
        assert_eq!(shown(0.0), "0");
        assert_eq!(shown(0.012_345_678), "0.0123457");
        assert_eq!(shown(12_345_678.0), "1.23457e7");
        assert_eq!(shown(1e-9), "1.00000e-9");
        assert_eq!(shown(f64::NAN), "NaN");
        assert_eq!(format!("{:>6}|", Number::Int(-3)), "    -3|");
        assert_eq!(format!("{:>9}|", Number::Double(0.5)), " 0.500000|");
    }

    #[test]
    fn json_numbers_are_exact_and_single_precision_keeps_its_shortest_form() {
        assert_eq!(Value::from(Number::Single(0.1)).to_string(), "0.1");
        assert_eq!(
            Value::from(Number::Uint(u64::MAX)).to_string(),
            u64::MAX.to_string()
        );
        assert_eq!(Value::from(Number::Double(f64::INFINITY)), Value::Null);
        assert_eq!(Value::from(Number::Single(f32::NAN)), Value::Null);
    }
}
