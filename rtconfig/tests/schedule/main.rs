//! The schedule before it runs: the bound against the model, and what is said of graphs.

mod bounds;
#[path = "../kinds/mod.rs"]
mod kinds;
mod random_sets;
mod verdicts;
