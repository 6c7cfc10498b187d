//! `acquire.cyton`: OpenBCI Cyton and Cyton+Daisy over their USB dongle.

pub mod frames;
pub mod latency_timer;
pub mod packet;
pub mod params;
pub mod parser;
mod port;
pub mod sample_clock;
pub mod session;
