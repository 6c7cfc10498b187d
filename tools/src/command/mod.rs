//! What each command of the command line does.

mod bench;
mod control;
mod demo;
mod graph;
mod hz;
mod interrupt;
mod list;
mod new_graph;
mod new_stage;
mod ring;
mod run;
mod session;
mod tap;

use crate::cli::Command;
use std::process::ExitCode;

/// Carries out a command.
pub fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Demo(args) => demo::demo(args),
        Command::Run(args) => run::run(&args),
        Command::Check(args) => graph::check(&args),
        Command::Explain(args) => graph::explain(&args),
        Command::Schema(args) => graph::schema(&args),
        Command::List(args) => list::list(&args),
        Command::NewStage(args) => new_stage::new_stage(&args),
        Command::NewGraph(args) => new_graph::new_graph(&args),
        Command::Status(args) => session::status(&args),
        Command::Stop(args) => control::stop(&args),
        Command::Off(args) => control::off(&args),
        Command::Set(args) => control::set(&args),
        Command::Restart(args) => control::restart(&args),
        Command::Tap(args) => tap::tap(&args),
        Command::Hz(args) => hz::hz(&args),
        Command::Ring(args) => ring::ring(&args),
        Command::Gc => session::gc(),
        Command::Bench(args) => bench::bench(&args),
        Command::BenchEnd => bench::end(),
        Command::Helper => {
            ephapse_engine::runner::run_timer_or(&crate::catalogue::helpers(), None)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
