//! The regression gate: instructions of the hot paths, counted by callgrind, against the stored baseline.
//!
//! Times on a shared machine vary by tens of percent, instructions by nothing: what a change adds to a turn is seen here
//! whatever else runs. `make bench-gate` builds and runs it, `make bench-gate ACCEPT=1` stores what it counts.
//!
//! Exit 0: no case needs more than 3 % more than its baseline, and the verbs through the C binding at most 1.1 times those of
//! Rust. 2: one does. 1: nothing can be said, with the reason.

mod baseline;
mod callgrind;
mod cases;
mod compare;
mod measured;

use anyhow::Context;
use baseline::Baseline;
use cases::{BINDINGS, CASES, MOST_TIMES};
use compare::{Comparison, Counts, Times};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => gate(),
        ["--accept"] => accept(),
        [callgrind::CASE, name] => run_case(name),
        _ => Err(anyhow::anyhow!(
            "takes no argument but --accept, which stores what it counts as the new baseline"
        )),
    };
    done.unwrap_or_else(|error| {
        eprintln!("gate: {error:#}");
        ExitCode::from(1)
    })
}

/// What callgrind runs: one case.
fn run_case(name: &str) -> anyhow::Result<ExitCode> {
    let case = CASES.iter().find(|case| case.name == name);
    let case = case.with_context(|| format!("there is no case `{name}`"))?;
    (case.run)(case.operations)?;
    Ok(ExitCode::SUCCESS)
}

/// Instructions per operation of every case, to a hundredth.
fn count() -> anyhow::Result<Counts> {
    let mut counts = Counts::new();
    for case in &CASES {
        let counted = callgrind::count(case.name)?;
        counts.insert(
            case.name.to_owned(),
            counted as f64 / case.operations as f64,
        );
    }
    let of = |name: &str| counts.get(name).copied().unwrap_or(0.0);
    let record = of(cases::TURN) - of(cases::TURN_UNRECORDED);
    counts.insert("activation record: build, push".to_owned(), record);
    for count in counts.values_mut() {
        *count = (*count * 100.0).round() / 100.0;
    }
    Ok(counts)
}

fn gate() -> anyhow::Result<ExitCode> {
    let stored = Baseline::load()?;
    let here = Baseline::here()?;
    stored.expect_comparable(&here)?;
    let now = count()?;
    let comparison = Comparison::of(&stored.cases, &now);
    print!("{comparison}");
    for line in comparison.advice() {
        println!("{line}");
    }
    let bindings = tell_bindings(&now);
    if stored.compiler != here.compiler {
        println!(
            "the compiler differs: the baseline is by {}, this is {}",
            stored.compiler, here.compiler
        );
    }
    Ok(ExitCode::from(if bindings {
        comparison.exit_code()
    } else {
        2
    }))
}

/// Prints what the verbs through the bindings need; false if one needs too much.
fn tell_bindings(counts: &Counts) -> bool {
    BINDINGS.into_iter().fold(true, |hold, pair| {
        let times = Times::of(pair, counts, MOST_TIMES);
        println!("{times}");
        hold && times.holds()
    })
}

fn accept() -> anyhow::Result<ExitCode> {
    let mut here = Baseline::here()?;
    here.cases = count()?;
    // There may be none yet.
    let stored = Baseline::load().map_or_else(|_| Counts::new(), |stored| stored.cases);
    print!("{}", Comparison::of(&stored, &here.cases));
    // What a binding may need is no matter of what somebody accepts.
    if !tell_bindings(&here.cases) {
        return Ok(ExitCode::from(2));
    }
    here.store()?;
    println!("accepted: {}", baseline::PATH);
    Ok(ExitCode::SUCCESS)
}
