//! What a run's certificate says, where there is one beside its capture.

use ephapse_bench::report::Certificate;
use ephapse_engine::capture::Capture;

/// The verdict; `None` without a certificate, or with one that was changed. Whether the capture is the one that was certified
/// is for `ephapse verify`.
pub fn verdict(capture: &Capture) -> Option<String> {
    let certificate = Certificate::read(&Certificate::path_of(capture.path())).ok()?;
    let verdict = serde_json::to_value(certificate.verdict).ok()?;
    Some(verdict.as_str()?.to_owned())
}
