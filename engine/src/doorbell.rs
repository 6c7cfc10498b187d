//! The door-bell between the timer and a ticked stage: how a tick is told, without one being lost.
//!
//! ```text
//! timer, tick k                              stage
//!   tick = k            (Release) [T]          ran = newest tick dealt with  (Release)
//!   fence(SeqCst)                 [T]          fence(SeqCst)                           [T]
//!   ran = its due tick before? ring            tick has a newer due one? go on: else wait for a ring
//! ```
//!
//! Each side stores its own word and then looks at the other's; without both fences both can miss each other. The ring
//! says no more than "look again". What rings and what waits is the caller's: a signal, or whatever a model puts there.

use crate::abi::OPEN;
use crate::due::due_before;
use crate::sync::{AtomicU64, Ordering, fence};

/// When a stage is due: at every tick with `tick % divider == phase`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DueTicks {
    /// Ticks from one due tick to the next.
    pub divider: u64,
    /// Tick of the first.
    pub phase: u64,
}

impl DueTicks {
    /// The newest due tick below `end`; wraps below 0, so that differences still count ticks.
    pub fn before(self, end: u64) -> u64 {
        due_before(end, self.divider, self.phase)
    }
}

/// A due tick that is newer than `last`: differences are taken as signed, for the one before the first wraps below 0.
fn is_newer(due: u64, last: u64) -> bool {
    due != last && due.wrapping_sub(last) < OPEN / 2
}

/// What the timer remembers of a stage.
#[derive(Clone, Copy, Debug)]
pub struct Announced {
    due_ticks: DueTicks,
    last: u64,
}

impl Announced {
    /// A stage to which no tick from `start_tick` on has been announced.
    pub fn new(due_ticks: DueTicks, start_tick: u64) -> Self {
        Announced {
            due_ticks,
            last: due_ticks.before(start_tick),
        }
    }

    /// No tick from `start_tick` on has been announced.
    pub fn start_at(&mut self, start_tick: u64) {
        *self = Self::new(self.due_ticks, start_tick);
    }
}

/// A stage, as its timer sees it.
pub trait Rung {
    /// What was announced to it.
    fn announced(&mut self) -> &mut Announced;

    /// Its `ran` word: the newest tick it has dealt with.
    fn ran(&self) -> u64;

    /// Rings.
    fn ring(&self);
}

/// Timer's side: publishes tick `newest`, and rings every stage that a due tick has come for and that has dealt with the
/// due tick before it. A stage that is still busy will look at the tick itself before it waits.
pub fn announce(tick: &AtomicU64, newest: u64, stages: &mut [impl Rung]) {
    tick.store(newest, Ordering::Release); // [T]
    fence(Ordering::SeqCst); // [T] pairs with the stage's fence between `ran` and its look at the tick
    for stage in stages {
        let announced = stage.announced();
        // A stage whose due tick lies among ticks that the timer skipped is rung for the newest of them.
        let due = announced.due_ticks.before(newest + 1);
        if !is_newer(due, announced.last) {
            continue;
        }
        let before = core::mem::replace(&mut announced.last, due);
        if stage.ran() == before {
            stage.ring();
        }
    }
}

/// The words that a stage looks at.
#[derive(Clone, Copy)]
pub struct TickWords<'a> {
    /// Newest tick, the timer's.
    pub tick: &'a AtomicU64,
    /// First tick that does not fall due, the launcher's.
    pub stop_tick: &'a AtomicU64,
}

/// How a bounded wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// By a ring.
    Rung,
    /// By its bound, or for no reason.
    NotRung,
    /// There is nothing more to wait for.
    Leave,
}

