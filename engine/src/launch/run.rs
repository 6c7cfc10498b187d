//! A session from the ready barrier to the report.

use super::account;
use super::aftermath::Aftermaths;
use super::chaos::Chaos;
use super::collect::{Collector, LoopNow, Measured};
use super::commands::Commands;
use super::guards::Guards;
use super::hold::Holds;
use super::hung::Silence;
use super::listener::Listener;
use super::on::{Teller, broken_budgets, tell_end};
use super::prepare::{Part, Process, Processes};
use super::ready::{check_real_time, wait_until_ready, why_no_real_time};
use super::recording::Ended;
use super::restart::Deaths;
use super::rt_state::RtWatcher;
use super::said::LogEntry;
use super::stage_record::record;
use super::supervise::{Happened, Supervisor};
use super::ties::Ties;
use super::told::Told;
use super::witness::Witnesses;
use super::{LaunchError, Options, segment_name};
use crate::abi::{PAGE, segment, session_state, stage_state};
use crate::os::{self, PidFd};
use crate::outcome::{Fault, LogRecord, Outcome, RtState, Stall, Tie};
use crate::shm::{Access, Segment};
use crate::sync::Ordering;
use crate::trap::{Point, arm_as_told, trap};
use ephapse_rtconfig::plan::Plan;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// From the ready barrier to the common start: time for everybody to see it.
const START_AHEAD: Duration = Duration::from_millis(50);
/// From the end of the sources to the last block taken, in a paced run.
const DRAIN_WITHIN: Duration = Duration::from_secs(3);
/// The same in an unpaced run, whose stages have whole rings to work through.
const DRAIN_UNPACED_WITHIN: Duration = Duration::from_secs(60);
/// From the stop tick to the last exit.
const EXIT_WITHIN: Duration = Duration::from_secs(2);
/// The stop tick lies so far ahead that every process sees it before it falls due.
const STOP_AHEAD: Duration = Duration::from_millis(20);
/// Rhythm of the collector.
const RHYTHM: Duration = Duration::from_millis(50);
/// The same while stimulation is held for a process that is being replaced.
const HOLD_RHYTHM: Duration = Duration::from_millis(2);

/// What the screen shows of a running session.
#[derive(Clone, Debug)]
pub struct Live {
    /// State.
    pub state: &'static str,
    /// Since the common start, ns.
    pub elapsed_ns: u64,
    /// Newest tick.
    pub tick: u64,
    /// Loop latency of the running second.
    pub loop_now: LoopNow,
    /// Ticks skipped so far by all.
    pub skipped: u64,
    /// Frames lost at the sources so far.
    pub lost_frames: u64,
    /// Everything that should run in real time does.
    pub rt_active: bool,
    /// What faults on purpose came to, a line each, since the last time.
    pub told: Vec<String>,
    /// What the processes have said since this was shown last.
    pub said: Vec<LogEntry>,
}

/// Runs a plan to its end.
///
/// # Errors
/// Whatever kept the session from starting. Once it runs, what goes wrong is a fault of the [`Outcome`].
pub fn launch(plan: &Plan, options: &mut Options<'_>) -> Result<Outcome, LaunchError> {
    arm_as_told();
    let mut collector = Collector::new(plan.timer.is_some(), plan.tick_ns);
    collector.walk_worst(plan);
    // Held for the whole run.
    let _latency = plan
        .timer
        .as_ref()
        .filter(|_| options.hold_cpu_latency)
        .and_then(|_| os::hold_cpu_latency().ok());
    let mut processes = Processes::prepare(plan, options, &mut collector)?;
    let ready = wait_until_ready(&mut processes, options);
    if let Err(error) = ready.and_then(|()| check_real_time(&processes, options)) {
        processes.session_words().stop.store(2, Ordering::Release);
        processes.give_up();
        return Err(error);
    }
    trap(Point::Ready);
    Ok(Run::new(processes, collector)?.go(options))
}

pub(super) fn state_name(process: &Process) -> &'static str {
    let state = process.words().state.load(Ordering::Acquire) as usize;
    stage_state::NAMES.get(state).copied().unwrap_or("unknown")
}

pub(super) struct Run {
    pub(super) processes: Processes,
    pub(super) collector: Collector,
    pub(super) supervisor: Supervisor,
    /// Gone before the processes are: nobody is to ask a session that closes.
    listener: Option<Listener>,
    pub(super) commands: Commands,
    pub(super) chaos: Chaos,
    pub(super) aftermaths: Aftermaths,
    pub(super) witnesses: Witnesses,
    pub(super) told: Told,
    pub(super) start_ns: u64,
    started_realtime_ns: u64,
    pub(super) faults: Vec<Fault>,
    pub(super) died: Vec<bool>,
    pub(super) deaths: Vec<Deaths>,
    pub(super) restarts: Vec<Fault>,
    pub(super) holds: Holds,
    pub(super) guards: Guards,
    pub(super) silences: Vec<Silence>,
    asked: Vec<bool>,
    pub(super) ended_by: Option<String>,
    ties: Ties,
    pub(super) rt: RtState,
    pub(super) teller: Teller,
    pub(super) rt_watch: RtWatcher,
}

