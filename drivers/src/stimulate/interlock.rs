//! The interlock: every command passes it, or is refused with a reason; it also ends and renews what stands at the device.
//!
//! ```text
//! commands ─> bar on all (off, held, reset, age)? ─> limits of the graph ─> handed on, or refused and recorded so
//!                  │
//!                  └─> whatever stands is switched off (`forced`); when the bar is gone, what the loop wants stands again
//! ```
//!
//! A policy says only once that a target is to be stimulated at 20 Hz, and the device does so by itself from then on. So the
//! interlock keeps two accounts for each target: what the loop wants, and what the device was given. A block of commands,
//! also an empty one, confirms what is wanted. Pulses are counted by time, ahead as far as the guard lets the device go on
//! alone, so that no limit is exceeded even if this process dies in between.
//!
//! It has no clock but the one of its activation, and everything it knows stands in its state: a successor goes on with it.

use super::handed::Handed;
use super::limits::Limits;
use super::refusal::{Forced, Refusal};
use super::standing::{CODE_RATE, PERIOD_NS, Standing, TargetState};
use ephapse_engine::abi::SlotHeader;
use ephapse_engine::records::Command;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Before a target whose hour was full is stimulated again there must be room for so long, s.
const ROOM_S: f64 = 60.0;

/// The moment of an activation.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Tick.
    pub tick: u64,
    /// Time, ns.
    pub ns: u64,
    /// Stimulation has been switched off for good.
    pub off: bool,
    /// Stimulation is held.
    pub held: bool,
}

/// The rules.
#[derive(Clone, Debug)]
pub struct Interlock {
    /// Of the graph.
    pub limits: Limits,
    /// Carry out commands, too, that come from a stage which was started again without its state and has not settled.
    pub accept_reset: bool,
    /// The guard switches the device off when the interlock has been silent for so long, ns.
    pub silent_ns: u64,
    /// And has done so after so long, ns.
    pub off_within_ns: u64,
}

/// When the accounts were made up last.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Clock {
    /// ns; 0: never.
    ns: u64,
    period: u64,
}

impl Interlock {
    /// Bytes of its state. All zero: nothing has been done.
    pub fn state_bytes(limits: &Limits) -> usize {
        size_of::<Clock>() + limits.targets as usize * size_of::<TargetState>()
    }

    /// Most records one block of at most `commands` commands leads to.
    pub fn most_handed(limits: &Limits, commands: u32) -> u32 {
        // Every target may be switched off before them, or on again behind them, but never both.
        commands + limits.targets
    }

    /// Judges a block of commands; what becomes of them, and what the interlock does of itself, goes to `out`. Returns how
    /// many records that are.
    pub fn step(
        &self,
        state: &mut [u8],
        now: Now,
        header: &SlotHeader,
        commands: &[Command],
        out: &mut [Handed],
    ) -> usize {
        let Some((clock, targets)) = parts(state) else {
            return 0;
        };
        self.make_up(clock, targets, now.ns);
        // A device's clock model may place a frame a little in the future; no age is negative.
        let age_ns = i64::try_from(now.ns.saturating_sub(header.sampled_ns)).unwrap_or(i64::MAX);
        let too_old = self.limits.is_too_old(age_ns);
        let bar = Refusal::of_all(header, now.off, now.held, too_old, self.accept_reset);
        let mut out = Out {
            records: out,
            count: 0,
        };
        for target in used(targets).filter(|target| !target.given.is_off()) {
            let full = || {
                self.hour_is_full(target, &target.given)
                    .then_some(Refusal::Hour)
            };
            if let Some(why) = bar.or_else(full) {
                target.give(Standing::default());
                out.push(forced(now, target, 0, Forced::Off(why)));
            }
        }
        for command in commands {
            let command = Command {
                tick: if command.tick == 0 {
                    now.tick
                } else {
                    command.tick
                },
                age_ns,
                ..*command
            };
            let refusal = self.judge(targets, &command, bar);
            out.push(Handed::asked(command, refusal));
        }
        if bar.is_none() {
            let lost = |target: &&mut TargetState| target.given.is_off() || target.doubtful != 0;
            for target in used(targets).filter(lost) {
                if !target.wanted.is_off() && self.has_room(target) {
                    target.give(target.wanted);
                    out.push(forced(now, target, age_ns, Forced::Again));
                }
            }
        }
        out.count
    }

