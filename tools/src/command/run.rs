//! `run`: a graph from file to report.

use super::certify;
use super::graph::{load, plan};
use super::plan::refuse_unfit;
use crate::applied;
use crate::catalogue::with_modules;
use crate::cli::{RunArgs, RunOptions};
use crate::log_lines::{LOG, Log, line};
use crate::output::sayln;
use crate::screen::{Screen, json_line, plain_line};
use crate::watch::Watch;
use anyhow::Context;
use ephapse_bench::report::{self, Report};
use ephapse_engine::capture::disk;
use ephapse_engine::launch::{self, LaunchError, Live, Options, collect_garbage};
use ephapse_rtconfig::describe::{Catalogue, Role};
use ephapse_rtconfig::graph::Graph;
use ephapse_rtconfig::host::HostFingerprint;
use ephapse_rtconfig::plan::Plan;
use ephapse_rtconfig::recording::least_bytes_per_second;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Rhythm of plain lines, ns.
const LINE_EVERY_NS: u64 = 1_000_000_000;
/// Lines of a failed process that are shown.
const LAST_LINES: usize = 10;

/// A graph about to run.
pub struct Job {
    pub graph: Graph,
    /// Where report and logs go.
    pub folder: PathBuf,
    /// The recording played, if the command chose one.
    pub recording: Option<String>,
    /// Last lines of the report.
    pub try_next: Vec<String>,
    /// Lines instead of a screen, in a terminal, too.
    pub in_lines: bool,
}

/// `ephapse run`.
pub fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    let mut graph = load(&args.graph, &args.with, &args.run.set)?;
    if let Some(file) = &args.chaos {
        graph.lay_chaos(file)?;
    }
    let folder = args
        .run
        .report
        .clone()
        .unwrap_or_else(|| Path::new("out").join(&graph.keys().name));
    let shown = args.graph.display();
    let program = program();
    let try_next = vec![
        format!("ephapse explain {shown} (the graph, drawn, and where its latency goes)"),
        format!("{program} run {shown} --unpaced (as fast as it goes, in logical time)"),
        format!("open {} in a browser", folder.join("report.html").display()),
    ];
    run_graph(
        Job {
            graph,
            folder,
            recording: None,
            try_next,
            in_lines: false,
        },
        &args.run,
    )
}

