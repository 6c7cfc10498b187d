//! What begins an activation: the timer's signal, a block, the source's own clock, or nothing.

mod device;

use super::memory::{SessionView, cause, get};
use super::output::SourceClock;
use super::turn::{Moment, Readiness, Turns, Verdict};
use crate::abi::{end_reason, stage_state};
use crate::doorbell::{self, DueTicks, TickWords, Waited};
use crate::due::due_before;
use crate::stage::Prepared;
use crate::sync::Ordering;
use crate::{allocation, os, text};
use ephapse_rtconfig::plan::{Overrun, StagePlan, WaitKind};
use std::time::Duration;

/// All waits are bounded by this and then look at the stop word and the lifeline.
pub(super) const BOUND: Duration = Duration::from_millis(100);
/// So long, at most, a helper outlives its launcher: what its stage has given before it saw the launcher gone is written down.
const DRAIN_ORPHANED: Duration = Duration::from_secs(1);
/// How long a source waits for its helper before it looks again.
const HELPER_BOUND: Duration = Duration::from_millis(10);
/// Without a sleep for so long, a stage that works off what has gathered sleeps for a moment.
const REST_EVERY: Duration = Duration::from_millis(500);
/// For so long.
const REST: Duration = Duration::from_micros(50);
/// A spinning stage looks at its rings this often, and at nothing else, before it looks at clock, stop word and lifeline.
const SPINS: u32 = 4096;

/// The main loop of a stage.
pub(super) struct Loop<'a, P: Prepared> {
    pub turns: Turns<P>,
    pub session: &'a SessionView,
    pub plan: &'a StagePlan,
    pub lifeline_fd: i32,
    pub paced: bool,
    before: os::Usage,
    at_start: os::Usage,
    allocations_at_start: u64,
    lifeline_checked_ns: u64,
    /// When it last slept of its own will.
    rested_ns: u64,
    /// The clock when this process last looked around: after its newest activation, or when it waited in vain.
    looked_ns: u64,
    /// When the launcher was seen gone.
    orphaned_ns: Option<u64>,
    spurious: u64,
    usage: [u8; 4],
    cpu: u16,
    ended: bool,
    /// This process follows one that died: what fell due before its own time was missed by nobody alive.
    successor: bool,
}

impl<'a, P: Prepared> Loop<'a, P> {
    pub fn new(
        turns: Turns<P>,
        session: &'a SessionView,
        plan: &'a StagePlan,
        lifeline_fd: i32,
        paced: bool,
        successor: bool,
    ) -> Self {
        Loop {
            turns,
            session,
            plan,
            lifeline_fd,
            paced,
            before: os::Usage::default(),
            at_start: os::Usage::default(),
            allocations_at_start: 0,
            lifeline_checked_ns: 0,
            rested_ns: 0,
            looked_ns: 0,
            orphaned_ns: None,
            spurious: 0,
            usage: [0; 4],
            cpu: 0,
            ended: false,
            successor,
        }
    }

    /// Takes the counts from which "after start" is measured.
    pub fn mark_start(&mut self) {
        // The first look at the clock maps its page: that fault belongs to the time before the start.
        self.looked_ns = os::monotonic_ns();
        self.lifeline_checked_ns = self.looked_ns;
        self.rested_ns = self.looked_ns;
        self.at_start = os::usage();
        self.before = self.at_start;
        self.allocations_at_start = allocation::count();
    }

    /// Ends what a predecessor has not: it was killed between the ends of two streams, or after the last.
    pub fn take_over_end(&mut self) {
        if self.turns.some_output_ended() {
            self.end(self.turns.pacing_end_reason());
        }
    }

    pub(super) fn stopping(&self) -> u64 {
        match self.orphaned_ns {
            Some(_) => 2,
            None => self.session.words.stop.load(Ordering::Acquire),
        }
    }

    /// A helper's input ends when its stage has left.
    fn may_still_drain(&self) -> bool {
        self.plan.helper_of.is_some()
            && self.orphaned_ns.is_some_and(|at_ns| {
                self.looked_ns.saturating_sub(at_ns) < DRAIN_ORPHANED.as_nanos() as u64
            })
    }