impl Run {
    fn new(processes: Processes, collector: Collector) -> Result<Self, LaunchError> {
        let count = processes.list.len();
        let watched = (0..count).filter_map(|index| {
            let fd = PidFd::open(processes.list[index].child.id()).ok()?;
            Some(processes.watched(index, fd))
        });
        let watched = watched.collect();
        for index in 0..count {
            processes.note_start_time(index);
        }
        let session = Segment::open(
            &segment_name(&processes.plan.session, "session"),
            segment::SESSION,
            Access::ReadWrite,
        )?;
        let session = session.map(PAGE, PAGE, Access::ReadWrite)?.words(0);
        let supervisor = Supervisor::start(watched, session).map_err(|e| LaunchError::File {
            path: "supervisor's pipe".into(),
            why: e.to_string(),
        })?;
        let listener = Listener::start(&processes.plan.session, supervisor.sender())?;
        let why = why_no_real_time(&processes);
        // Only a paced run can be stalled: logical time does not pass by itself.
        let cpus: BTreeSet<u32> = match processes.plan.timer {
            Some(_) => processes.plan.stages.iter().filter_map(|s| s.cpu).collect(),
            None => BTreeSet::new(),
        };
        Ok(Run {
            witnesses: Witnesses::start(cpus),
            told: Told::default(),
            teller: Teller::start(&processes),
            rt_watch: RtWatcher::new(&processes),
            supervisor,
            listener: Some(listener),
            commands: Commands::new(count),
            deaths: vec![Deaths::default(); count],
            restarts: Vec::new(),
            holds: Holds::default(),
            guards: Guards::default(),
            silences: vec![Silence::default(); count],
            chaos: Chaos::new(&processes.plan),
            aftermaths: Aftermaths::default(),
            processes,
            collector,
            start_ns: 0,
            started_realtime_ns: 0,
            faults: Vec::new(),
            died: vec![false; count],
            asked: vec![false; count],
            ended_by: None,
            ties: Ties::new(),
            rt: RtState {
                active: why.is_empty(),
                why,
            },
        })
    }

    fn set_state(&mut self, state: u64) {
        self.processes
            .session_words()
            .state
            .store(state, Ordering::Release);
        let tick = self.processes.tick();
        self.processes
            .events
            .say(tick, "session", session_state::NAMES[state as usize]);
    }

    fn go(mut self, options: &mut Options<'_>) -> Outcome {
        self.set_state(session_state::READY);
        self.park_spares();
        self.start_ns = os::monotonic_ns() + START_AHEAD.as_nanos() as u64;
        self.started_realtime_ns = os::realtime_ns() + START_AHEAD.as_nanos() as u64;
        self.silences.fill(Silence::of_new(self.start_ns));
        self.collector.start(self.start_ns);
        trap(Point::Start);
        self.processes
            .session_words()
            .start_ns
            .store(self.start_ns, Ordering::Release); // [S]
        trap(Point::Started);
        self.chaos.start(&self.processes.plan, self.start_ns);
        self.set_state(session_state::RUNNING);
        let mut stop = 0;
        while !account::sources_ended(&self.processes) && self.ended_by.is_none() {
            self.beat(options, &mut stop);
        }
        self.ended_by.get_or_insert_with(|| {
            if options.duration.is_some() {
                "duration".into()
            } else {
                "finished".into()
            }
        });
        self.end_sources(&mut stop);
        self.empty_disk();
        self.tell_aftermaths(os::monotonic_ns(), true);
        trap(Point::Stop);
        self.processes.end_spares();
        self.set_state(session_state::DRAINING);
        trap(Point::Draining);
        let within = if self.processes.plan.timer.is_some() {
            DRAIN_WITHIN
        } else {
            DRAIN_UNPACED_WITHIN
        };
        let deadline = Instant::now() + within;
        while !account::drained(&self.processes) && stop < 2 {
            if Instant::now() > deadline {
                self.fault(
                    "session",
                    &format!("not drained within {within:?}: {}", self.who_holds()),
                );
                break;
            }
            self.beat(options, &mut stop);
        }
        // Whatever a device goes on with by itself ends here, at the latest.
        self.processes
            .session_words()
            .off
            .store(1, Ordering::Release);
        let stop_tick = self.set_stop_tick();
        trap(Point::StopTick);
        self.wait_for_exits(options, &mut stop);
        trap(Point::Exited);
        let recorded = self.finish_recording(options, &mut stop);
        let end_ns = os::monotonic_ns();
        self.close(options, stop_tick, end_ns, recorded)
    }

