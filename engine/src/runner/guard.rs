//! A guard's process: looks, asks, switches off.

use super::ProcessError;
use super::file::{StageDuty, StageFile};
use super::memory::StageMemory;
use super::placement::{Wanted, place};
use super::process::{Attached, failed, newest_params, outlive_the_reader, wait_for_start};
use crate::abi::{OPEN, segment, session_state, stage_state};
use crate::guard::{Cause, Episode, GuardState, Off, OffSwitch, Patience};
use crate::os::{self, PidFd};
use crate::shm::{Access, Segment, ShmError};
use crate::sync::Ordering;
use std::time::Duration;

/// A guard looks at least four times within the time in which the device has to be off.
const LOOKS: u64 = 4;
/// And at most as rarely as this.
const LONGEST_LOOK: Duration = Duration::from_millis(25);
/// While the device is not yet off it is told again after this.
const AGAIN: Duration = Duration::from_millis(1);
/// By then every process has noticed that its launcher is gone, and carries nothing out any more.
const NOTICED: Duration = Duration::from_millis(300);
/// How long a guard whose launcher is gone stays at most: every other process has left by then.
const ORPHANED: Duration = Duration::from_millis(1500);

/// Runs switch `G` as this process's whole purpose.
///
/// # Errors
/// Whatever kept it from starting.
pub fn run_guard<G: OffSwitch>(file: &StageFile, duty: &StageDuty) -> Result<(), ProcessError> {
    outlive_the_reader(file);
    let Some(attached) = Attached::new(file)? else {
        return Ok(());
    };
    let refuse = |why: String| failed(&attached.words, ProcessError::Stage(why));
    let Some(guarded) = &duty.guard else {
        return Err(refuse("there is nothing to guard".to_owned()));
    };
    let params = newest_params(&attached.memory).map_err(refuse)?;
    let params: G::Params = serde_json::from_value(params)
        .map_err(|e| refuse(format!("parameters of {}: {e}", duty.plan.kind)))?;
    let patience = G::patience(&params);
    let device = G::open(params).map_err(|e| refuse(e.to_string()))?;
    let interlock = Neighbour::attach(&attached.of_session, &guarded.stage_segment)
        .map_err(|e| failed(&attached.words, e.into()))?;
    let plan = &duty.plan;
    let wanted = Wanted {
        policy: plan.policy,
        priority: plan.priority,
        nice: plan.nice,
        cpu: plan.cpu,
        spins: false,
    };
    place(&wanted, &attached.words);
    attached.state(stage_state::READY);
    // A successor does not ask whether the session still runs: a device that is left to itself is to be off in any case.
    let successor = file.generation > 1;
    if !successor && !wait_for_start(&attached.session, file.lifeline_fd) {
        attached.state(stage_state::DONE);
        return Ok(());
    }
    attached.state(stage_state::RUNNING);
    // The timer's segment is made after this process: it is there when the session starts.
    let timer = Neighbour::attach(&attached.of_session, &guarded.timer_segment)
        .map_err(|e| failed(&attached.words, e.into()))?;
    let mut guard = Guard {
        attached,
        lifeline_fd: file.lifeline_fd,
        interlock,
        timer,
        device,
        patience,
        ordered_ns: None,
        done_ns: None,
        orphaned_ns: None,
    };
    guard.watch();
    guard.attached.state(stage_state::DONE);
    Ok(())
}

/// Another process of the session, as a guard sees it.
struct Neighbour {
    memory: StageMemory,
    /// Owner word of the process that is watched, and how its death is seen, as long as it lives.
    process: (u64, Option<PidFd>),
    /// Activations at the last look at which there were more than before, and when that was, ns.
    newest: (u64, u64),
}

impl Neighbour {
    fn attach(session: &Segment, name: &str) -> Result<Self, ShmError> {
        let segment = session.open_beside(name, segment::STAGE)?;
        Ok(Neighbour {
            memory: StageMemory::attach(&segment, Access::ReadOnly)?,
            process: (0, None),
            newest: (0, 0),
        })
    }

