//! `captures`: what was recorded in a folder; `comment`: what is to be said of it.

use crate::cli::{CapturesArgs, CommentArgs};
use crate::output::sayln;
use crate::recorded;
use ephapse_engine::capture::layout::kind;
use ephapse_engine::capture::{Capture, Item, seal_why};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Folders below the one that was named.
const DEEPEST: usize = 3;

/// One capture, as its record headers tell. Blocks are not read: a folder of many long captures is listed at once.
#[derive(Debug, Serialize)]
struct Listed {
    file: PathBuf,
    started: String,
    session: String,
    duration_s: f64,
    streams: Vec<String>,
    /// Stretches that are missing.
    gaps: u64,
    /// Blocks that are missing.
    missing_blocks: u64,
    bytes: u64,
    sealed: bool,
    verdict: Option<String>,
    /// The newest.
    comment: Option<String>,
}

/// `ephapse captures`.
pub fn captures(args: &CapturesArgs) -> anyhow::Result<ExitCode> {
    let folder = args.dir.as_deref().unwrap_or(Path::new("."));
    let mut listed = Vec::new();
    for file in files_in(folder)? {
        match Capture::open(&file)
            .map_err(anyhow::Error::from)
            .and_then(|c| {
                // A later file of one that has rolled over is not another capture.
                (c.path() == file).then(|| look(&c)).transpose()
            }) {
            Ok(found) => listed.extend(found),
            Err(error) => eprintln!("ephapse: {error:#}"),
        }
    }
    listed.sort_by(|a, b| (&a.started, &a.file).cmp(&(&b.started, &b.file)));
    if args.json {
        sayln!("{}", serde_json::to_string_pretty(&listed)?);
        return Ok(ExitCode::SUCCESS);
    }
    if listed.is_empty() {
        sayln!("no capture in {}", folder.display());
        return Ok(ExitCode::SUCCESS);
    }
    for of in listed {
        sayln!("{}", of.file.display());
        let gaps = match (of.gaps, of.missing_blocks) {
            (0, _) => "no gap".to_owned(),
            (1, blocks) => format!("1 gap ({blocks} blocks)"),
            (gaps, blocks) => format!("{gaps} gaps ({blocks} blocks)"),
        };
        let state = if of.sealed { "sealed" } else { "not sealed" };
        let verdict = of.verdict.unwrap_or_else(|| "no verdict".to_owned());
        sayln!(
            "  {}  {:.1} s  {:.1} MB  {}  {gaps}  {state}  {verdict}",
            of.started,
            of.duration_s,
            of.bytes as f64 / 1e6,
            of.streams.join(", ")
        );
        if let Some(comment) = of.comment {
            sayln!("  {comment}");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The newest capture of a folder.
///
/// # Errors
/// There is none that can be read.
pub(super) fn newest(folder: &Path) -> anyhow::Result<Capture> {
    let captures = files_in(folder)?.into_iter();
    let captures = captures.filter_map(|file| Capture::open(&file).ok());
    let newest = captures.max_by_key(|capture| capture.meta().created_realtime_ns);
    newest.ok_or_else(|| {
        anyhow::anyhow!(
            "{}: there is no capture in this folder; name one, or a session that runs",
            folder.display()
        )
    })
}

fn files_in(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)
        .map_err(|error| anyhow::anyhow!("{}: cannot be read ({error})", folder.display()))?;
    let mut files = Vec::new();
    find(entries, DEEPEST, &mut files);
    files.sort();
    Ok(files)
}

/// Files called `*.cap`. Links are not followed: no folder is looked into twice.
fn find(entries: std::fs::ReadDir, deeper: usize, found: &mut Vec<PathBuf>) {
    for entry in entries.flatten() {
        let (path, Ok(kind)) = (entry.path(), entry.file_type()) else {
            continue;
        };
        if kind.is_file() && path.extension().is_some_and(|e| e == "cap") {
            found.push(path);
        } else if kind.is_dir()
            && deeper > 0
            && !entry.file_name().as_encoded_bytes().starts_with(b".")
            // What may not be looked into has nothing for this user.
            && let Ok(entries) = std::fs::read_dir(&path)
        {
            find(entries, deeper - 1, found);
        }
    }
}

fn look(capture: &Capture) -> anyhow::Result<Listed> {
    let meta = capture.meta();
    let (mut first_ns, mut last_ns) = (u64::MAX, 0);
    let (mut gaps, mut missing_blocks) = (0, 0);
    let mut next: BTreeMap<u32, u64> = BTreeMap::new();
    let mut sealed = false;
    let mut cursor = capture.items()?;
    while let Some(item) = cursor.next_item_of(|header| {
        first_ns = first_ns.min(header.at_ns);
        last_ns = last_ns.max(header.at_ns);
        if header.kind == kind::BLOCKS {
            let next = next.entry(header.source).or_insert(0);
            let missing = header.position.saturating_sub(*next);
            gaps += u64::from(missing > 0);
            missing_blocks += missing;
            *next = (*next).max(header.position + u64::from(header.count));
        }
        header.kind == kind::SEAL
    })? {
        sealed = matches!(item, Item::Seal(note) if note.why != seal_why::ROLLED);
    }
    let bytes = capture.files().into_iter();
    let bytes = bytes.filter_map(|file| std::fs::metadata(file).ok());
    let streams = meta.streams.iter();
    Ok(Listed {
        file: capture.path().to_owned(),
        started: recorded::date(meta.created_realtime_ns),
        session: meta.plan.session.clone(),
        duration_s: last_ns.saturating_sub(first_ns) as f64 / 1e9,
        streams: streams.map(|s| meta.stream_name(*s).to_owned()).collect(),
        gaps,
        missing_blocks,
        bytes: bytes.map(|m| m.len()).sum(),
        sealed: sealed && cursor.at_seal(),
        verdict: recorded::verdict(capture),
        comment: recorded::comments(capture).pop().map(|c| c.text),
    })
}

/// `ephapse comment`.
pub fn comment(args: &CommentArgs) -> anyhow::Result<ExitCode> {
    let text = args.text.join(" ");
    if text.trim().is_empty() {
        anyhow::bail!(
            "a comment needs a text: ephapse comment {} \"...\"",
            args.file.display()
        );
    }
    let file = recorded::comment(&recorded::open(&args.file)?, text.trim())?;
    sayln!(
        "{}: written; the capture itself was not touched",
        file.display()
    );
    Ok(ExitCode::SUCCESS)
}
