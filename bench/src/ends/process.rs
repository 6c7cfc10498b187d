//! The driver's side of an end: a child process that is sent orders and waited for.

use super::place::Class;
use super::protocol::{Answer, LinkSpec, Mode, Order, Round, Side};
use anyhow::{Context, anyhow, bail, ensure};
use ephapse_engine::os;
use std::collections::HashMap;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// From the order to the first block: both ends have read their order by then.
const LEAD_NS: u64 = 3_000_000;
/// An end that does not answer for so long (beyond the length of a round) is killed: it hangs in a foreign library.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// The same once another end of the round has failed: whoever waits for that one notices within two seconds, or never.
const AFTER_A_FAILURE: Duration = Duration::from_secs(3);

/// What to start as an end.
#[derive(Clone, Debug)]
pub struct Program {
    /// Executable.
    pub path: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
}

/// One end.
pub struct EndProcess {
    child: Child,
    orders: Option<ChildStdin>,
    answers: ChildStdout,
    /// What has come of the next answer.
    heard: Vec<u8>,
    name: String,
}

impl EndProcess {
    /// Starts one. It dies with the calling thread.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(program: &Program) -> anyhow::Result<Self> {
        let mut child = Command::new(&program.path)
            .args(&program.args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{}: cannot be started", program.path.display()))?;
        let (Some(orders), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("{}: has no pipes", program.path.display());
        };
        let file = program.path.file_name().unwrap_or_default();
        let name = format!("{} (pid {})", file.display(), child.id());
        Ok(EndProcess {
            child,
            orders: Some(orders),
            answers,
            heard: Vec::new(),
            name,
        })
    }

    fn tell(&mut self, order: &Order) -> anyhow::Result<()> {
        let mut line = serde_json::to_string(order)?;
        line.push('\n');
        let orders = self.orders.as_mut().context("an end that was dismissed")?;
        match orders.write_all(line.as_bytes()) {
            Ok(()) => Ok(()),
            Err(_) => Err(self.gone()),
        }
    }

    /// Takes in what has come; the answer, once all of it is there. Blocks if nothing has come.
    fn hear_more(&mut self) -> anyhow::Result<Option<Answer>> {
        let mut bytes = [0; 1 << 16];
        let count = self.answers.read(&mut bytes)?;
        if count == 0 {
            return Err(self.gone());
        }
        self.heard.extend_from_slice(&bytes[..count]);
        if self.heard.last() != Some(&b'\n') {
            return Ok(None);
        }
        let line = std::mem::take(&mut self.heard);
        let answer: Answer = serde_json::from_slice(&line).with_context(|| {
            let said = String::from_utf8_lossy(&line);
            format!("{}: does not answer: {}", self.name, said.trim_end())
        })?;
        ensure!(answer.error.is_empty(), "{}: {}", self.name, answer.error);
        Ok(Some(answer))
    }

