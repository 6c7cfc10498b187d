//! `compare`: where two captures first differ.

use crate::cli::CompareArgs;
use crate::output::sayln;
use ephapse_engine::capture::Capture;
use ephapse_engine::replay::{Comparison, Stamps, compare as compare_captures};
use std::process::ExitCode;

/// `ephapse compare`.
pub fn compare(args: &CompareArgs) -> anyhow::Result<ExitCode> {
    let stamps = if args.ignore_stamps {
        Stamps::Ignored
    } else {
        Stamps::Compared
    };
    let (left, right) = (Capture::open(&args.left)?, Capture::open(&args.right)?);
    let comparison = compare_captures(&left, &right, stamps)?;
    if args.json {
        sayln!("{}", serde_json::to_string(&comparison)?);
    } else {
        sayln!("{}", text(&comparison));
    }
    if comparison.identical() {
        return Ok(ExitCode::SUCCESS);
    }
    anyhow::ensure!(
        comparison
            .streams
            .iter()
            .any(|s| s.compared > 0 || s.first.is_some())
            || !comparison.only_left.is_empty()
            || !comparison.only_right.is_empty(),
        "the two captures have no block in common: nothing was compared"
    );
    Ok(ExitCode::from(2))
}

fn text(comparison: &Comparison) -> String {
    let width = comparison
        .streams
        .iter()
        .map(|s| s.stream.len())
        .max()
        .unwrap_or(0);
    let mut lines = Vec::new();
    for stream in &comparison.streams {
        let mut line = format!(
            "{:width$}  {} blocks compared, {} differ",
            stream.stream, stream.compared, stream.differing
        );
        for (blocks, what) in [
            (stream.beyond, "only in the first, at its end"),
            (stream.uncompared, "only in the second"),
            (stream.missing, "missing in the first"),
        ] {
            if blocks > 0 {
                line += &format!(", {blocks} {what}");
            }
        }
        lines.push(line);
    }
    for (streams, which) in [
        (&comparison.only_left, "first"),
        (&comparison.only_right, "second"),
    ] {
        if !streams.is_empty() {
            lines.push(format!("only in the {which}: {}", streams.join(", ")));
        }
    }
    let first = comparison
        .first
        .as_ref()
        .and_then(|f| Some((f, f.first.as_ref()?)));
    lines.push(match first {
        Some((finding, first)) => format!(
            "first difference: tick {}, stage `{}`, stream `{}`, position {}, {}: {} and {}",
            first.tick,
            finding.stage,
            finding.stream,
            first.position,
            first.place,
            first.left,
            first.right
        ),
        None if comparison.identical() => "identical".to_owned(),
        None => "no block differs, but they do not hold the same streams".to_owned(),
    });
    lines.join("\n")
}
