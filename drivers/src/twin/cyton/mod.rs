//! A Cyton on a pseudo-terminal: it answers commands, streams packets at the true rate, and fails as real ones do.
//!
//! It has an encoder of its own, so that a fault of the driver's parser cannot hide behind the same fault here.

mod board;
mod faults;
mod radio;
mod signal;
mod terminal;
mod wire;

pub use faults::Faults;
pub use signal::{RecordingError, Signal};
pub use terminal::{CytonTwin, TwinCounts, TwinOptions};