    fn state(&self) -> u64 {
        self.memory.words.state.load(Ordering::Acquire)
    }

    /// Left well.
    fn is_done(&self) -> bool {
        self.state() == stage_state::DONE
    }

    /// Looks whether it lives: a successor is recognised by its owner word.
    fn lives(&mut self) -> bool {
        let owner = self.memory.words.owner.load(Ordering::Acquire);
        if owner != self.process.0 {
            let fd = (owner != 0).then(|| PidFd::open(owner as u32).ok());
            self.process = (owner, fd.flatten());
        }
        let fd = &mut self.process.1;
        *fd = fd.take().filter(|fd| !fd.is_dead());
        fd.is_some()
    }

    /// Descriptor that says when it dies.
    fn fd(&self) -> Option<i32> {
        self.process.1.as_ref().map(PidFd::raw)
    }

    fn heartbeat_ns(&self) -> u64 {
        self.memory.words.heartbeat_ns.load(Ordering::Relaxed)
    }

    /// How long it has taken no block, as far as was seen, ns.
    fn silent_ns(&mut self, now_ns: u64) -> u64 {
        let activations = self.memory.bank().activations.load(Ordering::Relaxed);
        if activations != self.newest.0 || self.newest.1 == 0 {
            self.newest = (activations, now_ns);
        }
        now_ns - self.newest.1
    }
}

struct Guard<G> {
    attached: Attached,
    lifeline_fd: i32,
    interlock: Neighbour,
    timer: Neighbour,
    device: G,
    patience: Patience,
    /// When stimulation was seen switched off by the session.
    ordered_ns: Option<u64>,
    /// When the stage that stimulates was seen to have left.
    done_ns: Option<u64>,
    /// When the launcher was seen gone.
    orphaned_ns: Option<u64>,
}

impl<G: OffSwitch> Guard<G> {
    fn watch(&mut self) {
        let look = Duration::from_nanos(self.patience.off_within_ns / LOOKS).min(LONGEST_LOOK);
        loop {
            let now_ns = os::monotonic_ns();
            self.attached
                .words
                .heartbeat_ns
                .store(now_ns, Ordering::Relaxed);
            let cause = self.cause(now_ns);
            let may_leave = self.may_leave(now_ns);
            // Not without having looked once more, whatever was or was not a reason before.
            let off = match cause.or(may_leave.then_some(Cause::Over)) {
                None => {
                    self.end_episode();
                    // What it cannot follow now it says when it is asked.
                    let _ = self.device.keep_up();
                    true
                }
                Some(cause) => self.see_to_it(cause, now_ns),
            };
            if off && may_leave {
                return;
            }
            self.sleep(if off { look } else { AGAIN });
        }
    }

    /// The first of the reasons to be off.
    fn cause(&mut self, now_ns: u64) -> Option<Cause> {
        let words = &self.attached.session.words;
        if self.orphaned_ns.is_none() && os::lifeline_cut(self.lifeline_fd) {
            self.orphaned_ns = Some(now_ns);
        }
        let stop = words.stop.load(Ordering::Acquire);
        let off = words.off.load(Ordering::Acquire) != 0;
        if off && self.ordered_ns.is_none() {
            self.ordered_ns = Some(now_ns);
        }
        if self.interlock.is_done() && self.done_ns.is_none() {
            self.done_ns = Some(now_ns);
        }
        // Whoever lives and knows may do it in order; its last words may still be on the way to the device.
        let late =
            |since_ns: u64| now_ns.saturating_sub(since_ns) > self.patience.off_within_ns / 2;
        let (ordered, over) = (
            self.ordered_ns.is_some_and(late),
            self.done_ns.is_some_and(late),
        );
        let running = words.state.load(Ordering::Acquire) == session_state::RUNNING;
        let interlock_lives = self.interlock.lives();
        let silent_ns = self.interlock.silent_ns(now_ns);
        if self.orphaned_ns.is_some() {
            Some(Cause::Launcher)
        } else if !interlock_lives && !self.interlock.is_done() {
            Some(Cause::Interlock)
        } else if !self.timer.lives() && !self.timer.is_done() {
            Some(Cause::Timer)
        } else if running && interlock_lives && silent_ns > self.patience.silent_ns {
            Some(Cause::Silent)
        } else if ordered {
            Some(Cause::Ordered)
        } else if stop == 2 || over {
            Some(Cause::Over)
        } else {
            None
        }
    }

