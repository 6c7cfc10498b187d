//! What a replay makes beside what was made when it was recorded: read from the rings, compared with the capture, and what is
//! found left in a file.

use super::file::{StageDuty, StageFile};
use super::input::InputPort;
use super::process::{Attached, ProcessError, owner};
use crate::abi::{SlotHeader, segment};
use crate::capture::{Blocks, Capture, CaptureError, Recorded};
use crate::replay::{Difference, Stamps, StreamFinding, difference};
use ephapse_rtconfig::plan::{ReplaySource, ReplayStream};
use ephapse_rtconfig::stream_type::StreamType;
use std::time::Duration;

/// Waits are bounded by this: several rings are looked after.
const BOUND: Duration = Duration::from_millis(1);

/// One stream.
struct Compared {
    of: ReplayStream,
    stream_type: StreamType,
    input: InputPort,
    blocks: Blocks,
    /// The next recorded block, and what is missing from the recording before it.
    next: Option<(SlotHeader, Vec<u8>)>,
    missing: u64,
    over: bool,
    position: u64,
    tick: u64,
    finding: StreamFinding,
}

impl Compared {
    /// Compares one block; false if none is there.
    fn look(&mut self) -> Result<bool, CaptureError> {
        if self.input.choose_next().is_none() {
            return Ok(false);
        }
        let position = self.input.position();
        self.advance_to(position)?;
        if let Some((header, payload)) = self.input.block(0) {
            self.tick = header.tick;
            match &self.next {
                Some((recorded, rows)) if recorded.position == position => {
                    self.finding.compared += 1;
                    let found = difference(
                        &self.stream_type,
                        (recorded, rows),
                        (&header, payload),
                        Stamps::Compared,
                    );
                    if let Some(found) = found {
                        self.finding.differing += 1;
                        self.finding.first.get_or_insert(found);
                    }
                }
                _ => {
                    self.finding.uncompared += 1;
                    let end = self.of.end.filter(|end| end.position <= position);
                    if let Some(end) = end {
                        self.finding.first.get_or_insert(Difference {
                            tick: header.tick,
                            position,
                            place: "end of the stream".to_owned(),
                            left: format!("at {}", end.position),
                            right: "goes on".to_owned(),
                        });
                    }
                }
            }
        }
        self.position = position + 1;
        self.input.settle_positions(true);
        self.input.release(true);
        self.input.ring_producer();
        Ok(true)
    }

    /// Passes over recorded blocks before that position.
    fn advance_to(&mut self, position: u64) -> Result<(), CaptureError> {
        while !self.over
            && self
                .next
                .as_ref()
                .is_none_or(|(h, _)| h.position < position)
        {
            match self.blocks.next().transpose()? {
                Some(Recorded::Block(header, payload)) => self.next = Some((header, payload)),
                Some(Recorded::Missing { count, .. }) => self.missing += count,
                None => {
                    self.next = None;
                    self.over = true;
                }
            }
        }
        Ok(())
    }

    /// The stream has ended, or the session stops: what more the recording has.
    fn finish(&mut self) -> Result<(), CaptureError> {
        let here = self.position;
        self.advance_to(here)?;
        if let Some((header, _)) = &self.next {
            self.finding.beyond = 1;
            self.finding.beyond_tick = header.tick;
        }
        while let Some(more) = self.blocks.next().transpose()? {
            self.finding.beyond += u64::from(matches!(more, Recorded::Block(..)));
        }
        self.finding.missing = self.missing;
        self.finding.replayed = here;
        self.finding.last_tick = self.tick;
        Ok(())
    }
}

/// Compares some streams, until they end or the session stops.
pub(super) fn run(
    file: &StageFile,
    duty: &StageDuty,
    source: &ReplaySource,
    inputs: &[ReplayStream],
) -> Result<(), ProcessError> {
    let Some(attached) = Attached::new(file)? else {
        return Ok(());
    };
    let prepare = || {
        let capture = Capture::open(&source.capture)?;
        let edges = duty.inputs.iter().zip(&duty.plan.inputs).zip(inputs);
        let compared = edges.map(|((edge, plan), of)| {
            let ring = attached
                .of_session
                .open_beside(&edge.segment, segment::RING)?;
            Ok(Compared {
                of: *of,
                stream_type: edge.stream_type.clone(),
                input: InputPort::on(&ring, edge, plan, owner(file))?,
                blocks: capture.blocks(of.stream)?,
                next: None,
                missing: 0,
                over: false,
                position: 0,
                tick: 0,
                finding: StreamFinding::of(capture.meta(), of.stream),
            })
        });
        compared.collect::<Result<Vec<Compared>, ProcessError>>()
    };
    attached.live(file, prepare, |mut compared| {
        loop {
            let mut moved = false;
            let mut done = true;
            for stream in &mut compared {
                // Round and round, so that no stream is kept waiting for another.
                moved |= stream.look()?;
                done &= stream.input.done();
            }
            if done || attached.stopping(file) == 2 {
                break;
            }
            if !moved {
                std::thread::sleep(BOUND);
            }
        }
        for stream in &mut compared {
            stream.finish()?;
        }
        let bank = attached.memory.next_bank();
        for (stream, account) in compared.iter().zip(&bank.inputs) {
            stream.input.store(account);
        }
        attached.memory.flip();
        let findings: Vec<&StreamFinding> = compared.iter().map(|c| &c.finding).collect();
        let path = source.findings.join(format!("{}.json", duty.plan.name));
        let part = path.with_extension("part");
        let written = serde_json::to_vec(&findings)
            .map_err(std::io::Error::from)
            .and_then(|text| std::fs::write(&part, text))
            .and_then(|()| std::fs::rename(&part, &path));
        written.map_err(|e| ProcessError::File {
            path: path.display().to_string(),
            why: e.to_string(),
        })
    })
}