    /// Why nothing more comes from it.
    fn gone(&mut self) -> anyhow::Error {
        // Its end of the pipes closes a moment before it is dead.
        for _ in 0..20 {
            if let Ok(Some(status)) = self.child.try_wait() {
                return anyhow!("{}: has ended ({status})", self.name);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        anyhow!("{}: has closed its stdout", self.name)
    }

    fn ask(&mut self, order: &Order) -> anyhow::Result<Answer> {
        self.tell(order)?;
        let mut answers = hear_all(&mut [self], ANSWER_WITHIN)?;
        answers.pop().context("an end that answers twice")
    }

    fn kill(&mut self) {
        // A failure means that it is dead already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One answer from each, in their order. Whoever does not answer in time is killed.
///
/// # Errors
/// The first failure.
fn hear_all(ends: &mut [&mut EndProcess], within: Duration) -> anyhow::Result<Vec<Answer>> {
    let mut answers: Vec<Option<Answer>> = vec![None; ends.len()];
    let mut waiting: Vec<usize> = (0..ends.len()).collect();
    let mut deadline = Instant::now() + within;
    let mut failure = None;
    while !waiting.is_empty() {
        let left = deadline.saturating_duration_since(Instant::now());
        let fds: Vec<i32> = waiting
            .iter()
            .map(|at| ends[*at].answers.as_raw_fd())
            .collect();
        let ready = os::poll_in(&fds, left);
        if left.is_zero() {
            for at in waiting {
                ends[at].kill();
                let late = anyhow!("{}: did not answer and was killed: it hangs", ends[at].name);
                failure.get_or_insert(late);
            }
            break;
        }
        for (at, _) in waiting.clone().into_iter().zip(ready).filter(|(_, r)| *r) {
            match ends[at].hear_more() {
                Ok(None) => continue,
                Ok(answer) => answers[at] = answer,
                Err(error) => {
                    failure.get_or_insert(error);
                    deadline = deadline.min(Instant::now() + AFTER_A_FAILURE);
                }
            }
            waiting.retain(|other| *other != at);
        }
    }
    match failure {
        Some(error) => Err(error),
        None => Ok(answers.into_iter().flatten().collect()),
    }
}

impl Drop for EndProcess {
    fn drop(&mut self) {
        // The end leaves when its stdin ends. One that hangs in a foreign library is not waited for longer than a second.
        self.orders = None;
        for _ in 0..100 {
            if matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        self.kill();
    }
}

/// A sending end and one or more receiving ones of one program, on two CPUs.
pub struct Ends {
    sender: EndProcess,
    receivers: Vec<EndProcess>,
    fifo: bool,
    /// How many receivers have opened a link; 0 if the sender has both sides.
    links: HashMap<u32, usize>,
}

/// What the ends of a round measured, ns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoundValues {
    /// The sender.
    pub sender: Vec<u64>,
    /// Each receiver of the link.
    pub receivers: Vec<Vec<u64>>,
}

impl Ends {
    /// Starts a sender and a receiver and binds them to their CPUs (sender's first).
    ///
    /// # Errors
    /// If one cannot be started or placed.
    pub fn start(program: &Program, cpus: [u32; 2], class: Class) -> anyhow::Result<Self> {
        Self::start_with(program, cpus, class, 1)
    }

    /// Starts a sender and several receivers, which share the second CPU; their priorities fall from the first to the last.
    ///
    /// # Errors
    /// If one cannot be started or placed.
    pub fn start_with(
        program: &Program,
        cpus: [u32; 2],
        class: Class,
        receivers: usize,
    ) -> anyhow::Result<Self> {
        let [of_sender, of_receivers] = cpus;
        let place = |end: &mut EndProcess, cpu, class| end.ask(&Order::Place { cpu, class });
        let mut ends = Ends {
            sender: EndProcess::start(program)?,
            receivers: Vec::new(),
            fifo: false,
            links: HashMap::new(),
        };
        ends.fifo = place(&mut ends.sender, of_sender, class)?.fifo;
        for index in 0..receivers {
            let class = match class {
                Class::Fifo(priority) => {
                    let below = u8::try_from(index).unwrap_or(u8::MAX);
                    Class::Fifo(priority.saturating_sub(below).max(1))
                }
                Class::Other => Class::Other,
            };
            let mut receiver = EndProcess::start(program)?;
            ends.fifo &= place(&mut receiver, of_receivers, class)?.fifo;
            ends.receivers.push(receiver);
        }
        Ok(ends)
    }

    /// All ends run under SCHED_FIFO.
    pub fn fifo(&self) -> bool {
        self.fifo
    }

    /// Process ids: the sender's, then the receivers'.
    pub fn pids(&self) -> Vec<u32> {
        let all = [&self.sender].into_iter().chain(&self.receivers);
        all.map(|end| end.child.id()).collect()
    }

    /// Opens a link: the sender's side first, for it may make what the receiver attaches to.
    ///
    /// # Errors
    /// If an end cannot open its side.
    pub fn open(&mut self, link: &LinkSpec, in_one_process: bool) -> anyhow::Result<()> {
        if in_one_process {
            let order = Order::Open {
                link: link.clone(),
                side: Side::Both,
            };
            self.sender.ask(&order)?;
            self.links.insert(link.key, 0);
            return Ok(());
        }
        self.open_to(link, 1)
    }

    /// Opens a link to the first `receivers` receivers, one after the other.
    ///
    /// # Errors
    /// If there are not so many, or an end cannot open its side.
    pub fn open_to(&mut self, link: &LinkSpec, receivers: usize) -> anyhow::Result<()> {
        ensure!(
            receivers <= self.receivers.len(),
            "link `{}` to {receivers} receivers of {}",
            link.link,
            self.receivers.len()
        );
        let order = |side| Order::Open {
            link: link.clone(),
            side,
        };
        self.sender.ask(&order(Side::Sender))?;
        for receiver in &mut self.receivers[..receivers] {
            receiver.ask(&order(Side::Receiver))?;
        }
        self.links.insert(link.key, receivers);
        Ok(())
    }

    /// Runs a round; the values of the end that measured, ns.
    ///
    /// # Errors
    /// If an end fails.
    pub fn run(
        &mut self,
        key: u32,
        mode: Mode,
        blocks: u32,
        warm_up: u32,
        period_ns: u64,
    ) -> anyhow::Result<Vec<u64>> {
        let values = self.run_all(key, mode, blocks, warm_up, period_ns)?;
        let received = values.receivers.into_iter().find(|v| !v.is_empty());
        Ok(received.unwrap_or(values.sender))
    }

    /// Runs a round; the values of every end, ns.
    ///
    /// # Errors
    /// If an end fails, or does not answer in time.
    pub fn run_all(
        &mut self,
        key: u32,
        mode: Mode,
        blocks: u32,
        warm_up: u32,
        period_ns: u64,
    ) -> anyhow::Result<RoundValues> {
        let order = Order::Run {
            round: Round {
                key,
                blocks,
                warm_up,
                mode,
                period_ns,
                start_ns: os::monotonic_ns() + LEAD_NS,
            },
        };
        let length_ns = period_ns.saturating_mul(u64::from(blocks) + u64::from(warm_up));
        let receivers = self.links.get(&key).copied().unwrap_or(1);
        let all = self.receivers[..receivers].iter_mut();
        let mut all: Vec<&mut EndProcess> = all.chain([&mut self.sender]).collect();
        for end in &mut all {
            end.tell(&order)?;
        }
        let within = ANSWER_WITHIN + Duration::from_nanos(length_ns);
        let mut values = hear_all(&mut all, within)?
            .into_iter()
            .map(|answer| answer.values)
            .collect::<Vec<_>>();
        Ok(RoundValues {
            sender: values.pop().unwrap_or_default(),
            receivers: values,
        })
    }

    /// Closes a link, the receivers' side first.
    ///
    /// # Errors
    /// If an end is gone.
    pub fn close(&mut self, key: u32) -> anyhow::Result<()> {
        let receivers = self.links.remove(&key).unwrap_or(1);
        for receiver in &mut self.receivers[..receivers] {
            receiver.ask(&Order::Close { key })?;
        }
        self.sender.ask(&Order::Close { key }).map(|_| ())
    }
}