/// Runs a job and reports it.
pub fn run_graph(mut job: Job, options: &RunOptions) -> anyhow::Result<ExitCode> {
    let catalogue = with_modules(Some(&job.graph))?;
    adjust(&mut job, options, &catalogue)?;
    for file in applied::undo_left()? {
        eprintln!("ephapse: {file}: set back, a `doctor --apply` was killed before it could");
    }
    for left in collect_garbage()? {
        let (session, segments) = (&left.session, left.segments);
        eprintln!(
            "ephapse: removed {segments} segments that session `{session}` left when it was killed"
        );
        if let Some(words) = left.capture_words() {
            eprintln!("ephapse: {session}: {words}");
        }
    }
    let plan = plan(&job.graph, &catalogue, false)?;
    refuse_unfit(&plan, options.unfit)?;
    if let Some(recorder) = &plan.recorder {
        let folder = recorder.path.as_ref().unwrap_or(&job.folder);
        std::fs::create_dir_all(folder)
            .with_context(|| format!("{}: cannot be made for the capture", folder.display()))?;
        let rate = least_bytes_per_second(&plan, recorder);
        for warning in disk::check(folder, rate, options.duration)? {
            eprintln!("ephapse: {warning}");
        }
    }
    let recording = job.recording.clone().or_else(|| recording_of(&plan));
    if !options.json
        && let Some(recording) = &recording
    {
        sayln!("playing {recording}");
    }
    let interrupts = Arc::new(AtomicU32::new(0));
    count_interrupts(&interrupts)?;
    let outcome = {
        let mut show = Show::new(&plan, options.json, job.in_lines);
        let own = std::env::current_exe().context("cannot find this program's own path")?;
        let mut launch_options = Options {
            duration: options.duration,
            require_rt: options.require_rt,
            hold_cpu_latency: !options.let_cpus_halt,
            lean_program: own.with_file_name("ephapse-stage"),
            full_program: (own, vec!["helper".to_owned()]),
            capture_folder: job.folder.clone(),
            log: Some(log_of(&job.folder)?),
            interrupts: interrupts.clone(),
            live: &mut |live| show.show(live),
            redescribe: &|stage, params| {
                let inputs: Vec<_> = stage
                    .inputs
                    .iter()
                    .map(|input| (input.port.as_str(), &input.stream_type))
                    .collect();
                catalogue
                    .describe(&stage.kind, params, &inputs)
                    .map_err(|error| error.to_string())
            },
            live_params: &|stage| live_params(&catalogue, &stage.kind),
            before_check: &mut |_| {},
        };
        let launched = launch::launch(&plan, &mut launch_options);
        drop(show);
        if let Err(LaunchError::Stage { who, why }) = &launched {
            last_lines(&job.folder, who, why);
        }
        launched?
    };
    let host = serde_json::to_value(HostFingerprint::read(Path::new("/")))?;
    let mut report = Report::new(&outcome, &host, recording);
    let capture = outcome.recording.as_ref().filter(|r| r.sealed);
    if options.prove
        && let Some(capture) = capture
    {
        report = report.with_replay(certify::replayed(&capture.capture, interrupts));
    }
    if let Some(capture) = capture {
        certify::certify(&report, capture)?;
    }
    let written = report::write(&job.folder, &outcome, &report, &job.try_next);
    if options.json {
        sayln!("{}", serde_json::to_string(&report)?);
    } else {
        sayln!("{}", report::text(&report, &job.try_next).trim_end());
    }
    let written = written?;
    let resolved = job.folder.join("graph.toml");
    std::fs::write(&resolved, &outcome.plan.resolved_toml)
        .with_context(|| format!("{}: cannot be written", resolved.display()))?;
    if !options.json {
        let names: Vec<String> = written
            .iter()
            .chain([&resolved])
            .filter_map(|p| p.file_name())
            .map(|n| n.to_string_lossy().into_owned())
            .collect();
        sayln!(
            "\nwritten to {}: {}",
            job.folder.display(),
            names.join(", ")
        );
    }
    Ok(ExitCode::from(report.exit_code))
}

/// What a process that failed before the start said last, unless the error says it already.
fn last_lines(folder: &Path, who: &str, why: &str) {
    let Ok(log) = log_of(folder).and_then(|path| Log::open(&path)) else {
        return;
    };
    let lines: Vec<String> = log
        .entries()
        .filter(|e| e.said().is_some_and(|s| s.stage == who))
        .map(line)
        .collect();
    let first = lines.len().saturating_sub(LAST_LINES);
    if lines.len() == 1 && lines[0].ends_with(why) {
        return;
    }
    for line in &lines[first..] {
        eprintln!("{line}");
    }
}

/// The log in a report's folder.
fn log_of(folder: &Path) -> anyhow::Result<PathBuf> {
    Ok(std::path::absolute(folder)?.join(LOG))
}

/// Parameters of a kind that its schema calls live.
fn live_params(catalogue: &dyn Catalogue, kind: &str) -> Vec<String> {
    let schema = catalogue.kind(kind).map(|kind| &kind.params_schema);
    let properties = schema.and_then(|schema| schema["properties"].as_object());
    properties
        .into_iter()
        .flatten()
        .filter(|(_, about)| about["x-live"] == true)
        .map(|(name, _)| name.clone())
        .collect()
}

/// This program as the user can type it from here.
pub fn program() -> String {
    let typed = std::env::args()
        .next()
        .unwrap_or_else(|| "ephapse".to_owned());
    let here = std::env::current_dir().unwrap_or_default();
    let short = Path::new(&typed)
        .strip_prefix(&here)
        .map(|p| p.display().to_string());
    short.unwrap_or(typed)
}

