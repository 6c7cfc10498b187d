//! `verify`: is a capture what was written?

use crate::cli::VerifyArgs;
use crate::output::sayln;
use crate::recorded;
use ephapse_bench::report::units::thousands;
use std::process::ExitCode;

/// `ephapse verify`. Exits 1 if anything is damaged.
pub fn verify(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let capture = recorded::open(&args.file)?;
    let found = capture.verify()?;
    if args.json {
        sayln!("{}", serde_json::to_string_pretty(&found)?);
    } else {
        for damage in &found.damages {
            sayln!("{damage}");
        }
        let state = if found.sealed {
            "sealed"
        } else {
            "not sealed (being written, or its recorder was killed)"
        };
        let verdict = match found.damages.len() {
            0 => "every record is what was written".to_owned(),
            1 => "1 damage; `ephapse recover` makes a copy of what is whole".to_owned(),
            n => format!("{n} damages; `ephapse recover` makes a copy of what is whole"),
        };
        sayln!(
            "{}: {} records, {} bytes in {} file{}, {state}: {verdict}",
            capture.path().display(),
            thousands(found.records),
            thousands(found.bytes),
            found.files,
            if found.files == 1 { "" } else { "s" }
        );
    }
    Ok(if found.is_whole() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
