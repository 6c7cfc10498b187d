//! Ends without hardware: commands that are counted, and commands that are written down.

mod command;
mod log;
mod log_line;
mod log_writer;
mod null;
mod refusal;

pub use log::{Log, LogParams, pass_commands};
pub use log_line::write_line;
pub use log_writer::{LogFile, LogWriter, WriterState};
pub use null::{Null, NullParams, NullState};
pub use refusal::Refusal;
