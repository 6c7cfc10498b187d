//! What a running session does when it is asked through its control socket.

use super::Options;
use super::listener::Asked;
use super::recording::Recording;
use super::run::{Run, state_name};
use crate::abi::stage_state;
use crate::control::{self, Answer, Command, LONGEST_MARK};
use crate::os;
use crate::sync::Ordering;
use ephapse_rtconfig::describe::{Described, Program};
use ephapse_rtconfig::plan::{RECORDER, StagePlan};
use ephapse_rtconfig::problem::suggest;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Answers kept for requests that come again.
const KEPT_ANSWERS: usize = 1024;
/// From new parameters to the stage having taken them: it looks between two activations.
const TAKEN_WITHIN: Duration = Duration::from_secs(5);
/// From a commanded restart to the successor running.
const RUNNING_WITHIN: Duration = Duration::from_secs(20);

/// What has been asked so far.
pub(super) struct Commands {
    /// Per process: it has been killed in order to be started again.
    pub wanted: Vec<bool>,
    answers: VecDeque<Answer>,
    restarting: Vec<Restarting>,
    tuning: Vec<Tuning>,
}

/// A commanded restart that is not over.
struct Restarting {
    id: String,
    process: usize,
    generation: u32,
    until: Instant,
    replies: Vec<mpsc::Sender<Answer>>,
}

/// New parameters that a stage has not yet taken.
struct Tuning {
    id: String,
    process: usize,
    epoch: u64,
    until: Instant,
    replies: Vec<mpsc::Sender<Answer>>,
}

impl Commands {
    pub fn new(processes: usize) -> Self {
        Commands {
            wanted: vec![false; processes],
            answers: VecDeque::new(),
            restarting: Vec::new(),
            tuning: Vec::new(),
        }
    }

    fn keep(&mut self, answer: &Answer) {
        if self.answers.len() == KEPT_ANSWERS {
            self.answers.pop_front();
        }
        self.answers.push_back(answer.clone());
    }
}

impl Run {
    /// Does what is asked, or says why not; once for each id.
    pub(super) fn heed(&mut self, asked: Asked, options: &Options<'_>, stop: &mut u64) {
        let Asked { request, reply } = asked;
        let id = request.id;
        if let Some(answer) = self.commands.answers.iter().find(|a| a.id == id) {
            // Whoever asked may have gone; the answer stays.
            let _ = reply.send(answer.clone());
            return;
        }
        let restarting = self.commands.restarting.iter_mut();
        let tuning = self.commands.tuning.iter_mut();
        let mut pending = restarting
            .map(|r| (&r.id, &mut r.replies))
            .chain(tuning.map(|t| (&t.id, &mut t.replies)));
        if let Some((_, replies)) = pending.find(|(pending, _)| **pending == id) {
            replies.push(reply);
            return;
        }
        drop(pending);
        let answer = match request.command {
            // Looking changes nothing: the answer to a repeated look is a new look.
            Command::Status {} => {
                let _ = reply.send(Answer::done(&id, self.status(*stop)));
                return;
            }
            Command::Graph {} => {
                let graph = &self.processes.plan.resolved_toml;
                let _ = reply.send(Answer::done(&id, json!({ "graph": graph })));
                return;
            }
            Command::Mark { text } => match mark(&text) {
                Ok(text) => {
                    self.say(control::MARK, text);
                    Answer::done(&id, json!({ "tick": self.processes.tick(), "text": text }))
                }
                Err(why) => Answer::refused(&id, why),
            },
            Command::Stop { now } => {
                let level = if now { 2 } else { 1 };
                self.ended_by.get_or_insert("stopped by command".into());
                self.order_stop(stop, level);
                self.say(
                    "session",
                    if now {
                        "told to leave at once"
                    } else {
                        "told to stop"
                    },
                );
                Answer::done(&id, json!({ "stop": *stop }))
            }
            Command::Off {} => {
                let off = &self.processes.session_words().off;
                if off.swap(1, Ordering::AcqRel) == 0 {
                    self.say(
                        "session",
                        "stimulation off: every further command is refused",
                    );
                }
                Answer::done(&id, json!({ "off": true }))
            }
            Command::Record { on } => match self.order_recording(on) {
                Ok(()) => Answer::done(&id, json!({ "recording": on })),
                Err(why) => Answer::refused(&id, why),
            },
            Command::Set { stage, params } => match self.order_params(&stage, params, options) {
                Ok((process, epoch)) => {
                    self.commands.tuning.push(Tuning {
                        id,
                        process,
                        epoch,
                        until: Instant::now() + TAKEN_WITHIN,
                        replies: vec![reply],
                    });
                    return;
                }
                Err(why) => Answer::refused(&id, why),
            },
            Command::Restart { stage } => match self.order_restart(&stage, options, *stop) {
                Ok(process) => {
                    self.commands.restarting.push(Restarting {
                        id,
                        process,
                        generation: self.processes.list[process].generation() + 1,
                        until: Instant::now() + RUNNING_WITHIN,
                        replies: vec![reply],
                    });
                    return;
                }
                Err(why) => Answer::refused(&id, why),
            },
        };
        self.commands.keep(&answer);
        let _ = reply.send(answer);
    }

