//! What a run shows while it runs: one screen in a terminal, one line at a time in a pipe, JSON lines for scripts.

mod activity;
mod cell_text;
mod frame;
mod layout;
mod line;
mod sparkline;
mod view;

pub use frame::Screen;
pub use line::{json_line, plain_line};
pub use view::View;
