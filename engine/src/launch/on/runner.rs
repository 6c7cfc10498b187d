//! The thread that starts the commands of `[on]`, waits for them, and kills who takes too long.

use super::{Job, On, WITHIN};
use crate::launch::prepare::Processes;
use crate::launch::said::Voice;
use crate::os;
use crate::outcome::ToldRecord;
use ephapse_rtconfig::plan::OnPlan;
use serde_json::Value;
use std::fs::File;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Rhythm of the thread while a command runs.
const LOOK: Duration = Duration::from_millis(20);

/// A command that runs.
struct Running {
    on: On,
    cause: String,
    at_ns: i64,
    child: Child,
    until: Instant,
}

/// The thread's own.
pub(super) struct Runner {
    session: String,
    folder: PathBuf,
    voices: [Voice; 3],
    plan: OnPlan,
    running: Vec<Running>,
    answer: mpsc::Sender<ToldRecord>,
}

impl Runner {
    /// What the graph of these processes names; how each ended goes to `answer`.
    pub fn new(processes: &Processes, answer: mpsc::Sender<ToldRecord>) -> Self {
        Runner {
            session: processes.plan.session.clone(),
            folder: processes.lock.folder().to_owned(),
            voices: On::all().map(|on| processes.log.of(&on.voice())),
            plan: processes.plan.on.clone(),
            running: Vec::new(),
            answer,
        }
    }

    /// Works until nobody asks any more and every command has ended.
    pub fn run(mut self, asked: &mpsc::Receiver<Job>) {
        loop {
            let job = if self.running.is_empty() {
                asked
                    .recv()
                    .map_err(|_| mpsc::RecvTimeoutError::Disconnected)
            } else {
                asked.recv_timeout(LOOK)
            };
            match job {
                Ok(job) => self.start(job),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) if self.running.is_empty() => return,
                Err(mpsc::RecvTimeoutError::Disconnected) => std::thread::sleep(LOOK),
            }
            self.look();
        }
    }

    fn start(&mut self, job: Job) {
        let words = job.on.command(&self.plan);
        let started = report_file(&self.folder, job.on, &job.report).and_then(|stdin| {
            let mut command = Command::new(words.first().map_or("", String::as_str));
            command
                .args(&words[1..])
                .env("EPHAPSE_ON", job.on.name())
                .env("EPHAPSE_SESSION", &self.session)
                .env("EPHAPSE_CAUSE", &job.cause)
                .stdin(stdin)
                // Killed as a whole, and out of the terminal's Ctrl-C.
                .process_group(0);
            dies_with_its_thread(&mut command);
            let voice = &self.voices[job.on as usize];
            let ears = voice.pipe(&mut command)?;
            let child = command.spawn()?;
            drop(command);
            voice.listen(ears);
            Ok(child)
        });
        match started {
            Ok(child) => self.running.push(Running {
                on: job.on,
                cause: job.cause,
                at_ns: job.at_ns,
                child,
                until: Instant::now() + WITHIN,
            }),
            Err(error) => self.say(
                job.on,
                job.cause,
                job.at_ns,
                format!("cannot be started: {error}"),
                None,
            ),
        }
    }

    /// Sees who has ended, and kills who takes too long.
    fn look(&mut self) {
        for mut one in core::mem::take(&mut self.running) {
            let ended = match one.child.try_wait() {
                Ok(None) if Instant::now() < one.until => {
                    self.running.push(one);
                    continue;
                }
                Ok(None) => {
                    os::kill_group(one.child.id());
                    // Killed like this, it is gone when it is next looked at, or nobody can help it.
                    let _ = one.child.wait();
                    Err(format!("was killed: it ran longer than {WITHIN:?}"))
                }
                Ok(Some(status)) => Ok(status),
                Err(error) => Err(error.to_string()),
            };
            let code = ended.as_ref().ok().and_then(ExitStatus::code);
            let how = match ended {
                Ok(status) => match status.signal() {
                    Some(signal) => format!("was ended by signal {signal}"),
                    None => format!("ended with exit code {}", status.code().unwrap_or(-1)),
                },
                Err(how) => how,
            };
            self.say(one.on, one.cause, one.at_ns, how, code);
        }
    }

    fn say(&self, on: On, cause: String, at_ns: i64, how: String, exit_code: Option<i32>) {
        // Whoever asked may have given up waiting.
        let _ = self.answer.send(ToldRecord {
            on: on.name().to_owned(),
            cause,
            at_ns,
            command: on.command(&self.plan).to_vec(),
            how,
            exit_code,
        });
    }
}

/// The report as a file without a name: however little of it a command reads, nobody waits for it.
fn report_file(folder: &Path, on: On, report: &Value) -> std::io::Result<File> {
    let path = folder.join(format!("{}.so-far", on.voice()));
    std::fs::write(&path, format!("{report}\n"))?;
    let file = File::open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

/// No command outlives the launcher: nobody would end it.
#[allow(unsafe_code, reason = "pre_exec runs between fork and exec")]
fn dies_with_its_thread(command: &mut Command) {
    // SAFETY: the closure makes one async-signal-safe system call.
    unsafe {
        command.pre_exec(|| {
            os::die_with_parent();
            Ok(())
        });
    }
}
