//! From a graph and the kinds of stage to a plan: everything decided, everything checked, nothing started.

mod adapters;
mod assemble;
mod chaos;
mod cpus;
pub mod names;
mod on;
mod order;
mod params;
mod placement;
mod priority;
mod programs;
mod recording;
mod rings;
pub(crate) mod type_rules;
mod types;
mod warnings;
mod wiring;
mod written;

pub use rings::{DEFAULT_SLOTS, bytes_of, ring_bytes};
pub use warnings::warnings;

use crate::describe::Catalogue;
use crate::graph::Graph;
use crate::host;
use crate::plan::Plan;
use crate::problem::Problem;
use assemble::Decided;
use std::collections::BTreeSet;
use std::path::Path;

/// What a graph is checked against, besides itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolveOptions {
    /// Refuse CPUs that this host does not have, and spinners that leave it none.
    pub check_host: bool,
    /// CPUs of the host by raw id, instead of those the kernel names (a graph checked for another host).
    pub online_cpus: Option<BTreeSet<u32>>,
    /// Bytes free in `/dev/shm`; without it, memory is not checked.
    pub shm_free_bytes: Option<u64>,
    /// Pass over files and devices that cannot be opened. The plan then has streams of zero length where a type is not
    /// known: to be looked at, never to be run.
    pub offline: bool,
}

/// Resolves a graph.
///
/// # Errors
/// All problems that could be found, the one to mend first at the front. Never empty.
pub fn resolve(
    graph: &Graph,
    catalogue: &dyn Catalogue,
    options: &ResolveOptions,
) -> Result<Plan, Vec<Problem>> {
    let wiring = wiring::wire(graph, catalogue)?;
    if !options.offline {
        programs::check_found(graph, &wiring)?;
    }
    let mut problems = Vec::new();
    let mut placement = placement::place(graph, &wiring, &mut problems);
    for (stage, placed) in wiring.stages.iter().zip(&mut placement.stages) {
        placed.budget_ns = placed
            .budget_ns
            .or_else(|| catalogue.budget_ns(&stage.kind.kind));
    }
    let online = match (&options.online_cpus, options.check_host) {
        (Some(cpus), true) => Some(cpus.clone()),
        (None, true) => host::online_cpus(Path::new("/")),
        (_, false) => None,
    };
    if let Some(online) = &online {
        cpus::check_exist(graph, &wiring, &placement, online, &mut problems);
    }
    cpus::check_spinners(graph, &wiring, &placement, online.as_ref(), &mut problems);
    let rings = rings::decide(graph, &wiring, &placement, &mut problems);
    let recorder = recording::decide(graph, &wiring, &mut problems);
    let on = on::decide(graph, options.offline, &mut problems);
    let types = types::flow(graph, &wiring, catalogue, options.offline, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    let decided = Decided {
        wiring: &wiring,
        placement: &placement,
        types: &types,
        rings: &rings,
    };
    let mut plan = assemble::assemble(graph, &decided, catalogue, &mut problems);
    plan.on = on;
    recording::seat(graph, &mut plan, recorder, options.shm_free_bytes);
    plan.chaos = chaos::decide(graph, &plan, online.as_ref(), &mut problems);
    rings::check_fit(graph, &plan, options.shm_free_bytes, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    plan.resolved_toml = written::write(graph, &plan, &decided);
    Ok(plan)
}
