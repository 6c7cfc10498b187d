//! The checks, by what they look at.

mod clock;
mod cpu_mask;
mod cpuset;
mod devices;
mod interrupts;
mod isolation;
mod kernel;
mod limits;
mod measured;
mod memory;
mod power;
mod privileges;
mod throttling;
mod virtual_machine;

use super::finding::Severity;
use super::look::{Judgement, Look, Unread};

/// One check.
pub(super) struct Check {
    /// Its name.
    pub name: &'static str,
    /// What it weighs at worst.
    pub severity: Severity,
    /// Why it matters.
    pub why: &'static str,
    /// Looks and judges.
    pub look: fn(&mut Look<'_>) -> Result<Judgement, Unread>,
}

/// All of them, the heaviest first.
pub(super) fn all() -> impl Iterator<Item = &'static Check> {
    [
        kernel::CHECKS,
        privileges::CHECKS,
        limits::CHECKS,
        cpuset::CHECKS,
        isolation::CHECKS,
        interrupts::CHECKS,
        power::CHECKS,
        throttling::CHECKS,
        clock::CHECKS,
        memory::CHECKS,
        virtual_machine::CHECKS,
        devices::CHECKS,
        measured::CHECKS,
    ]
    .into_iter()
    .flatten()
}