    /// Once per activation, after the bells: everything that enters the kernel.
    fn housekeeping(&mut self) {
        let usage = os::usage();
        let small = |now: u64, then: u64| u8::try_from(now - then).unwrap_or(u8::MAX);
        self.usage = [
            small(usage.voluntary, self.before.voluntary),
            small(usage.involuntary, self.before.involuntary),
            small(usage.minor_faults, self.before.minor_faults),
            small(usage.major_faults, self.before.major_faults),
        ];
        self.before = usage;
        self.cpu = os::current_cpu() as u16;
        let words = &self.turns.memory.words;
        words.minor_faults.store(
            usage.minor_faults - self.at_start.minor_faults,
            Ordering::Relaxed,
        );
        words.major_faults.store(
            usage.major_faults - self.at_start.major_faults,
            Ordering::Relaxed,
        );
        words
            .voluntary
            .store(usage.voluntary - self.at_start.voluntary, Ordering::Relaxed);
        words.involuntary.store(
            usage.involuntary - self.at_start.involuntary,
            Ordering::Relaxed,
        );
        words.allocations.store(
            allocation::count() - self.allocations_at_start,
            Ordering::Relaxed,
        );
        words.spurious.store(self.spurious, Ordering::Relaxed);
        self.look_around();
    }

    /// Clock and heartbeat, and the lifeline (a system call) once in [`BOUND`]. Never between a wake and its activation.
    fn look_around(&mut self) {
        self.turns.tune();
        self.look_at_clock();
    }

    /// The same without new parameters.
    pub(super) fn look_at_clock(&mut self) {
        self.looked_ns = os::monotonic_ns();
        let words = &self.turns.memory.words;
        words.heartbeat_ns.store(self.looked_ns, Ordering::Relaxed);
        if self.looked_ns.saturating_sub(self.lifeline_checked_ns) >= BOUND.as_nanos() as u64 {
            self.lifeline_checked_ns = self.looked_ns;
            if self.orphaned_ns.is_none() && os::lifeline_cut(self.lifeline_fd) {
                self.orphaned_ns = Some(self.looked_ns);
            }
        }
    }

    /// The last thing a process does that is not killed.
    pub fn leave(&mut self) {
        self.turns.leave();
    }

    /// Sleeps for a moment if it has not for long: whoever has much to catch up is no runaway, which the kernel kills. One
    /// that spins has its CPU for itself, and no such limit.
    fn rest(&mut self) {
        if self.plan.wait == WaitKind::Spin {
            return;
        }
        if self.looked_ns.saturating_sub(self.rested_ns) > REST_EVERY.as_nanos() as u64 {
            os::sleep_until(self.looked_ns + REST.as_nanos() as u64);
            self.rested_ns = self.looked_ns;
        }
    }

    fn ask_stop(&self, why: &str) {
        let words = &self.turns.memory.words;
        text::store(&words.reason, why);
        words.asks_stop.store(1, Ordering::Release);
    }

    /// Deals with what a turn came to. True if the stage's streams are to end.
    fn heed(&mut self, verdict: Verdict) -> bool {
        if self.turns.faulted() {
            self.ask_stop("an output is full and its stream says `full = \"fault\"`: give it more slots, or find out why its reader is slow");
        }
        match verdict {
            Verdict::Went | Verdict::Nothing => false,
            Verdict::Ends => true,
            Verdict::Stop(why) => {
                self.ask_stop(why);
                true
            }
        }
    }

    pub(super) fn end(&mut self, reason: u64) {
        if !self.ended {
            self.turns
                .memory
                .words
                .state
                .store(stage_state::DRAINING, Ordering::Release);
            self.turns.end_outputs(reason);
            self.ended = true;
        }
    }

    fn moment(&self, tick: u64, since_ns: u64, woke_ns: u64) -> Moment {
        Moment {
            tick,
            since_ns,
            woke_ns,
            first: true,
            off: self.session.words.off.load(Ordering::Acquire) != 0 || self.orphaned_ns.is_some(),
            held: self.session.words.held.load(Ordering::Acquire) != 0,
            usage: self.usage,
            cpu: self.cpu,
            ..Moment::default()
        }
    }

