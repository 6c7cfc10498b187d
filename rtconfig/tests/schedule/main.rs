//! The schedule before it runs: the bound against the model, and what is said of graphs.

mod bounds;
mod random_sets;
