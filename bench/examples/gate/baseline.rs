//! What the hot paths needed when somebody last accepted it.

use crate::compare::Counts;
use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use std::process::Command;

/// The file.
pub const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/gate/baseline.json");

/// Its content.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// What `rustc --version` said.
    pub compiler: String,
    /// Cargo's profile.
    pub profile: String,
    /// Whose instructions they are.
    pub architecture: String,
    /// Instructions per operation, by case.
    pub cases: Counts,
}

impl Baseline {
    /// As stored.
    ///
    /// # Errors
    /// It is not there, or is not one.
    pub fn load() -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(PATH).with_context(|| {
            format!("{PATH}: no baseline: `make bench-gate ACCEPT=1` stores one")
        })?;
        serde_json::from_str(&text).with_context(|| {
            format!("{PATH}: not a baseline: `make bench-gate ACCEPT=1` stores a new one")
        })
    }

    /// Of this program, with nothing counted yet.
    ///
    /// # Errors
    /// No compiler says its version.
    pub fn here() -> anyhow::Result<Self> {
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let told = Command::new(rustc)
            .arg("--version")
            .output()
            .context("rustc does not say its version: it must be on the PATH, or named by RUSTC")?;
        // Examples lie in `target/PROFILE/examples`.
        let program = std::env::current_exe()?;
        let profile = program.ancestors().nth(2).and_then(|path| path.file_name());
        Ok(Baseline {
            compiler: String::from_utf8_lossy(&told.stdout).trim().to_owned(),
            profile: profile.map_or_else(String::new, |p| p.to_string_lossy().into_owned()),
            architecture: std::env::consts::ARCH.to_owned(),
            cases: Counts::new(),
        })
    }

    /// Counts of another profile or architecture say nothing about those of `here`.
    ///
    /// # Errors
    /// Says which of the two it is.
    pub fn expect_comparable(&self, here: &Baseline) -> anyhow::Result<()> {
        ensure!(
            self.profile == here.profile,
            "built with profile `{}`, but the baseline is of `{}`: run `make bench-gate`",
            here.profile,
            self.profile
        );
        ensure!(
            self.architecture == here.architecture,
            "these are instructions of {}, but the baseline's are of {}: store one of this machine's with `make bench-gate ACCEPT=1`",
            here.architecture,
            self.architecture
        );
        Ok(())
    }

    /// Stores it.
    ///
    /// # Errors
    /// What the system said.
    pub fn store(&self) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        std::fs::write(PATH, text).with_context(|| format!("{PATH}: cannot be written"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn baseline(profile: &str, architecture: &str) -> Baseline {
        Baseline {
            compiler: "rustc 1.95.0".to_owned(),
            profile: profile.to_owned(),
            architecture: architecture.to_owned(),
            cases: Counts::new(),
        }
    }

    #[test]
    fn counts_of_another_profile_or_architecture_are_not_compared() {
        let stored = baseline("demo", "x86_64");
        assert!(stored.expect_comparable(&stored).is_ok());
        let other = stored.expect_comparable(&baseline("release", "x86_64"));
        assert!(other.unwrap_err().to_string().contains("profile `release`"));
        let other = stored.expect_comparable(&baseline("demo", "aarch64"));
        assert!(other.unwrap_err().to_string().contains("aarch64"));
    }

    #[test]
    fn the_stored_baseline_names_the_compiler_and_every_case() {
        let stored = Baseline::load().unwrap();
        assert!(stored.compiler.starts_with("rustc "), "{stored:?}");
        assert_eq!(stored.profile, "demo");
        for case in &crate::cases::CASES {
            assert!(stored.cases.contains_key(case.name), "{}", case.name);
        }
    }
}
