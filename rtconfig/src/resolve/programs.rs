//! Whether the executables of other people's stages are there.

use super::wiring::Wiring;
use crate::describe::Program;
use crate::graph::Graph;
use crate::modules::external;
use crate::problem::Problem;

/// Every external command can be found and executed; without it nothing else about the stage need be asked.
pub fn check_found(graph: &Graph, wiring: &Wiring<'_>) -> Result<(), Vec<Problem>> {
    let mut problems = Vec::new();
    for stage in &wiring.stages {
        let Program::External { command, folder } = &stage.kind.program else {
            continue;
        };
        if let Err(why) = external::find(command, &external::search_path()) {
            problems.push(graph.problem(
                &["stage", stage.name, "use"],
                format!("`{}` cannot be started: {why}", stage.kind.kind),
                format!(
                    "install it, or correct `command` in {}",
                    folder.join("stage.toml").display()
                ),
            ));
        }
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems)
    }
}
