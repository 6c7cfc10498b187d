//! What each command of the command line does.

mod bench;
mod captures;
mod certify;
mod compare;
mod control;
mod demo;
mod devices;
mod doctor;
mod export;
mod graph;
mod hz;
mod info;
mod interrupt;
mod last;
mod list;
mod logs;
mod new_graph;
mod new_stage;
mod plan;
mod recover;
mod replay;
mod ring;
mod run;
mod session;
mod tap;
mod twin;
mod verify;
mod why;

use crate::cli::Command;
use std::process::ExitCode;

/// Carries out a command.
pub fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Demo(args) => demo::demo(args),
        Command::Run(args) => run::run(&args),
        Command::Check(args) => graph::check(&args),
        Command::Explain(args) => graph::explain(&args),
        Command::Plan(args) => plan::plan(&args),
        Command::Schema(args) => graph::schema(&args),
        Command::List(args) => list::list(&args),
        Command::NewStage(args) => new_stage::new_stage(&args),
        Command::NewGraph(args) => new_graph::new_graph(&args),
        Command::Replay(args) => replay::replay(&args),
        Command::Compare(args) => compare::compare(&args),
        Command::Doctor(args) => doctor::doctor(&args),
        Command::Devices(args) => devices::devices(&args),
        Command::Twin(args) => twin::twin(&args),
        Command::Status(args) => session::status(&args),
        Command::Logs(args) => logs::logs(&args),
        Command::Stop(args) => control::stop(&args),
        Command::Off(args) => control::off(&args),
        Command::Set(args) => control::set(&args),
        Command::Graph(args) => control::graph(&args),
        Command::Mark(args) => control::mark(&args),
        Command::Record(args) => control::record(&args),
        Command::Restart(args) => control::restart(&args),
        Command::Tap(args) => tap::tap(&args),
        Command::Hz(args) => hz::hz(&args),
        Command::Ring(args) => ring::ring(&args),
        Command::Why(args) => why::why(&args),
        Command::Captures(args) => captures::captures(&args),
        Command::Comment(args) => captures::comment(&args),
        Command::Info(args) => info::info(&args),
        Command::Verify(args) => verify::verify(&args),
        Command::Recover(args) => recover::recover(&args),
        Command::Export(args) => export::export(&args),
        Command::Gc => session::gc(),
        Command::Bench(args) => bench::bench(&args),
        Command::BenchEnd => bench::end(),
        Command::Helper => {
            ephapse_engine::runner::run_timer_or(&crate::catalogue::helpers(), None)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
