//! Names of captures: `demo-20261127T135346.cap`.

use super::file_set::path_of;
use std::path::{Path, PathBuf};

/// A path in `folder` for a capture of `session` that began at this moment (CLOCK_REALTIME, ns); one that nothing has yet.
pub fn free_path(folder: &Path, session: &str, realtime_ns: u64) -> PathBuf {
    let stem = format!("{session}-{}", utc(realtime_ns));
    let numbered = (2..).map(|number| folder.join(format!("{stem}-{number}.cap")));
    let mut paths = core::iter::once(folder.join(format!("{stem}.cap"))).chain(numbered);
    let free = paths.find(|path| !path.exists() && !path_of(path, 2).exists());
    free.unwrap_or_else(|| folder.join(format!("{stem}.cap")))
}

/// `yyyymmddThhmmss` in UTC.
fn utc(realtime_ns: u64) -> String {
    let seconds = realtime_ns / 1_000_000_000;
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Days since 1970 to a date: H. Hinnant, "chrono-compatible low-level date algorithms", civil_from_days. Years begin in
    // March, so that the leap day is the last one.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!(
        "{year:04}{month:02}{day:02}T{:02}{:02}{:02}",
        second / 3_600,
        second / 60 % 60,
        second % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_its_date_and_time() {
        // `date -u -d @N +%Y%m%dT%H%M%S`
        for (seconds, expected) in [
            (0, "19700101T000000"),
            (951_782_399, "20000228T235959"),
            (951_827_696, "20000229T123456"),
            (1_795_787_626, "20261127T135346"),
            (4_107_542_400, "21000301T000000"),
        ] {
            assert_eq!(utc(seconds * 1_000_000_000), expected);
        }
    }

    #[test]
    fn a_name_that_is_taken_is_not_taken_again() {
        let folder = tempfile::tempdir().unwrap();
        let first = free_path(folder.path(), "run", 0);
        assert!(first.ends_with("run-19700101T000000.cap"));
        std::fs::write(&first, b"").unwrap();
        let second = free_path(folder.path(), "run", 0);
        assert!(second.ends_with("run-19700101T000000-2.cap"));
    }
}
