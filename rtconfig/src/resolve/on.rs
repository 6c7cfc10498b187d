//! What is to be run when something has happened: whether it can be.

use crate::graph::Graph;
use crate::modules::external;
use crate::plan::OnPlan;
use crate::problem::Problem;

/// Decides the commands; those whose program is not there are problems, unless nobody is to look.
pub fn decide(graph: &Graph, offline: bool, problems: &mut Vec<Problem>) -> OnPlan {
    let keys = &graph.keys().on;
    let mut command = |key: &str, written: &Option<Vec<String>>| -> Vec<String> {
        let mut words = written.clone().unwrap_or_default();
        let path = ["on", key];
        let Some(program) = words.first_mut() else {
            if written.is_some() {
                problems.push(graph.problem(
                    &path,
                    "the command is empty",
                    "name a program and its arguments, or leave the key out",
                ));
            }
            return words;
        };
        if program.contains('/') {
            let settled = graph.place_of_element(&path, 0).settle(program);
            *program = settled.to_string_lossy().into_owned();
        }
        if !offline && let Err(why) = external::find(&words, &external::search_path()) {
            problems.push(graph.problem(
                &path,
                format!("the command cannot be started: {why}"),
                "install it, or correct its name",
            ));
        }
        words
    };
    OnPlan {
        fault: command("fault", &keys.fault),
        threshold: command("threshold", &keys.threshold),
        end: command("end", &keys.end),
    }
}
