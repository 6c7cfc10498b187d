//! `new-graph`: a graph to start from.

use super::demo;
use super::new_stage::{write, write_stage};
use super::run::program;
use crate::cli::{Language, NewGraphArgs, Origin};
use crate::output::sayln;
use crate::templates::{SYNTHETIC, filled, graph};
use anyhow::bail;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Name of the stage in Python that comes with a graph.
const STAGE: (&str, &str) = ("mylab.reference", "reference");

/// `ephapse new-graph`.
pub fn new_graph(args: &NewGraphArgs) -> anyhow::Result<ExitCode> {
    if let Some(recording) = args
        .recording
        .as_ref()
        .filter(|_| args.from != Origin::Recording)
    {
        bail!(
            "--recording {}: is played by --from recording; add that",
            recording.display()
        );
    }
    let name = match args.from {
        Origin::Demo => "demo",
        Origin::Recording => "recording",
        Origin::Synthetic => "synthetic",
        Origin::Python => "python",
    };
    let file = args
        .file
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("{name}.toml")));
    if file.symlink_metadata().is_ok() {
        bail!(
            "{}: is there already, and nothing is written over; give another FILE",
            file.display()
        );
    }
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let text = match args.from {
        Origin::Demo => {
            let recording = demo::generated(folder)?;
            let name = recording.file_name().unwrap_or_default();
            playing("demo", "acquire.mcs_h5", Path::new(name), None)
        }
        Origin::Recording => {
            let recording = args.recording.clone().unwrap_or_default();
            let recording = std::path::absolute(recording)?;
            let kind = demo::source_of(&recording)?;
            let format = demo::format_of(kind, &recording, args.format.as_deref());
            playing("recording", kind, &recording, format)
        }
        Origin::Synthetic => filled(SYNTHETIC, STAGE.0, STAGE.1),
        Origin::Python => {
            let stage = folder.join("stages").join(STAGE.1);
            if stage.symlink_metadata().is_ok() {
                bail!(
                    "{}: is there already, and nothing is written over; write the graph to another folder: ephapse new-graph --from python DIR/python.toml",
                    stage.display()
                );
            }
            write_stage(Language::Python, &stage, STAGE.0, STAGE.1)?;
            graph(Language::Python, STAGE.0, STAGE.1, ".")
        }
    };
    write(&file, &text)?;
    let file = file.display();
    sayln!("{file}: written. Next:");
    let program = program();
    sayln!("  {program} check {file}");
    sayln!("  {program} explain {file}");
    sayln!("  {program} run {file} --unpaced --duration 2s");
    Ok(ExitCode::SUCCESS)
}

/// The demo's graph on a recording.
fn playing(name: &str, kind: &str, recording: &Path, format: Option<&str>) -> String {
    let recording = recording.display().to_string();
    let format = format.map_or(String::new(), |format| format!(", format = {format:?}"));
    let lines = demo::GRAPH.lines().filter_map(|line| {
        Some(match line.split(' ').next() {
            Some("#:schema") => "#:schema /path/to/ephapse/rtconfig/schema/graph.json".to_owned(),
            Some("name") => format!("name = {name:?}"),
            Some("experiment") if name != "demo" => return None,
            Some("#") if line.contains("--set") => return None,
            Some("#") => "# From a recording to stimulation commands.".to_owned(),
            Some("use") => format!(
                "use = {kind:<40} # a helper reads the file and feeds this FIFO pacer",
                kind = format!("{kind:?}")
            ),
            Some("params") => {
                format!(
                    "params = {{ path = {recording:?}, block_frames = 20, loop = true{format} }}"
                )
            }
            _ => line.to_owned(),
        })
    });
    let text: String = lines.flat_map(|line| [line, "\n".to_owned()]).collect();
    filled(&text, STAGE.0, STAGE.1)
}
