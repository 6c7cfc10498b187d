//! `doctor`: whether this host is fit for real time, and what would make it so.

use super::bench::alone;
use super::demo::GRAPH;
use super::graph::{load, plan};
use super::run::count_interrupts;
use crate::applied::{self, Applied};
use crate::catalogue::with_modules;
use crate::cli::DoctorArgs;
use crate::output::sayln;
use crate::show::doctor_text;
use anyhow::{Context, ensure};
use ephapse_bench::jitter;
use ephapse_engine::capture::disk;
use ephapse_engine::{launch, os};
use ephapse_rtconfig::doctor::{Asked, Facts, Finding, Host, MeasuredCpu, State, Verdict, examine};
use ephapse_rtconfig::graph::Graph;
use ephapse_rtconfig::host::{HostFingerprint, cpu_ranges, online_cpus};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Something critical has not passed.
const NOT_REAL_TIME: u8 = 2;
/// How often the command, and Ctrl-C, are looked at.
const LOOK: Duration = Duration::from_millis(20);

/// `ephapse doctor`.
pub fn doctor(args: &DoctorArgs) -> anyhow::Result<ExitCode> {
    for file in applied::undo_left()? {
        eprintln!("ephapse: {file}: set back, a `doctor --apply` was killed before it could");
    }
    let root = std::fs::canonicalize(&args.root)
        .with_context(|| format!("--root {}: cannot be looked at", args.root.display()))?;
    ensure!(
        root.join("proc").is_dir() || root.join("sys").is_dir(),
        "--root {}: is no host, it has neither `proc` nor `sys`: give the folder in which copies of them stand",
        args.root.display()
    );
    let live = root == Path::new("/");
    ensure!(
        !(args.apply && live) || os::uid() == 0,
        "--apply writes files of the kernel: run it as root (`sudo ephapse doctor --apply -- COMMAND`)"
    );
    let interrupts = Arc::new(AtomicU32::new(0));
    count_interrupts(&interrupts)?;
    let asked = asked(args, &root)?;
    let facts = if live {
        facts(&asked, args.measure, &interrupts)?
    } else {
        ensure!(
            args.measure.is_none(),
            "--measure measures this host: leave --root out"
        );
        Facts::default()
    };
    let host = Host { root, facts, asked };
    let findings = examine(&host);
    let verdict = Verdict::of(&findings, &host.asked.ticks_ns);
    if args.json {
        let all = serde_json::json!({
            "root": host.root, "host": HostFingerprint::read(&host.root), "asked": host.asked,
            "measured": host.facts.measured, "findings": findings, "verdict": verdict,
        });
        sayln!("{all}");
    } else {
        sayln!("{}", doctor_text(&head(args, &host), &findings, &verdict));
    }
    if args.apply {
        return apply(args, &host, &findings, live, &interrupts);
    }
    Ok(exit_code(args, &verdict))
}

fn exit_code(args: &DoctorArgs, verdict: &Verdict) -> ExitCode {
    if args.require_rt && !verdict.real_time {
        return ExitCode::from(NOT_REAL_TIME);
    }
    ExitCode::SUCCESS
}

/// What the host is asked for.
fn asked(args: &DoctorArgs, root: &Path) -> anyhow::Result<Asked> {
    let Some(path) = &args.graph else {
        return usual(root);
    };
    let graph = load(path, &args.with, &args.set)?;
    // Whether its CPUs and its memory are there is what is to be found out: nothing is refused for them.
    let plan = plan(&graph, &with_modules(Some(&graph))?, true)?;
    let asked = Asked::by(&plan);
    ensure!(
        !asked.cpus.is_empty(),
        "{}: asks nothing of a host: it has no timer and no stage under `policy = \"fifo\"`",
        path.display()
    );
    Ok(asked)
}

/// What the demo asks for, on those of its CPUs that are there.
fn usual(root: &Path) -> anyhow::Result<Asked> {
    let demo = Graph::from_str(GRAPH, "demo.toml (built in)")?;
    let keys = demo.keys();
    let named = keys.stage.values().filter_map(|stage| stage.cpu);
    let named = named.chain(keys.defaults.cpu);
    let mut cpus: BTreeSet<u32> = named.chain(keys.timer.as_ref().map(|t| t.cpu)).collect();
    let online = online_cpus(root).unwrap_or_default();
    // On a host with one CPU the demo has to do with that.
    if !online.is_disjoint(&cpus) {
        cpus.retain(|cpu| online.contains(cpu));
    }
    Ok(Asked::usual(cpus))
}

fn head(args: &DoctorArgs, host: &Host) -> String {
    let fingerprint = HostFingerprint::read(&host.root);
    let whose = match &args.graph {
        Some(graph) => format!("of {}", graph.display()),
        None => "of the demo (`ephapse doctor GRAPH` asks for a graph's)".to_owned(),
    };
    let cpus = match &host.asked.cpus {
        cpus if cpus.is_empty() => "unknown".to_owned(),
        cpus => cpu_ranges(cpus),
    };
    let kernel = match fingerprint.kernel_release.as_str() {
        "" => "unknown",
        release => release,
    };
    let root = match host.root.as_path() {
        root if root == Path::new("/") => "this host".to_owned(),
        root => format!("the host below {}", root.display()),
    };
    format!("{root}, kernel {kernel}; timer and stages {whose}: CPUs {cpus}")
}

