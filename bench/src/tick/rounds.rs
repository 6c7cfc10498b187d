//! The driver: timer and `cyclictest` in turns, for each rhythm and each state of idle CPUs.

use super::cyclictest::{self, Cyclictest};
use super::graph;
use super::session;
use crate::Run;
use crate::contest::{self, Contestants, Rules};
use crate::cpu_idle::Idle;
use crate::ends::{Class, place, without_fifo};
use crate::measured::{Bound, Comparison, Distance, Measure, Measured, Series, Statistic};
use crate::programs::Programs;
use crate::settings::Settings;
use anyhow::ensure;
use ephapse_rtconfig::plan::Plan;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

/// Rhythms: 1 kHz, 10 kHz.
const PERIODS: [Duration; 2] = [Duration::from_millis(1), Duration::from_micros(100)];
/// The rhythm at which the timer is held against `cyclictest`.
const HELD_AGAINST: Duration = Duration::from_millis(1);
/// What the timer may cost beyond `cyclictest`.
const AT_MOST: f64 = 1.1;
/// Time of a series, all rounds together.
const DURATION: Duration = Duration::from_millis(7_500);
/// How long before its deadline a spinning timer wakes: longer than a halted CPU takes to wake.
const SPIN: Duration = Duration::from_micros(50);
/// Median lateness of a timer that spins on a CPU of its own, ns.
const SPINNING_P50_NS: u64 = 100;

/// Lateness of one round.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lateness {
    /// Values, ns.
    pub values_ns: Vec<u64>,
    /// Values that were measured and are not known.
    pub missing: u64,
}

/// Measures the timer, sleeping only and spinning the last part, and `cyclictest` where it is installed: at 1 kHz and
/// 10 kHz (or the period of the settings), idle CPUs polling and halted.
///
/// # Errors
/// If a session or `cyclictest` does not run.
pub fn measure(
    programs: &Programs,
    settings: &Settings,
    run: &mut Run,
) -> anyhow::Result<Measured> {
    let mut measured = Measured::default();
    let periods = match settings.period {
        Some(period) => vec![period],
        None => PERIODS.to_vec(),
    };
    let repetitions = settings.repetitions.max(1);
    let length = settings.duration.unwrap_or(DURATION) / u32::try_from(repetitions)?;
    let mut fifo = true;
    let (mut skipped, mut spoiled) = (None, None);
    for period in periods {
        ensure!(
            length >= period,
            "{length:?} in each round is shorter than a tick: say a longer duration"
        );
        let plans = Plans::of(settings, period, &mut measured)?;
        for idle in [Idle::Polling, Idle::Halted] {
            // Held by whoever is measured; here it is only asked for.
            if let Err(why) = idle.hold() {
                skipped = Some(format!("tick, {why}"));
                continue;
            }
            spoiled = spoiled.or_else(|| idle.spoiled());
            let mut contest = TimerContest {
                programs,
                plans: &plans,
                period,
                length,
                idle,
                interrupts: run.interrupts.clone(),
                missing: 0,
                fifo: true,
            };
            let mut rules = Rules { repetitions, run };
            let comparisons = contest.comparisons();
            measured.append(contest::run(&mut contest, &mut rules, comparisons)?);
            fifo &= contest.fifo;
            if run.watch.has_ended_it() {
                break;
            }
        }
        if run.watch.has_ended_it() {
            break;
        }
    }
    measured.notes.extend(spoiled);
    if settings.warm_up.is_some() {
        let note = "tick: a session counts from its first tick on, as cyclictest does: the warm-up is not for it";
        measured.notes.push(note.to_owned());
    }
    measured.skipped.extend(skipped);
    if !fifo {
        measured.without_fifo.push(without_fifo("the timer"));
    }
    Ok(measured)
}

/// Who is measured at one rhythm.
struct Plans {
    sleeping: Plan,
    /// `None`: not on this host.
    spinning: Option<Plan>,
    /// `None`: not installed, not permitted, or it cannot keep this rhythm.
    cyclictest: Option<u8>,
}

impl Plans {
    /// Resolves them; says in `measured` what cannot be measured here.
    fn of(settings: &Settings, period: Duration, measured: &mut Measured) -> anyhow::Result<Self> {
        let period_ns = u64::try_from(period.as_nanos())?;
        let spin = SPIN.min(period / 2);
        let sleeping = graph::plan(settings.cpus, period_ns, 0)?;
        let spinning = graph::plan(settings.cpus, period_ns, u64::try_from(spin.as_nanos())?);
        let priority = sleeping.timer.as_ref().map_or(0, |timer| timer.priority);
        let why_no_cyclictest = if !cyclictest::is_installed() {
            Some("it is not installed: install rt-tests".to_owned())
        } else if period_ns % 1_000 != 0 {
            Some(format!("{period:?} is no whole number of microseconds"))
        } else if !may_run_fifo(settings.cpus[0], priority) {
            Some("SCHED_FIFO is not permitted, and it does not run without".to_owned())
        } else {
            None
        };
        let every = humantime::format_duration(period);
        if let Err(why) = &spinning {
            let skipped = format!("timer that spins, every {every}: {why}");
            measured.skipped.push(skipped);
        }
        if let Some(why) = &why_no_cyclictest {
            measured
                .skipped
                .push(format!("cyclictest, every {every}: {why}"));
        }
        Ok(Plans {
            sleeping,
            spinning: spinning.ok(),
            cyclictest: why_no_cyclictest.is_none().then_some(priority),
        })
    }
}

