//! What the launcher runs when something has happened: the commands of the graph's `[on]`, beside the session.
//!
//! The launcher's own thread decides and writes the report so far; a thread of normal priority starts the commands, waits for
//! them, and kills who takes too long.

mod runner;

use super::account;
use super::prepare::Processes;
use super::run::Run;
use crate::os;
use crate::outcome::{BrokenBudget, Outcome, ToldRecord};
use crate::sync::Ordering;
use ephapse_rtconfig::plan::OnPlan;
use runner::Runner;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Value of `format` in what a command is given.
const FORMAT: &str = "ephapse-so-far 1";
/// A command that runs longer is killed.
const WITHIN: Duration = Duration::from_secs(10);
/// From one command of a kind to the next.
const PAUSE: Duration = Duration::from_secs(60);
/// From the end of the last command to the end of the thread: a process that cannot be killed holds nobody.
const GRACE: Duration = Duration::from_secs(2);

/// What may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum On {
    Fault,
    Threshold,
    End,
}

impl On {
    fn name(self) -> &'static str {
        match self {
            On::Fault => "fault",
            On::Threshold => "threshold",
            On::End => "end",
        }
    }

    /// Program and arguments; empty: nothing is run.
    pub fn command(self, plan: &OnPlan) -> &[String] {
        match self {
            On::Fault => &plan.fault,
            On::Threshold => &plan.threshold,
            On::End => &plan.end,
        }
    }

    /// The name under which its command stands in the log.
    pub fn voice(self) -> String {
        format!("on.{}", self.name())
    }

    /// All of them.
    pub fn all() -> [On; 3] {
        [On::Fault, On::Threshold, On::End]
    }
}

/// What is to be told, and was not yet.
#[derive(Debug, Default)]
struct Waiting {
    causes: Vec<String>,
    started: Option<Instant>,
}

/// A command that is to be started.
struct Job {
    on: On,
    cause: String,
    at_ns: i64,
    report: Value,
}

/// Tells whoever the graph names what has happened.
pub(super) struct Teller {
    plan: OnPlan,
    /// Causes that were told, or wait for it.
    known: HashSet<String>,
    faults_seen: usize,
    waiting: [Waiting; 2],
    jobs: Option<mpsc::Sender<Job>>,
    answers: mpsc::Receiver<ToldRecord>,
    pub told: Vec<ToldRecord>,
}

impl Teller {
    /// Starts the thread, if there is anything to be told.
    pub fn start(processes: &Processes) -> Self {
        let plan = processes.plan.on.clone();
        let (jobs, asked) = mpsc::channel();
        let (answer, answers) = mpsc::channel();
        let runner = Runner::new(processes, answer);
        let started = (!plan.is_empty()).then(|| {
            std::thread::Builder::new()
                .name("on".to_owned())
                .spawn(move || runner.run(&asked))
        });
        // Without a thread nothing is told, and what was to be told stands in the report.
        let jobs = started.and_then(Result::ok).map(|_| jobs);
        Teller {
            plan,
            known: HashSet::new(),
            faults_seen: 0,
            waiting: Default::default(),
            jobs,
            answers,
            told: Vec::new(),
        }
    }

    /// Notes a cause, unless it is known. Numbers make no cause another one.
    fn note(&mut self, on: On, cause: String) {
        let key: String = cause.chars().filter(|c| !c.is_ascii_digit()).collect();
        if self.known.insert(format!("{} {key}", on.name())) {
            self.waiting[on as usize].causes.push(cause);
        }
    }

    /// What is to be told now, of a kind: the first cause and all of them.
    fn due(&mut self, on: On) -> Option<Vec<String>> {
        let waiting = &mut self.waiting[on as usize];
        let soon = waiting.started.is_some_and(|at| at.elapsed() < PAUSE);
        if waiting.causes.is_empty() || soon || on.command(&self.plan).is_empty() {
            return None;
        }
        waiting.started = Some(Instant::now());
        Some(core::mem::take(&mut waiting.causes))
    }

    fn start_job(&self, job: Job) {
        if let Some(jobs) = &self.jobs {
            // The thread lives as long as this end.
            let _ = jobs.send(job);
        }
    }
}

impl Run {
    /// Notes what has happened since the last turn, tells what may be told, and says how earlier commands ended.
    pub(super) fn tell_outside(&mut self) {
        if self.teller.plan.is_empty() {
            return;
        }
        for fault in &self.faults[self.teller.faults_seen..] {
            let cause = format!("{}: {}", fault.who, fault.what);
            self.teller.note(On::Fault, cause);
        }
        self.teller.faults_seen = self.faults.len();
        for budget in broken_budgets(&self.processes) {
            // Without numbers: how often it was broken changes, the cause does not.
            let cause = format!(
                "{}: its budget of {} ns is broken",
                budget.stage, budget.budget_ns
            );
            self.teller.note(On::Threshold, cause);
        }
        for on in [On::Fault, On::Threshold] {
            if let Some(causes) = self.teller.due(on) {
                let at_ns = os::monotonic_ns() as i64 - self.start_ns as i64;
                let report = self.so_far(on, &causes, at_ns);
                self.teller.start_job(Job {
                    on,
                    cause: causes.into_iter().next().unwrap_or_default(),
                    at_ns,
                    report,
                });
            }
        }
        while let Ok(told) = self.teller.answers.try_recv() {
            self.note_told(told);
        }
    }

    fn note_told(&mut self, told: ToldRecord) {
        let tick = self.processes.tick();
        let what = format!("on {}: {}", told.on, told.how);
        self.processes.events.say(tick, "session", &what);
        self.teller.told.push(told);
    }

