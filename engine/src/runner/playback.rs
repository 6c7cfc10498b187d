//! What a capture has of some streams, block for block as it was: the sources of a replay.

use super::file::{StageDuty, StageFile};
use super::memory::put;
use super::process::{Attached, ProcessError, owner};
use super::script::ScriptError;
use super::scripted::due_ns;
use crate::abi::{SlotHeader, end_reason, flag, segment};
use crate::capture::{Blocks, Capture, Recorded};
use crate::os;
use crate::ring::Producer;
use crate::sync::Ordering;
use ephapse_rtconfig::plan::{ReplaySource, ReplayStream};
use std::time::Duration;

/// Waits are bounded by this: more than one ring may have to be looked after.
const BOUND: Duration = Duration::from_millis(2);

/// One stream.
struct Played {
    stage: String,
    name: String,
    of: ReplayStream,
    producer: Producer,
    blocks: Blocks,
    next: Option<(SlotHeader, Vec<u8>)>,
    done: bool,
    valid: u64,
    lost: u64,
    tick: u64,
}

/// What a look at a stream came to.
#[derive(PartialEq, Eq)]
enum Look {
    Published,
    NoRoom,
    NotDue,
    Done,
}

impl Played {
    /// Publishes the next block if there is room for it and it is due.
    fn look(&mut self, due: impl Fn(&SlotHeader) -> bool) -> Result<Look, ProcessError> {
        if self.done {
            return Ok(Look::Done);
        }
        if self.next.is_none() {
            match self.blocks.next().transpose()? {
                Some(Recorded::Block(header, payload)) => self.next = Some((header, payload)),
                Some(Recorded::Missing { from, count, why }) => {
                    return Err(self.unproved(format!(
                        "{count} blocks of stream `{}` from position {from} on are not in the capture ({why})",
                        self.name
                    )));
                }
                None => {
                    self.finish();
                    return Ok(Look::Done);
                }
            }
        }
        let Some((header, payload)) = self.next.take_if(|(header, _)| due(header)) else {
            return Ok(Look::NotDue);
        };
        if self.producer.room(1) == 0 {
            self.next = Some((header, payload));
            return Ok(Look::NoRoom);
        }
        if header.position != self.producer.published() {
            return Err(self.unproved(format!(
                "the capture has block {} of stream `{}` where block {} belongs",
                header.position,
                self.name,
                self.producer.published()
            )));
        }
        let (slot, bytes) = self.producer.slot(0);
        *slot = SlotHeader {
            flags: header.flags | flag::REPLAY,
            ..header
        };
        bytes[..payload.len()].copy_from_slice(&payload);
        self.producer.publish(1);
        self.producer.ring_readers();
        self.valid += u64::from(header.valid);
        self.lost += header.lost;
        self.tick = header.tick;
        Ok(Look::Published)
    }

    fn unproved(&self, why: String) -> ProcessError {
        ProcessError::Script(ScriptError::Unproved {
            stage: self.stage.clone(),
            tick: self.tick,
            why,
        })
    }

    fn finish(&mut self) {
        let (reason, lost) = match self.of.end {
            Some(end) => (end.reason, end.lost),
            None => (end_reason::FINISHED, 0),
        };
        self.end(reason, lost);
    }

    fn end(&mut self, reason: u64, lost: u64) {
        if !self.done {
            self.done = true;
            self.lost += lost;
            self.producer.end(reason, lost);
            self.producer.ring_readers();
        }
    }
}

/// Plays some streams, until they end or the session stops.
pub(super) fn run(
    file: &StageFile,
    duty: &StageDuty,
    source: &ReplaySource,
    outputs: &[ReplayStream],
) -> Result<(), ProcessError> {
    let Some(attached) = Attached::new(file)? else {
        return Ok(());
    };
    let prepare = || {
        let capture = Capture::open(&source.capture)?;
        let edges = duty.outputs.iter().zip(&duty.plan.outputs).zip(outputs);
        let played = edges.map(|((edge, output), of)| {
            let ring = attached
                .of_session
                .open_beside(&edge.segment, segment::RING)?;
            Ok(Played {
                stage: duty.plan.name.clone(),
                name: output.port.clone(),
                of: *of,
                producer: Producer::attach(&ring, &edge.stream_type, owner(file))?,
                blocks: capture.blocks(of.stream)?,
                next: None,
                done: false,
                valid: 0,
                lost: 0,
                tick: 0,
            })
        });
        played.collect::<Result<Vec<Played>, ProcessError>>()
    };
    attached.live(file, prepare, |mut played| {
        let start_ns = attached.session.words.start_ns.load(Ordering::Acquire);
        let play = |played: &mut Vec<Played>| loop {
            let stopping = attached.stopping(file);
            if stopping != 0 {
                played
                    .iter_mut()
                    .for_each(|p| p.end(end_reason::STOPPED, 0));
                return Ok(());
            }
            let now_ns = os::monotonic_ns();
            let due = |header: &SlotHeader| {
                source.speed.is_none() || due_ns(source, start_ns, header.committed_ns) <= now_ns
            };
            let mut moved = false;
            let mut full = None;
            for (index, stream) in played.iter_mut().enumerate() {
                match stream.look(due)? {
                    Look::Published => moved = true,
                    Look::NoRoom => full = Some(index),
                    Look::NotDue | Look::Done => {}
                }
            }
            if played.iter().all(|p| p.done) {
                return Ok(());
            }
            match full {
                _ if moved => {}
                Some(index) => {
                    played[index].producer.wait_for_room(1, BOUND);
                }
                None => std::thread::sleep(BOUND / 4),
            }
        };
        let result = play(&mut played);
        let bank = attached.memory.next_bank();
        for (stream, account) in played.iter().zip(&bank.outputs) {
            put(&account.published, stream.producer.published());
            put(&account.offered, stream.producer.published());
            put(&account.counted, stream.valid + stream.lost);
            put(&account.valid, stream.valid);
            put(&account.lost, stream.lost);
        }
        attached.memory.flip();
        result
    })
}