/// Asked of the kernel by a thread that tries.
fn may_run_fifo(cpu: u32, priority: u8) -> bool {
    let trial = std::thread::spawn(move || place(cpu, Class::Fifo(priority)));
    matches!(trial.join(), Ok(Ok(true)))
}

/// A contestant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Sleeping,
    Spinning,
    Cyclictest,
}

impl Who {
    fn word(self) -> &'static str {
        match self {
            Who::Sleeping => "sleep",
            Who::Spinning => "spin",
            Who::Cyclictest => "cyclictest",
        }
    }

    fn what(self) -> &'static str {
        match self {
            Who::Sleeping => "timer that sleeps until its deadline",
            Who::Spinning => "timer that sleeps, then spins",
            Who::Cyclictest => "cyclictest",
        }
    }
}

/// One rhythm in one state of idle CPUs.
struct TimerContest<'a> {
    programs: &'a Programs,
    plans: &'a Plans,
    period: Duration,
    length: Duration,
    idle: Idle,
    interrupts: Arc<AtomicU32>,
    missing: u64,
    fifo: bool,
}

impl TimerContest<'_> {
    fn who(&self) -> Vec<Who> {
        let mut who = vec![Who::Sleeping];
        who.extend(self.plans.spinning.as_ref().map(|_| Who::Spinning));
        who.extend(self.plans.cyclictest.map(|_| Who::Cyclictest));
        who
    }

    /// `tick.1ms.sleep.polling`.
    fn tag(&self, who: Who) -> String {
        let every = humantime::format_duration(self.period).to_string();
        let every = every.replace(' ', "");
        format!("tick.{every}.{}.{}", who.word(), self.idle.word())
    }

    fn comparisons(&self) -> Vec<Comparison> {
        if self.plans.cyclictest.is_none() {
            return Vec::new();
        }
        let bound = (self.period == HELD_AGAINST).then_some(Bound::ReachesBelow(AT_MOST));
        vec![Comparison {
            of: self.tag(Who::Sleeping),
            to: self.tag(Who::Cyclictest),
            statistic: Statistic::P50,
            bound,
        }]
    }

    fn session(&mut self, plan: &Plan) -> anyhow::Result<Lateness> {
        let hold = self.idle == Idle::Polling;
        let (lateness, fifo) =
            session::run(plan, self.programs, self.length, hold, &self.interrupts)?;
        self.fifo &= fifo;
        Ok(lateness)
    }

    fn cyclictest(&self, priority: u8) -> anyhow::Result<Lateness> {
        let plan = self.plans.sleeping.timer.as_ref();
        let run = Cyclictest {
            cpu: plan.map_or(0, |timer| timer.cpu),
            priority,
            period_us: u64::try_from(self.period.as_micros())?,
            wakes: u64::try_from(self.length.as_nanos() / self.period.as_nanos())?,
            idle: self.idle,
        };
        run.run()
    }
}

impl Contestants for TimerContest<'_> {
    fn series(&self) -> Vec<Series> {
        let group = format!(
            "timer lateness every {}, idle CPUs {}",
            humantime::format_duration(self.period),
            self.idle.word()
        );
        let of = |who: Who| Series {
            bound_p50_ns: (who == Who::Spinning).then_some(SPINNING_P50_NS),
            ..Series::new(&self.tag(who), &group, who.what(), Measure::Latency)
        };
        self.who().into_iter().map(of).collect()
    }

    fn round(&mut self, index: usize) -> anyhow::Result<Vec<u64>> {
        let plans = self.plans;
        let lateness = match (self.who()[index], &plans.spinning, plans.cyclictest) {
            (Who::Spinning, Some(plan), _) => self.session(plan)?,
            (Who::Cyclictest, _, Some(priority)) => self.cyclictest(priority)?,
            _ => self.session(&plans.sleeping)?,
        };
        self.missing = lateness.missing;
        Ok(lateness.values_ns)
    }

    fn missing(&self) -> u64 {
        self.missing
    }

    /// All happens on one CPU.
    fn probe(&mut self) -> anyhow::Result<Distance> {
        Ok(Distance::OneCpu)
    }
}
