//! The events of `raw_sync`: process-shared condition variables. After a waiter was killed, telling hangs for ever, and
//! waiting has no sound bound (engine/adr/0001): the driver kills an end whose answer is late.
#![allow(unsafe_code, reason = "raw_sync keeps its event in mapped memory")]

use super::MOST_WAITERS;
use super::turns::{Hear, Tell};
use super::words::{Joined, WakeWords};
use ephapse_engine::abi::LINE;
use raw_sync::Timeout;
use raw_sync::events::{Event, EventImpl, EventInit, EventState};

/// An event in the memory of a waiter.
struct SharedEvent {
    event: Box<dyn EventImpl>,
    /// The event points into it.
    _words: WakeWords,
}

// SAFETY: the event holds two pointers into a shared mapping that lives as long as it does (`_words`); its mutex and
// condition variable are process-shared, belong to no thread, and are locked only within a call.
unsafe impl Send for SharedEvent {}

impl SharedEvent {
    /// Makes it; resets itself when a waiter has seen it.
    fn create(words: &WakeWords, waiter: usize) -> Result<Self, String> {
        let room = words.room(waiter);
        if Event::size_of(Some(room)) > LINE {
            return Err("raw_sync's event does not fit into its line".to_owned());
        }
        // SAFETY: the event fits into the waiter's line (above), which is used for nothing else; the mapping outlives it.
        let (event, _) = unsafe { Event::new(room, true) }.map_err(|e| e.to_string())?;
        Ok(SharedEvent {
            event,
            _words: words.clone(),
        })
    }

    /// The one that the waker has made.
    fn attach(words: &WakeWords, waiter: usize) -> Result<Self, String> {
        // SAFETY: the waker has made an event in this line before any waiter was told to open the link.
        let opened = unsafe { Event::from_existing(words.room(waiter)) };
        let (event, _) = opened.map_err(|e| e.to_string())?;
        Ok(SharedEvent {
            event,
            _words: words.clone(),
        })
    }
}

/// Sets the event of each waiter.
pub struct EventWaker {
    words: WakeWords,
    events: Vec<SharedEvent>,
}

impl EventWaker {
    /// Makes the events, before the waiters come.
    ///
    /// # Errors
    /// What the library said.
    pub fn open(words: WakeWords) -> Result<Self, String> {
        let events = (0..MOST_WAITERS)
            .map(|waiter| SharedEvent::create(&words, waiter))
            .collect::<Result<_, _>>()?;
        Ok(EventWaker { words, events })
    }
}

impl Tell for EventWaker {
    fn words(&self) -> Option<&WakeWords> {
        Some(&self.words)
    }

    fn prepare(&mut self) -> Result<(), String> {
        self.events.truncate(self.words.waiters());
        Ok(())
    }

    fn tell(&mut self, _: u64) -> Result<(), String> {
        for shared in &self.events {
            let set = shared.event.set(EventState::Signaled);
            set.map_err(|e| format!("raw_sync: {e}"))?;
        }
        Ok(())
    }
}

/// Waits for its event.
pub struct EventWaiter {
    joined: Joined,
    shared: SharedEvent,
}

impl EventWaiter {
    /// Joins.
    ///
    /// # Errors
    /// What the library said, or there are too many already.
    pub fn join(words: WakeWords) -> Result<Self, String> {
        let joined = words.join()?;
        let shared = SharedEvent::attach(&joined.words, joined.waiter)?;
        Ok(EventWaiter { joined, shared })
    }
}

impl Hear for EventWaiter {
    fn joined(&self) -> Option<&Joined> {
        Some(&self.joined)
    }

    fn hear(&mut self, _: u64) -> Result<(), String> {
        let waited = self.shared.event.wait(Timeout::Infinite);
        waited.map_err(|e| format!("raw_sync: {e}"))
    }
}
