//! The loop certificate: what a run achieved in a few lines, bound to its capture by the capture's hashes.

use super::contract::{BudgetReport, Figures, Report, RtReport, StallReport};
use ephapse_engine::capture::{sha256, sha256_of};
use ephapse_engine::outcome::Verdict;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Value of [`Certificate::format`].
pub const CERTIFICATE_FORMAT: &str = "ephapse-certificate 1";

/// A run, certified. Times in ns.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Certificate {
    /// `ephapse-certificate 1`.
    pub format: String,
    /// Version of the program that ran it.
    pub ephapse: String,
    /// Name of the session.
    pub session: String,
    /// Wall-clock start, RFC 3339, UTC.
    pub started: String,
    /// From the common start to the end of draining.
    pub duration_ns: u64,
    /// The `[experiment]` table.
    pub experiment: BTreeMap<String, String>,
    /// Files of the capture.
    pub capture: Vec<CertifiedFile>,
    /// SHA-256 of the resolved graph.
    pub graph_sha256: String,
    /// Did everything that should run in real time do so?
    pub rt: RtReport,
    /// Length of a tick; null in an unpaced run.
    pub period_ns: Option<u64>,
    /// Loop latency, corrected for coordinated omission; null without a stimulate stage.
    #[serde(rename = "loop")]
    pub loop_latency: Option<Figures>,
    /// The same, of the turns that took place alone.
    pub loop_uncorrected: Option<Figures>,
    /// Ticks skipped by all stages, by cause.
    pub skipped: Skipped,
    /// What was lost on the way, and what is missing in the capture.
    pub lost: Lost,
    /// Budgets that were broken.
    pub broken_budgets: Vec<BudgetReport>,
    /// Stalls that a witness saw, none of the session's doing: how many, and the longest.
    pub stalls: Stalls,
    /// Whether the capture, replayed, gives the same decisions.
    pub replay: ReplayReport,
    /// `failed` before `threshold` before `passed`.
    pub verdict: Verdict,
    /// The verdict in one sentence.
    pub why: String,
    /// SHA-256 of this certificate as compact JSON with an empty `seal`.
    pub seal: String,
}

/// A file, and how to tell that it is the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertifiedFile {
    /// Its name; it lies beside the certificate.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// What `sha256sum` prints.
    pub sha256: String,
}

/// Ticks that were skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// The stage was waiting, and was not woken in time.
    pub late_wake: u64,
    /// The activation before took too long.
    pub long_run: u64,
    /// A reader had left no room.
    pub no_room: u64,
    /// The process was dead.
    pub dead: u64,
}

/// What was lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// Frames that the sources lost.
    pub source_frames: u64,
    /// Blocks that found no room in their ring.
    pub dropped_blocks: u64,
    /// Blocks that are not in the capture.
    pub unrecorded_blocks: u64,
}

/// Stalls of the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stalls {
    /// How many.
    pub count: u64,
    /// The longest.
    pub longest_ns: u64,
}

/// What came of replaying a capture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReplayReport {
    /// True, false; null: it was not tried, or cannot be told.
    pub identical: Option<bool>,
    /// Decisions that were compared.
    pub decisions: u64,
    /// In words: `identical (10,000 decisions)`, the first difference, or why it cannot be told.
    pub says: String,
}

