//! `tap --last`: what was recorded a moment ago, read out of a capture while it is written.

use super::interrupt::stop_on_interrupt;
use super::tap::{Showing, conclude, sink_of};
use crate::cli::TapArgs;
use crate::look::{Follower, From, Session, choose};
use crate::recorded;
use crate::show::Columns;
use anyhow::bail;
use ephapse_engine::abi::SlotHeader;
use ephapse_engine::capture::layout::kind;
use ephapse_engine::capture::{Capture, Item};
use ephapse_engine::ring::Observer;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A record is appended at most so long after its blocks were committed, with a full spool: what was appended earlier than
/// that before the time that is asked for need not be looked at.
const LATEST: Duration = Duration::from_secs(30);

/// What is being shown, and how far it has come.
struct Place<'a> {
    showing: Showing<'a>,
    since_ns: u64,
    next: Option<u64>,
    missed: u64,
}

impl Place<'_> {
    /// Shows a block that was not shown yet; false when enough was shown.
    fn take(&mut self, header: &SlotHeader, payload: &[u8]) -> anyhow::Result<bool> {
        let again = self.next.is_some_and(|next| header.position < next);
        if again || header.committed_ns < self.since_ns {
            return Ok(true);
        }
        let missed = header.position - self.next.unwrap_or(header.position);
        self.missed += missed;
        self.next = Some(header.position + 1);
        self.showing.block(header, payload, missed)
    }
}

/// `ephapse tap --last`.
pub(super) fn last(args: &TapArgs, length: Duration) -> anyhow::Result<ExitCode> {
    let (capture, observer) = match &args.capture {
        Some(file) => (recorded::open(file)?, None),
        None => {
            let session = choose(args.session.as_deref())?;
            session.expect_streams(core::slice::from_ref(&args.stream))?;
            let observer = Observer::attach(&session.ring(&args.stream)?)?;
            (of_session(&session)?, Some(observer))
        }
    };
    let (stream, stream_type) = recorded::stream(&capture, &args.stream)?;
    let columns = Columns::new(&args.stream, stream_type, &args.channels)?;
    let mut follower = observer.map(|observer| Follower::new(observer, From::Oldest));
    let newest_ns = match &mut follower {
        // The ring knows what the capture does not hold yet.
        Some(follower) => newest_in_ring(follower),
        None => None,
    };
    let newest_ns = match newest_ns {
        Some(newest_ns) => newest_ns,
        None => newest_in_capture(&capture, stream)?,
    };
    let stop = stop_on_interrupt()?;
    let mut sink = sink_of(args, stream_type, &columns)?;
    let mut place = Place {
        showing: Showing::new(args, &mut *sink),
        since_ns: newest_ns.saturating_sub(length.as_nanos() as u64),
        next: None,
        missed: 0,
    };
    let written = show(&capture, stream, follower, &mut place, &stop);
    let (count, missed) = (place.showing.count, place.missed);
    let told = format!("; {missed} blocks are not in {}", capture.path().display());
    conclude(args, stream_type, written, &mut *sink, &count, &told)
}

/// What a session is being recorded to.
fn of_session(session: &Session) -> anyhow::Result<Capture> {
    match ephapse_engine::capture::of_session(session.record()) {
        Some(path) => recorded::open(&path),
        None => bail!(
            "session `{}` is not being recorded: name a capture with --capture FILE, or leave out --last",
            session.name()
        ),
    }
}

fn newest_in_ring(follower: &mut Follower) -> Option<u64> {
    let observer = follower.observer();
    let newest = observer.published().checked_sub(1)?;
    Some(observer.copy(newest, &mut [])?.committed_ns)
}

/// When the last block of a stream was committed.
fn newest_in_capture(capture: &Capture, stream: u32) -> anyhow::Result<u64> {
    let (mut cursor, mut newest) = (capture.items()?, None);
    while let Some((_, headers)) = cursor.next_headers(stream)? {
        newest = headers.last().map(|h| h.committed_ns).or(newest);
    }
    Ok(newest.unwrap_or(0))
}

fn show(
    capture: &Capture,
    stream: u32,
    follower: Option<Follower>,
    place: &mut Place<'_>,
    stop: &AtomicBool,
) -> anyhow::Result<()> {
    let mut cursor = capture.items()?;
    // In logical time commits say nothing of when a record was appended.
    if capture.meta().plan.timer.is_some() {
        cursor.pass_until(place.since_ns.saturating_sub(LATEST.as_nanos() as u64))?;
    }
    // What comes while this reads is left to the next time: it would never end.
    let until = follower
        .as_ref()
        .map_or(u64::MAX, |f| f.observer().published());
    while let Some(item) = cursor.next_item_of(|h| h.kind == kind::BLOCKS && h.source == stream)? {
        if stop.load(Ordering::Acquire) {
            return Ok(());
        }
        let Item::Block {
            header, payload, ..
        } = item
        else {
            continue;
        };
        if header.position >= until {
            return Ok(());
        }
        if !place.take(&header, &payload)? {
            return Ok(());
        }
    }
    let Some(mut follower) = follower else {
        return Ok(());
    };
    while let Some(taken) = follower.block() {
        if taken.header.position >= until || !place.take(&taken.header, taken.payload)? {
            return Ok(());
        }
    }
    Ok(())
}
