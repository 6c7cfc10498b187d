//! The driver: all mechanisms in turns, for each number of waiters and each state of idle CPUs.

use super::{MOST_WAITERS, Mechanism};
use crate::contest::{self, Contestants, Rules};
use crate::cpu_idle::Idle;
use crate::ends::{Class, Ends, LinkSpec, Mode, Program, RoundValues, Wait};
use crate::hop;
use crate::measured::{Bound, Comparison, Distance, Measure, Measured, Series, Statistic};
use crate::probe::{Probe, path_of};
use crate::settings::Settings;
use anyhow::{Context, ensure};
use std::fs::File;
use std::time::Duration;

/// Numbers of waiters.
const WAITERS: [usize; 3] = [1, 4, MOST_WAITERS];
/// From the last waiter awake to the next wake: all of them sleep again by then.
const PERIOD: Duration = Duration::from_millis(1);
/// Time of a series, all rounds together.
const DURATION: Duration = Duration::from_millis(1_500);
/// Time at the start of a round that does not count.
const WARM_UP: Duration = Duration::from_millis(10);
/// Longest round: the waker spins all the time, and a FIFO thread that spins for most of a second is throttled.
const LONGEST_ROUND: Duration = Duration::from_millis(400);
/// What the engine's own mechanisms may cost beyond the bare ones they stand on.
const AT_MOST: f64 = 1.1;

/// How long everything takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Lengths {
    period_ns: u64,
    wakes: u32,
    warm_up: u32,
    repetitions: usize,
}

impl Lengths {
    fn of(settings: &Settings) -> anyhow::Result<Self> {
        let period = settings.period.unwrap_or(PERIOD);
        ensure!(
            !period.is_zero(),
            "a wake every 0 ns: say how far apart (1ms)"
        );
        let count = |time: Duration| {
            let wakes = time.as_nanos() / period.as_nanos();
            u32::try_from(wakes).unwrap_or(u32::MAX)
        };
        let most = count(LONGEST_ROUND).max(1);
        let all = count(settings.duration.unwrap_or(DURATION)).max(1) as usize;
        let repetitions = settings.repetitions.max(1).max(all.div_ceil(most as usize));
        let wakes = u32::try_from(all.div_ceil(repetitions)).unwrap_or(most);
        Ok(Lengths {
            period_ns: u64::try_from(period.as_nanos()).unwrap_or(u64::MAX),
            wakes,
            warm_up: count(settings.warm_up.unwrap_or(WARM_UP)),
            repetitions,
        })
    }
}

/// Measures all mechanisms: 1, 4 and 8 waiters, idle CPUs polling and halted.
///
/// # Errors
/// If an end cannot be started, dies, or does not answer in time.
pub fn measure(
    program: &Program,
    settings: &Settings,
    run: &mut crate::Run,
) -> anyhow::Result<Measured> {
    let lengths = Lengths::of(settings)?;
    let mut ends = Ends::start_with(program, settings.cpus, settings.class, MOST_WAITERS)?;
    let mut probe = Probe::open(&mut ends, settings.cpus, &run.id)?;
    let mut measured = Measured::default();
    if settings.class != Class::Other && !ends.fifo() {
        measured
            .without_fifo
            .push(crate::ends::without_fifo("waker and waiters"));
    }
    let (mut skipped, mut spoiled) = (None, None);
    'all: for waiters in WAITERS {
        let links = open(&mut ends, settings, &run.id, waiters)?;
        for idle in [Idle::Polling, Idle::Halted] {
            let _held = match idle.hold() {
                Ok(held) => held,
                Err(why) => {
                    skipped = Some(format!("wake, {why}"));
                    continue;
                }
            };
            spoiled = spoiled.or_else(|| idle.spoiled());
            let mut crowd = Crowd {
                ends: &mut ends,
                probe: &mut probe,
                links: &links,
                waiters,
                idle,
                lengths,
            };
            let mut rules = Rules {
                repetitions: lengths.repetitions,
                run,
            };
            let comparisons = if waiters == 1 {
                comparisons(idle)
            } else {
                Vec::new()
            };
            measured.append(contest::run(&mut crowd, &mut rules, comparisons)?);
            spoiled = spoiled.or_else(|| idle.spoiled());
            if run.watch.has_ended_it() {
                break 'all;
            }
        }
        for link in &links {
            ends.close(link.key)?;
        }
    }
    measured.notes.extend(spoiled);
    measured.skipped.extend(skipped);
    Ok(measured)
}

/// A mechanism's link, open to so many waiters.
struct Link {
    mechanism: Mechanism,
    key: u32,
    /// The ends have opened it through the driver's descriptor.
    _memory: File,
}

fn open(
    ends: &mut Ends,
    settings: &Settings,
    run: &str,
    waiters: usize,
) -> anyhow::Result<Vec<Link>> {
    let mechanisms = Mechanism::ALL.into_iter().filter(|m| m.takes(waiters));
    mechanisms
        .zip(0..)
        .map(|(mechanism, key)| {
            let memory = mechanism.memory(waiters);
            let memory = memory.with_context(|| format!("memory for {}", mechanism.what()))?;
            let link = LinkSpec {
                link: mechanism.link(),
                key,
                payload: hop::payload::LEAST,
                slots: 1,
                wait: Wait::Sleep,
                memory: path_of(&memory),
                run: run.to_owned(),
                cpus: settings.cpus,
            };
            ends.open_to(&link, waiters)?;
            Ok(Link {
                mechanism,
                key,
                _memory: memory,
            })
        })
        .collect()
}

fn tag(mechanism: Mechanism, waiters: usize, idle: Idle) -> String {
    format!("wake.{}.{waiters}.{}", mechanism.word(), idle.word())
}

