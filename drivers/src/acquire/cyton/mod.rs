//! `acquire.cyton`: OpenBCI Cyton and Cyton+Daisy over their USB dongle.
//!
//! A helper holds the port: it resets the board, gives it its settings, starts it, and reads. [`parser`] finds packets and
//! answers in the bytes, [`frames`] joins packets to frames, [`sample_clock`] says when each was taken, and
//! [`connection`] goes on with the same stream when the dongle was unplugged and is back, or the board was off and is
//! on. The source, under FIFO, is woken by what the helper hands it and makes the streams `eeg`, `accel` and `aux` of it.
//!
//! The protocol is taken from OpenBCI's pages on the Cyton's data format and on its commands.

pub mod adapters;
pub mod arrivals;
pub mod connection;
pub mod frames;
pub mod latency_timer;
pub mod packet;
pub mod params;
pub mod parser;
mod port;
mod reader;
pub mod record;
pub mod sample_clock;
pub mod session;
mod source;

pub use params::CytonParams;
pub use reader::CytonReader;
pub use source::CytonSource;
