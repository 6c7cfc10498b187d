//! Attributes and texts as the vendor's library expects them.

use hdf5::Location;
use hdf5::types::{FixedAscii, VarLenAscii};

/// Longest text of an attribute; what is longer is cut.
const LONGEST: usize = 256;

/// ASCII without zeros: what else there is becomes `?`.
fn ascii(text: &str, longest: usize) -> String {
    let plain = text.chars().map(|c| match c {
        '\u{b5}' | '\u{3bc}' => 'u',
        c if c.is_ascii() && c != '\0' => c,
        _ => '?',
    });
    plain.take(longest).collect()
}

/// Fixed-length text: other types come to Python as what has no `decode`.
pub(super) fn text(place: &Location, name: &str, value: &str) -> hdf5::Result<()> {
    let value =
        FixedAscii::<LONGEST>::from_ascii(&ascii(value, LONGEST)).map_err(|e| e.to_string())?;
    place
        .new_attr::<FixedAscii<LONGEST>>()
        .create(name)?
        .write_scalar(&value)
}

pub(super) fn number(place: &Location, name: &str, value: i32) -> hdf5::Result<()> {
    place.new_attr::<i32>().create(name)?.write_scalar(&value)
}

pub(super) fn long(place: &Location, name: &str, value: i64) -> hdf5::Result<()> {
    place.new_attr::<i64>().create(name)?.write_scalar(&value)
}

/// Variable-length text, as the vendor's tables have it.
pub(super) fn variable(text: &str) -> VarLenAscii {
    VarLenAscii::from_ascii(&ascii(text, LONGEST)).unwrap_or_default()
}
