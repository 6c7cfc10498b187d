//! The turns of a recorded stage, one after the other, out of its activation records.
//!
//! A record tells low halves of positions, so every record since the first is needed. What it does not tell, a turn's blocks
//! do, but for two cases of a kill: see [`Step::guessed`].

use crate::abi::{ActivationRecord, MAX_PORTS, SlotHeader, circumstance, flag};
use crate::capture::{Activations, Blocks, Capture, CaptureError, Recorded, RecordedActivation};
use ephapse_rtconfig::plan::{Read, ReplayStream, SeatKind, StagePlan};

/// Why a replayed stage cannot go on. One line each, with stage and tick.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// The capture does not hold the stage, or its records do not fit it.
    #[error("{stage}: {why}")]
    Capture {
        /// Stage.
        stage: String,
        /// Cause.
        why: String,
    },
    /// Something that must be known is not in the capture.
    #[error("{stage}, tick {tick}: cannot be proved from here: {why}")]
    Unproved {
        /// Stage.
        stage: String,
        /// Tick of the last turn that is known.
        tick: u64,
        /// What is missing.
        why: String,
    },
    /// An input ended too early.
    #[error(
        "{stage}, tick {tick}: its turn saw block {position} of input `{port}`, and the stream ends at {end}: what feeds it does not do what it did when it was recorded"
    )]
    Ended {
        /// Stage.
        stage: String,
        /// Tick.
        tick: u64,
        /// Input port.
        port: String,
        /// Position it needs.
        position: u64,
        /// Position at which the stream ends.
        end: u64,
    },
    /// Nothing came.
    #[error(
        "{stage}, tick {tick}: waits in vain for {what}: what feeds or reads it does not do what it did when it was recorded"
    )]
    Stuck {
        /// Stage.
        stage: String,
        /// Tick.
        tick: u64,
        /// For what.
        what: String,
    },
}

/// Blocks of an input that a turn saw: `count` from position `first` on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub first: u64,
    pub count: u64,
}

/// What one output gave in a turn.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Given {
    /// Blocks published.
    pub published: u64,
    /// `first_frame` of those that were not dropped, if some were.
    pub kept: Option<Vec<u64>>,
    /// Header whose stamps the blocks carry, if they are not this turn's: a predecessor had published them.
    pub stamped_as: Option<SlotHeader>,
}

/// One turn.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Step {
    pub tick: u64,
    /// When it was taken, ns.
    pub woke_ns: u64,
    /// Its only clock, ns.
    pub now_ns: u64,
    /// `committed_ns` of what it published.
    pub committed_ns: u64,
    pub epoch: u32,
    pub inputs: [Seen; MAX_PORTS],
    pub outputs: Vec<Given>,
    /// See [`circumstance`].
    pub circumstances: u16,
    /// A process was killed between this turn's first and last store: its clock is not on record, and perhaps not what it
    /// saw beside the pacing block. Equal outputs prove the guess.
    pub guessed: bool,
}

impl Step {
    pub fn is(&self, circumstance: u16) -> bool {
        self.circumstances & circumstance != 0
    }
}

/// How the record of an input is read.
#[derive(Clone, Copy)]
enum Rule {
    /// The pacing block, or one merged with it.
    Paces,
    /// `newest` of a `hold` seat: the block stays, the position is its own.
    Stays,
    /// Everything else: the position is behind what was seen.
    Behind(Read),
}

/// Headers of a recorded stream in order.
struct Headers {
    stream: ReplayStream,
    blocks: Option<Blocks>,
    next: Option<SlotHeader>,
}

impl Headers {
    /// The headers of `from..to`; `None` if one of them is not recorded.
    fn of(
        &mut self,
        capture: &Capture,
        from: u64,
        to: u64,
    ) -> Result<Option<Vec<SlotHeader>>, CaptureError> {
        if !self.stream.recorded {
            return Ok(None);
        }
        let blocks = match &mut self.blocks {
            Some(blocks) => blocks,
            none => none.insert(capture.blocks(self.stream.stream)?),
        };
        let mut headers = Vec::new();
        while headers.len() as u64 + from < to {
            let header = match self.next.take() {
                Some(header) => header,
                None => match blocks.next().transpose()? {
                    Some(Recorded::Block(header, _)) => header,
                    Some(Recorded::Missing { .. }) => continue,
                    None => return Ok(None),
                },
            };
            let wanted = from + headers.len() as u64;
            if header.position > wanted {
                self.next = Some(header);
                return Ok(None);
            }
            if header.position == wanted {
                headers.push(header);
            }
        }
        Ok(Some(headers))
    }
}

