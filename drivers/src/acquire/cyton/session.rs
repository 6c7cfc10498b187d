//! What is said between host and board: reset, settings, start, stop.

use super::params::CytonParams;
use super::port::Port;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A wait looks this often whether it is to be given up.
const SLICE: Duration = Duration::from_millis(20);
/// A board that is reset finds its chips first.
const RESET_WITHIN: Duration = Duration::from_secs(3);
/// An answer to anything else.
const ANSWER_WITHIN: Duration = Duration::from_millis(1500);
/// Nothing for so long, and the board is silent: no adapter keeps bytes longer than 16 ms unless it was told to.
const SILENT_AFTER: Duration = Duration::from_millis(40);
/// Longest wait for silence.
const SILENT_WITHIN: Duration = Duration::from_millis(90);
const END: &[u8] = b"$$$";
/// No answer is longer.
const MOST_ANSWER_BYTES: usize = 16_384;

/// Why there is no session with a board.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The port cannot be opened.
    #[error("{}: {why}", path.display())]
    Port {
        /// Port.
        path: PathBuf,
        /// What is wrong and what to do.
        why: String,
    },
    /// The port went away.
    #[error("{}: the port is gone ({error}); plug the dongle in again", path.display())]
    Gone {
        /// Port.
        path: PathBuf,
        /// What reading or writing came to.
        error: io::Error,
    },
    /// The dongle says that its board does not answer.
    #[error("{}: the dongle is there, but the board is off or on another radio channel (`{text}`); switch it on (PC, not BLE)", path.display())]
    BoardOff {
        /// Port.
        path: PathBuf,
        /// What it said.
        text: String,
    },
    /// No answer.
    #[error("{}: no answer to `{command}` within {within:?}; is a Cyton's dongle on this port, with its switch at GPIO 6?", path.display())]
    NoAnswer {
        /// Port.
        path: PathBuf,
        /// Command.
        command: String,
        /// Deadline.
        within: Duration,
    },
    /// The board does not do what was asked.
    #[error("{}: the board refused `{command}`: `{text}`", path.display())]
    Refused {
        /// Port.
        path: PathBuf,
        /// Command.
        command: String,
        /// Answer.
        text: String,
    },
    /// A board that should stream does not.
    #[error("{}: no byte for {silent:?}", path.display())]
    Silent {
        /// Port.
        path: PathBuf,
        /// For how long.
        silent: Duration,
    },
    /// 16 channels are asked for and there are 8.
    #[error("{}: the board has no Daisy (`{text}`); say daisy = false, or attach one and switch the board off and on", path.display())]
    NoDaisy {
        /// Port.
        path: PathBuf,
        /// Answer.
        text: String,
    },
    /// It was given up.
    #[error("given up")]
    GivenUp,
}

/// A board, reset and set up, streaming or not.
pub struct Session {
    port: Port,
    path: PathBuf,
    banner: String,
    firmware: String,
    streaming: bool,
    give_up: Arc<AtomicBool>,
}

impl Session {
    /// Opens the port, makes the board silent, resets it and gives it the settings. Every wait ends when `give_up` is raised.
    ///
    /// # Errors
    /// Whatever keeps the board from being ready.
    pub fn open(params: &CytonParams, give_up: Arc<AtomicBool>) -> Result<Self, SessionError> {
        let path = params.port.clone();
        let port = Port::open(&path).map_err(|why| SessionError::Port {
            path: path.clone(),
            why,
        })?;
        let mut session = Session {
            port,
            path,
            banner: String::new(),
            firmware: String::new(),
            streaming: false,
            give_up,
        };
        // A board goes on streaming when its host dies: the next one finds it so.
        session.send("s")?;
        session.wait_for_silence()?;
        session.banner = session.ask("v", RESET_WITHIN)?;
        session.firmware = session.ask("V", ANSWER_WITHIN)?;
        session.ask("d", ANSWER_WITHIN)?;
        session.set_channel_count(params.daisy)?;
        for settings in &params.channels {
            session.set(&settings.command())?;
        }
        session.set(params.board_mode.command())?;
        session.ask(if params.board_times { "<" } else { ">" }, ANSWER_WITHIN)?;
        Ok(session)
    }

    /// What the board said of itself when it was reset.
    pub fn banner(&self) -> &str {
        &self.banner
    }

    /// Its firmware's version.
    pub fn firmware(&self) -> &str {
        &self.firmware
    }

    /// Raised, it ends every wait.
    pub(super) fn give_up(&self) -> &Arc<AtomicBool> {
        &self.give_up
    }

