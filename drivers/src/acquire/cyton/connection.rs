//! The thread that reads the port: one connection after another, one stream.

use super::arrivals::Arrivals;
use super::frames::{Assembler, Frame};
use super::latency_timer;
use super::params::CytonParams;
use super::parser::{Found, Parser};
use super::record::{FrameRecord, rate, uv_per_count};
use super::sample_clock::SampleClock;
use super::session::{Session, SessionError};
use ephapse_engine::os::monotonic_ns;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A board that streams and is silent for so long is started anew.
const SILENT_FOR: Duration = Duration::from_secs(2);
/// Pause between attempts to find a board again.
const RETRY_AFTER: Duration = Duration::from_millis(200);
/// Bytes read at once: what collects in half a second.
const READ_BYTES: usize = 4096;

/// The newest frame that is known to have been passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed {
    /// Its number in the stream.
    pub index: u64,
    /// When it was taken, ns.
    pub sampled_ns: u64,
}

/// What comes from the reading thread.
#[derive(Debug)]
pub enum Event {
    /// Frames of one delivery, in order.
    Frames(Vec<FrameRecord>),
    /// The connection was lost: what is held will not be continued.
    Cut,
}

/// A board that is being read.
pub struct Connection {
    events: Receiver<Event>,
    give_up: Arc<AtomicBool>,
    thread: Option<JoinHandle<Arrivals>>,
}

impl Connection {
    /// Starts the board's stream and reads it in a thread of its own. `passed`: what an earlier process has passed on.
    pub fn start(session: Session, params: &CytonParams, passed: Option<Passed>) -> Self {
        let (sender, events) = channel();
        let give_up = session.give_up().clone();
        let reading = Reading {
            params: params.clone(),
            uv_per_count: params.gains().into_iter().map(uv_per_count).collect(),
            events: sender,
            give_up: give_up.clone(),
            passed,
            arrivals: Arrivals::default(),
        };
        Connection {
            events,
            give_up,
            thread: Some(std::thread::spawn(move || reading.run(session))),
        }
    }

    /// The next event, if one comes within `within`.
    ///
    /// # Errors
    /// The thread has ended.
    pub fn next(&self, within: Duration) -> Result<Option<Event>, &'static str> {
        match self.events.recv_timeout(within) {
            Ok(event) => Ok(Some(event)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err("the thread that reads the port has ended"),
        }
    }

    /// Stops the board and says what became of its bytes. Returns within 150 ms, whatever the board does.
    pub fn stop(mut self) -> Option<Arrivals> {
        self.end()
    }

    fn end(&mut self) -> Option<Arrivals> {
        self.give_up.store(true, Ordering::Release);
        self.thread.take()?.join().ok()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.end();
    }
}

/// What the reading thread knows.
struct Reading {
    params: CytonParams,
    uv_per_count: Vec<f64>,
    events: Sender<Event>,
    give_up: Arc<AtomicBool>,
    passed: Option<Passed>,
    arrivals: Arrivals,
}

impl Reading {
    fn run(mut self, session: Session) -> Arrivals {
        let mut session = Some(session);
        while !self.give_up.load(Ordering::Acquire) {
            let Some(connected) = session.take().or_else(|| self.find_again()) else {
                break;
            };
            let why = self.read(connected);
            if matches!(why, SessionError::GivenUp) {
                break;
            }
            eprintln!("{why}; looking for it");
            let _ = self.events.send(Event::Cut);
        }
        self.arrivals
    }

    /// Opens the port again and again until it is there and a board answers on it.
    fn find_again(&mut self) -> Option<Session> {
        let since = Instant::now();
        let mut said = String::new();
        while !self.give_up.load(Ordering::Acquire) {
            match Session::open(&self.params, self.give_up.clone()) {
                Ok(session) => {
                    self.arrivals.reconnects += 1;
                    eprintln!(
                        "{}: back after {:.1} s; {}",
                        self.params.port.display(),
                        since.elapsed().as_secs_f64(),
                        latency_timer::shorten(Path::new("/"), &self.params.port)
                    );
                    return Some(session);
                }
                Err(SessionError::GivenUp) => return None,
                Err(error) => {
                    let error = error.to_string();
                    if error != said {
                        eprintln!("{error}");
                        said = error;
                    }
                }
            }
            std::thread::sleep(RETRY_AFTER);
        }
        None
    }