    /// The pacing input has ended: publish what is held, end the outputs, pass over the rest. True when all is over.
    fn wind_up(&mut self, moment: &Moment) -> bool {
        if !self.ended {
            self.wait_for_collector();
            if !self.turns.finish(moment) {
                return false;
            }
            self.end(self.turns.pacing_end_reason());
        }
        self.turns.drain_inputs()
    }

    /// Ticked: one activation per due tick, until the stop tick.
    pub fn run_ticked(&mut self) {
        let words = &self.session.words;
        let (start_ns, start_tick) = (
            words.start_ns.load(Ordering::Acquire),
            get(&words.start_tick),
        );
        let period_ns = get(&words.period_ns);
        let divider = u64::from(self.plan.divider);
        let phase = u64::from(self.plan.phase);
        let deadline = |tick: u64| start_ns + tick * period_ns;
        // The due tick before the first: ticks are counted from there.
        let mut last = if self.turns.accounts.ran >= start_tick {
            self.turns.accounts.ran
        } else {
            due_before(start_tick, divider, phase)
        };
        self.turns.accounts.ran = last;
        let mut idle_since_ns = self.looked_ns;
        while let Some(tick) = self.wait_for_tick(last, divider, phase) {
            let mut begun_ns = os::monotonic_ns();
            let missed = ((tick.wrapping_sub(last)) / divider).saturating_sub(1);
            let mut skipped = [0_u8; 4];
            if missed > 0 {
                // Ticks that fell due before this process was there have been missed for good; its policy on death, not
                // the one on overruns, has decided about them.
                let cause_before = if self.successor {
                    cause::DEAD
                } else {
                    cause::LONG_RUN
                };
                let catch_up = match self.plan.overrun {
                    _ if self.successor => 0,
                    Overrun::CatchUp(n) => missed.min(u64::from(n)),
                    Overrun::Skip => 0,
                    Overrun::Stop => {
                        self.ask_stop(
                            "a tick was skipped and this stage says `overrun = \"stop\"`",
                        );
                        0
                    }
                };
                let dropped = missed - catch_up;
                let mut before = 0;
                for step in 1..=dropped {
                    if deadline(last.wrapping_add(step * divider)) < idle_since_ns {
                        before += 1;
                    } else {
                        break;
                    }
                }
                self.turns.accounts.skipped[cause_before] += before;
                self.turns.accounts.skipped[cause::LATE_WAKE] += dropped - before;
                let small = |n: u64| u8::try_from(n).unwrap_or(u8::MAX);
                skipped[cause_before] = small(before);
                skipped[cause::LATE_WAKE] = small(dropped - before);
                for step in (1..=catch_up).rev() {
                    let tick = tick - step * divider;
                    let mut moment = self.moment(tick, deadline(tick), begun_ns);
                    // What was skipped fell due before the first tick that is run now.
                    moment.skipped = core::mem::take(&mut skipped);
                    begun_ns = self.activation(moment);
                }
            }
            let mut moment = self.moment(tick, deadline(tick), begun_ns);
            moment.skipped = skipped;
            self.activation(moment);
            self.successor = false;
            last = tick;
            self.turns.ring_bells();
            self.housekeeping();
            // Not to be looked up later: a long wait looks around, too.
            idle_since_ns = self.looked_ns;
            self.turns.warm_outputs();
        }
        self.end(end_reason::STOPPED);
    }

    /// The next due tick; `ran` was stored by the flip before. `None`: no further one will fall due.
    fn wait_for_tick(&mut self, last: u64, divider: u64, phase: u64) -> Option<u64> {
        let words = TickWords {
            tick: &self.session.timer.tick,
            stop_tick: &self.session.words.stop_tick,
        };
        let mut spurious = 0;
        let mut in_vain = false;
        let due_ticks = DueTicks { divider, phase };
        let due = doorbell::next_due(words, due_ticks, last, &mut spurious, || {
            // Not before the tick has been looked at again: one that came with the end of the wait begins an activation.
            if core::mem::take(&mut in_vain) {
                self.look_around();
            }
            if self.stopping() == 2 {
                return Waited::Leave;
            }
            if os::wait_for_pacing_signal(BOUND) {
                return Waited::Rung;
            }
            in_vain = true;
            Waited::NotRung
        });
        self.spurious += spurious;
        due
    }

