//! One case under `valgrind --tool=callgrind`.

use crate::measured::PATTERN;
use anyhow::{Context, bail};
use std::io::ErrorKind;
use std::process::Command;

/// How this program is told to run one case.
pub const CASE: &str = "--case";

/// glibc chooses its string functions by the CPU's features: these are taken from it, so that all machines run the same.
const NO_CPU_FEATURES: &str =
    "glibc.cpu.hwcaps=-AVX512VL,-AVX512BW,-AVX2,-AVX2_Usable,-AVX_Fast_Unaligned_Load,-ERMS,-FSRM";

/// Instructions that a case's measured part needs.
///
/// # Errors
/// valgrind is not there, failed, or has counted nothing.
pub fn count(case: &str) -> anyhow::Result<u64> {
    let folder = tempfile::tempdir().context("no folder for callgrind's output")?;
    let file = folder.path().join("counts");
    let mut command = Command::new("valgrind");
    command
        .args(["--quiet", "--tool=callgrind"])
        .arg(format!("--toggle-collect={PATTERN}"))
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(std::env::current_exe()?)
        .args([CASE, case])
        .env("GLIBC_TUNABLES", NO_CPU_FEATURES);
    let output = command.output().map_err(|error| match error.kind() {
        ErrorKind::NotFound => anyhow::anyhow!(
            "valgrind is not installed: run `make bench-gate`, which installs it, or install the package valgrind"
        ),
        _ => anyhow::anyhow!("valgrind cannot be started: {error}"),
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.trim().lines().last().unwrap_or("it said nothing");
        bail!(
            "case `{case}`: valgrind ended with {}: {said}; run `{command:?}` to see more",
            output.status
        );
    }
    let text = std::fs::read_to_string(&file).context("callgrind's output cannot be read")?;
    match total(&text) {
        Some(instructions) if instructions > 0 => Ok(instructions),
        _ => bail!(
            "case `{case}`: callgrind counted nothing in `{PATTERN}`: this program must keep its symbols (strip = false)"
        ),
    }
}

/// The sum over everything counted, from callgrind's output.
fn total(text: &str) -> Option<u64> {
    let mut lines = text.lines();
    let told = lines.find_map(|line| line.strip_prefix("totals: "))?;
    told.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::total;

    #[test]
    fn the_total_is_read_from_callgrind_s_output() {
        let text = "version: 1\nevents: Ir\nsummary: 12\n\nfn=(1) a\n3 12\n\ntotals: 12\n";
        assert_eq!(total(text), Some(12));
        assert_eq!(total("events: Ir\n"), None);
    }
}