    fn order_recording(&mut self, on: bool) -> Result<(), String> {
        let Some(recording) = &self.processes.recording else {
            return Err(
                "this session has no recorder: start it again without `record = []`".into(),
            );
        };
        if recording.switch(on) {
            let said = if on {
                "goes on"
            } else {
                "off: what comes is passed over and becomes a gap"
            };
            self.say(RECORDER, said);
        }
        Ok(())
    }

    fn say(&mut self, who: &str, what: &str) {
        let tick = self.processes.tick();
        self.processes.events.say(tick, who, what);
    }

    /// The process of a stage that runs.
    fn running_stage(&self, stage: &str) -> Result<usize, String> {
        let names: Vec<&str> = self
            .processes
            .list
            .iter()
            .map(|p| p.name.as_str())
            .collect();
        let Some(index) = names.iter().position(|name| *name == stage) else {
            return Err(format!(
                "no stage `{stage}` in this session: it has {}",
                names.join(", ")
            ));
        };
        let process = &self.processes.list[index];
        if process.exited.is_some() {
            return Err(format!("`{stage}` has left, and its streams have ended"));
        }
        if process.words().state.load(Ordering::Acquire) != stage_state::RUNNING {
            return Err(format!(
                "`{stage}` is {}, not running: wait",
                state_name(process)
            ));
        }
        Ok(index)
    }

    /// Writes new parameters for a stage to take. Returns its process, and their epoch.
    fn order_params(
        &mut self,
        stage: &str,
        changes: serde_json::Map<String, Value>,
        options: &Options<'_>,
    ) -> Result<(usize, u64), String> {
        let index = self.running_stage(stage)?;
        let process = &self.processes.list[index];
        let Some(number) = process.part.stage() else {
            return Err(format!("`{stage}` has no parameters"));
        };
        let plan = &self.processes.plan.stages[number];
        let live = (options.live_params)(plan);
        let live: Vec<&str> = live.iter().map(String::as_str).collect();
        if let Some(key) = changes.keys().find(|key| !live.contains(&key.as_str())) {
            return Err(format!(
                "`{key}` of `{stage}` cannot change while it runs: {}",
                suggest(key, &live)
            ));
        }
        let changed: Vec<&str> = changes.keys().map(String::as_str).collect();
        let changed = changed.join("`, `");
        let mut params = plan.params.clone();
        for (key, value) in changes {
            params[key] = value;
        }
        let now = (options.redescribe)(plan, &params)
            .map_err(|why| format!("`{changed}` of `{stage}` stays as it was: {why}"))?;
        // How late a stage is may follow its parameters; what was laid out for it at the start cannot.
        let laid_out = Described {
            group_delay_frames: plan.described.group_delay_frames,
            settle_frames: plan.described.settle_frames,
            ..now.clone()
        };
        if laid_out != plan.described {
            return Err(format!(
                "`{stage}` would make other streams, or need other state: stop the session and start it anew"
            ));
        }
        let epoch = process.tell_params(&params)?;
        self.say(stage, &format!("parameters of epoch {epoch}: {params}"));
        let plan = &mut self.processes.plan.stages[number];
        plan.params = params;
        plan.described.group_delay_frames = now.group_delay_frames;
        Ok((index, epoch))
    }

    /// Answers changes of parameters that have been taken, or will not be.
    pub(super) fn answer_params(&mut self) {
        let all = core::mem::take(&mut self.commands.tuning);
        for tuning in all {
            let process = &self.processes.list[tuning.process];
            let taken = process.words().epoch.load(Ordering::Acquire) >= tuning.epoch;
            let answer = if taken {
                Answer::done(
                    &tuning.id,
                    json!({ "stage": process.name, "epoch": tuning.epoch }),
                )
            } else if Instant::now() > tuning.until || self.died[tuning.process] {
                let why = format!("`{}` has not taken them yet: ask `status`", process.name);
                Answer::refused(&tuning.id, why)
            } else {
                self.commands.tuning.push(tuning);
                continue;
            };
            self.commands.keep(&answer);
            for reply in &tuning.replies {
                let _ = reply.send(answer.clone());
            }
        }
    }