    /// All complete blocks on the pacing input, at most `burst`. Returns when the last turn was done: where one ends, the
    /// next begins.
    fn activation(&mut self, mut moment: Moment) -> u64 {
        let mut turned = 0;
        let mut no_room = false;
        while turned < self.plan.burst && !self.ended {
            match self.turns.ready() {
                Readiness::Go => {
                    if turned == 0 {
                        self.turns.accounts.run += 1;
                        self.turns.accounts.ran = moment.tick;
                    }
                    let verdict = self.turns.turn(moment);
                    turned += 1;
                    moment.first = false;
                    if verdict != Verdict::Nothing {
                        moment.woke_ns = self.turns.done_ns();
                    }
                    if self.heed(verdict) {
                        self.end(end_reason::FINISHED);
                    }
                }
                Readiness::NoBlock(_) => break,
                Readiness::NoRoom => {
                    no_room = turned == 0;
                    break;
                }
                Readiness::Ended => {
                    self.wind_up(&moment);
                    break;
                }
            }
        }
        if turned == 0 {
            self.turns.accounts.ran = moment.tick;
            if no_room {
                self.turns.accounts.skipped[cause::NO_ROOM] += 1;
                moment.skipped[cause::NO_ROOM] = 1;
            } else {
                self.turns.accounts.run += 1;
            }
            self.turns.idle(&moment);
        }
        if self.ended {
            self.turns.drain_inputs();
        }
        moment.woke_ns
    }

    /// Data-paced: one activation per block, until the pacing stream ends.
    pub fn run_data(&mut self) {
        while self.stopping() != 2 || self.may_still_drain() {
            let readiness = match self.turns.ready() {
                Readiness::NoBlock(input) => self.wait_for_block(input),
                now => now,
            };
            let tick = self.session.timer.tick.load(Ordering::Acquire);
            match readiness {
                Readiness::Go if self.ended => {
                    self.turns.drain_inputs();
                    self.housekeeping();
                }
                Readiness::Go => {
                    self.wait_for_collector();
                    let verdict = self.turns.turn(self.moment(tick, 0, os::monotonic_ns()));
                    self.turns.ring_bells();
                    if self.heed(verdict) {
                        self.end(end_reason::FINISHED);
                    }
                    self.housekeeping();
                    self.rest();
                }
                Readiness::NoBlock(_) => self.look_around(),
                Readiness::NoRoom => {
                    self.look_around();
                    self.wait_for_room();
                }
                Readiness::Ended => {
                    if self.wind_up(&self.moment(tick, 0, os::monotonic_ns())) {
                        return;
                    }
                    std::thread::sleep(Duration::from_millis(1));
                    self.housekeeping();
                }
            }
        }
        self.end(end_reason::STOPPED);
    }

    /// Nothing to do until that input has more: sleeps on its bell, or spins. What it comes back with may be `NoBlock` again.
    fn wait_for_block(&mut self, input: usize) -> Readiness {
        match self.plan.wait {
            WaitKind::Futex => {
                self.turns.warm_outputs();
                self.turns.inputs[input].wait(BOUND);
                self.turns.ready()
            }
            WaitKind::Spin => {
                let mut readiness = Readiness::NoBlock(input);
                for _ in 0..SPINS {
                    core::hint::spin_loop();
                    self.turns.warm_read_outputs();
                    readiness = self.turns.ready();
                    if !matches!(readiness, Readiness::NoBlock(_)) {
                        break;
                    }
                }
                readiness
            }
        }
    }

    fn wait_for_room(&mut self) {
        if let Some((output, parts)) = self.turns.output_without_credit() {
            output.wait(parts, BOUND);
        }
    }

    /// An unpaced run is faster than the collector's rhythm: it waits for room in its telemetry ring.
    pub(super) fn wait_for_collector(&mut self) {
        while !self.paced && !self.turns.collector_has_room() && self.stopping() != 2 {
            std::thread::sleep(Duration::from_millis(1));
            self.look_around();
        }
    }

