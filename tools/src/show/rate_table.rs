//! Rates as a table, in the manner of `ros2 topic hz`.

use crate::look::Rates;

/// A head and one line per stream.
pub fn rate_table(all: &[Rates]) -> String {
    let width = all.iter().map(|r| r.stream.len()).max().unwrap_or(0).max(6);
    let mut out = format!(
        "{:<width$} {:>10} {:>10} {:>12} {:>12} {:>8} {:>8} {:>8} {:>6} {:>7}\n",
        "stream",
        "blocks/s",
        "expected",
        "frames/s",
        "expected",
        "p50 ms",
        "p99 ms",
        "max ms",
        "lost",
        "missed"
    );
    for r in all {
        let known = |value: Option<f64>, decimals: usize| {
            value.map_or("-".to_owned(), |v| format!("{v:.decimals$}"))
        };
        out += &format!(
            "{:<width$} {:>10.1} {:>10} {:>12.1} {:>12} {:>8} {:>8} {:>8} {:>6} {:>7}\n",
            r.stream,
            r.blocks_per_s,
            known(r.expected_blocks_per_s, 1),
            r.frames_per_s,
            known(r.expected_frames_per_s, 1),
            known(r.interval_p50_ms, 3),
            known(r.interval_p99_ms, 3),
            known(r.interval_max_ms, 3),
            r.lost_frames,
            r.missed_blocks,
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_a_dash() {
        let raw = Rates {
            stream: "raw".into(),
            window_s: 1.0,
            blocks: 1000,
            blocks_per_s: 1000.0,
            expected_blocks_per_s: Some(1000.0),
            frames_per_s: 20_000.0,
            expected_frames_per_s: Some(20_000.0),
            interval_p50_ms: Some(1.0),
            interval_p99_ms: Some(1.25),
            interval_max_ms: Some(31.5),
            lost_frames: 40,
            missed_blocks: 0,
        };
        let spikes = Rates {
            stream: "spikes-of-all".into(),
            expected_blocks_per_s: None,
            expected_frames_per_s: None,
            interval_p50_ms: None,
            interval_p99_ms: None,
            interval_max_ms: None,
            frames_per_s: 12.0,
            lost_frames: 0,
            missed_blocks: 3,
            ..raw.clone()
        };
        assert_eq!(
            rate_table(&[raw, spikes]),
            "\
stream          blocks/s   expected     frames/s     expected   p50 ms   p99 ms   max ms   lost  missed
raw               1000.0     1000.0      20000.0      20000.0    1.000    1.250   31.500     40       0
spikes-of-all     1000.0          -         12.0            -        -        -        -      0       3
"
        );
    }
}
