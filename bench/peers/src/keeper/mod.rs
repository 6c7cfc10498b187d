//! A process beside an end that removes what the end has made, however the end goes.
//!
//! ```text
//! end ── orders, one JSON line each ──> keeper ── owns ──> private folders, a server, names in shared memory
//!      (the pipe ends: the end is gone)
//! ```
//!
//! Closing a link and killing an end lead to the same few lines, so they are run every time. It is started before the end
//! binds itself to a CPU: what it starts runs at normal priority on every CPU, and Ctrl-C reaches the end alone.

mod process;

pub use process::keep;

use ephapse_bench::ends::LinkSpec;
use serde::{Deserialize, Serialize};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

/// What lives in a folder, beside files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lodger {
    /// A Redis server, started by the keeper.
    RedisServer,
    /// iceoryx2, with names in shared memory that begin so.
    Iceoryx {
        /// First letters of its names.
        prefix: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Order {
    /// Make the folder (or find it there), and start what lives in it.
    Lodge {
        folder: PathBuf,
        lodger: Lodger,
        make: bool,
    },
    /// End and remove it all, unless another end still uses it.
    Leave { folder: PathBuf },
}

/// What came of an order; empty if it was carried out.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Answer {
    error: String,
}

/// The end's side of its keeper. Ends with its last clone.
#[derive(Clone)]
pub struct Keeper(Arc<Mutex<Pipes>>);

struct Pipes {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Keeper {
    /// Starts one, from this thread's present CPUs and class.
    ///
    /// # Errors
    /// What the system said.
    pub fn start() -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("--keep")
            .arg(std::process::id().to_string())
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (Some(orders), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("a child without pipes"));
        };
        Ok(Keeper(Arc::new(Mutex::new(Pipes {
            child,
            orders: Some(orders),
            answers: BufReader::new(answers),
        }))))
    }

    /// A private folder for this link, with what lives in it. The sender's side makes it (`make`), the receiver's side finds it.
    ///
    /// # Errors
    /// One line: what, why.
    pub fn lodge(
        &self,
        link: &LinkSpec,
        make: bool,
        lodger: impl FnOnce(&str) -> Lodger,
    ) -> Result<Lodging, String> {
        let id = id(link);
        let folder = std::env::temp_dir().join(format!("ephapse-peers.{id}"));
        self.ask(&Order::Lodge {
            folder: folder.clone(),
            lodger: lodger(&id),
            make,
        })?;
        Ok(Lodging {
            keeper: self.clone(),
            folder,
        })
    }

    fn ask(&self, order: &Order) -> Result<(), String> {
        let mut pipes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = |e: io::Error| format!("keeper of this end: {e}");
        let mut line = serde_json::to_string(order).map_err(|e| e.to_string())?;
        line.push('\n');
        if let Some(orders) = &mut pipes.orders {
            orders.write_all(line.as_bytes()).map_err(gone)?;
        }
        line.clear();
        pipes.answers.read_line(&mut line).map_err(gone)?;
        let answer: Answer =
            serde_json::from_str(&line).map_err(|e| format!("keeper of this end: {e}"))?;
        if answer.error.is_empty() {
            Ok(())
        } else {
            Err(answer.error)
        }
    }
}

/// Sixteen letters that only this link of this run has. Names of sockets and of shared memory are short.
fn id(link: &LinkSpec) -> String {
    let mut hasher = DefaultHasher::new();
    (&link.run, link.key).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

impl Drop for Pipes {
    fn drop(&mut self) {
        self.orders = None;
        // It has little left to do and sets itself a limit.
        let _ = self.child.wait();
    }
}

/// A private folder and what lives in it, until it is dropped.
pub struct Lodging {
    keeper: Keeper,
    folder: PathBuf,
}

impl Lodging {
    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Lodging {
    fn drop(&mut self) {
        let order = Order::Leave {
            folder: core::mem::take(&mut self.folder),
        };
        if let Err(error) = self.keeper.ask(&order) {
            eprintln!("ephapse-peers: {error}");
        }
    }
}
