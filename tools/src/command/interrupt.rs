//! Ctrl-C for commands that only look.

use anyhow::Context;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A word that the first Ctrl-C (or SIGTERM) raises, so that what was begun can be finished. The second one ends the
/// program, which may be stuck in a write that nobody reads.
pub fn stop_on_interrupt() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let raised = stop.clone();
    ctrlc::set_handler(move || {
        if raised.swap(true, Ordering::AcqRel) {
            std::process::exit(1);
        }
    })
    .context("cannot take over Ctrl-C")?;
    Ok(stop)
}
