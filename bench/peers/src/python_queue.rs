//! Python's `multiprocessing.Queue` with numpy arrays: `python_queue.py` makes both processes; this hands orders on to it.

use ephapse_bench::ends::{Answer, Class, LinkSpec, Order, Round, Side};
use ephapse_bench::hop::Send;
use ephapse_engine::os;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const SCRIPT: &str = include_str!("../python_queue.py");
/// The one on the PATH, or the distribution's own, which `python3-numpy` is installed for.
const PYTHONS: [&str; 2] = ["python3", "/usr/bin/python3"];

/// A Python that has numpy, with both versions.
pub fn python() -> Option<(&'static str, String)> {
    PYTHONS.into_iter().find_map(|python| {
        let ask = "import numpy, platform; print(f'{platform.python_version()}, numpy {numpy.__version__}')";
        let told = Command::new(python).args(["-c", ask]).output().ok()?;
        let versions = String::from_utf8(told.stdout).ok()?;
        told.status
            .success()
            .then(|| (python, versions.trim().to_owned()))
    })
}

/// Both processes, behind one pipe.
pub struct PythonQueue {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl PythonQueue {
    /// Starts them and opens the queue. They get this thread's scheduling class.
    ///
    /// # Errors
    /// One line: what, why.
    pub fn open(link: &LinkSpec) -> Result<Self, String> {
        let (python, _) = python().ok_or("python3 with numpy is not here: `make bench-peers`")?;
        let mut child = Command::new(python)
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| format!("{python}: {e}"))?;
        let (Some(orders), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(format!("{python}: has no pipes"));
        };
        let mut queue = PythonQueue {
            child,
            orders: Some(orders),
            answers: BufReader::new(answers),
        };
        let class = match os::scheduling() {
            (true, priority) => Class::Fifo(u8::try_from(priority).unwrap_or(1)),
            _ => Class::Other,
        };
        let [cpu, _] = link.cpus;
        queue.ask(&Order::Place { cpu, class })?;
        queue.ask(&Order::Open {
            link: link.clone(),
            side: Side::Both,
        })?;
        Ok(queue)
    }

    fn ask(&mut self, order: &Order) -> Result<Answer, String> {
        let ended = |why: String| format!("python_queue.py (pid {}): {why}", self.child.id());
        let mut line = serde_json::to_string(order).map_err(|e| e.to_string())?;
        line.push('\n');
        if let Some(orders) = &mut self.orders {
            let told = orders.write_all(line.as_bytes());
            told.map_err(|e| ended(e.to_string()))?;
        }
        line.clear();
        let heard = self.answers.read_line(&mut line);
        heard.map_err(|e| ended(e.to_string()))?;
        let answer: Answer = serde_json::from_str(&line)
            .map_err(|_| ended("has ended (its reason stands above)".to_owned()))?;
        if answer.error.is_empty() {
            Ok(answer)
        } else {
            Err(ended(answer.error))
        }
    }
}

impl Send for PythonQueue {
    fn run(&mut self, round: &Round) -> Result<Vec<u64>, String> {
        let order = Order::Run { round: *round };
        self.ask(&order).map(|answer| answer.values)
    }
}

impl Drop for PythonQueue {
    fn drop(&mut self) {
        // It ends with its stdin, and nothing in it waits longer than two seconds.
        self.orders = None;
        let _ = self.child.wait();
    }
}
