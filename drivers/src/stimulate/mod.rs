//! Ends without hardware: commands that are counted, and commands that are written down behind an interlock and beside a guard.
//!
//! ```text
//! commands ─> interlock (standing, limits) ─> handed ─ring─> writer ─> log file <─ guard
//!               log                                          log_writer           log_guard
//! ```

mod command;
mod handed;
mod interlock;
mod limits;
mod log;
mod log_file;
mod log_guard;
mod log_line;
mod log_writer;
mod null;
mod refusal;
mod standing;

pub use handed::{Handed, handed_layout};
pub use interlock::{Interlock, Now};
pub use limits::{Limits, Pulse};
pub use log::{Log, LogParams};
pub use log_file::{LogFile, WriterState};
pub use log_guard::LogSwitch;
pub use log_line::write_line;
pub use log_writer::LogWriter;
pub use null::{Null, NullParams, NullState};
pub use refusal::{Forced, Refusal};
pub use standing::{CODE_RATE, Standing, TargetState};