    /// Reads until the board is gone or silent, or the session is given up.
    fn read(&mut self, mut session: Session) -> SessionError {
        let mut parser = Parser::default();
        let mut assembler = Assembler::new(self.params.daisy);
        let why = self.stream(&mut session, &mut parser, &mut assembler);
        self.arrivals.connection(parser.counts(), &assembler);
        why
    }

    fn stream(
        &mut self,
        session: &mut Session,
        parser: &mut Parser,
        assembler: &mut Assembler,
    ) -> SessionError {
        if let Err(why) = session.start() {
            return why;
        }
        let mut clock = SampleClock::new(rate(&self.params));
        // Number in the stream of this connection's frame 0.
        let mut base = None;
        let mut heard = Instant::now();
        let mut bytes = [0; READ_BYTES];
        loop {
            let count = match session.read(&mut bytes) {
                Ok(count) => count,
                Err(why) => return why,
            };
            let arrived_ns = monotonic_ns();
            if count == 0 {
                if heard.elapsed() > SILENT_FOR {
                    return session.silent(SILENT_FOR);
                }
                continue;
            }
            heard = Instant::now();
            parser.push(&bytes[..count]);
            let mut frames: Vec<Frame> = Vec::new();
            let mut packets = 0;
            while let Some(found) = parser.next_found() {
                match found {
                    Found::Packet(packet) => {
                        packets += 1;
                        frames.extend(assembler.take(&packet, arrived_ns));
                    }
                    Found::Answer(text) => {
                        println!("{}: {text}", self.params.port.display());
                    }
                }
            }
            let Some(newest) = frames.last() else {
                continue;
            };
            let held = (frames[0].index, newest.index);
            let base = *base.get_or_insert_with(|| self.continued(arrived_ns, held));
            clock.delivered(base + newest.index, arrived_ns);
            self.arrivals.drift_ppm = clock.drift_ppm();
            self.pass_on(&frames, base, arrived_ns, &clock);
            if let Some(passed) = self.passed {
                self.arrivals
                    .delivery(packets, arrived_ns, passed.sampled_ns);
            }
        }
    }

    /// The number in the stream of a new connection's frame 0, of whose first delivery the first and the newest frame are given. The
    /// time since the last frame says how many were not taken: nobody else counted them. The newest has just been taken.
    fn continued(&mut self, arrived_ns: u64, (first, newest): (u64, u64)) -> u64 {
        let Some(passed) = self.passed else {
            return 0;
        };
        let period_ns = 1e9 / rate(&self.params).as_f64();
        let since_ns = arrived_ns.saturating_sub(passed.sampled_ns);
        let frames = (since_ns as f64 / period_ns).round() as u64;
        // A number is given once.
        let base = (passed.index + frames).saturating_sub(newest);
        let base = base.max((passed.index + 1).saturating_sub(first));
        self.arrivals.away_frames += base + first - passed.index - 1;
        base
    }

    fn pass_on(&mut self, frames: &[Frame], base: u64, arrived_ns: u64, clock: &SampleClock) {
        let mut records = Vec::with_capacity(frames.len());
        for frame in frames {
            let index = base + frame.index;
            // A line that has just been mended never turns time back, nor puts a frame behind its own arrival.
            let after_ns = self.passed.map_or(0, |passed| passed.sampled_ns + 1);
            let sampled_ns = clock.sampled_ns(index).min(arrived_ns).max(after_ns);
            records.push(FrameRecord {
                index,
                sampled_ns,
                arrived_ns,
                ..FrameRecord::new(frame, &self.uv_per_count, self.params.board_mode)
            });
            self.passed = Some(Passed { index, sampled_ns });
        }
        // Nobody listens any more when the process ends.
        let _ = self.events.send(Event::Frames(records));
    }
}
