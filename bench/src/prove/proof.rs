//! What was expected and what was found.

use super::cost::Cost;
use super::live::Live;
use crate::report::units::thousands;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt::Display;

/// Outcome of a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProofOutcome {
    /// Every check holds.
    Passed,
    /// One does not: nothing that this instrument measures is evidence.
    Failed,
}

/// One thing that was computed beforehand and then measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// What.
    pub what: String,
    /// Computed beforehand.
    pub expected: String,
    /// Measured.
    pub found: String,
    /// They agree.
    pub held: bool,
}

/// The instrument's proof of itself.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct Proof {
    /// All of it in one word.
    pub outcome: ProofOutcome,
    /// All of it in one sentence.
    pub sentence: String,
    /// Checks, in the order they were made.
    pub checks: Vec<Check>,
    /// The part that needs a real session.
    pub live: Live,
    /// What measuring costs; null in front of other benchmarks, which do not measure it.
    pub cost: Option<Cost>,
}

impl Proof {
    pub(super) fn new(checks: Checks, live: Live, cost: Option<Cost>) -> Self {
        let checks = checks.list;
        let failed: Vec<&Check> = checks.iter().filter(|c| !c.held).collect();
        let (outcome, mut sentence) = match failed.first() {
            None => (
                ProofOutcome::Passed,
                format!("proved: {0} checks of {0} hold", checks.len()),
            ),
            Some(first) => (
                ProofOutcome::Failed,
                format!(
                    "NOT proved: {}: expected {}, found {} ({} of {} checks do not hold)",
                    first.what,
                    first.expected,
                    first.found,
                    failed.len(),
                    checks.len()
                ),
            ),
        };
        let more = [live.sentence(), cost.as_ref().map(Cost::sentence)];
        for more in more.into_iter().flatten() {
            sentence += "; ";
            sentence += &more;
        }
        Proof {
            outcome,
            sentence,
            checks,
            live,
            cost,
        }
    }

    /// True if every check holds.
    pub fn passed(&self) -> bool {
        self.outcome == ProofOutcome::Passed
    }
}

/// Checks as they are made.
#[derive(Default)]
pub(super) struct Checks {
    list: Vec<Check>,
}

impl Checks {
    pub fn add(
        &mut self,
        what: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
        held: bool,
    ) {
        self.list.push(Check {
            what: what.into(),
            expected: expected.into(),
            found: found.into(),
            held,
        });
    }

    /// Two things that must be the same, as they are written.
    pub fn same(&mut self, what: impl Into<String>, expected: impl Display, found: impl Display) {
        let (expected, found) = (expected.to_string(), found.to_string());
        let held = expected == found;
        self.add(what, expected, found, held);
    }

    /// Two counts that must be the same; the difference is named.
    pub fn count(&mut self, what: impl Into<String>, expected: u64, found: u64) {
        let found_words = match found.cmp(&expected) {
            std::cmp::Ordering::Equal => thousands(found),
            std::cmp::Ordering::Less => {
                format!(
                    "{}: {} short",
                    thousands(found),
                    thousands(expected - found)
                )
            }
            std::cmp::Ordering::Greater => {
                format!(
                    "{}: {} too many",
                    thousands(found),
                    thousands(found - expected)
                )
            }
        };
        self.add(what, thousands(expected), found_words, found == expected);
    }

    #[cfg(test)]
    pub fn failed(&self) -> Vec<&Check> {
        self.list.iter().filter(|c| !c.held).collect()
    }
}
