//! The two ends of an Ephapse loop that touch hardware, and their twins.
//!
//! Sources stand in [`acquire`], what acts on a culture in [`stimulate`]. A stage that needs a file is two: the FIFO side
//! and a helper of normal priority behind a ring of its own; both are listed here, each for the executable that runs it.
#![warn(missing_docs)]

pub mod acquire;
pub mod clock_fit;
#[cfg(feature = "hdf5")]
pub mod demo_recording;
#[cfg(feature = "hdf5")]
pub mod export;
pub mod stimulate;
pub mod twin;

use acquire::binary::{BinaryReader, BinarySource};
use acquire::capture::{CaptureReader, CaptureSource};
use acquire::crepe_h5::{CrepeH5Reader, CrepeH5Source};
use acquire::cyton::{CytonReader, CytonSource};
use acquire::mcs_h5::{McsH5Reader, McsH5Source};
use acquire::synthetic::Synthetic;
use ephapse_engine::stage::{Describable, Runnable};
use stimulate::{Log, LogSwitch, LogWriter, Null};

/// What the lean executable runs: FIFO sides, and guards. None of them needs HDF5, and no FIFO side opens a file.
pub fn lean() -> Vec<Runnable> {
    vec![
        Runnable::of::<BinarySource>(),
        Runnable::of::<CaptureSource>(),
        Runnable::of::<CrepeH5Source>(),
        Runnable::of::<CytonSource>(),
        Runnable::of::<McsH5Source>(),
        Runnable::of::<Synthetic>(),
        Runnable::of::<Log>(),
        Runnable::guard::<LogSwitch>(),
        Runnable::of::<Null>(),
    ]
}

/// What the full executable runs: helpers.
pub fn helpers() -> Vec<Runnable> {
    vec![
        Runnable::of::<BinaryReader>(),
        Runnable::of::<CaptureReader>(),
        Runnable::of::<CrepeH5Reader>(),
        Runnable::of::<CytonReader>(),
        Runnable::of::<McsH5Reader>(),
        Runnable::of::<LogWriter>(),
    ]
}

/// All kinds of this crate, to be described.
pub fn describable() -> Vec<Describable> {
    vec![
        Describable::of::<BinarySource>(),
        Describable::of::<BinaryReader>(),
        Describable::of::<CaptureSource>(),
        Describable::of::<CaptureReader>(),
        Describable::of::<CrepeH5Source>(),
        Describable::of::<CrepeH5Reader>(),
        Describable::of::<CytonSource>(),
        Describable::of::<CytonReader>(),
        Describable::of::<McsH5Source>(),
        Describable::of::<McsH5Reader>(),
        Describable::of::<Synthetic>(),
        Describable::of::<Log>(),
        Describable::of::<LogWriter>(),
        Describable::guard::<LogSwitch>(),
        Describable::of::<Null>(),
    ]
}
