//! `bench`: latencies of this host and of the engine on it.

use super::run::{count_interrupts, prepare_folder};
use crate::catalogue::catalogue;
use crate::cli::{BenchArgs, BenchWhat};
use crate::output::sayln;
use anyhow::{Context, bail, ensure};
use ephapse_bench::ends::{Class, Program, serve};
use ephapse_bench::hop::OwnLinks;
use ephapse_bench::machine::Machine;
use ephapse_bench::measured::Measured;
use ephapse_bench::programs::Programs;
use ephapse_bench::prove::{ProveOptions, Setup, prove, quick};
use ephapse_bench::result::{
    self, Circumstances, MachineReport, ProofReport, SettingsReport, ThresholdReport, Wanted,
};
use ephapse_bench::ring::{self, Peers};
use ephapse_bench::settings::Settings;
use ephapse_bench::watch::Watch;
use ephapse_bench::{Run, dsp, rfc3339, tick, wake};
use ephapse_engine::{launch, os};
use ephapse_rtconfig::host::{self, HostFingerprint};
use std::fs::File;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

/// `ephapse bench`.
pub fn bench(args: &BenchArgs) -> anyhow::Result<ExitCode> {
    if let Some(file) = &args.check {
        return check(file);
    }
    let Some(what) = args.what else {
        bail!("nothing to measure was named");
    };
    let name = format!("{what:?}").to_lowercase();
    let folder = args
        .report
        .clone()
        .unwrap_or_else(|| Path::new("out").join(format!("bench-{name}")));
    prepare_folder(&folder)?;
    let settings = settings(args)?;
    let _alone = alone()?;
    let own = Program {
        path: std::env::current_exe().context("cannot find this program's own path")?,
        args: vec!["bench-end".to_owned()],
    };
    let programs = Programs {
        lean: own.path.with_file_name("ephapse-stage"),
        full: (own.path.clone(), vec!["helper".to_owned()]),
    };
    let peers = args.peers.clone().map(Peers::ask).transpose()?;
    let root = Path::new("/");
    let before = Machine::read(root);
    let started_ns = os::realtime_ns();
    let interrupts = Arc::new(AtomicU32::new(0));
    count_interrupts(&interrupts)?;
    let watch = Watch::new(args.threshold.map(nanoseconds), args.on_threshold.clone());
    let mut run = Run::new(watch, interrupts);
    let mut measured = Measured::default();
    let options = ProveOptions {
        drop_record: args.drop_record,
    };
    let proof = if matches!(what, BenchWhat::Prove | BenchWhat::All) {
        let proof = prove(
            &options,
            &Setup {
                programs: programs.clone(),
                catalogue: &catalogue(),
                cpus: settings.cpus,
            },
        );
        measured.append(
            proof
                .cost
                .as_ref()
                .map_or_else(Measured::default, |c| c.measured.clone()),
        );
        proof
    } else {
        quick(&options)
    };
    run.go_on()?;
    let wanted = |this: BenchWhat| what == this || what == BenchWhat::All;
    if wanted(BenchWhat::Ring) {
        measured.append(ring::measure(&own, peers.as_ref(), &settings, &mut run)?);
    }
    if wanted(BenchWhat::Wake) && !run.watch.has_ended_it() {
        measured.append(wake::measure(&own, &settings, &mut run)?);
    }
    if wanted(BenchWhat::Tick) && !run.watch.has_ended_it() {
        measured.append(tick::measure(&programs, &settings, &mut run)?);
    }
    if wanted(BenchWhat::Dsp) && !run.watch.has_ended_it() {
        measured.append(dsp::benchmark(&settings, &run)?);
    }
    let after = Machine::read(root);
    let circumstances = Circumstances {
        what: name,
        started: rfc3339(started_ns),
        duration_ns: os::monotonic_ns() - run.began_ns,
        proof: ProofReport::from(&proof),
        settings: settings_report(&settings, args),
        machine: MachineReport {
            steal_ms: settings.cpus.map(|cpu| after.steal_ms_since(&before, cpu)),
            load_before: before.load,
            load_after: after.load,
        },
        threshold: ThresholdReport {
            threshold_ns: run.watch.threshold_ns(),
            hits: run.watch.hits,
        },
        bounds_decide: args.bounds,
        host: serde_json::to_value(HostFingerprint::read(root))?,
    };
    let result = result::reduce(&measured, circumstances);
    let copies = Wanted {
        hlog: args.hlog.clone(),
        hgrm: args.hgrm.clone(),
        html: args.html.clone(),
    };
    let written = result::write(&folder, &measured, &result, &copies);
    if args.json {
        sayln!("{}", serde_json::to_string(&result)?);
    } else {
        sayln!("{}", result::text(&result).trim_end());
    }
    let written = written?;
    if !args.json {
        let names: Vec<String> = written.iter().map(|p| p.display().to_string()).collect();
        sayln!("\nwritten: {}", names.join(", "));
        sayln!(
            "`ephapse bench --check {}` computes every figure again from the log",
            folder.join("bench.json").display()
        );
    }
    Ok(ExitCode::from(result.exit_code))
}

/// Keeps other benchmarks of this user off the host as long as the answer lives: two would measure each other, and their
/// FIFO ends starve each other.
pub(super) fn alone() -> anyhow::Result<File> {
    // The folder itself is locked: no file is left behind.
    let folder = launch::runtime_dir()?;
    let file =
        File::open(&folder).with_context(|| format!("{}: cannot be opened", folder.display()))?;
    ensure!(
        os::try_lock(&file),
        "another `ephapse bench` is measuring on this host: wait for it, for two would measure each other"
    );
    Ok(file)
}

/// `ephapse bench-end`.
pub fn end() -> anyhow::Result<ExitCode> {
    serve(&mut OwnLinks)?;
    Ok(ExitCode::SUCCESS)
}

fn check(file: &Path) -> anyhow::Result<ExitCode> {
    let checked = result::check(file)?;
    sayln!(
        "{}: {} values computed again from {} histograms, all as they stand there; verdict {:?}: {}",
        file.display(),
        checked.figures,
        checked.histograms,
        checked.result.verdict,
        checked.result.why
    );
    Ok(ExitCode::SUCCESS)
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn settings(args: &BenchArgs) -> anyhow::Result<Settings> {
    let [first, second] = args.cpus[..] else {
        bail!("-c takes two CPUs, `0,1`: the sender's and the receiver's");
    };
    ensure!(
        first != second,
        "-c {first},{second}: sender and receiver need a CPU each; on a host with one CPU nothing of this can be measured"
    );
    if let Some(online) = host::online_cpus(Path::new("/")) {
        for cpu in [first, second] {
            ensure!(
                online.contains(&cpu),
                "-c: there is no CPU {cpu} here (online: {}); choose two of these",
                host::cpu_ranges(&online)
            );
        }
    }
    Ok(Settings {
        cpus: [first, second],
        class: args.priority,
        period: args.period,
        duration: args.duration,
        warm_up: args.warm_up,
        repetitions: usize::from(args.rounds),
    })
}

fn settings_report(settings: &Settings, args: &BenchArgs) -> SettingsReport {
    SettingsReport {
        cpus: settings.cpus,
        class: match settings.class {
            Class::Fifo(priority) => format!("fifo:{priority}"),
            Class::Other => "other".to_owned(),
        },
        repetitions: settings.repetitions,
        period_ns: settings.period.map(nanoseconds),
        duration_ns: settings.duration.map(nanoseconds),
        warm_up_ns: settings.warm_up.map(nanoseconds),
        bucket_ns: args.bucket_size.map(nanoseconds),
    }
}
