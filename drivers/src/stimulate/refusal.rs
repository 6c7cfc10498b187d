//! Why the commands of a block are not carried out.

use ephapse_engine::abi::{SlotHeader, flag};

/// A reason. Its number stands in the header's `user` word on the way to the log's writer; 0 there: carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Stimulation has been switched off for the rest of the session.
    Off = 1,
    /// Some stage they were computed by was started again without its state and has not settled.
    Reset = 2,
    /// Some process on which stimulation depends is dead and not yet replaced.
    Held = 3,
}

impl Refusal {
    /// Of a block of commands; `off` and `held` as the session says.
    pub fn of(header: &SlotHeader, off: bool, held: bool, accept_reset: bool) -> Option<Self> {
        if off {
            Some(Refusal::Off)
        } else if held {
            Some(Refusal::Held)
        } else if header.flags & flag::RESET != 0 && !accept_reset {
            Some(Refusal::Reset)
        } else {
            None
        }
    }

    /// From the number.
    pub fn from_user(user: u64) -> Option<Self> {
        match user {
            1 => Some(Refusal::Off),
            2 => Some(Refusal::Reset),
            3 => Some(Refusal::Held),
            _ => None,
        }
    }

    /// The word in the log.
    pub fn name(self) -> &'static str {
        match self {
            Refusal::Off => "off",
            Refusal::Reset => "reset",
            Refusal::Held => "held",
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
        let of = Refusal::of;
        assert_eq!(of(&sound, false, false, false), None);
        assert_eq!(of(&sound, true, true, true), Some(Refusal::Off));
        assert_eq!(of(&sound, false, true, true), Some(Refusal::Held));
        assert_eq!(of(&reset, false, false, false), Some(Refusal::Reset));
        assert_eq!(of(&reset, false, false, true), None);
        assert_eq!(of(&reset, true, false, false), Some(Refusal::Off));
    }

    #[test]
    fn a_reason_survives_the_way_through_a_header() {
        for refusal in [Refusal::Off, Refusal::Reset, Refusal::Held] {
            assert_eq!(Refusal::from_user(refusal as u64), Some(refusal));
        }
        assert_eq!(Refusal::from_user(0), None);
    }
}