    /// Asks whether the device is off, and switches it off if it is not. True if it is off.
    fn see_to_it(&mut self, cause: Cause, now_ns: u64) -> bool {
        let tick = self.attached.session.timer.tick.load(Ordering::Acquire);
        let mut was_off = self.device.is_off();
        let mut told = 0;
        let mut failed = u64::from(was_off.is_err());
        if !matches!(was_off, Ok(true)) {
            let off = Off {
                why: cause.words(),
                tick,
            };
            told = 1;
            failed += u64::from(self.device.switch_off(&off).is_err());
            was_off = self.device.is_off();
            failed += u64::from(was_off.is_err());
        }
        let off = matches!(was_off, Ok(true));
        let alive_ns = match cause {
            Cause::Interlock => self.interlock.heartbeat_ns(),
            Cause::Timer => self.timer.heartbeat_ns(),
            Cause::Silent => self.interlock.newest.1,
            Cause::Launcher | Cause::Ordered | Cause::Over => now_ns,
        };
        self.note(|state| {
            let same = state.now().is_some_and(|now| now.cause == cause as u64);
            // An end at which the device is off already is none that anybody has to hear of.
            if !same && told == 0 && matches!(cause, Cause::Ordered | Cause::Over) {
                return false;
            }
            if !same {
                state.begin(Episode {
                    cause: cause as u64,
                    tick,
                    alive_ns,
                    noticed_ns: now_ns,
                    ..Episode::default()
                });
            }
            let Some(now) = state.now() else { return false };
            if off && now.off_ns == 0 {
                now.off_ns = os::monotonic_ns();
            } else if same && told == 0 && failed == 0 {
                return false;
            }
            now.told += told;
            now.failed += failed;
            true
        });
        off
    }

    fn end_episode(&mut self) {
        self.note(|state| core::mem::take(&mut state.open) != 0);
    }

    /// Changes what is on record, if `change` says that it did.
    fn note(&mut self, change: impl FnOnce(&mut GuardState) -> bool) {
        let memory = &mut self.attached.memory;
        memory.carry();
        let state = memory.next_state().state;
        // The segment was laid out for it.
        if let Ok(state) = <GuardState as zerocopy::FromBytes>::mut_from_bytes(state)
            && change(state)
        {
            memory.flip();
        }
    }

    /// Everything is off, and nobody is left who could switch it on.
    fn may_leave(&mut self, now_ns: u64) -> bool {
        if let Some(orphaned_ns) = self.orphaned_ns {
            let longer_than = |time: Duration| now_ns - orphaned_ns > time.as_nanos() as u64;
            return longer_than(ORPHANED) || longer_than(NOTICED) && !self.interlock.lives();
        }
        let words = &self.attached.session.words;
        match words.stop.load(Ordering::Acquire) {
            0 => false,
            1 => self.done_ns.is_some() && words.stop_tick.load(Ordering::Acquire) != OPEN,
            _ => !self.interlock.lives(),
        }
    }

    /// Until somebody dies, or it is time to look again. Who is gone already wakes nobody.
    fn sleep(&self, look: Duration) {
        let lifeline = self.orphaned_ns.is_none().then_some(self.lifeline_fd);
        let living = [lifeline, self.interlock.fd(), self.timer.fd()];
        let fds: Vec<i32> = living.into_iter().flatten().collect();
        os::poll_in(&fds, look);
    }
}
