//! Whole sessions through the real executables, as a user starts them.

mod bench;
mod broken_graphs;
mod control;
mod deaths;
mod demo;
mod edges;
mod finished;
mod isolation;
mod languages;
mod launcher_kills;
mod loop_graph;
mod modules;
mod newcomer;
mod observers;
mod place;
mod prove;
mod python_stage;
mod recordings;
mod restarts;
mod sessions;
mod spares;
mod system_calls;
mod tracer;
mod turns;
mod unprivileged;
mod usage;
