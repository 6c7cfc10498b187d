//! Everything between the ends of a loop: filters, detection, features, spectra, readout, policies.
//!
//! Every stage is plain mathematics first (functions and structs that know nothing of rings, tested against SciPy),
//! and a thin [`Stage`](ephapse_engine::stage::Stage) around it second.
//!
//! # Conventions between stages
//!
//! - **Physical units.** A filter turns the stored numbers of a stream whose `si_unit` is `V` into microvolts
//!   (`stored * (scale * 1e6) + offset * 1e6`); other streams keep their unit. See [`numbers`].
//! - **Records that speak of frames.** The type of a `spike` stream carries the rate of the frames that
//!   [`Spike::frame`](ephapse_engine::records::Spike) counts, and a second axis `channel` with the electrodes' labels. The
//!   records themselves are laid out as their layout says; the axis is information.
//! - **Rows of windows.** Feature and decision streams have one row per *step* (a bin of `feature.rate`); the word
//!   `header.user` of each of their blocks says how far apart the rows are. See [`rows`].
#![warn(missing_docs)]

pub mod detect;
pub mod electrodes;
pub mod feature;
pub mod filter;
pub mod numbers;
pub mod policy;
pub mod quality;
pub mod readout;
pub mod rows;
pub mod sink;
pub mod spectrum;
pub mod vectors;

use ephapse_engine::stage::{Describable, Runnable};

/// Every kind of this crate, for an executable that runs them.
pub fn runnables() -> Vec<Runnable> {
    vec![
        Runnable::of::<filter::Bandpass>(),
        Runnable::of::<filter::Bandstop>(),
        Runnable::of::<filter::MovingAverage>(),
        Runnable::of::<filter::Resample>(),
        Runnable::of::<detect::Threshold>(),
        Runnable::of::<feature::SpikeRate>(),
        Runnable::of::<feature::HeartRate>(),
        Runnable::of::<quality::Quality>(),
        Runnable::of::<spectrum::Spectrum>(),
        Runnable::of::<spectrum::Bandpower>(),
        Runnable::of::<spectrum::Spectrogram>(),
        Runnable::of::<readout::Linear>(),
        Runnable::of::<policy::Frequency>(),
    ]
}

/// Every kind of this crate, for an executable that describes them.
pub fn describables() -> Vec<Describable> {
    vec![
        Describable::of::<filter::Bandpass>(),
        Describable::of::<filter::Bandstop>(),
        Describable::of::<filter::MovingAverage>(),
        Describable::of::<filter::Resample>(),
        Describable::of::<detect::Threshold>(),
        Describable::of::<feature::SpikeRate>(),
        Describable::of::<feature::HeartRate>(),
        Describable::of::<quality::Quality>(),
        Describable::of::<spectrum::Spectrum>(),
        Describable::of::<spectrum::Bandpower>(),
        Describable::of::<spectrum::Spectrogram>(),
        Describable::of::<readout::Linear>(),
        Describable::of::<policy::Frequency>(),
    ]
}
