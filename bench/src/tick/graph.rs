//! The graph whose timer is measured.

use anyhow::anyhow;
use ephapse_engine::os;
use ephapse_engine::stage::Registry;
use ephapse_rtconfig::graph::Graph;
use ephapse_rtconfig::plan::Plan;
use ephapse_rtconfig::problem::Problem;
use ephapse_rtconfig::resolve::{ResolveOptions, resolve};

const GRAPH: &str = include_str!("timer.toml");

/// The plan for a timer on the first CPU that ticks every `period_ns` and spins for the last `spin_ns` of it.
///
/// # Errors
/// The first thing that stands in its way on this host.
pub fn plan(cpus: [u32; 2], period_ns: u64, spin_ns: u64) -> anyhow::Result<Plan> {
    let graph = graph(cpus, period_ns, spin_ns)?;
    let catalogue = Registry::new(
        ephapse_drivers::describable()
            .into_iter()
            .chain(ephapse_stages::describables()),
    );
    let options = ResolveOptions {
        check_host: true,
        shm_free_bytes: os::shm_free_bytes(),
        ..ResolveOptions::default()
    };
    resolve(&graph, &catalogue, &options).map_err(|problems| {
        problems.into_iter().next().map_or_else(
            || anyhow!("the graph was refused without a reason"),
            anyhow::Error::from,
        )
    })
}

fn graph(cpus: [u32; 2], period_ns: u64, spin_ns: u64) -> Result<Graph, Problem> {
    let name = format!("bench-tick-{}", std::process::id());
    let mut graph = Graph::from_str(&GRAPH.replace("NAME", &name), "the timer's graph")?;
    let [of_timer, of_stages] = cpus;
    for value in [
        format!("timer.cpu={of_timer}"),
        format!("timer.period_ns={period_ns}"),
        format!("timer.spin_ns={spin_ns}"),
        format!("defaults.cpu={of_stages}"),
    ] {
        graph.apply_set(&value)?;
    }
    Ok(graph)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timer_gets_the_first_cpu_and_the_rhythm_asked_for() {
        let plan = plan([0, 0], 100_000, 0).unwrap();
        let timer = plan.timer.unwrap();
        assert_eq!((timer.cpu, timer.period_ns, timer.spin_ns), (0, 100_000, 0));
        assert_eq!(plan.stages.len(), 2);
    }

    #[test]
    fn a_timer_that_spins_on_the_stages_cpu_is_refused_by_name() {
        let error = plan([0, 0], 1_000_000, 50_000).unwrap_err().to_string();
        assert!(error.contains("spins on CPU 0"), "{error}");
    }
}
