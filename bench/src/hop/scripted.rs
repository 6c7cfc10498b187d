//! A link that moves nothing: its receiver answers values it was given, in order. What a round through it comes to is
//! known beforehand, which proves everything between an end and the printed figure.

use super::round::{Receive, Send};
use crate::ends::Round;

/// Either end.
pub struct Scripted {
    values: Vec<u64>,
    at: usize,
}

impl Scripted {
    /// From a JSON list of values, ns.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(json: &str) -> Result<Self, String> {
        let values = serde_json::from_str(json).map_err(|e| format!("script: {e}"))?;
        Ok(Scripted { values, at: 0 })
    }
}

impl Send for Scripted {
    fn run(&mut self, _: &Round) -> Result<Vec<u64>, String> {
        Ok(Vec::new())
    }
}

impl Receive for Scripted {
    fn run(&mut self, round: &Round) -> Result<Vec<u64>, String> {
        let end = self.at + round.blocks as usize;
        let values = self
            .values
            .get(self.at..end)
            .ok_or_else(|| format!("the script ends before value {end}"))?;
        self.at = end;
        Ok(values.to_vec())
    }
}
