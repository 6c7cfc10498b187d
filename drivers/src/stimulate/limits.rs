//! Limits of stimulation: what a command may ask for at all. They stand in the graph, at the stage that stimulates.

use super::refusal::Refusal;
use super::standing::{Standing, TargetState};
use ephapse_engine::stage::StageError;
use schemars::JsonSchema;
use serde::Deserialize;

/// Targets that are accounted for if the graph says nothing.
const TARGETS: u32 = 16;
/// Most targets: electrodes and groups of any array in use.
const MOST_TARGETS: u32 = 1024;

/// One pulse, for commands that do not say what theirs is: how the device has been set up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pulse {
    /// Amplitude of a phase, uA.
    #[serde(default)]
    pub amplitude_ua: f64,
    /// Duration of each of its two phases, us.
    #[serde(default)]
    pub phase_us: f64,
    /// What the second phase leaves over of the charge of the first, nC; 0: balanced.
    #[serde(default)]
    pub net_nc: f64,
}

/// What no command may exceed; a limit that is left out does not exist.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Largest amplitude of a phase, uA.
    pub max_amplitude_ua: Option<f64>,
    /// Largest charge of a phase, nC: amplitude times duration.
    pub max_phase_nc: Option<f64>,
    /// Largest net charge of a pulse, nC, in either direction.
    pub max_net_nc: Option<f64>,
    /// Highest rate of pulses at one target, Hz.
    pub max_rate_hz: Option<f64>,
    /// Largest fraction of time in which current flows at one target: rate times both phases.
    pub max_duty: Option<f64>,
    /// Most pulses at one target within any hour.
    pub max_pulses_per_hour: Option<f64>,
    /// Greatest age of the data behind a command, ms. Older data also ends what an earlier command has begun.
    pub max_age_ms: Option<f64>,
    /// The pulse that the device has been set up for, if commands do not say what theirs is.
    #[serde(default)]
    pub pulse: Pulse,
    /// Most different targets (1 to 1024, default 16): a further one is refused, for it could not be accounted for.
    #[serde(default = "targets")]
    #[schemars(range(min = 1, max = 1024))]
    pub targets: u32,
}

fn targets() -> u32 {
    TARGETS
}

impl Default for Limits {
    /// None.
    fn default() -> Self {
        Limits {
            max_amplitude_ua: None,
            max_phase_nc: None,
            max_net_nc: None,
            max_rate_hz: None,
            max_duty: None,
            max_pulses_per_hour: None,
            max_age_ms: None,
            pulse: Pulse::default(),
            targets: TARGETS,
        }
    }
}

impl Limits {
    /// Every limit with its name.
    fn named(&self) -> [(&'static str, Option<f64>); 7] {
        [
            ("max_amplitude_ua", self.max_amplitude_ua),
            ("max_phase_nc", self.max_phase_nc),
            ("max_net_nc", self.max_net_nc),
            ("max_rate_hz", self.max_rate_hz),
            ("max_duty", self.max_duty),
            ("max_pulses_per_hour", self.max_pulses_per_hour),
            ("max_age_ms", self.max_age_ms),
        ]
    }

    /// Refuses numbers that limit nothing.
    ///
    /// # Errors
    /// `Parameter` naming the limit.
    pub fn check(&self) -> Result<(), StageError> {
        let wrong =
            |key: &str, why: String| Err(StageError::parameter("limits", format!("{key} = {why}")));
        for (key, limit) in self.named() {
            if let Some(limit) = limit
                && !(limit.is_finite() && limit >= 0.0)
            {
                return wrong(
                    key,
                    format!("{limit} limits nothing: give a number from 0 on, or leave it out"),
                );
            }
        }
        let Pulse {
            amplitude_ua,
            phase_us,
            net_nc,
        } = self.pulse;
        for (key, value) in [
            ("pulse.amplitude_ua", amplitude_ua),
            ("pulse.phase_us", phase_us),
            ("pulse.net_nc", net_nc),
        ] {
            if !value.is_finite() {
                return wrong(key, format!("{value} is no number that a pulse can have"));
            }
        }
        if phase_us < 0.0 {
            return wrong(
                "pulse.phase_us",
                format!("{phase_us} is no duration: give one from 0 on"),
            );
        }
        if !(1..=MOST_TARGETS).contains(&self.targets) {
            return wrong(
                "targets",
                format!("{} is not one of 1 to {MOST_TARGETS}", self.targets),
            );
        }
        Ok(())
    }

    /// True if there is a limit on what a command asks for.
    pub(super) fn are_any(&self) -> bool {
        self.named().iter().any(|(_, limit)| limit.is_some())
    }

    /// Data that old is too old.
    pub(super) fn is_too_old(&self, age_ns: i64) -> bool {
        self.max_age_ms
            .is_some_and(|most_ms| age_ns as f64 > most_ms * 1e6)
    }

    /// Why this may not stand at a target, whatever has been there before.
    pub(super) fn refuse(&self, asked: &Standing) -> Option<Refusal> {
        let exceeds = |value: f64, most: Option<f64>| most.is_some_and(|most| value > most);
        let pulse = asked.pulse(&self.pulse);
        let charge_nc = pulse.amplitude_ua.abs() * pulse.phase_us * 1e-3;
        let duty = asked.rate_hz * 2.0 * pulse.phase_us * 1e-6;
        if exceeds(pulse.amplitude_ua.abs(), self.max_amplitude_ua) {
            Some(Refusal::Amplitude)
        } else if exceeds(charge_nc, self.max_phase_nc) {
            Some(Refusal::Charge)
        } else if exceeds(pulse.net_nc.abs(), self.max_net_nc) {
            Some(Refusal::Net)
        } else if exceeds(asked.rate_hz, self.max_rate_hz) {
            Some(Refusal::Rate)
        } else if exceeds(duty, self.max_duty) {
            Some(Refusal::Duty)
        } else {
            None
        }
    }

    /// True if the pulses of the last hour at this target leave no room for `rate_hz` during `ahead_s`.
    pub(super) fn hour_is_full(&self, target: &TargetState, rate_hz: f64, ahead_s: f64) -> bool {
        // A device gives whole pulses: the one that may come at either end counts.
        self.max_pulses_per_hour
            .is_some_and(|most| target.pulses() + rate_hz * ahead_s + 1.0 > most)
    }
}