    /// The report so far. Accounts of what still moves need not balance: whether they hold is left out.
    fn so_far(&mut self, on: On, causes: &[String], at_ns: i64) -> Value {
        let live = self.live(os::monotonic_ns());
        let processes = &self.processes;
        let ticks = if processes.plan.timer.is_some() {
            let start_tick = processes.session_words().start_tick.load(Ordering::Relaxed);
            account::ticks(processes, start_tick, processes.tick() + 1, &self.died)
        } else {
            Vec::new()
        };
        let mut report = json!({
            "state": live.state,
            "elapsed_ns": live.elapsed_ns,
            "tick": live.tick,
            "ended_by": self.ended_by,
            "faults": self.faults,
            "restarts": self.restarts,
            "rt": self.rt,
            "ticks": ticks,
            "rings": account::rings(processes),
            "edges": account::edges(processes),
            "sources": account::sources(processes),
            "budgets": broken_budgets(processes),
            "experiment": processes.plan.experiment,
        });
        for accounts in ["ticks", "rings", "edges", "sources"] {
            for account in report[accounts].as_array_mut().into_iter().flatten() {
                if let Some(account) = account.as_object_mut() {
                    account.remove("holds");
                }
            }
        }
        head(&mut report, &processes.plan.session, on, causes, at_ns);
        report
    }
}

/// Which stages have broken their budgets so far.
pub(super) fn broken_budgets(processes: &Processes) -> Vec<BrokenBudget> {
    let broken = processes.list.iter().filter_map(|p| {
        let budget_ns = processes.plan.stages[p.part.stage()?].budget_ns?;
        let broken = p.words().over_budget.load(Ordering::Relaxed);
        let worst_ns = p.words().worst_ns.load(Ordering::Relaxed);
        (broken > 0).then(|| BrokenBudget {
            stage: p.name.clone(),
            budget_ns,
            broken,
            worst_ns,
        })
    });
    broken.collect()
}

fn head(report: &mut Value, session: &str, on: On, causes: &[String], at_ns: i64) {
    report["format"] = FORMAT.into();
    report["on"] = on.name().into();
    report["cause"] = causes.first().cloned().unwrap_or_default().into();
    report["causes"] = causes.into();
    report["at_ns"] = at_ns.into();
    report["session"] = session.into();
}

/// Tells that the session has ended, waits for every command, and puts down what came of them.
pub(super) fn tell_end(mut teller: Teller, processes: &mut Processes, outcome: &mut Outcome) {
    if teller.plan.is_empty() {
        return;
    }
    if !teller.plan.end.is_empty() {
        let verdict = outcome.verdict();
        let at_ns = outcome.duration_ns as i64;
        let mut report = json!({
            "state": if outcome.faults.is_empty() { "closed" } else { "failed" },
            "elapsed_ns": outcome.duration_ns,
            "tick": processes.tick(),
            "verdict": verdict,
            "exit_code": verdict.exit_code(),
            "ended_by": outcome.ended_by,
            "faults": outcome.faults,
            "restarts": outcome.restarts,
            "rt": outcome.rt,
            "ticks": outcome.ticks,
            "rings": outcome.rings,
            "edges": outcome.edges,
            "sources": outcome.sources,
            "budgets": outcome.broken_budgets,
            "experiment": outcome.plan.experiment,
        });
        let cause = outcome.ended_by.clone();
        let session = &outcome.plan.session;
        head(
            &mut report,
            session,
            On::End,
            core::slice::from_ref(&cause),
            at_ns,
        );
        teller.start_job(Job {
            on: On::End,
            cause,
            at_ns,
            report,
        });
    }
    // Without further jobs the thread leaves when the last command has.
    teller.jobs = None;
    let deadline = Instant::now() + WITHIN + GRACE;
    while let Ok(told) = teller
        .answers
        .recv_timeout(deadline.saturating_duration_since(Instant::now()))
    {
        teller.told.push(told);
    }
    let tick = processes.tick();
    for told in &teller.told {
        let what = format!("on {}: {}", told.on, told.how);
        processes.events.say(tick, "session", &what);
    }
    outcome.told = teller.told;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn teller() -> Teller {
        let (_, answers) = mpsc::channel();
        Teller {
            plan: OnPlan {
                fault: vec!["true".into()],
                ..OnPlan::default()
            },
            known: HashSet::new(),
            faults_seen: 0,
            waiting: Default::default(),
            jobs: None,
            answers,
            told: Vec::new(),
        }
    }

    #[test]
    fn a_cause_is_told_once_and_no_two_within_a_minute() {
        let mut teller = teller();
        teller.note(On::Fault, "detect: died (pid 17)".into());
        teller.note(On::Fault, "detect: died (pid 18)".into());
        assert_eq!(
            teller.due(On::Fault),
            Some(vec!["detect: died (pid 17)".to_owned()])
        );
        teller.note(On::Fault, "detect: died (pid 19)".into());
        assert_eq!(teller.due(On::Fault), None, "it is known");
        teller.note(On::Fault, "rate: died (pid 20)".into());
        teller.note(On::Fault, "band: died (pid 21)".into());
        assert_eq!(teller.due(On::Fault), None, "the minute is not over");
        teller.waiting[On::Fault as usize].started = Instant::now().checked_sub(PAUSE);
        assert_eq!(teller.due(On::Fault).map(|causes| causes.len()), Some(2));
        teller.note(On::Threshold, "detect: budget".into());
        assert_eq!(
            teller.due(On::Threshold),
            None,
            "there is no command for it"
        );
    }
}
