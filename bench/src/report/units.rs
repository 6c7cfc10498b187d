//! Numbers for people: thousands separators, latencies with a unit and three digits.

/// `12,345`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `850 ns`, `1.20 ms`, `12.3 s`, `3,600 s`: three digits, the unit that fits.
pub fn duration(ns: u64) -> String {
    let units = [("us", 1e3), ("ms", 1e6), ("s", 1e9)];
    if ns < 1_000 {
        return format!("{ns} ns");
    }
    let (unit, size) = units
        .into_iter()
        .find(|(_, size)| ns as f64 / size < 999.5)
        .unwrap_or(units[2]);
    format!("{} {unit}", three_digits(ns as f64 / size))
}

/// A latency in microseconds for a table cell: `0.25`, `12.3`, `1,234`; a dash if there is none.
pub(super) fn microseconds(ns: Option<u64>) -> String {
    ns.map_or_else(|| "-".to_owned(), |ns| three_digits(ns as f64 / 1e3))
}

/// Like [`microseconds`], but from ten seconds on in seconds, so that it fits 9 columns.
pub(super) fn microseconds_cell(ns: Option<u64>) -> String {
    match ns {
        Some(ns) if ns >= 10_000_000_000 => duration(ns),
        other => microseconds(other),
    }
}

/// An RFC 3339 instant to the second: `2026-11-20 20:31:40 UTC`.
pub(crate) fn to_the_second(rfc3339: &str) -> String {
    let whole = rfc3339.split('.').next().unwrap_or(rfc3339);
    format!("{} UTC", whole.trim_end_matches('Z').replace('T', " "))
}

/// A count for a table cell: with separators, or without them if it does not fit `width` columns otherwise.
pub(super) fn count_cell(count: u64, width: usize) -> String {
    let separated = thousands(count);
    if separated.len() <= width {
        separated
    } else {
        count.to_string()
    }
}

/// KiB, rounded up.
pub(super) fn kib(bytes: u64) -> u64 {
    bytes.div_ceil(1024)
}

fn three_digits(value: f64) -> String {
    if value < 9.995 {
        format!("{value:.2}")
    } else if value < 99.95 {
        format!("{value:.1}")
    } else {
        thousands(value.round() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_separated() {
        let shown = [0, 999, 1_000, 12_345, 1_234_567].map(thousands);
        assert_eq!(shown, ["0", "999", "1,000", "12,345", "1,234,567"]);
        assert_eq!(thousands(u64::MAX), "18,446,744,073,709,551,615");
    }

    #[test]
    fn durations_keep_three_digits_and_round_into_the_next_unit() {
        let shown = [
            0,
            999,
            1_000,
            999_400,
            999_600,
            12_340_000,
            3_600_000_000_000,
        ]
        .map(duration);
        let wanted = [
            "0 ns", "999 ns", "1.00 us", "999 us", "1.00 ms", "12.3 ms", "3,600 s",
        ];
        assert_eq!(shown, wanted);
    }

    #[test]
    fn a_missing_latency_is_a_dash_and_long_ones_fit_their_column() {
        assert_eq!(microseconds_cell(None), "-");
        assert_eq!(microseconds_cell(Some(123)), "0.12");
        let long = [u64::from(u32::MAX) * 2, 30_000_000_000, 9_999_999_999];
        assert!(
            long.into_iter()
                .all(|ns| microseconds_cell(Some(ns)).len() <= 10)
        );
    }
}
