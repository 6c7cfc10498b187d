//! `hz`: rates and jitter of streams, from the headers of their blocks.

use super::interrupt::stop_on_interrupt;
use crate::cli::HzArgs;
use crate::look::{Follower, From, Rates, Window, choose};
use crate::show::rate_table;
use ephapse_engine::os::monotonic_ns;
use ephapse_engine::ring::Observer;
use std::io::{ErrorKind, Write};
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Length of a window.
const WINDOW_NS: u64 = 1_000_000_000;
/// Pause between two looks at the rings: short against the time in which a ring comes round.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A stream being counted.
struct Counted {
    name: String,
    follower: Follower,
    window: Window,
    /// As of the last report.
    published: u64,
    missed: u64,
}

impl Counted {
    fn look(&mut self) {
        // Not for ever: a stream faster than this loop must not keep the others waiting.
        let observer = self.follower.observer();
        let until = observer.published();
        let capacity = observer.stream_type().frames_per_block();
        while let Some(header) = self.follower.header() {
            self.window.add(header, capacity);
            if header.position >= until {
                break;
            }
        }
    }

    fn report(&mut self, elapsed_ns: u64) -> Rates {
        self.look();
        let observer = self.follower.observer();
        let published = observer.published();
        let missed = self.follower.missed();
        let rates = self.window.close(
            &self.name,
            observer.stream_type(),
            elapsed_ns,
            published - self.published,
            missed - self.missed,
        );
        self.published = published;
        self.missed = missed;
        rates
    }
}

/// `ephapse hz`.
pub fn hz(args: &HzArgs) -> anyhow::Result<ExitCode> {
    let session = choose(args.session.as_deref())?;
    let mut streams = Vec::new();
    for name in session.expect_streams(&args.streams)? {
        let observer = Observer::attach(&session.ring(&name)?)?;
        streams.push(Counted {
            published: observer.published(),
            follower: Follower::new(observer, From::Newest),
            window: Window::default(),
            missed: 0,
            name,
        });
    }
    let stop = stop_on_interrupt()?;
    loop {
        let began_ns = monotonic_ns();
        while monotonic_ns() - began_ns < WINDOW_NS && !stop.load(Ordering::Acquire) {
            streams.iter_mut().for_each(Counted::look);
            std::thread::sleep(LOOK_EVERY);
        }
        if stop.load(Ordering::Acquire) {
            return Ok(ExitCode::SUCCESS);
        }
        let elapsed_ns = monotonic_ns() - began_ns;
        let rates: Vec<Rates> = streams
            .iter_mut()
            .map(|stream| stream.report(elapsed_ns))
            .collect();
        let text = if args.json {
            serde_json::to_string(&rates)? + "\n"
        } else {
            rate_table(&rates)
        };
        match std::io::stdout().write_all(text.as_bytes()) {
            Err(e) if e.kind() == ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
            written => written
                .map_err(|e| anyhow::Error::from(e).context("stdout: cannot be written to"))?,
        }
        let ended = streams.iter().all(|s| s.follower.done());
        if args.once || ended || session.is_over() {
            return Ok(ExitCode::SUCCESS);
        }
    }
}
