//! A word that is looked at again and again: what is left when nobody has to be woken.

use super::turns::{Hear, Tell};
use super::words::{Joined, WakeWords};
use crate::hop::spin_until;
use core::sync::atomic::Ordering;

/// Stores the word.
pub struct SpinWaker {
    words: WakeWords,
}

impl SpinWaker {
    /// Before the waiter comes.
    pub fn new(words: WakeWords) -> Self {
        SpinWaker { words }
    }
}

impl Tell for SpinWaker {
    fn words(&self) -> Option<&WakeWords> {
        Some(&self.words)
    }

    fn tell(&mut self, wake: u64) -> Result<(), String> {
        self.words.tick().store(wake, Ordering::Release);
        Ok(())
    }
}

/// Looks at the word.
pub struct SpinWaiter {
    joined: Joined,
}

impl SpinWaiter {
    /// Joins.
    ///
    /// # Errors
    /// If there are too many already.
    pub fn join(words: WakeWords) -> Result<Self, String> {
        let joined = words.join()?;
        Ok(SpinWaiter { joined })
    }
}

impl Hear for SpinWaiter {
    fn joined(&self) -> Option<&Joined> {
        Some(&self.joined)
    }

    fn hear(&mut self, wake: u64) -> Result<(), String> {
        let tick = self.joined.words.tick();
        spin_until("wake", || tick.load(Ordering::Acquire) >= wake)
    }
}
