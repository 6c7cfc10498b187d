//! Guards: for every stage that stimulates a second process with a connection of its own to the same device, which switches
//! the device off when nobody else may be able to.
//!
//! ```text
//! launcher (lifeline) ─┐
//! interlock (pidfd, activations) ─┼─> guard: a reason to be off? ─> is it off? ─no─> switch off, and ask again
//! timer (pidfd) ─┘                        every look, until the reason is gone
//! ```
//!
//! It asks at every look, not only once: a call of the interlock's that was under way may switch on again what has just been
//! switched off.

use crate::stage::StageError;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use std::io;
use std::ops::Range;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A connection to a stimulating device that can switch everything off, and see that it is off.
pub trait OffSwitch: Sized {
    /// Name of the process's kind, e.g. `stimulate.log.guard`.
    const KIND: &'static str;
    /// One sentence.
    const ABOUT: &'static str;
    /// Those of the stage that is guarded.
    type Params: DeserializeOwned + JsonSchema;

    /// How long it waits, and how soon it must be done.
    fn patience(params: &Self::Params) -> Patience;

    /// Connects, before `ready`.
    ///
    /// # Errors
    /// Whatever keeps it from reaching the device.
    fn open(params: Self::Params) -> Result<Self, StageError>;

    /// Called at every look while there is no reason to be off: what makes the next answer quick belongs here.
    ///
    /// # Errors
    /// If the device cannot be reached.
    fn keep_up(&mut self) -> io::Result<()>;

    /// True if nothing stimulates now.
    ///
    /// # Errors
    /// If the device cannot be asked: then it is not known to be off.
    fn is_off(&mut self) -> io::Result<bool>;

    /// Switches everything off.
    ///
    /// # Errors
    /// If the device could not be told.
    fn switch_off(&mut self, off: &Off<'_>) -> io::Result<()>;
}

/// How long a guard waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// A stage that stimulates and takes no block for so long is silent, ns.
    pub silent_ns: u64,
    /// The device is off so long after a reason, ns.
    pub off_within_ns: u64,
}

/// Why and when everything is switched off.
#[derive(Clone, Copy, Debug)]
pub struct Off<'a> {
    /// In words.
    pub why: &'a str,
    /// Newest tick.
    pub tick: u64,
}

/// A reason to be off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The launcher is gone.
    Launcher = 1,
    /// The stage that stimulates is dead.
    Interlock = 2,
    /// The timer is dead.
    Timer = 3,
    /// The stage that stimulates lives, and has taken no block for too long.
    Silent = 4,
    /// The session has switched stimulation off, and the stage that stimulates has not done so.
    Ordered = 5,
    /// The session ends, and something still stands.
    Over = 6,
}

impl Cause {
    /// Every cause with its words.
    const WORDS: [(Cause, &'static str); 6] = [
        (Cause::Launcher, "the launcher is gone"),
        (Cause::Interlock, "the stage that stimulates is dead"),
        (Cause::Timer, "the timer is dead"),
        (Cause::Silent, "the stage that stimulates is silent"),
        (Cause::Ordered, "the session has switched stimulation off"),
        (Cause::Over, "the session is over"),
    ];

    /// From its number.
    pub fn from_number(number: u64) -> Option<Self> {
        let mut all = Cause::WORDS.iter().map(|(cause, _)| *cause);
        all.find(|cause| *cause as u64 == number)
    }

    /// In words.
    pub fn words(self) -> &'static str {
        let found = Cause::WORDS.iter().find(|(cause, _)| *cause == self);
        found.map_or("", |(_, words)| words)
    }
}

/// Times for which there was a reason that are remembered.
pub const EPISODES: usize = 8;

/// A time in which there was a reason to be off.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Episode {
    /// Number of its [`Cause`].
    pub cause: u64,
    /// Newest tick when it was noticed.
    pub tick: u64,
    /// The last sign of life of whoever is the reason, CLOCK_MONOTONIC ns.
    pub alive_ns: u64,
    /// When the guard noticed, CLOCK_MONOTONIC ns.
    pub noticed_ns: u64,
    /// When the device was first seen to be off, CLOCK_MONOTONIC ns; 0: not yet.
    pub off_ns: u64,
    /// How often it was told to switch off.
    pub told: u64,
    /// How often it could not be told, or asked.
    pub failed: u64,
}

/// What a guard has done, in its state block.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct GuardState {
    /// Episodes so far; the newest stands at `(episodes - 1) % EPISODES`.
    pub episodes: u64,
    /// 1: the newest is not over.
    pub open: u64,
    /// The last ones.
    pub last: [Episode; EPISODES],
}

impl GuardState {
    /// Begins an episode.
    pub fn begin(&mut self, episode: Episode) {
        self.last[(self.episodes % EPISODES as u64) as usize] = episode;
        self.episodes += 1;
        self.open = 1;
    }

    /// Numbers of the episodes that are still remembered, the first ever being 0.
    pub fn remembered(&self) -> Range<u64> {
        self.episodes.saturating_sub(EPISODES as u64)..self.episodes
    }

    /// The episode of that number, if it is still remembered.
    pub fn episode(&self, number: u64) -> Option<&Episode> {
        let known = self.remembered().contains(&number);
        known.then(|| &self.last[(number % EPISODES as u64) as usize])
    }

    /// The newest one, while it is not over.
    pub fn now(&mut self) -> Option<&mut Episode> {
        let newest = self.episodes.checked_sub(1).filter(|_| self.open != 0)?;
        Some(&mut self.last[(newest % EPISODES as u64) as usize])
    }
}