/// The turns of one stage.
pub(crate) struct Script<'a> {
    capture: &'a Capture,
    stage: StagePlan,
    records: Activations,
    rules: Vec<Rule>,
    headers: Vec<Headers>,
    paced: bool,
    tick_ns: u64,
    consumed: [u64; MAX_PORTS],
    produced: [u64; MAX_PORTS],
    tick: u64,
}

impl<'a> Script<'a> {
    /// The turns of process number `process`. `paced`: the recorded run had a tick.
    ///
    /// # Errors
    /// The capture has no such process, or cannot be read.
    pub fn new(
        capture: &'a Capture,
        process: u32,
        outputs: &[ReplayStream],
        paced: bool,
    ) -> Result<Self, ScriptError> {
        let meta = capture.meta();
        let name = meta
            .processes
            .get(process as usize)
            .cloned()
            .unwrap_or_default();
        let stage = meta.plan.stages.iter().find(|s| s.name == name);
        let refused = |why: String| ScriptError::Capture {
            stage: name.clone(),
            why,
        };
        let Some(stage) = stage else {
            return Err(refused(format!(
                "the capture has no stage with process {process}"
            )));
        };
        let records = capture
            .activations(process)
            .map_err(|e| refused(e.to_string()))?;
        let rules = stage.inputs.iter().enumerate().map(|(index, input)| {
            if Some(index) == stage.pacing || stage.merged_into(index) == stage.pacing {
                Rule::Paces
            } else if input.read == Read::Newest && input.seat_kind == SeatKind::Hold {
                Rule::Stays
            } else {
                Rule::Behind(input.read)
            }
        });
        Ok(Script {
            capture,
            rules: rules.collect(),
            stage: stage.clone(),
            records,
            headers: outputs
                .iter()
                .map(|stream| Headers {
                    stream: *stream,
                    blocks: None,
                    next: None,
                })
                .collect(),
            paced,
            tick_ns: meta.plan.tick_ns.max(1),
            consumed: [0; MAX_PORTS],
            produced: [0; MAX_PORTS],
            tick: 0,
        })
    }

    /// The next turn; `None` when all were taken.
    ///
    /// # Errors
    /// Records are missing, or were written by a program that did not say enough.
    pub fn next_step(&mut self) -> Result<Option<Step>, ScriptError> {
        loop {
            let next = self.records.next().transpose();
            let record = match next.map_err(|e| self.unproved(e.to_string()))? {
                None => return Ok(None),
                Some(RecordedActivation::Record(_, record)) => record,
                Some(RecordedActivation::Missing { from, count, why }) => {
                    return Err(self.unproved(format!(
                        "{count} activation records from number {from} on are not in the capture ({why})"
                    )));
                }
            };
            if let Some(step) = self.step(&record)? {
                return Ok(Some(step));
            }
        }
    }

    fn unproved(&self, why: String) -> ScriptError {
        ScriptError::Unproved {
            stage: self.stage.name.clone(),
            tick: self.tick,
            why,
        }
    }

