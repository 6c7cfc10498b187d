//! How far a long command has come: a bar on a terminal, nothing in a pipe.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

const DRAW_EVERY: Duration = Duration::from_millis(100);
const CELLS: usize = 40;

/// A bar on stderr.
pub struct Progress {
    what: String,
    total: u64,
    shown: bool,
    drawn: Option<Instant>,
}

impl Progress {
    /// Of `total` units; `what` stands before it.
    pub fn new(what: String, total: u64) -> Self {
        Progress {
            what,
            total,
            shown: std::io::stderr().is_terminal(),
            drawn: None,
        }
    }

    /// So many units are done.
    pub fn at(&mut self, done: u64) {
        if !self.shown || self.drawn.is_some_and(|at| at.elapsed() < DRAW_EVERY) {
            return;
        }
        self.drawn = Some(Instant::now());
        // A terminal that is gone has nobody to look at it.
        let _ = write!(
            std::io::stderr(),
            "\r{}\x1b[K",
            line(&self.what, done, self.total)
        );
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.drawn.is_some() {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

fn line(what: &str, done: u64, total: u64) -> String {
    let done = done.min(total);
    let part = if total == 0 {
        1.0
    } else {
        done as f64 / total as f64
    };
    let full = (part * CELLS as f64) as usize;
    format!(
        "{what} [{}{}] {:>3} %",
        "#".repeat(full),
        ".".repeat(CELLS - full),
        (part * 100.0) as u32
    )
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn the_bar_is_empty_at_first_and_full_at_the_end() {
        assert!(line("x", 0, 10).starts_with("x [....") && line("x", 0, 10).ends_with("]   0 %"));
        assert!(line("x", 5, 10).contains(&format!(
            "[{}{}]  50 %",
            "#".repeat(20),
            ".".repeat(20)
        )));
        for (done, total) in [(10, 10), (11, 10), (0, 0)] {
            assert!(line("x", done, total).ends_with("#] 100 %"));
        }
    }
}
