//! What stands at each target of a stimulating device: the interlock's own account of it.

use super::limits::Pulse;
use ephapse_engine::records::Command;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// [`Command::code`] of a command that stands until the next one: `values` are rate (Hz), amplitude (uA), duration of each
/// phase (us), net charge of a pulse (nC); 0 in the last three: as the device has been set up.
pub const CODE_RATE: u32 = 1;

/// Pulses are counted in periods of five minutes; an hour touches 13 of them.
pub const PERIODS: usize = 13;
/// One of them, ns.
pub const PERIOD_NS: u64 = 300_000_000_000;

/// What a target does until it is told otherwise. Rate 0: nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Standing {
    /// Pulses per second, Hz.
    pub rate_hz: f64,
    /// Amplitude of a phase, uA; 0: as set up.
    pub amplitude_ua: f64,
    /// Duration of a phase, us; 0: as set up.
    pub phase_us: f64,
    /// Net charge of a pulse, nC; 0: as set up.
    pub net_nc: f64,
}

impl Standing {
    /// What a command asks for. `None` if it says nothing that a device can do: a number that is none, a negative rate or
    /// duration.
    pub fn of(command: &Command) -> Option<Self> {
        let [rate_hz, amplitude_ua, phase_us, net_nc] = command.values;
        let sound =
            command.values.iter().all(|v| v.is_finite()) && rate_hz >= 0.0 && phase_us >= 0.0;
        sound.then_some(Standing {
            rate_hz,
            amplitude_ua,
            phase_us,
            net_nc,
        })
    }

    /// As the values of a command.
    pub fn values(&self) -> [f64; 4] {
        [self.rate_hz, self.amplitude_ua, self.phase_us, self.net_nc]
    }

    /// Its pulse, `set_up` where it does not say.
    pub fn pulse(&self, set_up: &Pulse) -> Pulse {
        let or = |own: f64, other: f64| if own == 0.0 { other } else { own };
        Pulse {
            amplitude_ua: or(self.amplitude_ua, set_up.amplitude_ua),
            phase_us: or(self.phase_us, set_up.phase_us),
            net_nc: or(self.net_nc, set_up.net_nc),
        }
    }

    /// True if nothing comes of it.
    pub fn is_off(&self) -> bool {
        self.rate_hz == 0.0
    }
}

/// One target.
#[derive(Clone, Copy, Debug, Default, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct TargetState {
    /// One more than its number; 0: this place is free.
    pub number: u64,
    /// What the loop wants there.
    pub wanted: Standing,
    /// What the device was told last.
    pub given: Standing,
    /// 1: the guard may have switched it off since.
    pub doubtful: u64,
    /// Beginnings that have not been counted yet.
    begun: f64,
    /// Pulses in each of the last periods, the current one at `period % PERIODS`.
    pulses: [f64; PERIODS],
}

impl TargetState {
    /// A target that nothing has been done at.
    pub fn new(target: u32) -> Self {
        TargetState {
            number: u64::from(target) + 1,
            ..TargetState::default()
        }
    }

    /// The device is told to do this from now on.
    pub fn give(&mut self, standing: Standing) {
        if !standing.is_off() && (self.given != standing || self.doubtful != 0) {
            // It may begin with a pulse at once.
            self.begun += 1.0;
        }
        self.given = standing;
        self.doubtful = 0;
    }

    /// Counts what it has been doing for `ns`; the time ends in that period.
    pub fn count(&mut self, ns: u64, period: u64) {
        let begun = core::mem::take(&mut self.begun);
        self.pulses[(period % PERIODS as u64) as usize] +=
            self.given.rate_hz * ns as f64 * 1e-9 + begun;
    }

    /// Forgets the periods that begin anew with `period`, when the last look was in `before`.
    pub fn turn_to(&mut self, period: u64, before: u64) {
        for begun in before + 1..=period.min(before.saturating_add(PERIODS as u64)) {
            self.pulses[(begun % PERIODS as u64) as usize] = 0.0;
        }
    }

    /// Pulses within at least the last hour.
    pub fn pulses(&self) -> f64 {
        self.pulses.iter().sum::<f64>() + self.begun
    }
}
