//! What a run's certificate says, where there is one beside its capture.

use ephapse_engine::capture::Capture;

/// The verdict; `None` without a certificate. Whether the certificate is genuine is not looked at here.
pub fn verdict(capture: &Capture) -> Option<String> {
    let path = capture.path().with_extension("certificate.json");
    let certificate: serde_json::Value = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    Some(certificate.get("verdict")?.as_str()?.to_owned())
}