    /// What is wrong with a board that should stream and has been silent for so long.
    pub(super) fn silent(&self, silent: Duration) -> SessionError {
        let path = self.path.clone();
        SessionError::Silent { path, silent }
    }

    fn set_channel_count(&mut self, daisy: bool) -> Result<(), SessionError> {
        if daisy {
            let text = self.ask("C", ANSWER_WITHIN)?;
            if !text.ends_with("16") {
                let path = self.path.clone();
                return Err(SessionError::NoDaisy { path, text });
            }
        } else if self.banner.contains("Daisy") {
            self.ask("c", ANSWER_WITHIN)?;
        }
        Ok(())
    }

    /// A command that is answered with `Success...`.
    fn set(&mut self, command: &str) -> Result<(), SessionError> {
        let text = self.ask(command, ANSWER_WITHIN)?;
        if text.starts_with("Success") {
            return Ok(());
        }
        Err(SessionError::Refused {
            path: self.path.clone(),
            command: command.to_owned(),
            text,
        })
    }

    /// Sends a command and waits for its answer, which is returned without its `$$$`.
    fn ask(&mut self, command: &str, within: Duration) -> Result<String, SessionError> {
        self.send(command)?;
        let deadline = Instant::now() + within;
        let mut answer = Vec::new();
        while !answer.ends_with(END) {
            let mut byte = [0];
            // One by one: what stands behind the answer belongs to the next.
            if self.read_some(&mut byte, SLICE)? == 1 {
                answer.push(byte[0]);
            }
            if Instant::now() > deadline || answer.len() > MOST_ANSWER_BYTES {
                return Err(SessionError::NoAnswer {
                    path: self.path.clone(),
                    command: command.to_owned(),
                    within,
                });
            }
        }
        answer.truncate(answer.len() - END.len());
        let text = String::from_utf8_lossy(&answer).trim().to_owned();
        if text.starts_with("Failure") && matches!(command, "v" | "V" | "d") {
            let path = self.path.clone();
            return Err(SessionError::BoardOff { path, text });
        }
        Ok(text)
    }

    fn gone(&self, error: io::Error) -> SessionError {
        SessionError::Gone {
            path: self.path.clone(),
            error,
        }
    }

    fn send(&mut self, command: &str) -> Result<(), SessionError> {
        let sent = self.port.write(command.as_bytes());
        sent.map_err(|error| self.gone(error))
    }

    fn read_some(&mut self, bytes: &mut [u8], within: Duration) -> Result<usize, SessionError> {
        if self.give_up.load(Ordering::Acquire) {
            return Err(SessionError::GivenUp);
        }
        let read = self.port.read(bytes, within);
        read.map_err(|error| self.gone(error))
    }

    /// Starts the stream, once: a board that streams is not told again.
    ///
    /// # Errors
    /// The port is gone.
    pub fn start(&mut self) -> Result<(), SessionError> {
        if self.streaming {
            return Ok(());
        }
        let forgotten = self.port.forget_input();
        forgotten.map_err(|error| self.gone(error))?;
        self.send("b")?;
        self.streaming = true;
        Ok(())
    }

    /// Reads of the stream; waits at most 20 ms for the first byte. 0: nothing came.
    ///
    /// # Errors
    /// The port is gone, or the session given up.
    pub fn read(&mut self, bytes: &mut [u8]) -> Result<usize, SessionError> {
        self.read_some(bytes, SLICE)
    }

    /// Stops the stream and throws away what was under way: behind it no byte of the stream is left. Returns within 100 ms.
    ///
    /// # Errors
    /// The port is gone.
    pub fn stop(&mut self) -> Result<(), SessionError> {
        self.send("s")?;
        self.streaming = false;
        self.wait_for_silence()
    }

    /// Reads and forgets until nothing has come for a while.
    fn wait_for_silence(&mut self) -> Result<(), SessionError> {
        let deadline = Instant::now() + SILENT_WITHIN;
        let mut bytes = [0; 1024];
        while Instant::now() < deadline {
            // Not `read_some`: a session that is given up stops its board, too.
            let read = self.port.read(&mut bytes, SILENT_AFTER);
            if read.map_err(|error| self.gone(error))? == 0 {
                return Ok(());
            }
        }
        Ok(())
    }
}

impl Drop for Session {
    /// A board that nobody listens to is stopped, as far as its port is there.
    fn drop(&mut self) {
        if self.streaming {
            let _ = self.stop();
        }
    }
}