    /// One turn of the launcher: deaths, wishes, records, screen.
    pub(super) fn beat(&mut self, options: &mut Options<'_>, stop: &mut u64) {
        trap(Point::Turn);
        let wait = if self.holds.are_any() {
            HOLD_RHYTHM
        } else {
            RHYTHM
        };
        match self.supervisor.next(wait) {
            Some(Happened::Death(death)) => self.note_death(death, stop),
            Some(Happened::Asked(asked)) => self.heed(asked, options, stop),
            None => {}
        }
        self.look_at_guards();
        self.let_go();
        self.answer_restarts();
        self.answer_params();
        if *stop == 0 {
            self.park_spares();
        }
        for index in 0..self.processes.list.len() {
            let words = self.processes.list[index].words();
            if words.asks_stop.load(Ordering::Acquire) != 0 && !self.asked[index] {
                self.asked[index] = true;
                let why = crate::text::load(&words.reason);
                let who = self.processes.list[index].name.clone();
                self.fault(&who, &format!("asked the session to stop: {why}"));
                self.ended_by.get_or_insert(format!("{who}: {why}"));
                self.order_stop(stop, 1);
            }
        }
        match options
            .interrupts
            .load(std::sync::atomic::Ordering::Acquire)
        {
            0 => {}
            1 => {
                self.ended_by.get_or_insert("interrupted".into());
                self.order_stop(stop, 1);
            }
            _ => {
                if *stop < 2 {
                    self.fault("session", "interrupted twice: left without draining");
                }
                self.order_stop(stop, 2);
            }
        }
        let now_ns = os::monotonic_ns();
        self.end_hung(now_ns);
        self.suffer(now_ns);
        self.tell(now_ns);
        self.collector.drain(now_ns);
        self.tie(now_ns);
        self.watch_rt_state(now_ns, options.require_rt);
        self.tell_outside();
        let live = Live {
            told: core::mem::take(&mut self.aftermaths.told),
            said: self.processes.log.fresh(),
            ..self.live(now_ns)
        };
        (options.live)(&live);
    }

    /// A stand-in that cannot be parked is missed by nobody as long as nobody dies: an event, not a fault.
    fn park_spares(&mut self) {
        if let Err(error) = self.processes.park_spares() {
            let tick = self.processes.tick();
            self.processes
                .events
                .say(tick, "session", &error.to_string());
        }
    }

    /// The sources have come to their end by themselves: what they gave is still worked through, stimulation included.
    fn end_sources(&mut self, stop: &mut u64) {
        if *stop == 0 {
            *stop = 1;
            let words = self.processes.session_words();
            words.stop.store(1, Ordering::Release);
        }
    }

    /// Somebody or something stops the session: stimulation goes off first.
    pub(super) fn order_stop(&mut self, stop: &mut u64, level: u64) {
        self.processes
            .session_words()
            .off
            .store(1, Ordering::Release);
        if *stop < level {
            *stop = level;
            self.processes
                .session_words()
                .stop
                .store(level, Ordering::Release);
        }
    }

    pub(super) fn fault(&mut self, who: &str, what: &str) {
        self.fault_at(os::monotonic_ns(), who, what);
    }

    pub(super) fn fault_at(&mut self, at_ns: u64, who: &str, what: &str) {
        let tick = self.processes.tick();
        let at_ns = at_ns as i64 - self.start_ns as i64;
        self.processes.events.say(tick, who, what);
        self.faults.push(Fault {
            at_ns,
            tick,
            who: who.to_owned(),
            what: what.to_owned(),
        });
    }

    fn who_holds(&self) -> String {
        let busy = self
            .processes
            .list
            .iter()
            .filter(|p| p.exited.is_none() && state_name(p) == "running");
        let names: Vec<&str> = busy.map(|p| p.name.as_str()).collect();
        format!("still busy: {}", names.join(", "))
    }

    /// Tells everybody the first tick that will not fall due.
    fn set_stop_tick(&mut self) -> u64 {
        let words = self.processes.session_words();
        let Some(timer) = &self.processes.plan.timer else {
            return words.start_tick.load(Ordering::Relaxed);
        };
        let ahead = STOP_AHEAD.as_nanos() as u64 / timer.period_ns + 2;
        let now = os::monotonic_ns().saturating_sub(self.start_ns) / timer.period_ns;
        let stop_tick = now.max(self.processes.tick()) + ahead;
        words.stop_tick.store(stop_tick, Ordering::Release);
        stop_tick
    }

