//! Which CPUs there are, and that nobody burns one that others need.

use super::placement::Placement;
use super::wiring::Wiring;
use crate::graph::Graph;
use crate::host::cpu_ranges;
use crate::plan::{Pace, WaitKind};
use crate::problem::Problem;
use std::collections::{BTreeMap, BTreeSet};

/// Every named CPU exists.
pub fn check_exist(
    graph: &Graph,
    wiring: &Wiring<'_>,
    placement: &Placement,
    online: &BTreeSet<u32>,
    problems: &mut Vec<Problem>,
) {
    let what = |cpu: u32| format!("CPU {cpu} does not exist");
    let remedy = format!("online here: {}", cpu_ranges(online));
    if let Some(timer) = placement
        .timer
        .as_ref()
        .filter(|t| !online.contains(&t.cpu))
    {
        problems.push(graph.problem(&["timer", "cpu"], what(timer.cpu), remedy.as_str()));
    }
    for (stage, placed) in wiring.stages.iter().zip(&placement.stages) {
        if let Some(cpu) = placed.cpu.filter(|cpu| !online.contains(cpu)) {
            problems.push(graph.stage_problem(stage.name, "cpu", what(cpu), remedy.as_str()));
        }
    }
}

/// A spinner has its CPU to itself, and one CPU is left for everything of normal priority.
pub fn check_spinners(
    graph: &Graph,
    wiring: &Wiring<'_>,
    placement: &Placement,
    online: Option<&BTreeSet<u32>>,
    problems: &mut Vec<Problem>,
) {
    let mut spinners: BTreeMap<u32, &str> = BTreeMap::new();
    if let Some(timer) = placement.timer.as_ref().filter(|timer| timer.spin_ns > 0) {
        spinners.insert(timer.cpu, "timer");
    }
    let spins = |pace: Pace, wait: WaitKind| pace == Pace::Data && wait == WaitKind::Spin;
    for (stage, placed) in wiring.stages.iter().zip(&placement.stages) {
        let Some(cpu) = placed.cpu.filter(|_| spins(placed.pace, placed.wait)) else {
            continue;
        };
        if let Some(other) = spinners.get(&cpu) {
            problems.push(graph.stage_problem(
                stage.name,
                "wait",
                format!("`{other}` and `{}` both spin on CPU {cpu}", stage.name),
                "give one of them another CPU, or wait = \"futex\" (timer: spin_ns = 0)",
            ));
            continue;
        }
        spinners.insert(cpu, stage.name);
    }
    for (stage, placed) in wiring.stages.iter().zip(&placement.stages) {
        if spins(placed.pace, placed.wait) {
            continue;
        }
        if let Some((cpu, spinner)) = placed.cpu.and_then(|cpu| spinners.get_key_value(&cpu)) {
            problems.push(graph.stage_problem(
                stage.name,
                "cpu",
                format!("`{spinner}` spins on CPU {cpu} and needs it for itself"),
                "choose another CPU, or let nothing spin there",
            ));
        }
    }
    if let Some(timer) = placement.timer.as_ref().filter(|timer| timer.spin_ns == 0)
        && let Some(spinner) = spinners.get(&timer.cpu)
    {
        problems.push(graph.problem(
            &["timer", "cpu"],
            format!(
                "`{spinner}` spins on CPU {} and needs it for itself",
                timer.cpu
            ),
            "choose another CPU, or let nothing spin there",
        ));
    }
    if let Some(online) = online
        && !spinners.is_empty()
        && online.iter().all(|cpu| spinners.contains_key(cpu))
    {
        let spinner = spinners.values().find(|name| **name != "timer");
        let path: &[&str] = match spinner {
            Some(stage) => &["stage", stage, "wait"],
            None => &["timer", "spin_ns"],
        };
        problems.push(graph.problem(
            path,
            format!(
                "every CPU ({}) is taken by a spinner, nothing of normal priority could run",
                cpu_ranges(online)
            ),
            "leave one CPU without spinners",
        ));
    }
}
