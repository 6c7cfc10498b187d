//! The lean process: built-in real-time stages and the timer. Nothing here opens a file format or a socket.

use ephapse_engine::allocation::CountingAllocator;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn main() -> ExitCode {
    let runnables: Vec<_> = ephapse_drivers::lean()
        .into_iter()
        .chain(ephapse_stages::runnables())
        .collect();
    match ephapse_engine::runner::run_timer_or(&runnables, Some(ephapse_stages::sink::record::run))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ephapse-stage: {error}");
            ExitCode::FAILURE
        }
    }
}
