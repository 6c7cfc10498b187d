//! Why a command is not carried out, and why the interlock gives one of its own.

use ephapse_engine::abi::{SlotHeader, flag};

/// Why a command of the loop's is not carried out. Its number stands beside the command on the way to the device; 0 there:
/// carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Stimulation has been switched off for the rest of the session.
    Off = 1,
    /// Some stage they were computed by was started again without its state and has not settled.
    Reset = 2,
    /// Some process on which stimulation depends is dead and not yet replaced.
    Held = 3,
    /// The data behind it is older than the graph permits.
    Age = 4,
    /// A number in it means nothing: none at all, or a negative rate or duration.
    Malformed = 5,
    /// There are limits, and its code is none that they can be compared with.
    Code = 6,
    /// More different targets than are accounted for.
    Targets = 7,
    /// A larger amplitude than the graph permits.
    Amplitude = 8,
    /// More charge in a phase than the graph permits.
    Charge = 9,
    /// Less balanced than the graph permits.
    Net = 10,
    /// A higher rate than the graph permits.
    Rate = 11,
    /// Current for a larger fraction of the time than the graph permits.
    Duty = 12,
    /// The target has had as many pulses within an hour as the graph permits.
    Hour = 13,
}

/// Each reason with the word for it in the log.
const REFUSALS: [(Refusal, &str); 13] = [
    (Refusal::Off, "off"),
    (Refusal::Reset, "reset"),
    (Refusal::Held, "held"),
    (Refusal::Age, "age"),
    (Refusal::Malformed, "malformed"),
    (Refusal::Code, "code"),
    (Refusal::Targets, "targets"),
    (Refusal::Amplitude, "amplitude"),
    (Refusal::Charge, "charge"),
    (Refusal::Net, "net"),
    (Refusal::Rate, "rate"),
    (Refusal::Duty, "duty"),
    (Refusal::Hour, "hour"),
];

impl Refusal {
    /// Why no command at all is carried out behind this block; `off` and `held` as the session says.
    pub fn of_all(
        header: &SlotHeader,
        off: bool,
        held: bool,
        too_old: bool,
        accept_reset: bool,
    ) -> Option<Self> {
        if off {
            Some(Refusal::Off)
        } else if held {
            Some(Refusal::Held)
        } else if header.flags & flag::RESET != 0 && !accept_reset {
            Some(Refusal::Reset)
        } else if too_old {
            Some(Refusal::Age)
        } else {
            None
        }
    }

    /// From the number.
    pub fn from_number(number: u32) -> Option<Self> {
        let mut all = REFUSALS.into_iter().map(|(refusal, _)| refusal);
        all.find(|refusal| *refusal as u32 == number)
    }

    /// The word in the log.
    pub fn name(self) -> &'static str {
        let found = REFUSALS.iter().find(|(refusal, _)| *refusal == self);
        found.map_or("", |(_, name)| name)
    }
}

/// Why the interlock gives a command of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forced {
    /// Off: what forbids new commands ends the standing ones, too.
    Off(Refusal),
    /// Off: the commands have ended.
    End,
    /// What the loop wants stands again: nothing forbids it any more.
    Again,
}

/// Numbers of [`Forced::End`] and [`Forced::Again`]; those below are refusals.
const END: u32 = 1000;
const AGAIN: u32 = 1001;

impl Forced {
    /// The number beside the command.
    pub fn number(self) -> u32 {
        match self {
            Forced::Off(refusal) => refusal as u32,
            Forced::End => END,
            Forced::Again => AGAIN,
        }
    }

    /// From the number.
    pub fn from_number(number: u32) -> Option<Self> {
        match number {
            END => Some(Forced::End),
            AGAIN => Some(Forced::Again),
            _ => Refusal::from_number(number).map(Forced::Off),
        }
    }

    /// The word in the log.
    pub fn name(self) -> &'static str {
        match self {
            Forced::Off(refusal) => refusal.name(),
            Forced::End => "end",
            Forced::Again => "again",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn off_and_held_refuse_everything_and_a_reset_what_comes_from_it() {
        let sound = SlotHeader::default();
        let reset = SlotHeader {
            flags: flag::RESET,
            ..sound
        };
        let of = Refusal::of_all;
        assert_eq!(of(&sound, false, false, false, false), None);
        assert_eq!(of(&sound, true, true, true, true), Some(Refusal::Off));
        assert_eq!(of(&sound, false, true, true, true), Some(Refusal::Held));
        assert_eq!(of(&sound, false, false, true, true), Some(Refusal::Age));
        assert_eq!(of(&reset, false, false, false, false), Some(Refusal::Reset));
        assert_eq!(of(&reset, false, false, false, true), None);
        assert_eq!(of(&reset, true, false, false, false), Some(Refusal::Off));
    }

    #[test]
    fn every_reason_survives_the_way_to_the_device_and_has_a_word_of_its_own() {
        let mut words = Vec::new();
        for (refusal, word) in REFUSALS {
            assert_eq!(Refusal::from_number(refusal as u32), Some(refusal));
            assert_eq!(
                Forced::from_number(Forced::Off(refusal).number()),
                Some(Forced::Off(refusal))
            );
            words.push(word);
        }
        for forced in [Forced::End, Forced::Again] {
            assert_eq!(Forced::from_number(forced.number()), Some(forced));
            words.push(forced.name());
        }
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), REFUSALS.len() + 2);
        assert_eq!(
            (Refusal::from_number(0), Forced::from_number(0)),
            (None, None)
        );
    }
}
