//! Counts beside their baseline: what has become more expensive, and by how much.

use std::collections::BTreeMap;
use std::fmt;

/// Instructions per operation, by case.
pub type Counts = BTreeMap<String, f64>;

/// A case that needs more than this beyond its baseline fails the gate; one that needs less by as much deserves a new baseline.
const THRESHOLD_PERCENT: f64 = 3.0;

/// All cases of both sides.
#[derive(Debug)]
pub struct Comparison {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    case: String,
    baseline: Option<f64>,
    now: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Within,
    Above,
    Below,
    /// Counted, but not in the baseline.
    New,
    /// In the baseline, but not counted.
    Missing,
}

impl Row {
    fn change_percent(&self) -> Option<f64> {
        let (baseline, now) = (self.baseline?, self.now?);
        Some((now - baseline) / baseline * 100.0)
    }

    fn verdict(&self) -> Verdict {
        match (self.baseline, self.now, self.change_percent()) {
            (None, _, _) => Verdict::New,
            (_, None, _) => Verdict::Missing,
            (_, _, Some(change)) if change <= -THRESHOLD_PERCENT => Verdict::Below,
            (_, _, Some(change)) if change <= THRESHOLD_PERCENT => Verdict::Within,
            _ => Verdict::Above,
        }
    }
}

impl Comparison {
    /// Puts both sides together.
    pub fn of(baseline: &Counts, now: &Counts) -> Self {
        let mut cases: Vec<&String> = baseline.keys().chain(now.keys()).collect();
        cases.sort_unstable();
        cases.dedup();
        let row = |case: &String| Row {
            case: case.clone(),
            baseline: baseline.get(case).copied(),
            now: now.get(case).copied(),
        };
        Comparison {
            rows: cases.into_iter().map(row).collect(),
        }
    }

    fn cases(&self, verdict: Verdict) -> Vec<&str> {
        let of = self.rows.iter().filter(|row| row.verdict() == verdict);
        of.map(|row| row.case.as_str()).collect()
    }

    /// What the cases ask for that are not as they were, a line each.
    pub fn advice(&self) -> Vec<String> {
        let percent = THRESHOLD_PERCENT;
        let mut advice = Vec::new();
        for (verdict, says) in [
            (
                Verdict::Above,
                format!(
                    "needs over {percent} % more than the baseline: find out why, or accept it"
                ),
            ),
            (
                Verdict::New,
                "has no baseline: accept what it counts".to_owned(),
            ),
            (
                Verdict::Missing,
                "is in the baseline and was not counted: accept that it is gone".to_owned(),
            ),
            (
                Verdict::Below,
                format!(
                    "needs over {percent} % less than the baseline: accept it, so that it stays"
                ),
            ),
        ] {
            for case in self.cases(verdict) {
                advice.push(format!("{case}: {says} (`make bench-gate ACCEPT=1`)"));
            }
        }
        advice
    }

    /// 2 if a case is above its threshold, 1 if the sides do not have the same cases, else 0.
    pub fn exit_code(&self) -> u8 {
        let any = |verdict| !self.cases(verdict).is_empty();
        if any(Verdict::Above) {
            2
        } else {
            u8::from(any(Verdict::New) || any(Verdict::Missing))
        }
    }
}

impl fmt::Display for Comparison {
    /// A table.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:32} {:>12} {:>12} {:>9}",
            "instructions per operation", "baseline", "now", "change %"
        )?;
        let number = |value: Option<f64>| value.map_or("-".to_owned(), |v| format!("{v:.1}"));
        for row in &self.rows {
            let change = row.change_percent();
            let change = change.map_or("-".to_owned(), |percent| format!("{percent:+.2}"));
            let (baseline, now) = (number(row.baseline), number(row.now));
            writeln!(f, "{:32} {baseline:>12} {now:>12} {change:>9}", row.case)?;
        }
        Ok(())
    }
}

/// How many times the instructions of another case one needs, and how many it may.
#[derive(Debug)]
pub struct Times {
    of: String,
    to: String,
    now: f64,
    most: f64,
}

