//! A stage that gives no sign of life is ended: it is asked to (SIGTERM), and then killed. Its policy on death decides the rest.
//!
//! A stage shows that it lives at every activation, and at least ten times a second while it waits. (A FIFO stage that computes
//! without end is killed by the kernel after a second, RLIMIT_RTTIME.) One that could run, and is not let to, is not hung: its
//! CPU is somebody else's just now. That is told, and it is left alone.

use super::prepare::{Part, Process};
use super::proc_stat::field;
use super::run::Run;
use crate::abi::stage_state;
use crate::os::PidFd;
use crate::sync::Ordering;

/// Silence that is no stall of this machine any more, ns.
const SILENT_NS: u64 = 2_000_000_000;
/// Nor of a stage that is due as rarely as that, in its own periods.
const SILENT_PERIODS: u64 = 20;
/// Whoever is silent is watched for so long before he is judged, ns.
const WATCHED_NS: u64 = 500_000_000;
/// Starved is who wants to run and runs for less than this part of the time.
const STARVED_BELOW: u64 = 5;
/// From asking to killing, ns.
const GRACE_NS: u64 = 300_000_000;

/// What is known of one process's silence.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Silence {
    /// When it was last started, ns.
    started_ns: u64,
    /// Since when it has been watched, ns, and how long it had run until then, ns.
    watched: Option<(u64, u64)>,
    /// It has been told that it is starved.
    starved: bool,
    /// It was asked to end then, ns.
    asked_ns: Option<u64>,
    /// How long it had been silent when it was asked, ns.
    silent_ns: u64,
}

impl Silence {
    /// Of a process that begins now.
    pub fn of_new(now_ns: u64) -> Self {
        Silence {
            started_ns: now_ns,
            ..Silence::default()
        }
    }

    /// Judges a process that has been silent for too long.
    fn judge(&mut self, now_ns: u64, running: &Running) -> Judged {
        let Some((since_ns, ran_ns)) = self.watched else {
            self.watched = Some((now_ns, running.ran_ns));
            return Judged::NotYet;
        };
        let watched_ns = now_ns.saturating_sub(since_ns);
        if watched_ns < WATCHED_NS {
            return Judged::NotYet;
        }
        let ran_ns = running.ran_ns.saturating_sub(ran_ns);
        if running.runnable && ran_ns < watched_ns / STARVED_BELOW {
            self.watched = None;
            Judged::Starved
        } else {
            Judged::Hung
        }
    }

    /// Why it was ended, if it was ended for its silence.
    pub fn why(&self) -> Option<String> {
        self.asked_ns?;
        Some(format!(
            "it gave no sign of life for {:.1} s",
            self.silent_ns as f64 / 1e9
        ))
    }
}

impl Run {
    /// Ends who has been silent for too long. In logical time an activation may take as long as it likes; and a helper may wait
    /// for its disk.
    pub(super) fn end_hung(&mut self, now_ns: u64) {
        let plan = &self.processes.plan;
        if plan.timer.is_none() {
            return;
        }
        let mut starved = Vec::new();
        for (process, silence) in self.processes.list.iter().zip(&mut self.silences) {
            let period_ns = match process.part {
                Part::Timer => plan.tick_ns,
                Part::Stage(stage) if plan.stages[stage].guards => plan.tick_ns,
                Part::Stage(stage) if plan.stages[stage].helper_of.is_none() => {
                    plan.tick_ns * u64::from(plan.stages[stage].divider)
                }
                Part::Stage(_) | Part::Recorder => continue,
            };
            let running = process.words().state.load(Ordering::Acquire) == stage_state::RUNNING;
            if process.exited.is_some() || !running {
                continue;
            }
            let alive_ns = process.words().heartbeat_ns.load(Ordering::Relaxed);
            let silent_ns = now_ns.saturating_sub(alive_ns.max(silence.started_ns));
            match silence.asked_ns {
                None if silent_ns > SILENT_NS.max(SILENT_PERIODS * period_ns) => {
                    match silence.judge(now_ns, &Running::of(process.child.id())) {
                        Judged::NotYet => {}
                        Judged::Starved if silence.starved => {}
                        Judged::Starved => {
                            silence.starved = true;
                            starved.push((process.name.clone(), silent_ns));
                        }
                        Judged::Hung => {
                            silence.asked_ns = Some(now_ns);
                            silence.silent_ns = silent_ns;
                            signal(process, libc::SIGTERM);
                        }
                    }
                }
                Some(asked_ns) if now_ns.saturating_sub(asked_ns) > GRACE_NS => {
                    signal(process, libc::SIGKILL);
                }
                None => {
                    silence.watched = None;
                    silence.starved = false;
                }
                Some(_) => {}
            }
        }
        for (who, silent_ns) in starved {
            let tick = self.processes.tick();
            let what = format!(
                "no sign of life for {:.1} s, for it is not let run: somebody more urgent has its CPU",
                silent_ns as f64 / 1e9
            );
            self.processes.events.say(tick, &who, &what);
        }
    }
}

