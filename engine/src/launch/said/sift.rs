//! What is kept of what a process says: equal lines in a row once, and no more than so many lines per second.

use super::lines::{LONGEST, RawLine};

/// Lines that a process may say at once.
pub(super) const BURST: f64 = 1000.0;
/// Lines per second that it may go on with.
pub(super) const PER_SECOND: f64 = 100.0;

/// How much a process may still say.
#[derive(Debug)]
pub(super) struct Allowance {
    lines: f64,
    at_ns: u64,
}

impl Allowance {
    /// A whole burst, from now on.
    pub fn new(now_ns: u64) -> Self {
        Allowance {
            lines: BURST,
            at_ns: now_ns,
        }
    }

    /// True if one more line may be kept.
    fn take(&mut self, now_ns: u64) -> bool {
        let passed_s = now_ns.saturating_sub(self.at_ns) as f64 / 1e9;
        self.at_ns = now_ns.max(self.at_ns);
        self.lines = (self.lines + passed_s * PER_SECOND).min(BURST);
        if self.lines < 1.0 {
            return false;
        }
        self.lines -= 1.0;
        true
    }
}

/// What becomes of lines.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sifted<'a> {
    /// Kept.
    Line(RawLine<'a>),
    /// The last that was kept came so many times more.
    Repeated(&'a [u8], u64),
    /// So many were not kept.
    NotKept(u64),
}

/// One stream of one process.
#[derive(Debug, Default)]
pub(super) struct Sieve {
    /// The last line, if it was kept and is whole.
    last: Option<Vec<u8>>,
    repeated: u64,
    not_kept: u64,
    /// The newest line, if it was not kept: should the process die now, it is what one wants to know.
    newest: Option<Vec<u8>>,
    newest_cut: u64,
    newest_unfinished: bool,
}

impl Sieve {
    /// Sifts a line. `room`: there is room for one more.
    pub fn take(
        &mut self,
        line: RawLine<'_>,
        room: bool,
        allowance: &mut Allowance,
        now_ns: u64,
        keep: &mut impl FnMut(Sifted<'_>),
    ) {
        let whole = line.cut == 0 && !line.unfinished;
        if whole && self.last.as_deref() == Some(line.bytes) {
            self.repeated += 1;
            return;
        }
        if room && allowance.take(now_ns) {
            self.tell(keep);
            self.newest = None;
            keep(Sifted::Line(line));
            let mut last = self.last.take().unwrap_or_default();
            last.clear();
            last.extend_from_slice(line.bytes);
            self.last = whole.then_some(last);
            return;
        }
        if self.repeated > 0 {
            // In its place, before what is not kept.
            self.tell_repeated(keep);
        }
        self.last = None;
        self.not_kept += 1;
        let newest = self
            .newest
            .get_or_insert_with(|| Vec::with_capacity(LONGEST));
        newest.clear();
        newest.extend_from_slice(line.bytes);
        (self.newest_cut, self.newest_unfinished) = (line.cut, line.unfinished);
    }

    /// Tells what was counted and not told yet.
    pub fn tell(&mut self, keep: &mut impl FnMut(Sifted<'_>)) {
        self.tell_repeated(keep);
        self.newest = None;
        if self.not_kept > 0 {
            keep(Sifted::NotKept(core::mem::take(&mut self.not_kept)));
        }
    }

    /// The same while the process lives: its newest line may still turn out to be its last.
    pub fn tell_so_far(&mut self, keep: &mut impl FnMut(Sifted<'_>)) {
        self.tell_repeated(keep);
        let held = u64::from(self.newest.is_some());
        if self.not_kept > held {
            keep(Sifted::NotKept(self.not_kept - held));
            self.not_kept = held;
        }
    }

    /// The process is gone: its last line is kept, whatever came before it.
    pub fn end(&mut self, keep: &mut impl FnMut(Sifted<'_>)) {
        if let Some(newest) = self.newest.take() {
            self.not_kept -= 1;
            self.tell(keep);
            keep(Sifted::Line(RawLine {
                bytes: &newest,
                cut: self.newest_cut,
                unfinished: self.newest_unfinished,
            }));
        }
    }

    /// Lines that were counted and never told.
    pub fn untold(&self) -> u64 {
        self.repeated + self.not_kept
    }

    /// What could not be kept after all counts as not kept.
    pub fn lose(&mut self, lines: u64) {
        self.not_kept += lines;
        self.last = None;
        self.newest = None;
    }

    fn tell_repeated(&mut self, keep: &mut impl FnMut(Sifted<'_>)) {
        if self.repeated > 0 {
            let last = self.last.as_deref().unwrap_or_default();
            keep(Sifted::Repeated(last, core::mem::take(&mut self.repeated)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What is left of lines that come at these times, and the number each entry stands for.
    fn sifted(lines: &[(&str, u64)], room: impl Fn(usize) -> bool) -> Vec<(String, u64)> {
        told(lines, room, usize::MAX)
    }

    /// The same, told of what was counted after every so many lines.
    fn told(
        lines: &[(&str, u64)],
        room: impl Fn(usize) -> bool,
        every: usize,
    ) -> Vec<(String, u64)> {
        let (mut sieve, mut allowance) = (Sieve::default(), Allowance::new(0));
        let mut kept = Vec::new();
        let mut keep = |s: Sifted<'_>| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            kept.push(match s {
                Sifted::Line(line) => (text(line.bytes), 1),
                Sifted::Repeated(bytes, count) => (format!("again {}", text(bytes)), count),
                Sifted::NotKept(count) => ("not kept".to_owned(), count),
            });
        };
        for (i, (text, at_ns)) in lines.iter().enumerate() {
            let line = RawLine {
                bytes: text.as_bytes(),
                cut: 0,
                unfinished: false,
            };
            sieve.take(line, room(i), &mut allowance, *at_ns, &mut keep);
            if (i + 1).is_multiple_of(every) {
                sieve.tell_so_far(&mut keep);
            }
        }
        sieve.end(&mut keep);
        sieve.tell(&mut keep);
        kept
    }

    fn entry(text: &str, count: u64) -> (String, u64) {
        (text.to_owned(), count)
    }

    #[test]
    fn equal_lines_in_a_row_are_said_once_and_counted() {
        let lines = ["a", "a", "a", "b", "a"].map(|text| (text, 0));
        assert_eq!(
            sifted(&lines, |_| true),
            [
                entry("a", 1),
                entry("again a", 2),
                entry("b", 1),
                entry("a", 1)
            ]
        );
    }

    #[test]
    fn who_talks_without_end_is_heard_at_first_then_so_often_per_second_and_counted() {
        let texts: Vec<String> = (0..10_000).map(|i| format!("line {i}")).collect();
        let lines: Vec<(&str, u64)> = texts.iter().map(|t| (t.as_str(), 0)).collect();
        let kept = sifted(&lines, |_| true);
        let burst = BURST as usize;
        assert_eq!(kept.len(), burst + 2, "the burst, the count, and the last");
        assert_eq!(kept[burst], entry("not kept", 10_000 - BURST as u64 - 1));
        assert_eq!(kept[burst + 1], entry("line 9999", 1));
        let slowly: Vec<(&str, u64)> = texts
            .iter()
            .enumerate()
            .map(|(i, t)| (t.as_str(), i as u64 * 10_000_000))
            .collect();
        assert_eq!(sifted(&slowly, |_| true).len(), 10_000);
    }

    #[test]
    fn a_full_file_takes_no_more_and_the_last_line_is_still_known() {
        let lines = ["a", "b", "c", "d"].map(|text| (text, 0));
        assert_eq!(
            sifted(&lines, |i| i < 1),
            [entry("a", 1), entry("not kept", 2), entry("d", 1)]
        );
    }

    proptest! {
        /// Whatever comes, however quickly, with room or without: every line is in exactly one count.
        #[test]
        fn every_line_is_kept_or_counted_once(
            lines in prop::collection::vec((0..3_u8, 0..40_000_000_u64, any::<bool>()), 0..3000),
            every in 1..50_usize
        ) {
            let texts = ["a", "b", "c"];
            let mut at_ns = 0;
            let timed: Vec<(&str, u64)> = lines
                .iter()
                .map(|(text, after_ns, _)| {
                    at_ns += after_ns / 10_000;
                    (texts[usize::from(*text)], at_ns)
                })
                .collect();
            let kept = told(&timed, |i| lines[i].2, every);
            prop_assert_eq!(kept.iter().map(|k| k.1).sum::<u64>(), lines.len() as u64);
        }
    }
}