    fn wait_for_exits(&mut self, options: &mut Options<'_>, stop: &mut u64) {
        let deadline = Instant::now() + EXIT_WITHIN;
        let left = |p: &Process| p.exited.is_some() || p.part == Part::Recorder;
        while !self.processes.list.iter().all(left) {
            if Instant::now() > deadline {
                let late: Vec<String> = self
                    .processes
                    .list
                    .iter()
                    .filter(|p| !left(p))
                    .map(|p| p.name.clone())
                    .collect();
                for who in &late {
                    self.fault(
                        who,
                        &format!("did not leave within {EXIT_WITHIN:?} and was killed"),
                    );
                }
                self.order_stop(stop, 2);
                self.processes.kill_all_but_the_recorder();
                return;
            }
            let before = self.faults.len();
            self.beat(options, stop);
            if self.faults.len() > before {
                self.order_stop(stop, 2);
            }
        }
    }

    fn tie(&mut self, now_ns: u64) {
        if !self.ties.is_due(now_ns) {
            return;
        }
        let sources = account::sources(&self.processes);
        self.ties.push(Tie {
            monotonic_ns: now_ns,
            raw_ns: os::monotonic_raw_ns(),
            realtime_ns: os::realtime_ns(),
            frames: sources
                .into_iter()
                .map(|s| (s.stream, s.valid + s.lost))
                .collect(),
        });
    }

    pub(super) fn live(&mut self, now_ns: u64) -> Live {
        let state = self.processes.session_words().state.load(Ordering::Relaxed) as usize;
        let skipped = self.processes.list.iter().map(|p| p.memory.bank());
        let skipped = skipped.map(|b| {
            [&b.late_wake, &b.long_run, &b.no_room]
                .map(|w| w.load(Ordering::Relaxed))
                .iter()
                .sum::<u64>()
        });
        Live {
            state: session_state::NAMES[state],
            elapsed_ns: now_ns.saturating_sub(self.start_ns),
            tick: self.processes.tick(),
            loop_now: self.collector.now(),
            skipped: skipped.sum(),
            lost_frames: account::sources(&self.processes)
                .iter()
                .map(|s| s.lost)
                .sum(),
            rt_active: self.rt.active,
            told: Vec::new(),
            said: Vec::new(),
        }
    }

    fn close(
        mut self,
        options: &mut Options<'_>,
        stop_tick: u64,
        end_ns: u64,
        recorded: Option<Ended>,
    ) -> Outcome {
        self.listener = None;
        self.tell(end_ns);
        self.end_guards();
        (options.before_check)(&self.processes);
        let start_tick = self
            .processes
            .session_words()
            .start_tick
            .load(Ordering::Relaxed);
        let state = if self.faults.is_empty() {
            session_state::CLOSED
        } else {
            session_state::FAILED
        };
        self.set_state(state);
        trap(Point::Closed);
        self.tell_outside();
        let mut live = self.live(end_ns);
        let processes = &self.processes;
        let ticks = if processes.plan.timer.is_some() {
            account::ticks(processes, start_tick, stop_tick, &self.died)
        } else {
            Vec::new()
        };
        let records = processes
            .list
            .iter()
            .map(|p| record(processes, p))
            .collect();
        let chaos = self.struck();
        let Measured {
            hops,
            loop_hop,
            intervals,
            worst,
            incidents,
        } = self.collector.finish(end_ns);
        let start_ns = self.start_ns;
        let stalls = self
            .witnesses
            .stalls()
            .into_iter()
            .filter(|s| s.at_ns >= start_ns);
        let stalls = stalls.map(|s| Stall {
            at_ns: s.at_ns - start_ns,
            ..s
        });
        let mut outcome = Outcome {
            started_realtime_ns: self.started_realtime_ns,
            start_ns: self.start_ns,
            duration_ns: end_ns.saturating_sub(self.start_ns),
            ended_by: self.ended_by.unwrap_or_default(),
            faults: self.faults,
            restarts: self.restarts,
            rt: self.rt,
            ticks,
            rings: account::rings(processes),
            edges: account::edges(processes),
            sources: account::sources(processes),
            hops,
            loop_hop,
            intervals,
            stages: records,
            rt_watch: self.rt_watch.finish(),
            broken_budgets: broken_budgets(processes),
            stalls: stalls.collect(),
            chaos,
            holds: self.holds.over,
            guards: self.guards.into_list(),
            ties: self.ties.into_rows(),
            worst,
            incidents,
            log: LogRecord::default(),
            told: Vec::new(),
            recording: recorded
                .and_then(|ended| Some(processes.recording.as_ref()?.outcome(processes, ended))),
            plan: self.processes.plan.clone(),
        };
        let mut processes = self.processes;
        tell_end(self.teller, &mut processes, &mut outcome);
        let (said, why) = processes.log.end();
        outcome.log = LogRecord {
            path: options.log.clone(),
            why,
            said,
        };
        live.said = processes.log.fresh();
        if !live.said.is_empty() {
            (options.live)(&live);
        }
        outcome
    }
}
