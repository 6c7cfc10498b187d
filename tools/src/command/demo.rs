//! `demo`: the built-in graph on a recording.

use super::run::{Job, prepare_folder, program, run_graph};
use crate::catalogue::catalogue;
use crate::cli::DemoArgs;
use crate::known_recordings;
use anyhow::Context;
use ephapse_engine::capture::layout::MAGIC;
use ephapse_rtconfig::describe::Catalogue;
use ephapse_rtconfig::graph::Graph;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// The demo's graph.
pub const GRAPH: &str = include_str!("../../../rtconfig/graphs/demo.toml");
const SEED: u64 = 7;
/// Seconds of the recording the demo generates; it plays in a loop.
const GENERATED_S: f64 = 5.0;
const DURATION: Duration = Duration::from_secs(10);
/// What goes wrong in `--break`.
const FAULTS: &str = include_str!("../../../rtconfig/graphs/break-demo.toml");
const BROKEN_DURATION: Duration = Duration::from_secs(20);

/// The kind of source that plays a recording, by looking into it.
pub fn source_of(path: &Path) -> anyhow::Result<&'static str> {
    let mut head = [0_u8; 8];
    let mut file =
        std::fs::File::open(path).with_context(|| format!("{}: cannot be read", path.display()))?;
    let n = std::io::Read::read(&mut file, &mut head)
        .with_context(|| format!("{}: cannot be read", path.display()))?;
    if head[..n] == MAGIC {
        return Ok("acquire.capture");
    }
    if head[..n] != *b"\x89HDF\r\n\x1a\n" {
        return Ok("acquire.binary");
    }
    let asked = serde_json::json!({ "path": path });
    let crepe = catalogue()
        .describe("acquire.crepe_h5", &asked, &[])
        .is_ok();
    Ok(if crepe {
        "acquire.crepe_h5"
    } else {
        "acquire.mcs_h5"
    })
}

/// What a recording for this kind of source holds, if that must be said: as given, else as it is known.
pub fn format_of<'a>(kind: &str, recording: &Path, given: Option<&'a str>) -> Option<&'a str> {
    given
        .or_else(|| known_recordings::format_of(recording))
        .filter(|_| kind == "acquire.binary")
}

/// `ephapse demo`.
pub fn demo(mut args: DemoArgs) -> anyhow::Result<ExitCode> {
    let folder = args
        .run
        .report
        .get_or_insert_with(|| PathBuf::from("out/demo"))
        .clone();
    args.run.duration.get_or_insert(if args.break_it {
        BROKEN_DURATION
    } else {
        DURATION
    });
    args.run.prove = true;
    let mut graph = Graph::from_str(GRAPH, "demo.toml (built in)")?;
    if args.break_it {
        graph.lay_chaos_text(FAULTS, "break-demo.toml (built in)")?;
    }
    let recording = match &args.recording {
        Some(path) => path.clone(),
        None => generated(&folder)?,
    };
    let recording = std::path::absolute(&recording)?;
    let kind = source_of(&recording)?;
    let mut set = vec![
        format!("stage.source.use={kind:?}"),
        format!(
            "stage.source.params={{ path = {:?}, block_frames = 20, loop = true }}",
            recording.display().to_string()
        ),
    ];
    if let Some(format) = format_of(kind, &recording, args.format.as_deref()) {
        set.push(format!("stage.source.params.format={format:?}"));
    }
    set.append(&mut args.run.set);
    for argument in &set {
        graph.apply_set(argument)?;
    }
    let (program, resolved) = (program(), folder.join("graph.toml"));
    let resolved = resolved.display();
    let job = Job {
        graph,
        folder,
        recording: Some(recording.display().to_string()),
        try_next: vec![
            format!("{program} demo --recording FILE (a recording of yours)"),
            format!("{program} demo --break (the same, and things go wrong)"),
            format!("{program} explain {resolved} (the graph, drawn)"),
            format!("{program} run {resolved} --unpaced (edit it first, if you like)"),
        ],
        in_lines: args.break_it,
    };
    run_graph(job, &args.run)
}

/// The demo's own recording, made once.
pub fn generated(folder: &Path) -> anyhow::Result<PathBuf> {
    let path = folder.join("demo-recording.h5");
    if !path.exists() {
        prepare_folder(folder)?;
        eprintln!(
            "ephapse: generating {} ({GENERATED_S} s, 60 channels, seed {SEED})",
            path.display()
        );
        ephapse_drivers::demo_recording::write_demo_recording(&path, SEED, GENERATED_S)?;
    }
    Ok(path)
}