/// Why a certificate or what it certifies is not what it was.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// File.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is no certificate.
    #[error("{}: is not a certificate of `{CERTIFICATE_FORMAT}` ({why})", path.display())]
    Not {
        /// File.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// It was changed.
    #[error("{}: was changed after it was sealed", path.display())]
    Changed {
        /// File.
        path: PathBuf,
    },
    /// A file of the capture is another.
    #[error("{}: is not the file that was certified: it has {found}, the certificate says {certified}", path.display())]
    Other {
        /// File.
        path: PathBuf,
        /// What it has.
        found: String,
        /// What it should have.
        certified: String,
    },
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> CertificateError {
    let path = path.to_owned();
    |source| CertificateError::Io { path, source }
}

impl CertifiedFile {
    fn of(path: &Path) -> Result<Self, CertificateError> {
        let (bytes, sha256) = sha256_of(path).map_err(unreadable(path))?;
        Ok(CertifiedFile {
            name: path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            bytes,
            sha256,
        })
    }
}

impl Certificate {
    /// Certifies a run whose capture is in these files, all in one folder. `unrecorded_blocks`: how many are missing there.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn new(
        report: &Report,
        capture: &[PathBuf],
        unrecorded_blocks: u64,
        replay: ReplayReport,
    ) -> Result<Self, CertificateError> {
        let files: Result<_, _> = capture.iter().map(|path| CertifiedFile::of(path)).collect();
        let ticks = |term: fn(&super::TickReport) -> u64| report.ticks.iter().map(term).sum();
        let hop = report.loop_latency.as_ref().map(|l| &l.hop);
        let mut certificate = Certificate {
            format: CERTIFICATE_FORMAT.to_owned(),
            ephapse: env!("CARGO_PKG_VERSION").to_owned(),
            session: report.session.clone(),
            started: report.started.clone(),
            duration_ns: report.duration_ns,
            experiment: report.experiment.clone(),
            capture: files?,
            graph_sha256: sha256(report.graph.as_bytes()),
            rt: report.rt.clone(),
            period_ns: report.timer.as_ref().map(|t| t.period_ns),
            loop_latency: hop.map(|h| h.figures.clone()),
            loop_uncorrected: hop.map(|h| h.uncorrected.clone()),
            skipped: Skipped {
                late_wake: ticks(|t| t.late_wake),
                long_run: ticks(|t| t.long_run),
                no_room: ticks(|t| t.no_room),
                dead: ticks(|t| t.dead),
            },
            lost: Lost {
                source_frames: report.sources.iter().map(|s| s.lost).sum(),
                dropped_blocks: report.rings.iter().map(|r| r.dropped).sum(),
                unrecorded_blocks,
            },
            broken_budgets: report.budgets.clone(),
            stalls: stalls(&report.stalls),
            replay,
            verdict: report.verdict,
            why: report.why.clone(),
            seal: String::new(),
        };
        certificate.seal = certificate.checksum();
        Ok(certificate)
    }

    fn checksum(&self) -> String {
        let open = Certificate {
            seal: String::new(),
            ..self.clone()
        };
        // Numbers, texts and lists of them: always JSON.
        sha256(&serde_json::to_vec(&open).unwrap_or_default())
    }

    /// Where the certificate of a capture is: beside its first file.
    pub fn path_of(capture: &Path) -> PathBuf {
        capture.with_extension("certificate.json")
    }

    /// Writes it beside the capture's first file. Returns its path.
    ///
    /// # Errors
    /// What the system said.
    pub fn write(&self, capture: &Path) -> Result<PathBuf, CertificateError> {
        let path = Self::path_of(capture);
        let text = serde_json::to_string_pretty(self)
            .map_err(io::Error::other)
            .map_err(unreadable(&path))?;
        // Whole, or not there.
        let new = path.with_extension("json.new");
        let written = std::fs::write(&new, text + "\n").and_then(|()| std::fs::rename(&new, &path));
        written.map_err(|e| {
            let _ = std::fs::remove_file(&new);
            unreadable(&path)(e)
        })?;
        Ok(path)
    }

    /// Reads one, and sees that it was not changed.
    ///
    /// # Errors
    /// It cannot be read, is none, or was changed.
    pub fn read(path: &Path) -> Result<Self, CertificateError> {
        let text = std::fs::read(path).map_err(unreadable(path))?;
        let read: Result<Certificate, _> = serde_json::from_slice(&text);
        let not = |why: String| CertificateError::Not {
            path: path.to_owned(),
            why,
        };
        let certificate = read.map_err(|e| not(e.to_string()))?;
        if certificate.format != CERTIFICATE_FORMAT {
            return Err(not(format!("it says `{}`", certificate.format)));
        }
        if certificate.seal != certificate.checksum() {
            return Err(CertificateError::Changed {
                path: path.to_owned(),
            });
        }
        Ok(certificate)
    }

    /// Compares the files it certifies, beside it in `folder`, with what it says of them.
    ///
    /// # Errors
    /// The first that cannot be read or is another.
    pub fn check_files(&self, folder: &Path) -> Result<(), CertificateError> {
        for certified in &self.capture {
            let path = folder.join(&certified.name);
            let found = CertifiedFile::of(&path)?;
            if found != *certified {
                let what =
                    |file: &CertifiedFile| format!("{} bytes, SHA-256 {}", file.bytes, file.sha256);
                return Err(CertificateError::Other {
                    path,
                    found: what(&found),
                    certified: what(certified),
                });
            }
        }
        Ok(())
    }
}

fn stalls(stalls: &[StallReport]) -> Stalls {
    Stalls {
        count: stalls.len() as u64,
        longest_ns: stalls.iter().map(|s| s.length_ns).max().unwrap_or(0),
    }
}
