//! The pseudo-terminal of the twin, and the thread that serves it.

use super::board::Board;
use super::faults::Faults;
use super::radio::{Damage, Radio};
use super::signal::Signal;
use serialport::{SerialPort, TTYPort};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// From packet to packet.
const PERIOD: Duration = Duration::from_millis(4);
/// Longest wait for a byte of the host.
const WITHIN: Duration = Duration::from_millis(4);
/// So many bytes that nobody reads are the most that is kept: a radio does not wait for its host.
const MOST_UNREAD: u32 = 3000;

/// What a twin is to be.
#[derive(Clone, Debug, Default)]
pub struct TwinOptions {
    /// With a Daisy.
    pub daisy: bool,
    /// What its electrodes pick up.
    pub signal: Signal,
    /// What goes wrong.
    pub faults: Faults,
    /// A name for the terminal that stays the same when it is unplugged and comes back; a link, removed at the end.
    pub link: Option<PathBuf>,
}

/// What a twin has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TwinCounts {
    /// Packets made; those that were dropped are among them.
    pub packets: u64,
    /// Packets dropped on purpose.
    pub dropped: u64,
    /// Packets sent twice on purpose.
    pub duplicated: u64,
    /// Random bytes sent on purpose.
    pub garbage_bytes: u64,
    /// Answers sent on purpose that nobody had asked for.
    pub chatter: u64,
    /// Bytes that nobody read in time, and that were not sent.
    pub unread_bytes: u64,
    /// Streams begun.
    pub starts: u64,
    /// `b` to a board that streamed already.
    pub starts_in_vain: u64,
}

/// A running twin. Dropped, it ends, and leaves nothing.
pub struct CytonTwin {
    path: PathBuf,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<TwinCounts>>,
}

impl CytonTwin {
    /// Opens a pseudo-terminal and serves it.
    ///
    /// # Errors
    /// There is no pseudo-terminal to be had, the link cannot be made, or unplugging is asked for without a link.
    pub fn start(options: TwinOptions) -> io::Result<Self> {
        if options.faults.unplug_after.is_some() && options.link.is_none() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a twin that is unplugged comes back as another terminal; give it a name that stays (--link)",
            ));
        }
        let (terminal, path) = Terminal::open(options.link.as_deref())?;
        let stop = Arc::new(AtomicBool::new(false));
        let serving = Serving {
            board: Board::new(options.daisy, options.faults.board_off),
            radio: Radio::new(options.faults.seed),
            options,
            stop: stop.clone(),
            begun: Instant::now(),
            unplugged: false,
            counts: TwinCounts::default(),
            damage: Damage::default(),
        };
        Ok(CytonTwin {
            path,
            stop,
            thread: Some(std::thread::spawn(move || serving.run(terminal))),
        })
    }

    /// The terminal, or its link.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Ends it and says what it has done.
    pub fn stop(mut self) -> TwinCounts {
        self.end().unwrap_or_default()
    }

    fn end(&mut self) -> Option<TwinCounts> {
        self.stop.store(true, Ordering::Release);
        self.thread.take()?.join().ok()
    }
}

impl Drop for CytonTwin {
    fn drop(&mut self) {
        self.end();
    }
}

/// Both ends of a pseudo-terminal: ours, and the host's, held open so that a host may come and go.
struct Terminal {
    ours: TTYPort,
    hosts: TTYPort,
    link: Option<PathBuf>,
}

impl Terminal {
    fn open(link: Option<&Path>) -> io::Result<(Self, PathBuf)> {
        // Neither is locked: the host opens its end as its own.
        let (ours, hosts) = TTYPort::pair()?;
        let device = PathBuf::from(hosts.name().unwrap_or_default());
        if let Some(link) = link {
            std::os::unix::fs::symlink(&device, link)?;
        }
        let path = link.map_or(device, Path::to_owned);
        let link = link.map(Path::to_owned);
        Ok((Terminal { ours, hosts, link }, path))
    }

    /// Bytes that the host has not read.
    fn unread(&self) -> u32 {
        self.hosts.bytes_to_read().unwrap_or(0)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(link) = &self.link {
            let _ = std::fs::remove_file(link);
        }
    }
}

struct Serving {
    options: TwinOptions,
    board: Board,
    radio: Radio,
    stop: Arc<AtomicBool>,
    begun: Instant,
    unplugged: bool,
    counts: TwinCounts,
    damage: Damage,
}

/// A stream, from `b` to `s`.
struct Stream {
    /// Which start of the board's it is.
    start: u64,
    begun: Instant,
    made: u32,
    delivered: Instant,
}

