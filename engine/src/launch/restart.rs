//! A dead process is started again: its roles freed, its successor spawned, where its predecessor's last flip left off.

use super::LaunchError;
use super::account::{producer_words, seat_words};
use super::prepare::{ORDERS_AT, Processes};
use super::session_file::ProcessRecord;
use crate::abi::{StageOrders, stage_state};
use crate::os::PidFd;
use crate::sync::Ordering;
use crate::trap::{Point, trap};
use std::os::fd::AsRawFd;

/// A process that dies of itself and has died so often without finishing one activation in between is given up.
const MOST_IN_VAIN: u32 = 5;
/// The same for one that somebody else kills again and again (the kernel for want of memory, say).
const MOST_KILLED_IN_VAIN: u32 = 50;

const MINUTE_NS: u64 = 60_000_000_000;

/// What is known of one process's deaths.
#[derive(Clone, Debug, Default)]
pub(super) struct Deaths {
    /// When it was started again within the last minute, ns.
    restarted_ns: Vec<u64>,
    /// Flips at the last death.
    flip: u64,
    /// Deaths in a row without a flip between.
    in_vain: u32,
    /// Where its pacing input stood when a fault of its own killed it last.
    fatal: Option<u64>,
}

/// What is to be done about a death.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Start it again.
    Restart,
    /// Start it again behind the block at this position, which killed it twice.
    PassOver(u64),
    /// It does not get on.
    GiveUp,
}

impl Deaths {
    /// May it be started again at `now_ns`, if that is permitted so often in a minute? Counts it, if it may.
    pub fn permit(&mut self, now_ns: u64, most: u32) -> bool {
        self.restarted_ns
            .retain(|at_ns| now_ns.saturating_sub(*at_ns) < MINUTE_NS);
        let may = self.restarted_ns.len() < most as usize;
        if may {
            self.restarted_ns.push(now_ns);
        }
        may
    }

    /// Judges a death: `flip` and `position` (of the pacing input) are what its last activation left; `own_fault` tells a
    /// crash or panic from a kill by somebody else, for which no block is to blame.
    pub fn judge(&mut self, flip: u64, position: Option<u64>, own_fault: bool) -> Verdict {
        self.in_vain = if flip == self.flip && self.in_vain > 0 {
            self.in_vain + 1
        } else {
            1
        };
        self.flip = flip;
        let most = if own_fault {
            MOST_IN_VAIN
        } else {
            MOST_KILLED_IN_VAIN
        };
        if self.in_vain > most {
            return Verdict::GiveUp;
        }
        let before = self.fatal;
        self.fatal = if own_fault { position } else { None };
        match self.fatal {
            Some(position) if before == Some(position) => Verdict::PassOver(position),
            _ => Verdict::Restart,
        }
    }
}

impl Processes {
    /// Frees the roles of a process seen dead and starts its successor. `poison` is a block it is to pass over.
    pub(super) fn restart(
        &mut self,
        index: usize,
        poison: Option<u64>,
    ) -> Result<PidFd, LaunchError> {
        self.free_roles(index);
        trap(Point::Freed);
        let process = &mut self.list[index];
        let words = process.words();
        words
            .state
            .store(stage_state::RESTARTING, Ordering::Release);
        crate::text::store(&words.reason, "");
        words.asks_stop.store(0, Ordering::Release);
        process.started_from.file.generation += 1;
        let generation = process.started_from.file.generation;
        let orders = process.segment.words::<StageOrders>(ORDERS_AT);
        orders
            .generation
            .store(u64::from(generation), Ordering::Relaxed);
        if let Some(position) = poison {
            orders.poison.store(position + 1, Ordering::Relaxed);
        }
        trap(Point::Generation);
        let stand_in = process.spare.take().and_then(|spare| spare.go(generation));
        process.child = match stand_in {
            Some(child) => child,
            None => {
                let lifeline = self.lifeline_read.as_raw_fd();
                process.started_from.spawn(&process.name, &[lifeline])?
            }
        };
        trap(Point::Restarted);
        process.exited = None;
        let fd = PidFd::open(process.child.id()).map_err(|source| LaunchError::Spawn {
            who: process.name.clone(),
            program: process.started_from.words[0].clone().into(),
            source,
        })?;
        self.note_start_time(index);
        self.write_record()?;
        Ok(fd)
    }

