//! Sources: recordings played in time, and the synthetic generator.

pub mod binary;
mod file;
pub mod file_source;
pub mod play;
pub mod playback;
pub mod recording;
mod si_unit;
pub mod timeline;