impl Serving {
    fn run(mut self, terminal: Terminal) -> TwinCounts {
        let mut plugged = Some(terminal);
        while let Some(terminal) = plugged.take() {
            self.serve(terminal);
            if self.stop.load(Ordering::Acquire) {
                break;
            }
            plugged = self.come_back();
        }
        TwinCounts {
            dropped: self.damage.dropped,
            duplicated: self.damage.duplicated,
            garbage_bytes: self.damage.garbage_bytes,
            chatter: self.damage.answers,
            starts: self.board.starts,
            starts_in_vain: self.board.starts_in_vain,
            ..self.counts
        }
    }

    fn come_back(&mut self) -> Option<Terminal> {
        let at = Instant::now() + self.options.faults.back_after;
        while Instant::now() < at && !self.stop.load(Ordering::Acquire) {
            std::thread::sleep(WITHIN);
        }
        // A dongle that was unplugged finds its board as it was: silent, for nobody has told it to go on.
        let mut answer = Vec::new();
        self.board.hear(b's', &mut answer);
        let opened = Terminal::open(self.options.link.as_deref()).ok()?;
        Some(opened.0)
    }

    /// Serves a terminal until it is unplugged or the twin is stopped.
    fn serve(&mut self, mut terminal: Terminal) {
        let mut stream: Option<Stream> = None;
        let mut ready = Vec::new();
        while !self.stop.load(Ordering::Acquire) {
            let faults = &self.options.faults;
            let unplug = faults.unplug_after.filter(|_| !self.unplugged);
            if unplug.is_some_and(|after| self.begun.elapsed() >= after) {
                self.unplugged = true;
                return;
            }
            self.listen(&mut terminal, &mut ready);
            stream = self.current(stream);
            if let Some(stream) = &mut stream {
                self.make_packets(stream, &mut ready);
            }
            let delivery = self.options.faults.delivery;
            let due = stream
                .as_ref()
                .is_none_or(|s| s.delivered.elapsed() >= delivery);
            if due && !ready.is_empty() {
                self.deliver(&mut terminal, &ready);
                ready.clear();
                if let Some(stream) = &mut stream {
                    stream.delivered = Instant::now();
                }
            }
        }
    }

    /// The stream that the board is in: the one it was in, a new one, or none.
    fn current(&self, before: Option<Stream>) -> Option<Stream> {
        let start = self.board.starts;
        let begun = Instant::now();
        self.board.streaming().then(|| {
            let same = before.filter(|stream| stream.start == start);
            same.unwrap_or(Stream {
                start,
                begun,
                made: 0,
                delivered: begun,
            })
        })
    }

    /// Takes what the host has sent; waits for it until the next packet is due.
    fn listen(&mut self, terminal: &mut Terminal, ready: &mut Vec<u8>) {
        let mut bytes = [0; 256];
        let streamed = self.board.streaming();
        let wait = if streamed {
            Duration::from_millis(1)
        } else {
            WITHIN
        };
        if terminal.ours.set_timeout(wait).is_err() {
            return;
        }
        // No error but "nothing came" is possible: both ends are ours.
        let count = terminal.ours.read(&mut bytes).unwrap_or(0);
        for byte in &bytes[..count] {
            self.board.hear(*byte, ready);
        }
    }

    fn make_packets(&mut self, stream: &mut Stream, ready: &mut Vec<u8>) {
        let faults = &self.options.faults;
        while stream.begun + PERIOD * (stream.made + 1) <= Instant::now() {
            let silent = faults
                .silent_after
                .is_some_and(|after| PERIOD * stream.made >= after);
            let mut packet = Vec::with_capacity(33);
            self.board.packet(&self.options.signal, &mut packet);
            stream.made += 1;
            if !silent {
                self.counts.packets += 1;
                self.radio.send(&packet, faults, ready, &mut self.damage);
            }
        }
    }

    fn deliver(&mut self, terminal: &mut Terminal, bytes: &[u8]) {
        let split = self.options.faults.split;
        let mut rest = bytes;
        while !rest.is_empty() {
            if terminal.unread() > MOST_UNREAD {
                self.counts.unread_bytes += rest.len() as u64;
                return;
            }
            let most = if split == 0 {
                512
            } else {
                1 + (self.radio.draw() * split as f64) as usize
            };
            let (now, later) = rest.split_at(most.min(rest.len()));
            if terminal.ours.write_all(now).is_err() {
                self.counts.unread_bytes += rest.len() as u64;
                return;
            }
            rest = later;
        }
    }
}
