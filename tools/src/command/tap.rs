//! `tap`: a stream's blocks, printed or kept, as an observer.

use super::interrupt::stop_on_interrupt;
use super::last;
use crate::cli::TapArgs;
use crate::look::{Follower, From, choose};
use crate::show::{Columns, CsvFile, JsonLines, NpyFile, Rows, Shown, Sink, Text};
use ephapse_engine::abi::SlotHeader;
use ephapse_engine::capture::CaptureError;
use ephapse_engine::ring::Observer;
use ephapse_rtconfig::stream_type::{Kind, StreamType};
use std::io::{BufWriter, ErrorKind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Pause between two looks at the ring.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// Rhythm in which an idle stream's session is asked whether it lives.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// What was shown.
#[derive(Clone, Copy, Default)]
pub(super) struct Count {
    blocks: u64,
    rows: u64,
}

/// `ephapse tap`.
pub fn tap(args: &TapArgs) -> anyhow::Result<ExitCode> {
    if let Some(length) = args.last {
        return last::last(args, length);
    }
    let session = choose(args.session.as_deref())?;
    session.expect_streams(core::slice::from_ref(&args.stream))?;
    let observer = Observer::attach(&session.ring(&args.stream)?)?;
    let stream_type = observer.stream_type().clone();
    let columns = Columns::new(&args.stream, &stream_type, &args.channels)?;
    let stop = stop_on_interrupt()?;
    let mut sink = sink_of(args, &stream_type, &columns)?;
    // What has ended, or was left behind, is shown from its beginning; what runs, from now.
    let over = session.is_over() || observer.end().is_some();
    let mut follower = Follower::new(observer, if over { From::Oldest } else { From::Newest });
    let mut showing = Showing::new(args, &mut *sink);
    let is_over = || session.is_over();
    let written = follow(args, &mut follower, &mut showing, &stop, is_over);
    let count = showing.count;
    let mut told = format!("; {} blocks missed", follower.missed());
    if args.newest {
        told += &format!(", {} passed over", follower.passed_over());
    }
    conclude(args, &stream_type, written, &mut *sink, &count, &told)
}

/// Where the blocks go.
pub(super) fn sink_of<'a>(
    args: &TapArgs,
    stream_type: &StreamType,
    columns: &'a Columns,
) -> anyhow::Result<Box<dyn Sink + 'a>> {
    let out = BufWriter::new(std::io::stdout());
    Ok(if let Some(path) = &args.npy {
        Box::new(NpyFile::create(path, "--npy", stream_type, columns)?)
    } else if let Some(path) = &args.csv {
        Box::new(CsvFile::create(path, "--csv", stream_type, columns)?)
    } else if args.json {
        Box::new(JsonLines::new(out, &args.stream, stream_type, columns))
    } else {
        Box::new(Text::new(out, &args.stream, stream_type, columns))
    })
}

/// The rows that are shown, and how many there were.
pub(super) struct Showing<'a> {
    sink: &'a mut dyn Sink,
    rows: Rows,
    most_blocks: Option<u64>,
    pub(super) count: Count,
}

impl<'a> Showing<'a> {
    pub(super) fn new(args: &TapArgs, sink: &'a mut dyn Sink) -> Self {
        Showing {
            sink,
            rows: Rows::new(args.every, args.frames),
            most_blocks: args.blocks,
            count: Count::default(),
        }
    }

    /// Shows a block; false when enough was shown.
    pub(super) fn block(
        &mut self,
        header: &SlotHeader,
        payload: &[u8],
        missed: u64,
    ) -> anyhow::Result<bool> {
        let chosen = self.rows.of(header);
        self.sink.block(&Shown {
            header,
            payload,
            rows: &chosen,
            missed,
        })?;
        self.count.blocks += 1;
        self.count.rows += chosen.len() as u64;
        Ok(self.most_blocks != Some(self.count.blocks) && !self.rows.is_done())
    }
}

/// Finishes what was written and says on stderr what it was.
pub(super) fn conclude(
    args: &TapArgs,
    stream_type: &StreamType,
    written: anyhow::Result<()>,
    sink: &mut dyn Sink,
    count: &Count,
    more: &str,
) -> anyhow::Result<ExitCode> {
    let made = match written.and_then(|()| sink.finish()) {
        Ok(made) => made,
        // Whoever read along has seen enough (`ephapse tap raw | head`).
        Err(error) if is_closed_pipe(&error) => return Ok(ExitCode::SUCCESS),
        Err(error) if args.npy.is_none() && args.csv.is_none() && is_of_output(&error) => {
            return Err(error.context("stdout: cannot be written to"));
        }
        Err(error) => return Err(error),
    };
    let rows = match stream_type.kind {
        Kind::Frames => "frames",
        Kind::Records => "records",
        Kind::Bytes => "bytes",
    };
    let made = made.map_or(String::new(), |made| format!("; {made}"));
    eprintln!(
        "ephapse: {}: {} blocks, {} {rows}{more}{made}",
        args.stream, count.blocks, count.rows
    );
    Ok(ExitCode::SUCCESS)
}

/// Not of a capture that cannot be read.
fn is_of_output(error: &anyhow::Error) -> bool {
    error.downcast_ref::<CaptureError>().is_none()
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let cause = error.root_cause().downcast_ref::<std::io::Error>();
    cause.is_some_and(|e| e.kind() == ErrorKind::BrokenPipe)
}

/// Shows blocks until the stream or its session has ended, enough was shown, or the user has stopped it.
fn follow(
    args: &TapArgs,
    follower: &mut Follower,
    showing: &mut Showing<'_>,
    stop: &AtomicBool,
    is_over: impl Fn() -> bool,
) -> anyhow::Result<()> {
    let mut asked = Instant::now();
    let mut over = false;
    while !stop.load(Ordering::Acquire) {
        if args.newest {
            follower.pass_to_newest();
        }
        // A stream faster than this loop must not keep an interruption from being heard: one block per turn.
        if let Some(taken) = follower.block() {
            if !showing.block(&taken.header, taken.payload, taken.missed)? {
                return Ok(());
            }
            continue;
        }
        showing.sink.settle()?;
        if follower.done() || over {
            return Ok(());
        }
        if asked.elapsed() >= ASK_EVERY {
            asked = Instant::now();
            // Seen once more what its last process may have published just before.
            over = is_over();
        }
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(())
}