/// What the kernel says of a process that is silent.
#[derive(Clone, Copy, Debug)]
struct Running {
    /// It runs, or could: it waits for nothing but a CPU.
    runnable: bool,
    /// How long it has run since it began, ns.
    ran_ns: u64,
}

impl Running {
    /// Of a process that cannot be asked: as if it slept.
    fn of(pid: u32) -> Self {
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}"));
        let stat = read("stat").unwrap_or_default();
        let ran = read("schedstat").ok();
        let ran = ran.and_then(|words| words.split_whitespace().next()?.parse().ok());
        Running {
            runnable: field(&stat, 3) == Some("R"),
            ran_ns: ran.unwrap_or(0),
        }
    }
}

/// What is to be thought of a silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judged {
    /// It has not been watched for long enough.
    NotYet,
    /// It would run if it were let.
    Starved,
    /// It waits for something that does not come, or computes without end.
    Hung,
}

fn signal(process: &Process, signal: i32) {
    // It fails if the process has just died: then that is seen.
    let _ = PidFd::open(process.child.id()).and_then(|fd| fd.signal(signal));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(runnable: bool, ran_ns: u64) -> Judged {
        let mut silence = Silence::of_new(0);
        let then = Running {
            runnable,
            ran_ns: 7_000,
        };
        assert_eq!(silence.judge(10, &then), Judged::NotYet);
        assert_eq!(silence.judge(10 + WATCHED_NS / 2, &then), Judged::NotYet);
        let now = Running {
            runnable,
            ran_ns: 7_000 + ran_ns,
        };
        silence.judge(10 + WATCHED_NS, &now)
    }

    #[test]
    fn who_wants_to_run_and_is_not_let_is_starved_and_everybody_else_that_is_silent_is_hung() {
        assert_eq!(judged(true, 0), Judged::Starved);
        assert_eq!(judged(true, WATCHED_NS / 10), Judged::Starved);
        assert_eq!(
            judged(true, WATCHED_NS),
            Judged::Hung,
            "it computes without end"
        );
        assert_eq!(judged(false, 0), Judged::Hung, "it sleeps, or was stopped");
    }

    #[test]
    fn the_kernel_tells_a_sleeper_from_one_that_computes() {
        let seen = |script: &str| {
            let mut shell = std::process::Command::new("sh");
            let mut child = shell.args(["-c", script]).spawn().unwrap();
            std::thread::sleep(std::time::Duration::from_millis(200));
            let seen = Running::of(child.id());
            child.kill().unwrap();
            child.wait().unwrap();
            seen
        };
        let (sleeper, busy) = (seen("exec sleep 5"), seen("while :; do :; done"));
        assert!(!sleeper.runnable && sleeper.ran_ns > 0, "{sleeper:?}");
        assert!(busy.runnable && busy.ran_ns > sleeper.ran_ns, "{busy:?}");
        let nobody = Running::of(u32::MAX);
        assert!(!nobody.runnable && nobody.ran_ns == 0);
    }
}
