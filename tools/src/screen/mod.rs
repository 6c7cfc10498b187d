//! What a run shows while it runs: one screen in a terminal, one line at a time in a pipe, JSON lines for scripts;
//! and how far a long command has come.

mod activity;
mod cell_text;
mod frame;
mod layout;
mod line;
mod progress;
mod sparkline;
mod view;

pub use frame::Screen;
pub use line::{json_line, plain_line};
pub use progress::Progress;
pub use view::View;
