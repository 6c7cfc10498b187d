//! What guards have done, as far as the launcher sees it: told when it has just happened, and at the end.

use super::prepare::Process;
use super::run::Run;
use crate::guard::{Cause, Episode, GuardState};
use crate::outcome::SwitchedOff;
use zerocopy::FromBytes;

/// Episodes of all guards, in the order in which they were first seen.
#[derive(Default)]
pub(super) struct Guards(Vec<Noted>);

/// An episode as it was seen last.
struct Noted {
    /// Place of the guard among the processes, and number of the episode.
    key: (usize, u64),
    what: SwitchedOff,
}

impl Guards {
    pub fn into_list(self) -> Vec<SwitchedOff> {
        self.0.into_iter().map(|noted| noted.what).collect()
    }
}

fn state_of(process: &Process) -> Option<GuardState> {
    let mut bytes = [0; size_of::<GuardState>()];
    process.memory.copy_state(&mut bytes)?;
    GuardState::read_from_bytes(&bytes).ok()
}

impl Run {
    /// Looks what the guards have done since the last look.
    pub(super) fn look_at_guards(&mut self) {
        for index in 0..self.processes.list.len() {
            let process = &self.processes.list[index];
            if !self.processes.guards(process.part) {
                continue;
            }
            let (by, state) = (process.name.clone(), state_of(process));
            let state = state.unwrap_or_default();
            for number in state.remembered() {
                if let Some(episode) = state.episode(number) {
                    let what = self.switched_off(&by, episode);
                    self.note((index, number), what);
                }
            }
        }
    }

    /// Puts down what is known of an episode now, and tells of it once it has come to its aim.
    fn note(&mut self, key: (usize, u64), what: SwitchedOff) {
        let all = &mut self.guards.0;
        let place = all.iter().rposition(|noted| noted.key == key);
        let told = place.is_some_and(|place| all[place].what.off_within_ns.is_some());
        if what.off_within_ns.is_some() && !told {
            self.say_off(&what);
        }
        let all = &mut self.guards.0;
        match place {
            Some(place) => all[place].what = what,
            None => all.push(Noted { key, what }),
        }
    }

    /// The last look: whoever could not see its device off, says so.
    pub(super) fn end_guards(&mut self) {
        self.look_at_guards();
        let all = self.guards.0.iter().map(|noted| &noted.what);
        let never: Vec<SwitchedOff> = all
            .filter(|one| one.off_within_ns.is_none())
            .cloned()
            .collect();
        for one in never {
            let what = format!(
                "has not seen the device off: {} (told {} times, {} times in vain); look at the device",
                one.why, one.told, one.failed
            );
            self.fault(&one.by, &what);
        }
    }

    fn say_off(&mut self, one: &SwitchedOff) {
        let did = match one.told {
            0 => "saw that the device is off".to_owned(),
            1 => "switched the device off".to_owned(),
            n => format!("switched the device off {n} times"),
        };
        let ms = one.off_within_ns.unwrap_or(0) as f64 / 1e6;
        let what = format!(
            "{did}: {}; off {ms:.1} ms at most after its last sign of life",
            one.why
        );
        self.processes.events.say(one.tick, &one.by, &what);
    }

    fn switched_off(&self, by: &str, episode: &Episode) -> SwitchedOff {
        // A process that has never given a sign of life had none before it was noticed.
        let alive_ns = match episode.alive_ns {
            0 => episode.noticed_ns,
            alive_ns => alive_ns.min(episode.noticed_ns),
        };
        SwitchedOff {
            at_ns: episode.noticed_ns as i64 - self.start_ns as i64,
            tick: episode.tick,
            by: by.to_owned(),
            why: Cause::from_number(episode.cause)
                .map_or_else(String::new, |cause| cause.words().to_owned()),
            off_within_ns: (episode.off_ns != 0).then(|| episode.off_ns.saturating_sub(alive_ns)),
            told: episode.told,
            failed: episode.failed,
        }
    }
}
