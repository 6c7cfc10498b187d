//! A source that its device paces: what the helper has received begins an activation, and says itself when it was taken.

use super::{BOUND, Loop};
use crate::abi::end_reason;
use crate::os;
use crate::runner::memory::get;
use crate::runner::output::OutputPort;
use crate::runner::turn::{Readiness, Verdict};
use crate::stage::Prepared;
use crate::sync::Ordering;
use std::time::Duration;

impl<P: Prepared> Loop<'_, P> {
    /// Runs until the session stops, its time is over, or the device's stream ends. A device that is silent is waited for.
    pub fn run_device(&mut self) {
        let words = &self.session.words;
        let run_ns = get(&words.run_ns);
        let until_ns = (run_ns > 0).then(|| words.start_ns.load(Ordering::Acquire) + run_ns);
        self.turns
            .outputs
            .iter_mut()
            .for_each(OutputPort::be_origin);
        while self.stopping() == 0 && !self.ended {
            if until_ns.is_some_and(|until_ns| self.looked_ns >= until_ns) {
                break;
            }
            match self.turns.ready() {
                Readiness::Go => {}
                Readiness::NoBlock(input) => {
                    self.turns.warm_outputs();
                    self.turns.inputs[input].wait(BOUND);
                    self.look_around();
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
            let tick = self.session.timer.tick.load(Ordering::Acquire);
            // A wake is late against the helper's commit.
            let since_ns = self.turns.pacing_header().map_or(0, |h| h.committed_ns);
            let verdict = self
                .turns
                .turn(self.moment(tick, since_ns, os::monotonic_ns()));
            self.turns.ring_bells();
            if verdict == Verdict::Nothing {
                std::thread::sleep(Duration::from_millis(1));
            }
            if self.heed(verdict) {
                self.end(end_reason::FINISHED);
            }
            self.housekeeping();
        }
        self.leave_source();
    }
}
