//! `list`: the kinds of stage.

use crate::catalogue::catalogue;
use crate::cli::ListArgs;
use crate::output::sayln;
use ephapse_rtconfig::describe::Catalogue;
use std::process::ExitCode;

/// `ephapse list`.
pub fn list(args: &ListArgs) -> anyhow::Result<ExitCode> {
    let catalogue = catalogue();
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
    }
    Ok(ExitCode::SUCCESS)
}
