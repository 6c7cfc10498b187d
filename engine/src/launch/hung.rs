//! A stage that gives no sign of life is ended: it is asked to (SIGTERM), and then killed. Its policy on death decides the rest.
//!
//! A stage shows that it lives at every activation, and at least ten times a second while it waits. (A FIFO stage that computes
//! without end is killed by the kernel after a second, RLIMIT_RTTIME.)

use super::prepare::{Part, Process};
use super::run::Run;
use crate::abi::stage_state;
use crate::os::PidFd;
use crate::sync::Ordering;

/// Silence that is no stall of this machine any more, ns.
const SILENT_NS: u64 = 2_000_000_000;
/// Nor of a stage that is due as rarely as that, in its own periods.
const SILENT_PERIODS: u64 = 20;
/// From asking to killing, ns.
const GRACE_NS: u64 = 300_000_000;

/// What is known of one process's silence.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Silence {
    /// When it was last started, ns.
    started_ns: u64,
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
                    *silence = Silence {
                        asked_ns: Some(now_ns),
                        silent_ns,
                        ..*silence
                    };
                    signal(process, libc::SIGTERM);
                }
                Some(asked_ns) if now_ns.saturating_sub(asked_ns) > GRACE_NS => {
                    signal(process, libc::SIGKILL);
                }
                None | Some(_) => {}
            }
        }
    }
}

fn signal(process: &Process, signal: i32) {
    // It fails if the process has just died: then that is seen.
    let _ = PidFd::open(process.child.id()).and_then(|fd| fd.signal(signal));
}
