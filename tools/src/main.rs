//! `ephapse`: the command line and launcher.

mod applied;
mod catalogue;
mod cli;
mod command;
mod known_recordings;
mod log_lines;
mod look;
mod output;
mod recorded;
mod screen;
mod show;
mod templates;
mod watch;

use clap::Parser;
use ephapse_engine::allocation::CountingAllocator;
use std::process::ExitCode;

/// Helpers run in this executable, and what they allocate is counted like everybody's.
#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn main() -> ExitCode {
    ephapse_engine::os::expect_file_limits();
    // 2 means "threshold hit" here; clap's own exit code for a usage error would be taken for it.
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // A closed stdout or stderr leaves nobody to tell.
            let _ = error.print();
            return ExitCode::from(u8::from(error.use_stderr()));
        }
    };
    match command::run(cli.command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("ephapse: {error:#}");
            ExitCode::FAILURE
        }
    }
}