impl Times {
    /// Both counted; one that was not makes this not a number, which does not hold.
    pub fn of((of, to): (&str, &str), counts: &Counts, most: f64) -> Self {
        let count = |name: &str| counts.get(name).copied().unwrap_or(f64::NAN);
        Times {
            now: count(of) / count(to),
            of: of.to_owned(),
            to: to.to_owned(),
            most,
        }
    }

    /// It needs no more than it may.
    pub fn holds(&self) -> bool {
        self.now <= self.most
    }
}

impl fmt::Display for Times {
    /// A line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Times { of, to, now, most } = self;
        let verdict = if self.holds() { "" } else { ": too many" };
        write!(f, "{of}: {now:.3} times `{to}`, at most {most}{verdict}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(cases: &[(&str, f64)]) -> Counts {
        let owned = |(case, count): &(&str, f64)| ((*case).to_owned(), *count);
        cases.iter().map(owned).collect()
    }

    fn compare(baseline: &[(&str, f64)], now: &[(&str, f64)]) -> (u8, String) {
        let comparison = Comparison::of(&counts(baseline), &counts(now));
        let text = format!("{comparison}{}", comparison.advice().join("\n"));
        (comparison.exit_code(), text)
    }

    #[test]
    fn three_percent_more_passes_and_anything_above_fails_by_name() {
        let baseline = [("a", 1000.0), ("b", 500.0)];
        let (code, text) = compare(&baseline, &[("a", 1030.0), ("b", 500.0)]);
        assert_eq!(code, 0, "{text}");
        assert!(!text.contains("ACCEPT"), "{text}");
        let (code, text) = compare(&baseline, &[("a", 1000.0), ("b", 515.1)]);
        assert_eq!(code, 2, "{text}");
        assert!(text.contains("b: needs over 3 % more"), "{text}");
        assert!(!text.contains("a: "), "{text}");
    }

    #[test]
    fn a_case_without_a_baseline_fails_by_name() {
        let (code, text) = compare(&[("a", 10.0)], &[("a", 10.0), ("b", 20.0)]);
        assert_eq!(code, 1, "{text}");
        assert!(text.contains("b: has no baseline"), "{text}");
    }

    #[test]
    fn a_case_that_is_no_longer_counted_fails_by_name() {
        let (code, text) = compare(&[("a", 10.0), ("b", 20.0)], &[("a", 10.0)]);
        assert_eq!(code, 1, "{text}");
        assert!(
            text.contains("b: is in the baseline and was not counted"),
            "{text}"
        );
    }

    #[test]
    fn a_regression_is_told_before_a_change_of_cases() {
        let (code, text) = compare(&[("a", 10.0)], &[("a", 11.0), ("b", 20.0)]);
        assert_eq!(code, 2, "{text}");
        assert!(text.contains("b: has no baseline"), "{text}");
    }

    #[test]
    fn what_has_become_cheaper_passes_with_the_advice_to_accept_it() {
        let (code, text) = compare(&[("a", 1000.0)], &[("a", 960.0)]);
        assert_eq!(code, 0, "{text}");
        assert!(text.contains("a: needs over 3 % less"), "{text}");
        let (_, text) = compare(&[("a", 1000.0)], &[("a", 980.0)]);
        assert!(!text.contains("ACCEPT"), "{text}");
    }

    #[test]
    fn a_case_may_need_so_many_times_another_and_no_more() {
        let now = counts(&[("rust", 100.0), ("c", 110.0)]);
        let times = Times::of(("c", "rust"), &now, 1.1);
        assert!(times.holds());
        assert_eq!(times.to_string(), "c: 1.100 times `rust`, at most 1.1");
        let now = counts(&[("rust", 100.0), ("c", 110.2)]);
        let times = Times::of(("c", "rust"), &now, 1.1);
        assert!(!times.holds());
        assert!(times.to_string().ends_with("too many"), "{times}");
        assert!(!Times::of(("c", "rust"), &counts(&[("c", 1.0)]), 1.1).holds());
    }

    #[test]
    fn the_table_shows_both_counts_and_the_change() {
        let (_, text) = compare(&[("turn", 1000.0)], &[("turn", 1010.0)]);
        let row = text.lines().nth(1).unwrap();
        let words: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(words, ["turn", "1000.0", "1010.0", "+1.00"]);
    }
}