    /// There are no more commands: whatever stands is switched off.
    pub fn end(&self, state: &mut [u8], now: Now, out: &mut [Handed]) -> usize {
        let Some((clock, targets)) = parts(state) else {
            return 0;
        };
        self.make_up(clock, targets, now.ns);
        let mut out = Out {
            records: out,
            count: 0,
        };
        for target in used(targets) {
            target.wanted = Standing::default();
            if !target.given.is_off() {
                target.give(Standing::default());
                out.push(forced(now, target, 0, Forced::End));
            }
        }
        out.count
    }

    /// Counts what the device has been doing since the last look.
    fn make_up(&self, clock: &mut Clock, targets: &mut [TargetState], now_ns: u64) {
        let passed_ns = match clock.ns {
            0 => 0,
            last_ns => now_ns.saturating_sub(last_ns),
        };
        let period = now_ns / PERIOD_NS;
        for target in used(targets) {
            target.turn_to(period, clock.period);
            target.count(passed_ns, period);
            if passed_ns >= self.silent_ns {
                target.doubtful = u64::from(!target.given.is_off());
            }
        }
        *clock = Clock {
            ns: now_ns,
            period: period.max(clock.period),
        };
    }

    /// How long the device may go on without another look, s.
    fn alone_s(&self) -> f64 {
        (self.silent_ns + self.off_within_ns) as f64 * 1e-9
    }

    fn hour_is_full(&self, target: &TargetState, asked: &Standing) -> bool {
        self.limits
            .hour_is_full(target, asked.rate_hz, self.alone_s())
    }

    fn has_room(&self, target: &TargetState) -> bool {
        let ahead_s = self.alone_s().max(ROOM_S);
        !self
            .limits
            .hour_is_full(target, target.wanted.rate_hz, ahead_s)
    }

    /// Why a command is not carried out, if it is not; notes what is wanted and given from now on.
    fn judge(
        &self,
        targets: &mut [TargetState],
        command: &Command,
        bar: Option<Refusal>,
    ) -> Option<Refusal> {
        let Some(asked) = Standing::of(command) else {
            return Some(Refusal::Malformed);
        };
        if command.code != CODE_RATE {
            return bar.or(self.limits.are_any().then_some(Refusal::Code));
        }
        if asked.is_off() {
            // Off is never refused, whatever else is wrong.
            if let Some(target) = find(targets, command.target, false) {
                target.wanted = asked;
                target.give(asked);
            }
            return None;
        }
        if let Some(why) = self.limits.refuse(&asked) {
            return Some(why);
        }
        let Some(target) = find(targets, command.target, true) else {
            return Some(Refusal::Targets);
        };
        target.wanted = asked;
        let full = || self.hour_is_full(target, &asked).then_some(Refusal::Hour);
        let refusal = bar.or_else(full);
        if refusal.is_none() {
            target.give(asked);
        }
        refusal
    }
}

/// Records on their way out.
struct Out<'a> {
    records: &'a mut [Handed],
    count: usize,
}

impl Out<'_> {
    fn push(&mut self, handed: Handed) {
        // The block is made for the most there can be.
        if let Some(record) = self.records.get_mut(self.count) {
            *record = handed;
            self.count += 1;
        }
    }
}

/// What stands at a target now, as a command of the interlock's own.
fn forced(now: Now, target: &TargetState, age_ns: i64, why: Forced) -> Handed {
    let command = Command {
        tick: now.tick,
        target: (target.number - 1) as u32,
        code: CODE_RATE,
        values: target.given.values(),
        age_ns,
        ..Command::default()
    };
    Handed::forced(command, why)
}

fn parts(state: &mut [u8]) -> Option<(&mut Clock, &mut [TargetState])> {
    let (clock, targets) = state.split_at_mut_checked(size_of::<Clock>())?;
    let clock = Clock::mut_from_bytes(clock).ok()?;
    let targets = <[TargetState]>::mut_from_bytes(targets).ok()?;
    Some((clock, targets))
}

fn used(targets: &mut [TargetState]) -> impl Iterator<Item = &mut TargetState> {
    targets.iter_mut().filter(|target| target.number != 0)
}

/// The account of a target, opened if there is none and room for one.
fn find(targets: &mut [TargetState], target: u32, open: bool) -> Option<&mut TargetState> {
    let number = u64::from(target) + 1;
    let known = targets.iter().position(|t| t.number == number);
    let place = known.or_else(|| targets.iter().position(|t| open && t.number == 0))?;
    let account = &mut targets[place];
    if account.number == 0 {
        *account = TargetState::new(target);
    }
    Some(account)
}
