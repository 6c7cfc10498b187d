//! Numbers that look random and are known.

/// Spreads the bits of a number.
pub fn mixed(number: u64) -> u64 {
    (number ^ number >> 31)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .rotate_left(27)
}
