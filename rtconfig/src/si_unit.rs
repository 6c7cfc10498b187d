//! SI prefixes and exact decimal scales.

/// Powers of ten that a unit may begin with, and how they are written.
const PREFIXES: [(&str, i32); 9] = [
    ("", 0),
    ("p", -12),
    ("n", -9),
    ("u", -6),
    ("\u{b5}", -6),
    ("\u{3bc}", -6),
    ("m", -3),
    ("k", 3),
    ("M", 6),
];

/// The power of ten that `unit` is of `base`: -6 for `uV` of `V`. `None` if it is a unit of something else.
pub fn exponent(unit: &str, base: &str) -> Option<i32> {
    let prefix = unit
        .trim()
        .strip_suffix(base)
        .filter(|_| !base.is_empty())?;
    PREFIXES
        .iter()
        .find(|(written, _)| *written == prefix)
        .map(|(_, exponent)| *exponent)
}

/// Splits `uV` into (-6, `V`): the power of ten and the unit without its prefix. Only volts and amperes have prefixes
/// here; any other text is its own unit.
pub fn split(unit: &str) -> (i32, &str) {
    let unit = unit.trim();
    for base in ["V", "A"] {
        if let Some(exponent) = exponent(unit, base) {
            return (exponent, base);
        }
    }
    (0, unit)
}

/// `mantissa * 10^exponent`, rounded once: 0.195 and -6 give the number nearest to 0.000000195.
pub fn decimal(mantissa: f64, exponent: i32) -> f64 {
    // Rust prints the shortest decimal that reads back as the same number, so this is what the author wrote.
    format!("{mantissa}e{exponent}").parse().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_powers_of_ten() {
        assert_eq!(split("uV"), (-6, "V"));
        assert_eq!(split(" V "), (0, "V"));
        assert_eq!(split("nA"), (-9, "A"));
        assert_eq!(split("NoUnit"), (0, "NoUnit"));
    }

    #[test]
    fn a_unit_of_something_else_has_no_power() {
        assert_eq!(exponent("mV", "V"), Some(-3));
        assert_eq!(exponent("\u{b5}m", "m"), Some(-6));
        assert_eq!(exponent("mA", "V"), None);
        assert_eq!(exponent("xV", "V"), None);
        assert_eq!(exponent("V", ""), None);
    }

    #[test]
    fn a_decimal_scale_is_the_nearest_number_to_what_was_written() {
        assert_eq!(decimal(0.195, -6).to_bits(), 0.195e-6_f64.to_bits());
        assert_eq!(decimal(59_605.0, -12).to_bits(), 5.9605e-8_f64.to_bits());
        assert_eq!(decimal(381_469.0, -9).to_bits(), 381_469e-9_f64.to_bits());
    }
}
