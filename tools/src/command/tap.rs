//! `tap`: a stream's blocks, printed or kept, as an observer.

use super::interrupt::stop_on_interrupt;
use crate::cli::TapArgs;
use crate::look::{Follower, From, choose};
use crate::show::{Columns, JsonLines, NpyFile, Rows, Shown, Sink, Text};
use ephapse_engine::ring::Observer;
use ephapse_rtconfig::stream_type::Kind;
use std::io::{BufWriter, ErrorKind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Pause between two looks at the ring.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// Rhythm in which an idle stream's session is asked whether it lives.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// What was shown.
#[derive(Default)]
struct Count {
    blocks: u64,
    rows: u64,
}

/// `ephapse tap`.
pub fn tap(args: &TapArgs) -> anyhow::Result<ExitCode> {
    let session = choose(args.session.as_deref())?;
    session.expect_streams(core::slice::from_ref(&args.stream))?;
    let observer = Observer::attach(&session.ring(&args.stream)?)?;
    let stream_type = observer.stream_type().clone();
    let columns = Columns::new(&args.stream, &stream_type, &args.channels)?;
    let mut rows = Rows::new(args.every, args.frames);
    let stop = stop_on_interrupt()?;
    let out = BufWriter::new(std::io::stdout());
    let mut sink: Box<dyn Sink + '_> = if let Some(path) = &args.npy {
        Box::new(NpyFile::create(path, &stream_type, &columns)?)
    } else if args.json {
        Box::new(JsonLines::new(out, &args.stream, &stream_type, &columns))
    } else {
        Box::new(Text::new(out, &args.stream, &stream_type, &columns))
    };
    // What has ended, or was left behind, is shown from its beginning; what runs, from now.
    let over = session.is_over() || observer.end().is_some();
    let mut follower = Follower::new(observer, if over { From::Oldest } else { From::Newest });
    let mut count = Count::default();
    let is_over = || session.is_over();
    let written = follow(
        args,
        &mut follower,
        &mut rows,
        &mut *sink,
        &mut count,
        &stop,
        is_over,
    )
    .and_then(|()| sink.finish());
    let made = match written {
        Ok(made) => made,
        // Whoever read along has seen enough (`ephapse tap raw | head`).
        Err(error) if is_closed_pipe(&error) => return Ok(ExitCode::SUCCESS),
        Err(error) if args.npy.is_none() => {
            return Err(error.context("stdout: cannot be written to"));
        }
        Err(error) => return Err(error),
    };
    let mut told = format!(
        "{}: {} blocks, {} {}; {} blocks missed",
        args.stream,
        count.blocks,
        count.rows,
        match stream_type.kind {
            Kind::Frames => "frames",
            Kind::Records => "records",
            Kind::Bytes => "bytes",
        },
        follower.missed()
    );
    if args.newest {
        told += &format!(", {} passed over", follower.passed_over());
    }
    if let Some(made) = made {
        told += &format!("; {made}");
    }
    eprintln!("ephapse: {told}");
    Ok(ExitCode::SUCCESS)
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let cause = error.root_cause().downcast_ref::<std::io::Error>();
    cause.is_some_and(|e| e.kind() == ErrorKind::BrokenPipe)
}

/// Shows blocks until the stream or its session has ended, enough was shown, or the user has stopped it.
fn follow(
    args: &TapArgs,
    follower: &mut Follower,
    rows: &mut Rows,
    sink: &mut dyn Sink,
    count: &mut Count,
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
            let chosen = rows.of(&taken.header);
            sink.block(&Shown {
                header: &taken.header,
                payload: taken.payload,
                rows: &chosen,
                missed: taken.missed,
            })?;
            count.blocks += 1;
            count.rows += chosen.len() as u64;
            if args.blocks == Some(count.blocks) || rows.is_done() {
                return Ok(());
            }
            continue;
        }
        sink.settle()?;
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
