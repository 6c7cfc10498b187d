//! Checked-in files that tests compare with what is generated.

use std::path::Path;

/// Set to 1, tests write the files they would compare.
const REGENERATE: &str = "EPHAPSE_REGENERATE";

/// Compares `made` with the file at `path` (relative to this crate), or writes it if asked to.
pub(crate) fn same_as(path: &str, made: &str) {
    let full = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os(REGENERATE).is_some_and(|v| v == "1") {
        std::fs::write(&full, made).unwrap();
        return;
    }
    let kept = std::fs::read_to_string(&full).unwrap_or_default();
    let different = kept
        .lines()
        .zip(made.lines())
        .position(|(kept, made)| kept != made)
        .unwrap_or_else(|| kept.lines().count().min(made.lines().count()));
    assert!(
        kept == made,
        "bench/{path} is not what is generated, from line {} on:\n  kept: {}\n  made: {}\n\
         if the change is meant: {REGENERATE}=1 cargo test -p ephapse-bench, then review the difference",
        different + 1,
        kept.lines().nth(different).unwrap_or("(end)"),
        made.lines().nth(different).unwrap_or("(end)"),
    );
}
