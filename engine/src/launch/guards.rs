//! What guards have done, as far as the launcher sees it: told when it has just happened, and at the end.

use super::prepare::Process;
use super::run::Run;
use crate::guard::{Cause, Episode, GuardState};
use crate::outcome::SwitchedOff;
use zerocopy::FromBytes;

/// Of one guard.
#[derive(Clone, Debug)]
struct Watched {
    /// Its place among the processes.
    process: usize,
    /// Episodes that are known.
    known: u64,
    /// Place of the newest in the list, while it may still change.
    newest: Option<usize>,
}

/// Of all guards.
#[derive(Default)]
pub(super) struct Guards {
    watched: Vec<Watched>,
    /// In order of their beginning.
    pub list: Vec<SwitchedOff>,
}

impl Guards {
    pub fn new(processes: &[Process], is_guard: impl Fn(&Process) -> bool) -> Self {
        let guards = processes.iter().enumerate().filter(|(_, p)| is_guard(p));
        Guards {
            watched: guards
                .map(|(process, _)| Watched {
                    process,
                    known: 0,
                    newest: None,
                })
                .collect(),
            list: Vec::new(),
        }
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
        for index in 0..self.guards.watched.len() {
            let Watched {
                process,
                known,
                newest,
            } = self.guards.watched[index];
            let by = self.processes.list[process].name.clone();
            let Some(state) = state_of(&self.processes.list[process]) else {
                continue;
            };
            // The one that was the newest may have gone on, to its end.
            if let (Some(place), Some(episode)) = (
                newest,
                known.checked_sub(1).and_then(|last| state.episode(last)),
            ) {
                let before = self.guards.list[place].off_within_ns;
                let now = self.switched_off(&by, episode);
                if before.is_none() && now.off_within_ns.is_some() {
                    self.say_off(&now);
                }
                self.guards.list[place] = now;
            }
            for number in known..state.episodes {
                let Some(episode) = state.episode(number) else {
                    continue;
                };
                let now = self.switched_off(&by, episode);
                if now.off_within_ns.is_some() {
                    self.say_off(&now);
                }
                self.guards.watched[index].newest = Some(self.guards.list.len());
                self.guards.list.push(now);
            }
            self.guards.watched[index].known = state.episodes.max(known);
        }
    }

    /// The last look: whoever could not see its device off, says so.
    pub(super) fn end_guards(&mut self) {
        self.look_at_guards();
        let failed: Vec<SwitchedOff> = self
            .guards
            .list
            .iter()
            .filter(|one| one.off_within_ns.is_none())
            .cloned()
            .collect();
        for one in failed {
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
