//! `verify`: is a capture what was written?

use super::certify;
use crate::cli::VerifyArgs;
use crate::output::sayln;
use crate::recorded;
use ephapse_bench::report::units::thousands;
use serde_json::json;
use std::process::ExitCode;

/// `ephapse verify`. Exits 1 if anything is damaged, or the certificate beside it does not fit.
pub fn verify(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let capture = recorded::open(&args.file)?;
    let found = capture.verify()?;
    let certificate = certify::check(capture.path());
    if args.json {
        let mut all = serde_json::to_value(&found)?;
        all["certificate"] = match &certificate {
            None => serde_json::Value::Null,
            Some(Ok(words)) => json!({ "fits": true, "says": words }),
            Some(Err(error)) => json!({ "fits": false, "says": error.to_string() }),
        };
        sayln!("{}", serde_json::to_string_pretty(&all)?);
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
        match &certificate {
            None => {}
            Some(Ok(words)) => sayln!("{words}"),
            Some(Err(error)) => sayln!("{error}"),
        }
    }
    let certified = certificate.is_none_or(|certificate| certificate.is_ok());
    Ok(if found.is_whole() && certified {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