    /// The turn that a record stands for; `None` for an activation that found nothing to do.
    fn step(&mut self, record: &ActivationRecord) -> Result<Option<Step>, ScriptError> {
        let ports = (self.stage.inputs.len(), self.headers.len());
        if (record.ports & 15, record.ports >> 4) != (ports.0 as u8, ports.1 as u8) {
            return Err(self.unproved(format!(
                "a record names {} inputs and {} outputs where the stage has {} and {}",
                record.ports & 15,
                record.ports >> 4,
                ports.0,
                ports.1
            )));
        }
        let before = (self.consumed, self.produced);
        for (position, low) in self.consumed.iter_mut().zip(record.consumed) {
            *position = unwrapped(*position, low);
        }
        for (position, low) in self.produced.iter_mut().zip(record.produced) {
            *position = unwrapped(*position, low);
        }
        let is = |circumstance: u16| record.circumstances & circumstance != 0;
        let unrecorded = is(circumstance::UNRECORDED);
        let finish = is(circumstance::FINISH);
        let paced_by = self.stage.pacing.unwrap_or(0);
        let turned = if finish {
            true
        } else if unrecorded {
            self.consumed[paced_by] != before.0[paced_by] || self.produced != before.1
        } else {
            record.committed_ns != 0
        };
        if !turned {
            return Ok(None);
        }
        let inputs = self.stage.inputs.len();
        if record.blocks == 0 && inputs > 0 && !unrecorded && !finish {
            return Err(self.unproved(
                "its records do not say what its turns saw: they were written by an older version"
                    .into(),
            ));
        }
        if is(circumstance::SCATTERED) {
            self.tick = record.tick;
            return Err(self.unproved(
                "it saw blocks of a lapped input that do not follow one another, and which ones is not on record".into(),
            ));
        }
        let mut step = Step {
            tick: record.tick,
            woke_ns: record.woke_ns,
            now_ns: record.now_ns,
            committed_ns: if self.paced {
                record.committed_ns
            } else {
                record.now_ns
            },
            epoch: record.epoch,
            circumstances: record.circumstances,
            guessed: unrecorded || is(circumstance::WITHHELD),
            ..Step::default()
        };
        if finish && !self.paced {
            step.committed_ns = 0;
        }
        for (index, rule) in self.rules.iter().enumerate() {
            let behind = self.consumed[index];
            let moved = behind - before.0[index];
            let count = if unrecorded {
                match rule {
                    Rule::Paces | Rule::Behind(Read::Same) => moved.min(1),
                    Rule::Stays => 1,
                    Rule::Behind(Read::Newest) => behind.min(1),
                    Rule::Behind(Read::All) => moved,
                }
            } else {
                u64::from(record.blocks >> (4 * index) & 15)
            };
            let first = match rule {
                Rule::Stays => behind,
                Rule::Paces | Rule::Behind(_) => behind.saturating_sub(count),
            };
            step.inputs[index] = Seen { first, count };
        }
        self.outputs(&mut step, &before.1)?;
        self.tick = step.tick;
        Ok(Some(step))
    }

    /// What the outputs gave, with the recorded headers where the record alone does not say it.
    fn outputs(&mut self, step: &mut Step, before: &[u64; MAX_PORTS]) -> Result<(), ScriptError> {
        let unrecorded = step.is(circumstance::UNRECORDED);
        let withheld = step.is(circumstance::WITHHELD);
        let dropped = step.is(circumstance::DROPPED);
        let mut known: Option<SlotHeader> = None;
        for (index, from) in before.iter().enumerate().take(self.headers.len()) {
            let to = self.produced[index];
            let mut given = Given {
                published: to - from,
                ..Given::default()
            };
            if dropped && to == *from {
                given.kept = Some(Vec::new());
            } else if (unrecorded || withheld || dropped) && to > *from {
                let headers = self.headers[index].of(self.capture, *from, to);
                let headers = headers.map_err(|e| self.unproved(e.to_string()))?;
                if let Some(headers) = headers {
                    known = headers.first().copied();
                    if dropped {
                        given.kept = Some(headers.iter().map(|h| h.first_frame).collect());
                    }
                    if withheld {
                        given.stamped_as = known;
                    }
                }
            }
            step.outputs.push(given);
        }
        if unrecorded {
            self.infer(step, known);
        }
        if withheld && step.is(circumstance::STARTED_OVER) {
            return Err(ScriptError::Unproved {
                stage: self.stage.name.clone(),
                tick: step.tick,
                why: "it was killed between publishing and its last store, and its successor began without its state".into(),
            });
        }
        Ok(())
    }

    /// What a turn was that nobody recorded, from a block that it published.
    fn infer(&self, step: &mut Step, published: Option<SlotHeader>) {
        let Some(header) = published else {
            return;
        };
        step.tick = header.tick;
        step.committed_ns = header.committed_ns;
        step.woke_ns = header.committed_ns;
        // Unpaced, the stamp is the clock of the turn; paced, it is some microseconds behind it.
        step.now_ns = header.committed_ns;
        step.epoch = header.epoch;
        let described = &self.stage.described;
        if header.flags & flag::RESET != 0 && described.state_bytes == 0 && !described.memoryless {
            step.circumstances |= circumstance::STARTED_OVER;
        }
        if !self.paced {
            step.tick = step.now_ns / self.tick_ns;
        }
    }
}

/// The position not before `before` whose low half is `low`.
fn unwrapped(before: u64, low: u16) -> u64 {
    before + u64::from(low.wrapping_sub(before as u16))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_whole_again_from_their_low_halves() {
        let mut position = 0;
        for real in [0, 1, 1, 65_535, 65_536, 131_071, 131_072, 196_000] {
            position = unwrapped(position, real as u16);
            assert_eq!(position, real);
        }
    }
}
