//! The threshold of `-T`: which values are above it, and what is done then.

use crate::measured::{Measure, Series};
use crate::report::units::duration;
use std::process::Command;

/// What a value above the threshold leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// The measurement ends.
    Stop,
    /// It goes on; the result says how many there were.
    Continue,
    /// A shell command is run, once, and the measurement ends.
    Shell(String),
}

impl std::str::FromStr for Action {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(',') {
            None if text == "stop" => Ok(Action::Stop),
            None if text == "continue" => Ok(Action::Continue),
            Some(("shell", command)) => {
                let command = command.strip_prefix("command=").unwrap_or(command);
                Ok(Action::Shell(command.to_owned()))
            }
            _ => Err("one of `stop`, `continue`, `shell,command=COMMAND`".to_owned()),
        }
    }
}

/// A value above the threshold.
#[derive(
    Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
pub struct Hit {
    /// Tag of the series.
    pub series: String,
    /// The value, ns.
    pub value_ns: u64,
}

/// Watches values as they come.
pub struct Watch {
    threshold_ns: Option<u64>,
    action: Action,
    /// The largest value of each round that was above the threshold.
    pub hits: Vec<Hit>,
}

impl Watch {
    /// Watches for values above `threshold_ns`, if there is one.
    pub fn new(threshold_ns: Option<u64>, action: Action) -> Self {
        Watch {
            threshold_ns,
            action,
            hits: Vec::new(),
        }
    }

    /// The threshold, ns.
    pub fn threshold_ns(&self) -> Option<u64> {
        self.threshold_ns
    }

    /// Looks at a round's values. True if the measurement is to end.
    pub fn look(&mut self, series: &Series, values: &[u64]) -> bool {
        let (Some(threshold_ns), Some(worst_ns)) = (self.threshold_ns, values.iter().max()) else {
            return false;
        };
        if series.measure != Measure::Latency || *worst_ns <= threshold_ns {
            return false;
        }
        self.hits.push(Hit {
            series: series.tag.clone(),
            value_ns: *worst_ns,
        });
        match &self.action {
            Action::Stop => true,
            Action::Continue => false,
            Action::Shell(command) => {
                let status = Command::new("sh").arg("-c").arg(command).status();
                if !status.as_ref().is_ok_and(std::process::ExitStatus::success) {
                    eprintln!("ephapse: --on-threshold: `{command}` did not succeed: {status:?}");
                }
                true
            }
        }
    }

    /// A value above the threshold has ended the measurement.
    pub fn has_ended_it(&self) -> bool {
        !self.hits.is_empty() && self.action != Action::Continue
    }

    /// One sentence about the hits; `None` without any.
    pub fn sentence(&self) -> Option<String> {
        let worst = self.hits.iter().max_by_key(|hit| hit.value_ns)?;
        Some(format!(
            "{} in `{}`, above the threshold of {}",
            duration(worst.value_ns),
            worst.series,
            duration(self.threshold_ns.unwrap_or(0))
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_latencies_are_held_against_the_threshold() {
        let mut watch = Watch::new(Some(100), Action::Continue);
        let latency = Series::new("a", "", "", Measure::Latency);
        let rate = Series::new("b", "", "", Measure::Rate { per: 1 });
        watch.look(&latency, &[50, 100]);
        watch.look(&rate, &[500]);
        assert_eq!(watch.sentence(), None);
        assert!(!watch.look(&latency, &[50, 400, 300]));
        assert!(!watch.has_ended_it());
        assert_eq!(
            watch.sentence().as_deref(),
            Some("400 ns in `a`, above the threshold of 100 ns")
        );
    }

    #[test]
    fn actions_are_read_as_rtla_writes_them() {
        assert_eq!("stop".parse(), Ok(Action::Stop));
        assert_eq!(
            "shell,command=touch x".parse(),
            Ok(Action::Shell("touch x".to_owned()))
        );
        assert!("explode".parse::<Action>().is_err());
    }

    #[test]
    fn a_shell_action_runs_its_command_and_ends_the_measurement() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hit");
        let mut watch = Watch::new(Some(1), Action::Shell(format!("touch {}", file.display())));
        assert!(!watch.has_ended_it());
        assert!(watch.look(&Series::new("a", "", "", Measure::Latency), &[2]));
        assert!(watch.has_ended_it());
        assert!(file.exists());
    }
}