/// What the command line decides beside the graph: unpaced sources, and logs beside the report.
fn adjust(job: &mut Job, options: &RunOptions, catalogue: &dyn Catalogue) -> anyhow::Result<()> {
    prepare_folder(&job.folder)?;
    match options.record.as_deref() {
        None => {}
        Some(word) if word == Path::new("off") => job.graph.apply_set("record=[]")?,
        Some(folder) => {
            let folder = std::path::absolute(folder)?;
            job.graph
                .apply_set(&format!("record.path={:?}", folder.display().to_string()))?;
        }
    }
    let stages: Vec<(String, String, bool)> = job
        .graph
        .keys()
        .stage
        .iter()
        .map(|(name, stage)| {
            (
                name.clone(),
                stage.kind.clone(),
                stage.params.contains_key("path"),
            )
        })
        .collect();
    for (name, kind, has_path) in stages {
        if kind == "stimulate.log" && !has_path {
            let path = std::path::absolute(&job.folder)?.join("stimulation.jsonl");
            job.graph.apply_set(&format!(
                "stage.{name}.params.path={:?}",
                path.display().to_string()
            ))?;
        }
        let is_source = catalogue
            .kind(&kind)
            .is_some_and(|kind| kind.role == Role::Acquire);
        if options.unpaced && is_source {
            job.graph
                .apply_set(&format!("stage.{name}.pace=\"none\""))?;
        }
    }
    Ok(())
}

/// Makes the report's folder, and finds out now and not after the run that nothing can be written there.
pub fn prepare_folder(folder: &Path) -> anyhow::Result<()> {
    let refused = || {
        format!(
            "{}: cannot be written to; give another folder with --report DIR",
            folder.display()
        )
    };
    std::fs::create_dir_all(folder).with_context(refused)?;
    let probe = folder.join(format!(".{}.probe", std::process::id()));
    std::fs::write(&probe, b"probe").with_context(refused)?;
    std::fs::remove_file(&probe).with_context(refused)
}

/// What the first source plays: its `path`, or its kind.
fn recording_of(plan: &Plan) -> Option<String> {
    let source = plan
        .stages
        .iter()
        .find(|s| s.pacing.is_none() || s.role == Role::Acquire)?;
    let path = source
        .params
        .get("path")
        .and_then(serde_json::Value::as_str);
    Some(path.unwrap_or(&source.kind).to_owned())
}

/// Ctrl-C is counted from now on.
pub fn count_interrupts(interrupts: &Arc<AtomicU32>) -> anyhow::Result<()> {
    let counter = interrupts.clone();
    ctrlc::set_handler(move || {
        counter.fetch_add(1, Ordering::Release);
    })
    .context("cannot take over Ctrl-C")
}

/// Shows a running session: a screen in a terminal, plain lines in a pipe, JSON lines for scripts. What the stages say stands
/// above the screen, and without one on stderr.
struct Show {
    watch: Watch,
    screen: Option<Screen<std::io::Stdout>>,
    json: bool,
    next_line_ns: u64,
}

impl Show {
    fn new(plan: &Plan, json: bool, in_lines: bool) -> Self {
        let draws = !json && !in_lines && std::io::stdout().is_terminal();
        let screen = draws.then(|| Screen::new(std::io::stdout()));
        Show {
            watch: Watch::new(plan),
            screen,
            json,
            next_line_ns: 0,
        }
    }

    fn show(&mut self, live: &Live) {
        let view = self.watch.look(live);
        let elapsed_s = live.elapsed_ns as f64 / 1e9;
        let came_to = live.told.iter();
        let came_to = came_to.map(|line| format!("{elapsed_s:.1} s  {line}"));
        let said = live.said.iter().map(line);
        if let Some(screen) = &mut self.screen {
            // A terminal that went away must not end the run.
            let _ = screen
                .write_above(came_to.chain(said))
                .and_then(|()| screen.write_frame(view));
            return;
        }
        for line in came_to {
            let line = if self.json {
                serde_json::json!({ "came_to": line }).to_string()
            } else {
                line
            };
            say(&line);
        }
        for line in said {
            let _ = writeln!(std::io::stderr(), "{line}");
        }
        if live.elapsed_ns >= self.next_line_ns {
            self.next_line_ns = live.elapsed_ns + LINE_EVERY_NS;
            let line = if self.json {
                json_line(view)
            } else {
                plain_line(view)
            };
            say(&line);
        }
    }
}

/// A line on stdout. Whoever reads the lines may go away before the run ends.
fn say(line: &str) {
    let _ = std::io::stdout().write_all(format!("{line}\n").as_bytes());
}
