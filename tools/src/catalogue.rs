//! Every kind of stage this program knows, from the crates that have them.

use ephapse_engine::stage::{Registry, Runnable};

/// All kinds, to be described.
pub fn catalogue() -> Registry {
    Registry::new(
        ephapse_drivers::describable()
            .into_iter()
            .chain(ephapse_stages::describables()),
    )
}

/// What this executable runs as a child of its own: helpers.
pub fn helpers() -> Vec<Runnable> {
    ephapse_drivers::helpers()
}
