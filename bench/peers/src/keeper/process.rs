//! The keeper itself.

use super::{Answer, Lodger, Order};
use crate::iceoryx;
use crate::redis_server::RedisServer;
use std::collections::HashMap;
use std::fs::{self, DirBuilder};
use std::io::{self, BufRead, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

enum Kept {
    Redis(RedisServer),
    Iceoryx { prefix: String },
}

/// Follows the orders of the end `end_pid` until it is gone, then removes what is left.
///
/// # Errors
/// If stdin cannot be read.
pub fn keep(end_pid: u32) -> io::Result<()> {
    let mut house = House {
        end_pid,
        kept: HashMap::new(),
    };
    for line in io::stdin().lock().lines() {
        let answer = Answer {
            error: match serde_json::from_str(&line?) {
                Ok(order) => house.follow(order).err().unwrap_or_default(),
                Err(error) => format!("not an order: {error}"),
            },
        };
        let mut out = io::stdout().lock();
        // An end that is gone needs no answer; its stdin has ended, too.
        let _ = serde_json::to_writer(&mut out, &answer);
        let _ = out.write_all(b"\n").and_then(|()| out.flush());
    }
    for (folder, kept) in core::mem::take(&mut house.kept) {
        if let Err(error) = house.remove(&folder, kept) {
            eprintln!("ephapse-peers: {error}");
        }
    }
    Ok(())
}

struct House {
    end_pid: u32,
    kept: HashMap<PathBuf, Kept>,
}

impl House {
    fn follow(&mut self, order: Order) -> Result<(), String> {
        match order {
            Order::Lodge {
                folder,
                lodger,
                make,
            } => {
                if make {
                    DirBuilder::new().mode(0o700).create(&folder).map_err(|e| {
                        let folder = folder.display();
                        format!("{folder}: {e}; if no other run is on, remove it")
                    })?;
                }
                match settle(&folder, lodger, make) {
                    Ok(Some(kept)) => {
                        self.kept.insert(folder, kept);
                    }
                    Ok(None) => {}
                    Err(error) => {
                        if make {
                            // What is wrong is said already.
                            let _ = fs::remove_dir_all(&folder);
                        }
                        return Err(error);
                    }
                }
                Ok(())
            }
            Order::Leave { folder } => match self.kept.remove(&folder) {
                Some(kept) => self.remove(&folder, kept),
                // A guest in a folder that the other end's keeper has made.
                None => Ok(()),
            },
        }
    }

    fn remove(&self, folder: &Path, kept: Kept) -> Result<(), String> {
        let unused = match kept {
            Kept::Redis(server) => {
                server.stop();
                true
            }
            Kept::Iceoryx { prefix } => iceoryx::sweep(folder, &prefix, self.end_pid)?,
        };
        if !unused {
            return Ok(());
        }
        match fs::remove_dir_all(folder) {
            // The other end's keeper was faster.
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.map_err(|e| format!("{}: {e}", folder.display())),
        }
    }
}

fn settle(folder: &Path, lodger: Lodger, make: bool) -> Result<Option<Kept>, String> {
    Ok(match lodger {
        Lodger::RedisServer if make => Some(Kept::Redis(RedisServer::start(folder)?)),
        Lodger::RedisServer => None,
        Lodger::Iceoryx { prefix } => Some(Kept::Iceoryx { prefix }),
    })
}
