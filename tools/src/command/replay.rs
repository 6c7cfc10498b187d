//! `replay`: a capture computed once more, and compared with itself.

use super::run::{count_interrupts, prepare_folder};
use crate::catalogue::with_modules;
use crate::cli::ReplayArgs;
use crate::output::sayln;
use anyhow::Context;
use ephapse_engine::capture::Capture;
use ephapse_engine::launch::{Live, collect_garbage};
use ephapse_engine::replay::{ParamChange, Proof, ProofOptions, prove};
use ephapse_rtconfig::describe::{Catalogue, Described};
use ephapse_rtconfig::graph::Graph;
use ephapse_rtconfig::plan::StagePlan;
use serde_json::Value;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

/// `ephapse replay`.
pub fn replay(args: &ReplayArgs) -> anyhow::Result<ExitCode> {
    let changes = args
        .set
        .iter()
        .map(|text| change(text))
        .collect::<anyhow::Result<_>>()?;
    if let Some(folder) = &args.report {
        prepare_folder(folder)?;
    }
    collect_garbage()?;
    let interrupts = Arc::new(AtomicU32::new(0));
    count_interrupts(&interrupts)?;
    let proof = proof(&args.capture, args.speed, changes, interrupts, &mut |_| {})?;
    if let Some(folder) = &args.report {
        let path = folder.join("replay.json");
        std::fs::write(&path, serde_json::to_string_pretty(&proof)?)
            .with_context(|| format!("{}: cannot be written", path.display()))?;
    }
    if args.json {
        sayln!("{}", serde_json::to_string(&proof)?);
    } else {
        sayln!("{}", text(&proof));
    }
    Ok(ExitCode::from(proof.exit_code()))
}

/// Replays a capture with this program's own stages and those of the modules that its graph names.
pub fn proof(
    capture: &Path,
    speed: Option<f64>,
    changes: Vec<ParamChange>,
    interrupts: Arc<AtomicU32>,
    live: &mut dyn FnMut(&Live),
) -> anyhow::Result<Proof> {
    let own = std::env::current_exe().context("cannot find this program's own path")?;
    let opened = Capture::open(capture)?;
    let plan = &opened.meta().plan;
    let named = plan
        .graph_path
        .as_ref()
        .map_or_else(|| plan.session.clone(), |p| p.display().to_string());
    let graph = Graph::from_str(&plan.resolved_toml, &named)?;
    let catalogue = with_modules(Some(&graph))?;
    let describe = |stage: &StagePlan, params: &Value| -> Result<Described, String> {
        let inputs: Vec<_> = stage
            .ports()
            .map(|input| (input.port.as_str(), &input.stream_type))
            .collect();
        let described = catalogue.describe(&stage.kind, params, &inputs);
        described.map_err(|error| error.to_string())
    };
    let findings = std::env::temp_dir().join(format!("ephapse-replay.{}", std::process::id()));
    let mut options = ProofOptions {
        speed,
        changes,
        findings,
        lean_program: own.with_file_name("ephapse-stage"),
        full_program: (own, vec!["helper".to_owned()]),
        interrupts,
        live,
        describe: &describe,
    };
    Ok(prove(capture, &mut options)?)
}

/// `stage.NAME.params.KEY=VALUE`, the value as JSON or as plain text.
fn change(text: &str) -> anyhow::Result<ParamChange> {
    let parts = text.split_once('=').and_then(|(key, value)| {
        let (stage, key) = key.trim().strip_prefix("stage.")?.split_once(".params.")?;
        Some((stage, key, value.trim()))
    });
    let Some((stage, key, value)) = parts else {
        anyhow::bail!(
            "--set {text}: only parameters of stages can be changed in a replay; write it `stage.NAME.params.KEY=VALUE`"
        );
    };
    Ok(ParamChange {
        stage: stage.to_owned(),
        key: key.to_owned(),
        value: serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned())),
    })
}

fn text(proof: &Proof) -> String {
    let width = proof
        .streams
        .iter()
        .map(|s| s.stream.len())
        .max()
        .unwrap_or(0);
    let lines = proof.streams.iter().map(|stream| {
        let mut line = format!(
            "{:width$}  {} blocks made again, {} differ",
            stream.stream, stream.compared, stream.differing
        );
        let beside = stream.uncompared + stream.beyond;
        if beside > 0 {
            line += &format!(", {beside} without a counterpart");
        }
        line + "\n"
    });
    lines.collect::<String>() + &proof.line()
}
