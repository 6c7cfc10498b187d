//! `info`: what a capture holds.

use crate::cli::InfoArgs;
use crate::output::sayln;
use crate::recorded;
use ephapse_bench::report::units::thousands;
use ephapse_engine::capture::layout::kind;
use ephapse_engine::capture::{
    Capture, Damage, EndNote, FileNote, GapNote, GapOf, Item, MarkNote, Summary,
};
use ephapse_engine::text;
use serde_json::{Value, json};
use std::process::ExitCode;

/// Lines of one sort that people are shown; `--json` has all.
const MOST_LINES: usize = 20;

/// What stands between the blocks.
#[derive(Default)]
struct Notes {
    gaps: Vec<GapNote>,
    events: Vec<(u64, u64, String, String)>,
    marks: Vec<MarkNote>,
    files: Vec<FileNote>,
    end: Option<EndNote>,
    damages: Vec<Damage>,
}

impl Notes {
    fn of(capture: &Capture) -> anyhow::Result<Self> {
        let mut notes = Notes::default();
        let mut cursor = capture.items()?;
        let about = [kind::GAP, kind::EVENTS, kind::FILES, kind::END];
        while let Some(item) = cursor.next_item_of(|header| about.contains(&header.kind))? {
            match item {
                Item::Gap(note) => notes.gaps.push(note),
                Item::Event(e) => {
                    let (who, what) = (text::of(&e.who), text::of(&e.what));
                    notes.events.push((e.at_ns, e.tick, who, what));
                }
                Item::Mark(note) => notes.marks.push(note),
                // A recorder that was started again has looked at them again.
                Item::Files(files) => {
                    for file in files {
                        if !notes.files.contains(&file) {
                            notes.files.push(file);
                        }
                    }
                }
                Item::End(note) => notes.end = Some(note),
                _ => {}
            }
        }
        notes.damages = cursor.take_damages();
        Ok(notes)
    }
}

/// `ephapse info`.
pub fn info(args: &InfoArgs) -> anyhow::Result<ExitCode> {
    let capture = recorded::open(&args.file)?;
    let summary = capture.summary()?;
    let notes = Notes::of(&capture)?;
    if args.json {
        sayln!(
            "{}",
            serde_json::to_string_pretty(&as_json(&capture, &summary, &notes))?
        );
    } else {
        say(&capture, &summary, &notes);
    }
    Ok(ExitCode::SUCCESS)
}

fn as_json(capture: &Capture, summary: &Summary, notes: &Notes) -> Value {
    let meta = capture.meta();
    let types = meta
        .streams
        .iter()
        .map(|s| (meta.stream_name(*s).to_owned(), json!(meta.stream_type(*s))));
    let events = notes.events.iter().map(|(at_ns, tick, who, what)| {
        json!({ "at_ns": at_ns, "tick": tick, "who": who, "what": what })
    });
    json!({
        "files": capture.files(),
        "ephapse": meta.version,
        "capture_id": meta.capture_id,
        "session_id": meta.session_id,
        "machine_id": meta.machine_id,
        "session": meta.plan.session,
        "started": recorded::date(meta.created_realtime_ns),
        "experiment": meta.plan.experiment,
        "graph": meta.plan.resolved_toml,
        "types": types.collect::<serde_json::Map<_, _>>(),
        "summary": summary,
        "used_files": notes.files,
        "host": meta.host,
        "gaps": notes.gaps,
        "events": events.collect::<Value>(),
        "marks": notes.marks,
        "end": notes.end,
        "damages": notes.damages,
        "verdict": recorded::verdict(capture),
        "comments": recorded::comments(capture),
    })
}

fn say(capture: &Capture, summary: &Summary, notes: &Notes) {
    let meta = capture.meta();
    for file in capture.files() {
        sayln!("{}", file.display());
    }
    sayln!(
        "session      {} (ephapse {})",
        meta.plan.session,
        meta.version
    );
    sayln!("started      {}", recorded::date(meta.created_realtime_ns));
    sayln!("duration     {:.3} s", summary.duration_ns as f64 / 1e9);
    sayln!("size         {:.1} MB", summary.bytes as f64 / 1e6);
    let state = if summary.sealed {
        format!("sealed: {}", summary.sealed_why)
    } else {
        "not sealed: being written, or its recorder was killed (`ephapse recover`)".to_owned()
    };
    sayln!("state        {state}");
    if let Some(verdict) = recorded::verdict(capture) {
        sayln!("verdict      {verdict}");
    }
    sayln!("capture id   {}", meta.capture_id);
    for (key, value) in &meta.plan.experiment {
        sayln!("{key:<12} {value}");
    }
    for comment in recorded::comments(capture) {
        sayln!("comment      {} {}", comment.date, comment.text);
    }
    sayln!("streams");
    for (of, number) in summary.streams.iter().zip(&meta.streams) {
        let summary = meta
            .stream_type(*number)
            .map(|t| t.summary())
            .unwrap_or_default();
        sayln!("  {:<12} {summary}", of.name);
        sayln!(
            "  {:<12} {} blocks, {} frames; {} blocks missing, {} frames lost before the ring",
            "",
            thousands(of.blocks),
            thousands(of.frames),
            thousands(of.missing_blocks),
            thousands(of.lost_frames)
        );
    }
    lines("files", &notes.files, |f| {
        let version = if f.version.is_empty() {
            String::new()
        } else {
            format!(" ({})", f.version)
        };
        let digest = if f.sha256.is_empty() {
            "not read"
        } else {
            &f.sha256
        };
        format!(
            "{digest} {}: {}{version}, {} bytes",
            f.role, f.path, f.bytes
        )
    });
    lines("gaps", &notes.gaps, |gap| {
        let of = match gap.of {
            GapOf::Stream(stream) => meta.stream_name(stream).to_owned(),
            GapOf::Activations(process) => {
                let name = meta.processes.get(process as usize);
                format!("activations of {}", name.map_or("?", String::as_str))
            }
        };
        format!(
            "{of}: {} from {} on: {}",
            thousands(gap.count),
            gap.from,
            gap.why
        )
    });
    lines("events", &notes.events, |(_, tick, who, what)| {
        format!("tick {tick}  {who}: {what}")
    });
    lines("marks", &notes.marks, |mark| {
        format!("tick {}  {}", mark.tick, mark.text)
    });
    lines("damages", &notes.damages, ToString::to_string);
}

/// A heading and lines below it; nothing if there are none.
fn lines<T>(heading: &str, all: &[T], line: impl Fn(&T) -> String) {
    if all.is_empty() {
        return;
    }
    sayln!("{heading}");
    for one in all.iter().take(MOST_LINES) {
        // Names and texts come from elsewhere: no control character of theirs reaches a terminal.
        let line: String = line(one)
            .chars()
            .map(|c| if c.is_control() { '?' } else { c })
            .collect();
        sayln!("  {line}");
    }
    if all.len() > MOST_LINES {
        sayln!(
            "  ... {} more (--json has them all)",
            all.len() - MOST_LINES
        );
    }
}
