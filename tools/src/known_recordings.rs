//! Public recordings whose files do not say what they hold, known by name and exact size.
//!
//! Only the description stands here, never the data. A sidecar beside the file, or `--format`, comes first.

use std::path::Path;

struct Known {
    name: &'static str,
    bytes: u64,
    format: &'static str,
}

/// Channels, rates and scales as published with the recordings.
const KNOWN: [Known; 4] = [
    // FinalSpark Neuroplatform, human forebrain organoid, Intan RHS counts of 0.195 uV (CC BY-SA 4.0).
    Known {
        name: "finalspark_exp_240213_151732_dev.i16",
        bytes: 10_304_000,
        format: "i16le,32ch,30000Hz,0.195uV",
    },
    // Locust antennal lobe, tetrode, ADC counts (Pouzat and Laurent, zenodo.org/record/21589).
    Known {
        name: "locust_trial_01.raw",
        bytes: 3_452_384,
        format: "i16le,4ch,15000Hz",
    },
    // Purkinje cell, loose cell-attached (zenodo.org/record/15228).
    Known {
        name: "purkinje_cell_attached.f32.raw",
        bytes: 3_402_000,
        format: "f32le,1ch,15000Hz",
    },
    // Rat cortex excerpt of phy's test data.
    Known {
        name: "phy_test-4ch-1s.dat",
        bytes: 160_000,
        format: "i16le,4ch,20000Hz",
    },
];

/// Format of a known file.
pub fn format_of(path: &Path) -> Option<&'static str> {
    let name = path.file_name()?.to_str()?;
    let bytes = std::fs::metadata(path).ok()?.len();
    KNOWN
        .iter()
        .find(|k| k.name == name && k.bytes == bytes)
        .map(|k| k.format)
}