/// What this system says when it is asked.
fn facts(
    asked: &Asked,
    measure: Option<Duration>,
    interrupts: &Arc<AtomicU32>,
) -> anyhow::Result<Facts> {
    let measured = match measure {
        Some(length) => Some(measured(asked, length, interrupts)?),
        None => None,
    };
    Ok(Facts {
        fifo: Some(jitter::try_fifo(asked.highest_priority)),
        latency_file: Some(os::hold_cpu_latency().map(drop).map_err(|e| e.to_string())),
        shm_free_bytes: os::shm_free_bytes(),
        disk_bytes_per_s: disk::speed(Path::new(".")),
        measured,
    })
}

fn measured(
    asked: &Asked,
    length: Duration,
    interrupts: &Arc<AtomicU32>,
) -> anyhow::Result<Vec<MeasuredCpu>> {
    let _alone = alone()?;
    let running = launch::sessions()?.into_iter().find(|found| found.running);
    if let Some(running) = running {
        anyhow::bail!(
            "session `{}` runs, and measuring would take its CPUs: stop it, or leave --measure out",
            running.record.session
        );
    }
    eprintln!(
        "ephapse: measuring CPUs {} for {length:?} (Ctrl-C ends it early)",
        cpu_ranges(&asked.cpus)
    );
    // As a run does, where it may: else the idle states would be measured, which a run keeps its CPUs out of.
    let _polling = os::hold_cpu_latency().ok();
    let measured = jitter::measure(asked.cpus.iter().copied(), length, interrupts);
    // That Ctrl-C was meant for the measurement.
    interrupts.store(0, Ordering::Release);
    measured.map_err(|why| anyhow::anyhow!("--measure: {why}"))
}

/// Sets what can be set, for the time of a command.
fn apply(
    args: &DoctorArgs,
    host: &Host,
    findings: &[Finding],
    live: bool,
    interrupts: &AtomicU32,
) -> anyhow::Result<ExitCode> {
    let writes = findings
        .iter()
        .filter(|finding| finding.state == State::Failed)
        .flat_map(|finding| finding.fix.iter().filter_map(|fix| fix.write.as_ref()));
    let changes = applied::changes(&host.root, writes);
    eprintln!("ephapse: set until the command has ended:");
    for change in &changes {
        eprintln!("  {change}");
    }
    let count = changes.len();
    if count == 0 {
        eprintln!("  nothing");
    }
    let (applied, refused) = Applied::apply(changes)?;
    for why in refused {
        eprintln!("ephapse: {why}");
    }
    let mut host = host.clone();
    host.facts.fifo = live.then(|| jitter::try_fifo(host.asked.highest_priority));
    let verdict = Verdict::of(&examine(&host), &host.asked.ticks_ns);
    let ended = if args.require_rt && !verdict.real_time {
        let critical = verdict.critical.join(", ");
        eprintln!(
            "ephapse: the command is not started, for --require-rt asks for more: {critical}"
        );
        Ok(NOT_REAL_TIME)
    } else {
        run(&args.command, interrupts)
    };
    let failed = applied.undo();
    for why in &failed {
        eprintln!("ephapse: {why}");
    }
    ensure!(
        failed.is_empty(),
        "{} of {} files could not be set back, see above",
        failed.len(),
        count
    );
    eprintln!("ephapse: set back: {count} of {count}");
    Ok(ExitCode::from(ended?))
}

/// Runs a command to its end and passes signals on. Its exit code, or 128 and the signal that ended it, as shells say it.
fn run(command: &[OsString], interrupts: &AtomicU32) -> anyhow::Result<u8> {
    let (program, arguments) = command.split_first().context("there is no command")?;
    if interrupts.load(Ordering::Acquire) > 0 {
        anyhow::bail!("interrupted before the command was started");
    }
    // A group of its own: a terminal's Ctrl-C reaches this process alone, which passes on exactly one signal for each,
    // for to a session the first says "drain" and the second "stop". Outside the terminal's group it must not read there.
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .process_group(0)
        .spawn()
        .with_context(|| format!("{}: cannot be started", program.display()))?;
    let pidfd = os::PidFd::open(child.id());
    let mut passed_on = 0;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        while passed_on < interrupts.load(Ordering::Acquire) {
            passed_on += 1;
            match &pidfd {
                Ok(pidfd) => pidfd.signal(libc::SIGTERM)?,
                // Without pidfds (before Linux 5.3) a child that was not waited for still has its pid.
                Err(_) => child.kill()?,
            }
        }
        std::thread::sleep(LOOK);
    };
    let code = status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    Ok(u8::try_from(code).unwrap_or(1))
}
