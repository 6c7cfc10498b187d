//! The tie table of the report: one instant on several clocks, a row a second at first. The capture has every row.

use crate::outcome::Tie;

/// Rows kept; when there are more, every other one goes and they stand twice as far apart, so that memory stays bounded.
const MOST: usize = 256;
const SECOND_NS: u64 = 1_000_000_000;

/// Rows so far.
pub(super) struct Ties {
    rows: Vec<Tie>,
    apart_ns: u64,
}

impl Ties {
    pub fn new() -> Self {
        Ties {
            rows: Vec::with_capacity(MOST + 1),
            apart_ns: SECOND_NS,
        }
    }

    /// Is another row due?
    pub fn is_due(&self, now_ns: u64) -> bool {
        self.rows
            .last()
            .is_none_or(|last| now_ns >= last.monotonic_ns + self.apart_ns)
    }

    pub fn push(&mut self, row: Tie) {
        self.rows.push(row);
        if self.rows.len() > MOST {
            let mut index = 0;
            self.rows.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.apart_ns *= 2;
        }
    }

    /// All that were kept, in order of their time.
    pub fn into_rows(self) -> Vec<Tie> {
        self.rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_keeps_few_rows_evenly_apart_and_the_first() {
        let mut ties = Ties::new();
        for second in 0..100_000 {
            if ties.is_due(second * SECOND_NS) {
                ties.push(Tie {
                    monotonic_ns: second * SECOND_NS,
                    raw_ns: 0,
                    realtime_ns: 0,
                    frames: Vec::new(),
                });
            }
        }
        let rows: Vec<u64> = ties.into_rows().iter().map(|t| t.monotonic_ns).collect();
        assert!((MOST / 2..=MOST).contains(&rows.len()), "{}", rows.len());
        assert_eq!(rows[0], 0);
        let apart = rows[1] - rows[0];
        assert!(rows.windows(2).all(|pair| pair[1] - pair[0] == apart));
    }
}