    /// A source: on its own clock (`clocked`), or as fast as its readers take it.
    pub fn run_source(&mut self, clocked: bool, speed: f64) {
        let words = &self.session.words;
        let start_ns = if self.paced {
            words.start_ns.load(Ordering::Acquire)
        } else {
            0
        };
        let rate = self.turns.outputs.first().map(|o| o.stream_type().rate);
        let clock = rate.filter(|r| r.numerator > 0).map(|rate| SourceClock {
            start_ns,
            rate,
            speed: if self.paced { speed } else { 1.0 },
            logical: !self.paced,
        });
        let run_ns = get(&words.run_ns);
        let most = match clock {
            Some(clock) if run_ns > 0 => clock
                .rate
                .frames_in_ns((run_ns as f64 * clock.speed) as u64),
            _ => None,
        };
        if let Some(clock) = clock {
            self.turns
                .outputs
                .iter_mut()
                .for_each(|o| o.set_clock(clock));
        }
        while self.stopping() == 0 && !self.ended {
            let done = self.turns.outputs.first().map_or(0, |o| o.next_frame());
            let left = most.map(|most| most.saturating_sub(done));
            if left == Some(0) {
                break;
            }
            match self.turns.ready() {
                Readiness::Go => {}
                Readiness::NoBlock(input) => {
                    self.look_around();
                    self.turns.inputs[input].wait(HELPER_BOUND);
                    continue;
                }
                Readiness::NoRoom => {
                    self.look_around();
                    self.wait_for_room();
                    continue;
                }
                Readiness::Ended => {
                    self.end(end_reason::FINISHED);
                    break;
                }
            }
            self.wait_for_collector();
            let frames = self.frames_to_come(left);
            let mut moment = self.moment(self.session.timer.tick.load(Ordering::Acquire), 0, 0);
            moment.limit = left.map(|left| u32::try_from(left).unwrap_or(u32::MAX));
            let due_ns = clock.map(|clock| clock.at(done + frames));
            moment.sampled_ns = due_ns.unwrap_or(0);
            moment.woke_ns = match due_ns {
                Some(due_ns) if clocked => {
                    let Some(woke_ns) = self.sleep_until(due_ns) else {
                        continue;
                    };
                    moment.since_ns = due_ns;
                    moment.late = woke_ns > due_ns + BOUND.as_nanos() as u64;
                    woke_ns
                }
                _ => os::monotonic_ns(),
            };
            let verdict = self.turns.turn(moment);
            self.turns.ring_bells();
            if verdict == Verdict::Nothing {
                std::thread::sleep(Duration::from_millis(1));
            }
            if self.heed(verdict) {
                self.end(end_reason::FINISHED);
            }
            self.housekeeping();
            self.rest();
        }
        self.leave_source();
    }

    /// A source gives nothing more. A helper that feeds it must not be left waiting for room.
    fn leave_source(&mut self) {
        self.end(if self.stopping() == 2 {
            end_reason::STOPPED
        } else {
            end_reason::FINISHED
        });
        while self.turns.pacing().is_some() && !self.turns.drain_inputs() && self.stopping() != 2 {
            std::thread::sleep(Duration::from_millis(1));
            self.housekeeping();
        }
    }

    /// Frames of the block that comes next: what the helper's block holds, or a full one.
    fn frames_to_come(&self, left: Option<u64>) -> u64 {
        let full = self
            .turns
            .outputs
            .first()
            .map_or(1, |o| u64::from(o.stream_type().frames_per_block()));
        let frames = self
            .turns
            .pacing_header()
            .map_or(full, |h| u64::from(h.valid) + h.lost);
        left.map_or(frames, |left| frames.min(left))
    }

    /// Sleeps to a deadline in bounded steps, if by the last look at the clock it is still to come. Returns when it woke;
    /// `None` if the session stops meanwhile.
    fn sleep_until(&mut self, due_ns: u64) -> Option<u64> {
        loop {
            if self.looked_ns < due_ns {
                self.turns.warm_outputs();
                os::sleep_until(due_ns.min(self.looked_ns + BOUND.as_nanos() as u64));
            }
            let now_ns = os::monotonic_ns();
            if self.stopping() != 0 {
                return None;
            }
            if now_ns >= due_ns {
                return Some(now_ns);
            }
            self.look_around();
        }
    }
}
