//! What a program has left when it ended: exit code, words, and nothing else if it went well.

use serde_json::Value;
use std::path::Path;

/// A program that has ended.
pub struct Finished {
    /// Exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Finished {
    /// Fails the test, with all the program has said, unless it ended with this code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "exit code\nstdout:\n{}\nstderr:\n{}",
            self.stdout,
            self.stderr
        );
        self
    }

    /// The one line that a refused command writes.
    #[track_caller]
    pub fn only_line(&self) -> &str {
        let lines: Vec<&str> = self.stderr.lines().collect();
        assert_eq!(lines.len(), 1, "one line was expected:\n{}", self.stderr);
        assert!(lines[0].starts_with("ephapse: "), "{}", lines[0]);
        lines[0]
    }
}

/// A report as `report.json` holds it.
pub struct Report(pub Value);

impl Report {
    #[track_caller]
    pub fn read(folder: &Path) -> Self {
        let path = folder.join("report.json");
        let text = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Report(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")))
    }

    /// A list of the report.
    #[track_caller]
    pub fn list(&self, key: &str) -> &[Value] {
        self.0[key]
            .as_array()
            .unwrap_or_else(|| panic!("no list `{key}` in {}", self.0))
    }

    /// Fails the test unless there are accounts of every kind and all of them hold.
    #[track_caller]
    pub fn expect_accounts(&self, kinds: &[&str]) {
        for kind in kinds {
            let accounts = self.list(kind);
            assert!(!accounts.is_empty(), "no account of {kind}");
            for account in accounts {
                assert_eq!(account["holds"], true, "{kind}: {account}");
            }
        }
    }
}