/// The engine's mechanisms against those they stand on.
fn comparisons(idle: Idle) -> Vec<Comparison> {
    [
        (Mechanism::Signal, Mechanism::BareSignal),
        (Mechanism::Futex, Mechanism::BareFutex),
    ]
    .map(|(of, to)| Comparison {
        of: tag(of, 1, idle),
        to: tag(to, 1, idle),
        statistic: Statistic::P50,
        bound: Some(Bound::ReachesBelow(AT_MOST)),
    })
    .to_vec()
}

/// One number of waiters in one state of idle CPUs; the mechanisms are the contestants.
struct Crowd<'a> {
    ends: &'a mut Ends,
    probe: &'a mut Probe,
    links: &'a [Link],
    waiters: usize,
    idle: Idle,
    lengths: Lengths,
}

impl Contestants for Crowd<'_> {
    fn series(&self) -> Vec<Series> {
        let waiters = self.waiters;
        let plural = if waiters == 1 { "" } else { "s" };
        let group = format!(
            "wake, {waiters} waiter{plural}, idle CPUs {}",
            self.idle.word()
        );
        let series = |tag: &str, what: &str| Series::new(tag, &group, what, Measure::Latency);
        let of = |link: &Link| {
            let (tag, what) = (
                tag(link.mechanism, waiters, self.idle),
                link.mechanism.what(),
            );
            if waiters == 1 {
                return vec![series(&tag, what)];
            }
            vec![
                series(&format!("{tag}.first"), &format!("{what}: first waiter")),
                series(
                    &format!("{tag}.slowest"),
                    &format!("{what}: slowest waiter"),
                ),
                series(
                    &format!("{tag}.skew"),
                    &format!("{what}: from first to slowest"),
                ),
            ]
        };
        self.links.iter().flat_map(of).collect()
    }

    fn series_of_a_round(&self) -> usize {
        if self.waiters == 1 { 1 } else { 3 }
    }

    fn round(&mut self, index: usize) -> anyhow::Result<Vec<u64>> {
        let link = &self.links[index];
        let Lengths {
            period_ns,
            wakes,
            warm_up,
            ..
        } = self.lengths;
        let instants = self
            .ends
            .run_all(link.key, Mode::Paced, wakes, warm_up, period_ns)?;
        let [first, slowest, skew] =
            latencies(&instants).with_context(|| link.mechanism.what().to_owned())?;
        Ok(if self.waiters == 1 {
            first
        } else {
            [first, slowest, skew].concat()
        })
    }

    fn probe(&mut self) -> anyhow::Result<Distance> {
        Ok(self.probe.look(self.ends)?.0)
    }
}

/// Of each wake: latency of the first waiter, of the slowest, and the difference, ns.
fn latencies(instants: &RoundValues) -> anyhow::Result<[Vec<u64>; 3]> {
    let mut values: [Vec<u64>; 3] = Default::default();
    for (wake, told_ns) in instants.sender.iter().enumerate() {
        let mut first = u64::MAX;
        let mut slowest = 0;
        for (waiter, woke) in instants.receivers.iter().enumerate() {
            let woke_ns = woke.get(wake);
            let latency_ns = woke_ns.and_then(|woke_ns| woke_ns.checked_sub(*told_ns));
            let latency_ns = latency_ns.with_context(|| {
                format!("waiter {waiter} woke for wake {wake} before it was told, or never")
            })?;
            first = first.min(latency_ns);
            slowest = slowest.max(latency_ns);
        }
        ensure!(first <= slowest, "wake {wake} had no waiters");
        values[0].push(first);
        values[1].push(slowest);
        values[2].push(slowest - first);
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(repetitions: usize) -> Settings {
        Settings {
            cpus: [0, 1],
            class: Class::Other,
            period: None,
            duration: None,
            warm_up: None,
            repetitions,
        }
    }

    #[test]
    fn first_slowest_and_skew_are_taken_wake_by_wake() {
        let instants = RoundValues {
            sender: vec![1_000, 2_000],
            receivers: vec![vec![1_040, 2_010], vec![1_025, 2_060], vec![1_030, 2_020]],
        };
        let [first, slowest, skew] = latencies(&instants).unwrap();
        assert_eq!(first, [25, 10]);
        assert_eq!(slowest, [40, 60]);
        assert_eq!(skew, [15, 50]);
    }

    #[test]
    fn a_wake_that_came_before_it_was_told_is_an_error_not_a_value() {
        let early = RoundValues {
            sender: vec![1_000],
            receivers: vec![vec![999]],
        };
        assert!(latencies(&early).is_err());
        let missing = RoundValues {
            sender: vec![1_000, 2_000],
            receivers: vec![vec![1_010]],
        };
        assert!(latencies(&missing).is_err());
    }

    #[test]
    fn the_time_of_a_series_is_spread_over_its_rounds() {
        let lengths = Lengths::of(&settings(15)).unwrap();
        assert_eq!((lengths.wakes, lengths.warm_up), (100, 10));
        assert_eq!((lengths.period_ns, lengths.repetitions), (1_000_000, 15));
        let sparse = Lengths::of(&Settings {
            period: Some(Duration::from_secs(10)),
            ..settings(15)
        });
        assert_eq!(sparse.unwrap().wakes, 1);
        let none = Settings {
            period: Some(Duration::ZERO),
            ..settings(15)
        };
        assert!(Lengths::of(&none).is_err());
    }

    #[test]
    fn more_time_means_more_rounds_once_a_round_is_as_long_as_a_spinner_may_run() {
        let lengths = Lengths::of(&Settings {
            duration: Some(Duration::from_secs(60)),
            ..settings(15)
        });
        let lengths = lengths.unwrap();
        assert_eq!((lengths.wakes, lengths.repetitions), (400, 150));
    }
}
