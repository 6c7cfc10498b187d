//! `list`: the kinds of stage, and the graphs of modules.

use super::graph::load;
use crate::catalogue::{module_graphs, with_modules};
use crate::cli::ListArgs;
use crate::output::sayln;
use ephapse_rtconfig::describe::{Catalogue, Program};
use serde_json::json;
use std::process::ExitCode;

/// `ephapse list`.
pub fn list(args: &ListArgs) -> anyhow::Result<ExitCode> {
    if args.graphs {
        return list_graphs(args.json);
    }
    let graph = args
        .graph
        .as_ref()
        .map(|graph| load(graph, &[], &[]))
        .transpose()?;
    let catalogue = with_modules(graph.as_ref())?;
    let kinds = catalogue.kinds().iter().filter(|k| !k.helper);
    if args.json {
        sayln!(
            "{}",
            serde_json::to_string_pretty(&kinds.collect::<Vec<_>>())?
        );
        return Ok(ExitCode::SUCCESS);
    }
    for kind in kinds {
        let ports = |ports: &[String]| {
            if ports.is_empty() {
                "-".to_owned()
            } else {
                ports.join(", ")
            }
        };
        sayln!(
            "{:<22} {} -> {}",
            kind.kind,
            ports(&kind.inputs),
            ports(&kind.outputs)
        );
        sayln!("{:<22} {}", "", kind.about);
        if let Program::External { command, folder } = &kind.program {
            sayln!(
                "{:<22} runs `{}` in {}",
                "",
                command.join(" "),
                folder.display()
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// `ephapse list --graphs`.
fn list_graphs(as_json: bool) -> anyhow::Result<ExitCode> {
    let graphs = module_graphs()?;
    if as_json {
        let all: Vec<_> = graphs
            .iter()
            .map(|graph| {
                let problem = graph.problem.as_ref().map(ToString::to_string);
                json!({ "name": graph.name, "file": graph.file, "problem": problem })
            })
            .collect();
        sayln!("{}", serde_json::to_string_pretty(&all)?);
        return Ok(ExitCode::SUCCESS);
    }
    for graph in graphs {
        sayln!("{:<22} {}", graph.name, graph.file.display());
        if let Some(problem) = graph.problem {
            sayln!("{:<22} {problem}", "");
        }
    }
    Ok(ExitCode::SUCCESS)
}
