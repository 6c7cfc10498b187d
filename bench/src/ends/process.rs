//! The driver's side of an end: a child process that is sent orders and waited for.

use super::place::Class;
use super::protocol::{Answer, LinkSpec, Mode, Order, Round, Side};
use anyhow::{Context, bail, ensure};
use ephapse_engine::os;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// From the order to the first block: both ends have read their order by then.
const LEAD_NS: u64 = 3_000_000;

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
    answers: BufReader<ChildStdout>,
    name: String,
}

impl EndProcess {
    /// Starts one.
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
            answers: BufReader::new(answers),
            name,
        })
    }

    fn tell(&mut self, order: &Order) -> anyhow::Result<()> {
        let mut line = serde_json::to_string(order)?;
        line.push('\n');
        let orders = self.orders.as_mut().context("an end that was dismissed")?;
        orders
            .write_all(line.as_bytes())
            .with_context(|| format!("{}: has ended (its reason stands above)", self.name))
    }

    fn hear(&mut self) -> anyhow::Result<Answer> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        ensure!(
            line.ends_with('\n'),
            "{}: has ended (its reason stands above)",
            self.name
        );
        let answer: Answer = serde_json::from_str(&line)
            .with_context(|| format!("{}: does not answer: {}", self.name, line.trim_end()))?;
        ensure!(answer.error.is_empty(), "{}: {}", self.name, answer.error);
        Ok(answer)
    }

    fn ask(&mut self, order: &Order) -> anyhow::Result<Answer> {
        self.tell(order)?;
        self.hear()
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
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A sending and a receiving end of one program, on two CPUs.
pub struct Ends {
    sender: EndProcess,
    receiver: EndProcess,
    fifo: bool,
    /// Which links one process opens on both sides.
    both: Vec<u32>,
}

impl Ends {
    /// Starts both and binds them to their CPUs (sender's first).
    ///
    /// # Errors
    /// If one cannot be started or placed.
    pub fn start(program: &Program, cpus: [u32; 2], class: Class) -> anyhow::Result<Self> {
        let mut ends = Ends {
            sender: EndProcess::start(program)?,
            receiver: EndProcess::start(program)?,
            fifo: false,
            both: Vec::new(),
        };
        let [of_sender, of_receiver] = cpus.map(|cpu| Order::Place { cpu, class });
        let sender = ends.sender.ask(&of_sender)?;
        let receiver = ends.receiver.ask(&of_receiver)?;
        ends.fifo = sender.fifo && receiver.fifo;
        Ok(ends)
    }

    /// Both ends run under SCHED_FIFO.
    pub fn fifo(&self) -> bool {
        self.fifo
    }

    /// Opens a link: the sender's side first, for it may make what the receiver attaches to.
    ///
    /// # Errors
    /// If an end cannot open its side.
    pub fn open(&mut self, link: &LinkSpec, in_one_process: bool) -> anyhow::Result<()> {
        let order = |side| Order::Open {
            link: link.clone(),
            side,
        };
        if in_one_process {
            self.sender.ask(&order(Side::Both))?;
            self.both.push(link.key);
        } else {
            self.sender.ask(&order(Side::Sender))?;
            self.receiver.ask(&order(Side::Receiver))?;
        }
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
        if self.both.contains(&key) {
            return Ok(self.sender.ask(&order)?.values);
        }
        self.receiver.tell(&order)?;
        self.sender.tell(&order)?;
        let sent = self.sender.hear();
        let received = self.receiver.hear();
        let (sent, received) = (sent?, received?);
        Ok(if received.values.is_empty() {
            sent.values
        } else {
            received.values
        })
    }

    /// Closes a link, the receiver's side first.
    ///
    /// # Errors
    /// If an end is gone.
    pub fn close(&mut self, key: u32) -> anyhow::Result<()> {
        if let Some(at) = self.both.iter().position(|k| *k == key) {
            self.both.swap_remove(at);
        } else {
            self.receiver.ask(&Order::Close { key })?;
        }
        self.sender.ask(&Order::Close { key }).map(|_| ())
    }
}
