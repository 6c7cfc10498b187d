//! For a receiver whose library binds it to the thread that made it.
#![allow(unsafe_code, reason = "a promise that is checked before every use")]

use core::mem::ManuallyDrop;
use ephapse_bench::ends::Round;
use ephapse_bench::hop::Receive;
use std::thread::{self, ThreadId};

/// A receiver that is used and dropped only by the thread that made it; the check is one per round, not per block.
pub struct SameThread<R> {
    made_by: ThreadId,
    receiver: ManuallyDrop<R>,
}

// SAFETY: `receiver` is touched in `run` and `drop` alone, and both touch it only on the thread `made_by`.
unsafe impl<R> Send for SameThread<R> {}

impl<R: Receive> SameThread<R> {
    /// Bound to this thread.
    pub fn new(receiver: R) -> Self {
        SameThread {
            made_by: thread::current().id(),
            receiver: ManuallyDrop::new(receiver),
        }
    }
}

impl<R: Receive> Receive for SameThread<R> {
    fn run(&mut self, round: &Round) -> Result<Vec<u64>, String> {
        if thread::current().id() != self.made_by {
            return Err("this receiver runs only on the thread that opened it".to_owned());
        }
        self.receiver.run(round)
    }
}

impl<R> Drop for SameThread<R> {
    fn drop(&mut self) {
        if thread::current().id() == self.made_by {
            // SAFETY: dropped once, here, and never used again. On another thread it is leaked instead.
            unsafe { ManuallyDrop::drop(&mut self.receiver) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ephapse_bench::ends::Mode;
    use std::rc::Rc;

    struct Counting(Rc<()>);

    impl Receive for Counting {
        fn run(&mut self, _: &Round) -> Result<Vec<u64>, String> {
            Ok(vec![Rc::strong_count(&self.0) as u64])
        }
    }

    #[test]
    fn a_receiver_is_neither_run_nor_dropped_by_another_thread() {
        let round = Round {
            key: 0,
            blocks: 1,
            warm_up: 0,
            mode: Mode::Paced,
            period_ns: 1,
            start_ns: 0,
        };
        let count = Rc::new(());
        let mut receiver = SameThread::new(Counting(Rc::clone(&count)));
        assert_eq!(receiver.run(&round), Ok(vec![2]));
        thread::scope(|scope| {
            let elsewhere = scope.spawn(move || receiver.run(&round));
            assert!(elsewhere.join().unwrap().is_err());
        });
        assert_eq!(Rc::strong_count(&count), 2);
        drop(SameThread::new(Counting(Rc::clone(&count))));
        assert_eq!(Rc::strong_count(&count), 2);
    }
}
