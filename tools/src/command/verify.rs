//! `verify`: is a capture what was written?

use crate::cli::VerifyArgs;
use crate::output::sayln;
use crate::recorded;
use ephapse_bench::report::Certificate;
use ephapse_bench::report::units::thousands;
use ephapse_engine::capture::Capture;
use serde_json::json;
use std::path::Path;
use std::process::ExitCode;

/// `ephapse verify`. Exits 1 if anything is damaged, or is not what the certificate beside it certifies.
pub fn verify(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let capture = recorded::open(&args.file)?;
    let found = capture.verify()?;
    let certificate = certificate(&capture);
    let fits = !matches!(certificate, Some(Err(_)));
    if args.json {
        let mut told = serde_json::to_value(&found)?;
        told["certificate"] = match &certificate {
            None => json!(null),
            Some(Ok(certificate)) => json!({ "verdict": certificate.verdict, "holds": true }),
            Some(Err(why)) => json!({ "holds": false, "why": why }),
        };
        sayln!("{}", serde_json::to_string_pretty(&told)?);
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
            None => sayln!("no certificate beside it"),
            Some(Ok(certificate)) => sayln!("certificate: holds; {}", certificate.why),
            Some(Err(why)) => sayln!("certificate: {why}"),
        }
    }
    Ok(if found.is_whole() && fits {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The certificate beside a capture, if there is one and everything that it certifies is what it was; else why not.
fn certificate(capture: &Capture) -> Option<Result<Certificate, String>> {
    let path = Certificate::path_of(capture.path());
    path.symlink_metadata().ok()?;
    let read = Certificate::read(&path).and_then(|certificate| {
        let folder = path.parent().unwrap_or(Path::new("."));
        certificate.check_files(folder).map(|()| certificate)
    });
    Some(read.map_err(|why| why.to_string()))
}