    /// Sets the owner words of everything a dead process owned back to 0: a role is given again only now.
    fn free_roles(&self, index: usize) {
        let process = &self.list[index];
        process.words().owner.store(0, Ordering::Release);
        let stage = process.part.stage().map(|s| &self.plan.stages[s]);
        for output in stage.iter().flat_map(|stage| &stage.outputs) {
            let producer = producer_words(self, output.stream);
            producer.waiting.store(0, Ordering::Relaxed);
            producer.owner.store(0, Ordering::Release);
        }
        for (stream, seat) in self.seats_of(process.part) {
            let seat = seat_words(self, stream, seat);
            seat.waiting.store(0, Ordering::Relaxed);
            seat.owner.store(0, Ordering::Release);
        }
    }

    /// Writes beside every role of a process when it was started: with the pid, one process for good.
    pub(super) fn note_start_time(&self, index: usize) {
        let process = &self.list[index];
        let start_time = ProcessRecord::of(&process.name, process.child.id()).start_time;
        process
            .segment
            .words::<StageOrders>(ORDERS_AT)
            .start_time
            .store(start_time, Ordering::Relaxed);
        let stage = process.part.stage().map(|s| &self.plan.stages[s]);
        for output in stage.iter().flat_map(|stage| &stage.outputs) {
            producer_words(self, output.stream)
                .start_time
                .store(start_time, Ordering::Relaxed);
        }
        for (stream, seat) in self.seats_of(process.part) {
            seat_words(self, stream, seat)
                .start_time
                .store(start_time, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_that_killed_its_stage_twice_is_passed_over() {
        let mut deaths = Deaths::default();
        assert_eq!(deaths.judge(10, Some(4), true), Verdict::Restart);
        assert_eq!(deaths.judge(10, Some(4), true), Verdict::PassOver(4));
    }

    #[test]
    fn so_many_restarts_in_a_minute_are_permitted_and_more_in_the_next() {
        let mut deaths = Deaths::default();
        let second = 1_000_000_000;
        let permitted = [0, 10, 20, 59, 60, 61, 70, 71].map(|s| deaths.permit(s * second, 3));
        assert_eq!(
            permitted,
            [true, true, true, false, true, false, true, false]
        );
    }

    #[test]
    fn no_block_is_to_blame_for_a_kill_from_outside() {
        let mut deaths = Deaths::default();
        for _ in 0..2 {
            assert_eq!(deaths.judge(10, Some(4), false), Verdict::Restart);
        }
        assert_eq!(deaths.judge(10, Some(4), true), Verdict::Restart);
        assert_eq!(deaths.judge(10, Some(4), false), Verdict::Restart);
    }

    #[test]
    fn a_process_that_does_not_get_on_is_given_up_and_one_that_does_is_not() {
        let mut deaths = Deaths::default();
        for death in 0..100 {
            assert_eq!(deaths.judge(death, Some(death), true), Verdict::Restart);
        }
        for _ in 1..MOST_IN_VAIN {
            assert_ne!(deaths.judge(99, Some(99), true), Verdict::GiveUp);
        }
        assert_eq!(deaths.judge(99, Some(99), true), Verdict::GiveUp);
        let mut deaths = Deaths::default();
        for _ in 0..MOST_KILLED_IN_VAIN {
            assert_eq!(deaths.judge(0, None, false), Verdict::Restart);
        }
        assert_eq!(deaths.judge(0, None, false), Verdict::GiveUp);
    }
}