/// Stage's side: the newest due tick after `last`, waited for if need be; `None` if no further one falls due, or `wait`
/// says so. The caller has stored `last` as its `ran` before. A ring without a newer due tick is counted as spurious and
/// leads to nothing.
pub fn next_due(
    words: TickWords<'_>,
    due_ticks: DueTicks,
    last: u64,
    spurious: &mut u64,
    mut wait: impl FnMut() -> Waited,
) -> Option<u64> {
    let mut rung = false;
    loop {
        fence(Ordering::SeqCst); // [T] `ran` was stored before
        let tick = words.tick.load(Ordering::Acquire); // [T]
        let stop_tick = words.stop_tick.load(Ordering::Acquire);
        let newest = due_ticks.before((tick + 1).min(stop_tick));
        if is_newer(newest, last) {
            return Some(newest);
        }
        if stop_tick != OPEN && tick + 1 >= stop_tick {
            return None;
        }
        *spurious += u64::from(rung);
        rung = match wait() {
            Waited::Rung => true,
            Waited::NotRung => false,
            Waited::Leave => return None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os;
    use core::cell::Cell;
    use std::sync::atomic::AtomicBool;

    const EVERY: DueTicks = DueTicks {
        divider: 1,
        phase: 0,
    };

    /// A stage in this thread, with a bell that stays rung until it is heard.
    struct Stage<'a> {
        announced: Announced,
        ran: &'a AtomicU64,
        bell: &'a AtomicBool,
    }

    impl Rung for Stage<'_> {
        fn announced(&mut self) -> &mut Announced {
            &mut self.announced
        }

        fn ran(&self) -> u64 {
            self.ran.load(Ordering::Relaxed)
        }

        fn ring(&self) {
            self.bell.store(true, Ordering::Release);
        }
    }

    struct Words {
        tick: AtomicU64,
        stop_tick: AtomicU64,
        ran: AtomicU64,
        bell: AtomicBool,
    }

    impl Words {
        /// Before tick `start`, with everything before it dealt with.
        fn before(start: u64, due_ticks: DueTicks) -> Self {
            Words {
                tick: AtomicU64::new(start - 1),
                stop_tick: AtomicU64::new(OPEN),
                ran: AtomicU64::new(due_ticks.before(start)),
                bell: AtomicBool::new(false),
            }
        }

        fn stage(&self, due_ticks: DueTicks) -> Stage<'_> {
            Stage {
                announced: Announced::new(due_ticks, self.tick.load(Ordering::Relaxed) + 1),
                ran: &self.ran,
                bell: &self.bell,
            }
        }

        fn ticks(&self) -> TickWords<'_> {
            TickWords {
                tick: &self.tick,
                stop_tick: &self.stop_tick,
            }
        }

        /// Hears the bell if it is rung.
        fn heard(&self) -> bool {
            self.bell.swap(false, Ordering::Acquire)
        }
    }

    #[test]
    fn a_ring_between_the_look_at_the_tick_and_the_wait_is_not_lost() {
        let words = Words::before(1, EVERY);
        let mut stage = [words.stage(EVERY)];
        let mut waits = 0;
        let mut spurious = 0;
        let due = next_due(words.ticks(), EVERY, 0, &mut spurious, || {
            waits += 1;
            // The stage has just looked; the timer comes before it sleeps.
            announce(&words.tick, 1, &mut stage);
            assert!(words.heard(), "a stage that waits is rung");
            Waited::Rung
        });
        assert_eq!((due, waits, spurious), (Some(1), 1, 0));
    }

    #[test]
    fn a_busy_stage_is_not_rung_and_goes_on_without_waiting() {
        let words = Words::before(1, EVERY);
        let mut stage = [words.stage(EVERY)];
        announce(&words.tick, 1, &mut stage);
        assert!(words.heard());
        // Still at tick 1 when 2 and 3 fall due.
        announce(&words.tick, 2, &mut stage);
        announce(&words.tick, 3, &mut stage);
        assert!(!words.heard());
        words.ran.store(1, Ordering::Release);
        let due = next_due(words.ticks(), EVERY, 1, &mut 0, || {
            unreachable!("there is a tick to deal with")
        });
        assert_eq!(due, Some(3));
    }

    #[test]
    fn a_ring_without_a_tick_is_counted_and_leads_to_no_activation() {
        let words = Words::before(5, EVERY);
        let answers = [Waited::Rung, Waited::NotRung, Waited::Rung, Waited::Leave];
        let at = Cell::new(0);
        let mut spurious = 0;
        let due = next_due(words.ticks(), EVERY, 4, &mut spurious, || {
            at.set(at.get() + 1);
            answers[at.get() - 1]
        });
        assert_eq!((due, at.get(), spurious), (None, 4, 2));
    }

    #[test]
    fn a_stage_is_rung_for_its_own_ticks_only_and_once_for_several_skipped_ones() {
        let thirds = DueTicks {
            divider: 3,
            phase: 1,
        };
        let words = Words::before(1, thirds);
        let mut stage = [words.stage(thirds)];
        let mut rings = Vec::new();
        // The timer wakes late past 5, 6 and 7.
        for tick in [1, 2, 3, 4, 8, 9, 10] {
            announce(&words.tick, tick, &mut stage);
            if words.heard() {
                rings.push(tick);
                let due = next_due(words.ticks(), thirds, words.ran(), &mut 0, || Waited::Leave);
                words.ran.store(due.unwrap(), Ordering::Release);
            }
        }
        assert_eq!(rings, [1, 4, 8, 10]);
        assert_eq!(words.ran(), 10);
    }

    impl Words {
        fn ran(&self) -> u64 {
            self.ran.load(Ordering::Relaxed)
        }
    }

    #[test]
    fn no_tick_falls_due_from_the_stop_tick_on() {
        let words = Words::before(5, EVERY);
        words.stop_tick.store(6, Ordering::Release);
        words.tick.store(7, Ordering::Release);
        let never = || unreachable!("nothing to wait for");
        assert_eq!(next_due(words.ticks(), EVERY, 4, &mut 0, never), Some(5));
        let never = || unreachable!("nothing to wait for");
        assert_eq!(next_due(words.ticks(), EVERY, 5, &mut 0, never), None);
    }

    /// Timer and stage meet again and again in the one moment where they can miss each other: `ran` is stored while the
    /// next tick is. Without either fence ticks are lost here, where the machine lets both run at once.
    #[test]
    fn no_tick_is_lost_when_timer_and_stage_meet() {
        const ROUNDS: u64 = 3_000;
        let words = Words::before(1, EVERY);
        // Round for which each has arrived, when both are to go on, and the newest tick whose announcement is through.
        let [timer_at, stage_at, go_ns, announced] = [0, 0, 0, 0].map(AtomicU64::new);
        let spin_until = |ready: &dyn Fn() -> bool| {
            let mut looks = 0_u32;
            while !ready() {
                looks += 1;
                if looks.is_multiple_of(1 << 14) {
                    std::thread::yield_now();
                }
                core::hint::spin_loop();
            }
        };
        // On a CPU each, if there are two.
        let cpus = os::allowed_cpus();
        let bind = |end: usize| {
            let id = cpus[end % cpus.len()] as usize;
            core_affinity::set_for_current(core_affinity::CoreId { id });
        };
        let timer = || {
            bind(0);
            let mut stage = [words.stage(EVERY)];
            for tick in 1..=ROUNDS {
                spin_until(&|| stage_at.load(Ordering::Acquire) == tick);
                let at_ns = os::monotonic_ns() + 500;
                go_ns.store(at_ns, Ordering::Relaxed);
                timer_at.store(tick, Ordering::Release);
                // From a little before the stage to a little after it.
                let own_ns = at_ns - 50 + tick % 100;
                while os::monotonic_ns() < own_ns {}
                announce(&words.tick, tick, &mut stage);
                announced.store(tick, Ordering::Release);
            }
        };
        let stage = || {
            bind(1);
            let mut lost = 0;
            for tick in 1..=ROUNDS {
                stage_at.store(tick, Ordering::Release);
                spin_until(&|| timer_at.load(Ordering::Acquire) == tick);
                let at_ns = go_ns.load(Ordering::Relaxed);
                while os::monotonic_ns() < at_ns {}
                words.ran.store(tick - 1, Ordering::Release);
                let due = next_due(words.ticks(), EVERY, tick - 1, &mut 0, || {
                    // The sleep of a stage: it ends by the ring, or by the timer having rung nobody.
                    let rung = || words.bell.load(Ordering::Acquire);
                    let through = || announced.load(Ordering::Acquire) == tick;
                    spin_until(&|| rung() || through());
                    lost += u64::from(!rung());
                    Waited::NotRung
                });
                lost += u64::from(due != Some(tick));
                // A ring that came although the stage had seen the tick itself is not the next round's.
                spin_until(&|| announced.load(Ordering::Acquire) == tick);
                words.bell.store(false, Ordering::Relaxed);
            }
            lost
        };
        let lost: u64 = std::thread::scope(|scope| {
            scope.spawn(timer);
            scope.spawn(stage).join().unwrap()
        });
        assert_eq!(lost, 0, "of {ROUNDS} ticks");
    }
}
