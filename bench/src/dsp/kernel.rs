//! The kernels by name, each with everything it needs to run block after block.

use super::BLOCK_FRAMES;
use super::detecting::Detecting;
use super::filtering::Filtering;
use super::readout::Readout;
use super::recording::Recording;
use super::spectrum::{Spectrum, WINDOW_FRAMES};
use ephapse_engine::stage::StageError;
use std::hint::black_box;

/// Frames of a turn of the recording: 64 ms, 16 MB at 1024 channels. It comes from a cache that is further away than the
/// one the output stays in, as a block that another core has written does.
const TURN_FRAMES: usize = 64 * BLOCK_FRAMES;
/// Frames of a turn of the spectrum's recording.
const SPECTRUM_TURN_FRAMES: usize = 8 * WINDOW_FRAMES;
/// Channels that each kernel is measured at: an electrode array of the reference experiment, and a large one.
const CHANNELS: [u32; 2] = [60, 1024];

/// A row of the measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// What runs.
    pub name: &'static str,
    /// On so many channels.
    pub channels: u32,
    pub(super) work: Work,
}

/// What a kernel does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    Filter,
    Detector,
    FilterAndDetector,
    Fft,
    Readout,
}

impl Work {
    const ALL: [Work; 5] = [
        Work::Filter,
        Work::Detector,
        Work::FilterAndDetector,
        Work::Fft,
        Work::Readout,
    ];

    fn name(self) -> &'static str {
        match self {
            Work::Filter => "filter",
            Work::Detector => "detector",
            Work::FilterAndDetector => "filter+detector",
            Work::Fft => "fft",
            Work::Readout => "readout",
        }
    }
}

/// Every kernel at 60 and at 1024 channels.
pub fn kernels() -> Vec<Kernel> {
    let rows = Work::ALL.into_iter();
    rows.flat_map(|work| {
        CHANNELS.map(|channels| Kernel {
            name: work.name(),
            channels,
            work,
        })
    })
    .collect()
}

impl Kernel {
    /// Makes the recording from `seed`, plans, calibrates and runs one turn, so that the first block that is measured
    /// is like any other.
    ///
    /// # Errors
    /// If a stage refuses what it is given.
    pub fn prepare(&self, seed: u64) -> Result<Prepared, StageError> {
        let channels = self.channels as usize;
        let running = match self.work {
            Work::Filter => {
                let mut filtering = filtering(seed, channels)?;
                filtering.turn();
                Running::Filter(filtering)
            }
            Work::Detector => {
                let filtered = filtering(seed, channels)?.turn();
                Running::Detector {
                    detecting: Detecting::new(&filtered, channels),
                    filtered,
                    at: 0,
                }
            }
            Work::FilterAndDetector => {
                let mut filtering = filtering(seed, channels)?;
                let detecting = Detecting::new(&filtering.turn(), channels);
                Running::FilterAndDetector(filtering, detecting)
            }
            Work::Fft => {
                let recording = Recording::new(seed, channels, SPECTRUM_TURN_FRAMES);
                Running::Fft(Spectrum::new(recording))
            }
            Work::Readout => Running::Readout(
                Readout::new(seed, channels).map_err(|why| StageError::resource("weights", why))?,
            ),
        };
        Ok(Prepared {
            kernel: *self,
            running,
        })
    }
}

/// The filter at rest, at the start of a recording.
pub(super) fn filtering(seed: u64, channels: usize) -> Result<Filtering, StageError> {
    Filtering::new(Recording::new(seed, channels, TURN_FRAMES))
}

/// A kernel that is ready to run.
pub struct Prepared {
    kernel: Kernel,
    running: Running,
}

enum Running {
    Filter(Filtering),
    Detector {
        detecting: Detecting,
        filtered: Vec<f64>,
        at: usize,
    },
    FilterAndDetector(Filtering, Detecting),
    Fft(Spectrum),
    Readout(Readout),
}

impl Prepared {
    /// Which one it is.
    pub fn kernel(&self) -> Kernel {
        self.kernel
    }

    /// Frames that a block has.
    pub fn block_frames(&self) -> usize {
        match self.running {
            Running::Fft(_) => WINDOW_FRAMES,
            _ => BLOCK_FRAMES,
        }
    }

    /// Runs the next block; nothing in here allocates.
    pub fn run_block(&mut self) {
        match &mut self.running {
            Running::Filter(filtering) => {
                black_box(filtering.next());
            }
            Running::Detector {
                detecting,
                filtered,
                at,
            } => {
                let size = BLOCK_FRAMES * self.kernel.channels as usize;
                black_box(detecting.block(&filtered[*at..][..size]));
                *at = (*at + size) % filtered.len();
            }
            Running::FilterAndDetector(filtering, detecting) => {
                black_box(detecting.block(filtering.next()));
            }
            Running::Fft(spectrum) => {
                black_box(spectrum.next());
            }
            Running::Readout(readout) => {
                black_box(readout.next());
            }
        }
    }

    /// Spikes found so far, and those for which a block had no room; `None` of a kernel that finds none.
    pub fn spikes(&self) -> Option<(u64, u64)> {
        match &self.running {
            Running::Detector { detecting, .. } | Running::FilterAndDetector(_, detecting) => {
                Some(detecting.spikes())
            }
            _ => None,
        }
    }
}
