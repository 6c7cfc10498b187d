//! Default FIFO priorities: a chain of stages on one CPU runs through in one tick.

use crate::plan::Pace;

/// The timer's: above every stage.
pub const TIMER: u8 = 95;
/// A guard's: nothing but the timer keeps it from switching off.
pub const GUARD: u8 = 94;
/// Highest priority of a stage. 99 belongs to the kernel's own threads.
pub const HIGHEST: u8 = 98;

/// Of sources that share their CPU with ticked stages: a sample that has come in must not wait for the chain.
const SOURCE_ABOVE_TICKED: u8 = 80;
/// Of sources elsewhere: what they feed rises above them.
const SOURCE: u8 = 40;
/// First ticked stage; the ones after it fall to `LOWEST_TICKED`.
const FIRST_TICKED: u8 = 70;
const LOWEST_TICKED: u8 = 40;
/// Data-paced stages rise from here, above ticked stages if there are any: a bell must not wait for a chain of ticks.
const FIRST_DATA_BESIDE_TICKED: u8 = 71;
const FIRST_DATA: u8 = 41;
const HIGHEST_DATA: u8 = 79;

/// What a default depends on; stages in order of the flow.
pub struct Place {
    pub pace: Pace,
    pub cpu: Option<u32>,
}

/// Default priorities of all stages under a timer of priority `timer`.
pub fn defaults(stages: &[Place], timer: u8) -> Vec<u8> {
    let ticked_on = |cpu: Option<u32>| {
        stages
            .iter()
            .any(|other| other.pace == Pace::Tick && other.cpu == cpu)
    };
    let any_ticked = stages.iter().any(|stage| stage.pace == Pace::Tick);
    let mut next_ticked = FIRST_TICKED;
    let mut next_data = if any_ticked {
        FIRST_DATA_BESIDE_TICKED
    } else {
        FIRST_DATA
    };
    // A timer that was put lower takes everything down with it.
    let down = (SOURCE_ABOVE_TICKED + 1).saturating_sub(timer);
    stages
        .iter()
        .map(|stage| match stage.pace {
            Pace::Tick => {
                let priority = next_ticked;
                next_ticked = (next_ticked - 1).max(LOWEST_TICKED);
                priority
            }
            Pace::Data => {
                let priority = next_data;
                next_data = (next_data + 1).min(HIGHEST_DATA);
                priority
            }
            Pace::Clock | Pace::Device | Pace::None if ticked_on(stage.cpu) => SOURCE_ABOVE_TICKED,
            Pace::Clock | Pace::Device | Pace::None => SOURCE,
        })
        .map(|priority: u8| priority.saturating_sub(down).max(1))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(pace: Pace, cpu: u32) -> Place {
        Place {
            pace,
            cpu: Some(cpu),
        }
    }

    #[test]
    fn ticked_stages_fall_and_their_source_is_above_them() {
        let chain = [
            place(Pace::Clock, 1),
            place(Pace::Tick, 1),
            place(Pace::Tick, 1),
        ];
        assert_eq!(defaults(&chain, TIMER), [80, 70, 69]);
    }

    #[test]
    fn data_paced_stages_rise_from_source_to_stimulator() {
        let chain = [
            place(Pace::Device, 0),
            place(Pace::Data, 0),
            place(Pace::Data, 1),
        ];
        assert_eq!(defaults(&chain, TIMER), [40, 41, 42]);
    }

    #[test]
    fn no_default_reaches_the_timer_even_if_it_was_put_low() {
        let chain = [
            place(Pace::Clock, 0),
            place(Pace::Tick, 0),
            place(Pace::Data, 0),
        ];
        for timer in 2..=HIGHEST {
            assert!(
                defaults(&chain, timer)
                    .iter()
                    .all(|p| *p < timer && *p >= 1)
            );
        }
    }

    #[test]
    fn long_chains_stay_between_40_and_80() {
        let long: Vec<Place> = (0..200)
            .map(|i| place(if i % 2 == 0 { Pace::Tick } else { Pace::Data }, 0))
            .collect();
        assert!(defaults(&long, TIMER).iter().all(|p| (40..=80).contains(p)));
    }
}