    /// Kills the process of a stage, whose death then leads to its successor.
    fn order_restart(
        &mut self,
        stage: &str,
        options: &Options<'_>,
        stop: u64,
    ) -> Result<usize, String> {
        if stop > 0 {
            return Err("the session is ending: start it anew".into());
        }
        if stage == "timer" {
            return Err(
                "the timer paces everybody and is not started again: stop the session".into(),
            );
        }
        let index = self.running_stage(stage)?;
        let process = &self.processes.list[index];
        if let Some(plan) = process.part.stage().map(|s| &self.processes.plan.stages[s])
            && matches!(plan.program, Program::External { .. })
        {
            fits_in(plan, options)?;
        }
        self.commands.wanted[index] = true;
        // It was prepared from what the executable was before.
        self.processes.list[index].spare = None;
        self.processes.list[index]
            .child
            .kill()
            .map_err(|e| format!("`{stage}` cannot be ended: {e}"))?;
        Ok(index)
    }

    /// Answers commanded restarts whose successor runs, or will not.
    pub(super) fn answer_restarts(&mut self) {
        let all = core::mem::take(&mut self.commands.restarting);
        for restarting in all {
            let process = &self.processes.list[restarting.process];
            let state = process.words().state.load(Ordering::Acquire);
            let here = process.generation() >= restarting.generation;
            let (id, who) = (&restarting.id, &process.name);
            let answer = if here && state == stage_state::RUNNING {
                let pid = process.child.id();
                Answer::done(
                    id,
                    json!({ "stage": who, "pid": pid, "generation": process.generation() }),
                )
            } else if self.died[restarting.process] || (here && state == stage_state::FAILED) {
                Answer::refused(id, format!("`{who}` does not start: {}", process.reason()))
            } else if Instant::now() > restarting.until {
                let state = state_name(process);
                Answer::refused(
                    id,
                    format!("`{who}` is {state} and not running after {RUNNING_WITHIN:?}"),
                )
            } else {
                self.commands.restarting.push(restarting);
                continue;
            };
            self.commands.keep(&answer);
            for reply in &restarting.replies {
                let _ = reply.send(answer.clone());
            }
        }
    }

    fn status(&mut self, stop: u64) -> Value {
        let now_ns = os::monotonic_ns();
        let live = self.live(now_ns);
        let stages = self.processes.list.iter().map(|process| {
            let bank = process.memory.bank();
            let get = |word: &crate::sync::AtomicU64| word.load(Ordering::Relaxed);
            json!({
                "name": process.name,
                "pid": process.child.id(),
                "state": state_name(process),
                "generation": process.generation(),
                "activations": get(&bank.activations),
                "skipped": {
                    "late_wake": get(&bank.late_wake), "long_run": get(&bank.long_run),
                    "no_room": get(&bank.no_room), "dead": get(&bank.dead),
                },
                "heartbeat_age_ns": now_ns.saturating_sub(get(&process.words().heartbeat_ns)),
            })
        });
        let stages: Vec<Value> = stages.collect();
        json!({
            "session": self.processes.plan.session,
            "state": live.state,
            "tick": live.tick,
            "elapsed_ns": live.elapsed_ns,
            "stop": stop,
            "off": self.processes.session_words().off.load(Ordering::Relaxed) != 0,
            "rt": self.rt.active,
            "rt_why": self.rt.why,
            "decisions": live.loop_now.decisions,
            "loop_p50_ns": live.loop_now.p50_ns,
            "loop_p99_ns": live.loop_now.p99_ns,
            "loop_max_ns": live.loop_now.max_ns,
            "lost_frames": live.lost_frames,
            "faults": self.faults.len(),
            "restarts": self.restarts.len(),
            "stages": stages,
            "recording": self.processes.recording.as_ref().map(Recording::status),
        })
    }
}

/// A remark as it is recorded.
fn mark(text: &str) -> Result<&str, String> {
    let text = text.trim();
    if text.is_empty() {
        Err("a mark needs a text".to_owned())
    } else if text.len() > LONGEST_MARK {
        let bytes = text.len();
        Err(format!(
            "a mark of {bytes} bytes is too long: at most {LONGEST_MARK} are kept"
        ))
    } else if text.chars().any(char::is_control) {
        Err("a mark is one line of text".to_owned())
    } else {
        Ok(text)
    }
}

/// A rebuilt executable must still make what the session was planned with.
fn fits_in(plan: &StagePlan, options: &Options<'_>) -> Result<(), String> {
    let now = (options.redescribe)(plan, &plan.params)
        .map_err(|why| format!("`{}` goes on as it was: {why}", plan.name))?;
    let was = &plan.described;
    let differs = if now.outputs != was.outputs {
        "its output types"
    } else if (now.state_bytes, now.append_bytes) != (was.state_bytes, was.append_bytes) {
        "the size of its state"
    } else if now.parts_per_call != was.parts_per_call {
        "its `parts_per_call`"
    } else {
        return Ok(());
    };
    Err(format!(
        "`{}` goes on as it was, for the rebuilt one has changed {differs}: stop the session and start it anew",
        plan.name
    ))
}
