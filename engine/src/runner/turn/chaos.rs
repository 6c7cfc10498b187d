//! Faults that the graph asks for. What strikes here breaks the rules of a turn on purpose.

use super::Turns;
use super::fresh_pages::FreshPages;
use crate::abi::circumstance;
use crate::os;
use crate::stage::Prepared;
use crate::sync::Ordering;
use ephapse_rtconfig::chaos::{Fault, Injection};

/// The faults of one stage.
pub(super) struct Chaos {
    faults: Vec<Injection>,
    /// The first that has not struck.
    next: usize,
    /// As many pages as the worst of them touches.
    pages: Option<FreshPages>,
}

impl Chaos {
    /// `struck`: so many have struck this process, or those before it.
    pub fn new(faults: &[Injection], struck: u64) -> Self {
        let pages = faults.iter().filter_map(|injection| match injection.fault {
            Fault::PageFaults { pages, .. } => Some(pages),
            _ => None,
        });
        Chaos {
            faults: faults.to_vec(),
            next: usize::try_from(struck).unwrap_or(usize::MAX),
            pages: pages.max().and_then(FreshPages::map),
        }
    }

    /// The process has locked its memory: what it is to fault on is not part of that.
    pub fn let_go(&mut self) {
        if let Some(pages) = &mut self.pages {
            pages.let_go();
        }
    }

    fn due(&mut self, tick: u64) -> Option<&Fault> {
        let injection = self.faults.get(self.next)?;
        if injection.tick > tick {
            return None;
        }
        self.next += 1;
        Some(&injection.fault)
    }
}

impl<P: Prepared> Turns<P> {
    /// Lets strike what is due at `tick`.
    pub(super) fn suffer(&mut self, tick: u64) {
        while let Some(fault) = self.chaos.due(tick) {
            let fault = fault.clone();
            self.circumstances |= circumstance::INJECTED;
            // Counted first: a successor is not to be killed again.
            let struck = self.chaos.next as u64;
            let words = &self.memory.words;
            words
                .injected_ns
                .store(os::monotonic_ns(), Ordering::Relaxed);
            words.injected.store(struck, Ordering::Release);
            match fault {
                Fault::Stall { for_ns, .. } => {
                    let until_ns = os::monotonic_ns() + for_ns;
                    while os::monotonic_ns() < until_ns {
                        core::hint::spin_loop();
                    }
                }
                Fault::Delay { for_ns, .. } => os::sleep_until(os::monotonic_ns() + for_ns),
                Fault::Kill { .. } => os::kill_self(),
                Fault::Drop { blocks, .. } => {
                    self.outputs.iter_mut().for_each(|o| o.lose(blocks));
                }
                Fault::PageFaults { pages, .. } => {
                    if let Some(fresh) = &mut self.chaos.pages {
                        fresh.touch(pages);
                    }
                }
                // Not a stage's.
                Fault::Hog { .. } | Fault::DiskFull { .. } => {}
            }
        }
    }
}
