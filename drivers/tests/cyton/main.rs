//! OpenBCI Cyton: real recordings, and boards that a twin stands in for.

mod boards;
mod brainflow;
mod recordings;
mod stage;
