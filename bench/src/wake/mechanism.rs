//! The mechanisms by which one process wakes others, and how their links are opened.

use super::events::{EventWaiter, EventWaker};
use super::futexes::{FutexWaiter, FutexWaker, RingWaiter, RingWaker, create_ring};
use super::signals::{DoorBellWaiter, DoorBellWaker, SignalWaiter, SignalWaker};
use super::spinning::{SpinWaiter, SpinWaker};
use super::turns::{Hear, Tell, Waiting, Waking};
use super::words::{self, WakeWords};
use crate::ends::{Side, Sides};
use ephapse_engine::shm;
use std::fs::File;

/// How waiters are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// The engine's door-bell: tick word, fence, `pidfd_send_signal`; `sigtimedwait`, tick word.
    Signal,
    /// `pidfd_send_signal` and `sigtimedwait` alone.
    BareSignal,
    /// The bell of the engine's ring: position, fence, waiting flags, FUTEX_WAKE.
    Futex,
    /// FUTEX_WAKE always, FUTEX_WAIT.
    BareFutex,
    /// An event of `raw_sync`.
    RawSync,
    /// A word, and a waiter that never sleeps.
    Spin,
}

impl Mechanism {
    /// All of them.
    pub const ALL: [Mechanism; 6] = [
        Mechanism::Signal,
        Mechanism::BareSignal,
        Mechanism::Futex,
        Mechanism::BareFutex,
        Mechanism::RawSync,
        Mechanism::Spin,
    ];

    /// As in tags.
    pub fn word(self) -> &'static str {
        match self {
            Mechanism::Signal => "signal",
            Mechanism::BareSignal => "signal-bare",
            Mechanism::Futex => "futex",
            Mechanism::BareFutex => "futex-bare",
            Mechanism::RawSync => "raw-sync",
            Mechanism::Spin => "spin",
        }
    }

    /// In words.
    pub fn what(self) -> &'static str {
        match self {
            Mechanism::Signal => "tick signal, the engine's door-bell",
            Mechanism::BareSignal => "bare signal",
            Mechanism::Futex => "futex, the bell of the engine's ring",
            Mechanism::BareFutex => "bare futex",
            Mechanism::RawSync => "raw_sync event",
            Mechanism::Spin => "spinning on a word",
        }
    }

    /// Name of its link.
    pub fn link(self) -> String {
        format!("wake.{}", self.word())
    }

    /// The mechanism of a link.
    pub fn of_link(link: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|m| m.link() == link)
    }

    /// A waiter that spins needs a CPU of its own.
    pub fn takes(self, waiters: usize) -> bool {
        self != Mechanism::Spin || waiters == 1
    }

    /// Memory for a link to so many waiters.
    ///
    /// # Errors
    /// What the system said.
    pub fn memory(self, waiters: usize) -> std::io::Result<File> {
        match self {
            Mechanism::Futex => create_ring(waiters),
            _ => shm::anonymous(words::BYTES),
        }
    }

    /// Opens one side of a link.
    ///
    /// # Errors
    /// One line: what, why.
    pub fn open(self, file: &File, side: Side) -> Result<Sides, String> {
        let words = || WakeWords::map(file).map_err(|e| e.to_string());
        match (self, side) {
            (_, Side::Both) => Err(format!("`{}` is between processes", self.link())),
            (Mechanism::Signal, Side::Sender) => Ok(waking(DoorBellWaker::new(words()?))),
            (Mechanism::Signal, Side::Receiver) => Ok(waiting(DoorBellWaiter::join(words()?)?)),
            (Mechanism::BareSignal, Side::Sender) => Ok(waking(SignalWaker::new(words()?))),
            (Mechanism::BareSignal, Side::Receiver) => Ok(waiting(SignalWaiter::join(words()?)?)),
            (Mechanism::Futex, Side::Sender) => Ok(waking(RingWaker::open(file)?)),
            (Mechanism::Futex, Side::Receiver) => Ok(waiting(RingWaiter::open(file)?)),
            (Mechanism::BareFutex, Side::Sender) => Ok(waking(FutexWaker::new(words()?))),
            (Mechanism::BareFutex, Side::Receiver) => Ok(waiting(FutexWaiter::join(words()?)?)),
            (Mechanism::RawSync, Side::Sender) => Ok(waking(EventWaker::open(words()?)?)),
            (Mechanism::RawSync, Side::Receiver) => Ok(waiting(EventWaiter::join(words()?)?)),
            (Mechanism::Spin, Side::Sender) => Ok(waking(SpinWaker::new(words()?))),
            (Mechanism::Spin, Side::Receiver) => Ok(waiting(SpinWaiter::join(words()?)?)),
        }
    }
}

fn waking(link: impl Tell + 'static) -> Sides {
    Sides::Sender(Box::new(Waking::new(link)))
}

fn waiting(link: impl Hear + Send + 'static) -> Sides {
    Sides::Receiver(Box::new(Waiting::new(link)))
}
