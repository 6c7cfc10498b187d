//! `acquire.cyton.reader`: the helper that holds the port.

use super::connection::{Connection, Event, Passed};
use super::latency_timer;
use super::params::CytonParams;
use super::record::{FrameRecord, Types};
use super::session::Session;
use ephapse_engine::stage::{
    Ctx, Described, Inputs, Next, Outputs, Ports, Program, Role, Stage, StageError,
};
use ephapse_rtconfig::stream_type::StreamType;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// How long a call waits for the board before the runner looks around.
const WITHIN: Duration = Duration::from_millis(20);

/// What a successor must know: the newest frame that was passed on. All zero: none yet.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct PassedOn {
    /// Its number plus 1.
    frames: u64,
    /// When it was taken, ns.
    sampled_ns: u64,
}

impl PassedOn {
    fn newest(&self) -> Option<Passed> {
        Some(Passed {
            index: self.frames.checked_sub(1)?,
            sampled_ns: self.sampled_ns,
        })
    }
}

/// Frames that wait for their block to be full.
#[derive(Default)]
struct Held {
    frames: VecDeque<FrameRecord>,
    /// The first so many will not be continued: the connection was lost behind them.
    cut: usize,
}

impl Held {
    fn add(&mut self, event: Event) {
        match event {
            Event::Frames(frames) => self.frames.extend(frames),
            Event::Cut => self.cut = self.frames.len(),
        }
    }

    /// Frames of the next block, if it is complete: full, or followed by a gap.
    fn block(&self, full: usize) -> Option<usize> {
        let first = self.frames.front()?.index;
        let numbered = (first..).zip(&self.frames);
        let count = numbered.take_while(|(index, f)| f.index == *index).count();
        let count = if self.cut > 0 {
            count.min(self.cut)
        } else {
            count
        };
        if count >= full {
            Some(full)
        } else {
            (count < self.frames.len() || count == self.cut).then_some(count)
        }
    }

    fn take(&mut self, count: usize, out: &mut [FrameRecord]) {
        for (to, from) in out.iter_mut().zip(self.frames.drain(..count)) {
            *to = from;
        }
        self.cut = self.cut.saturating_sub(count);
    }
}

/// The stage `acquire.cyton.reader`.
pub struct CytonReader {
    params: CytonParams,
    /// The board, set up and silent, until the first call.
    session: Option<Session>,
    connection: Option<Connection>,
    held: Held,
}

impl Stage for CytonReader {
    const KIND: &'static str = "acquire.cyton.reader";
    const ABOUT: &'static str = "Reads the serial port of an OpenBCI Cyton for its source.";
    const ROLE: Role = Role::Acquire;
    const PORTS: Ports = Ports {
        inputs: &[],
        outputs: &["helped"],
    };
    const PROGRAM: Program = Program::Full;
    const HELPER: bool = true;
    type Params = CytonParams;

    fn describe(
        params: &Self::Params,
        _inputs: &[(&str, &StreamType)],
    ) -> Result<Described, StageError> {
        params.check()?;
        Ok(Described {
            outputs: vec![("helped".to_owned(), Types::of(params).feed)],
            state_bytes: size_of::<PassedOn>(),
            parts_per_call: 1,
            ..Described::default()
        })
    }

    /// Resets the board and gives it its settings: a board that is off, or lacks what is asked for, is said before the start.
    fn prepare(
        params: Self::Params,
        _inputs: &[(&str, &StreamType)],
        _what: &Described,
    ) -> Result<Self, StageError> {
        params.check()?;
        let port = params.port.display().to_string();
        let timer = latency_timer::shorten(Path::new("/"), &params.port);
        let session = Session::open(&params, Arc::new(AtomicBool::new(false)))
            .map_err(|error| StageError::resource("acquire.cyton", error.to_string()))?;
        let board = session.banner().lines().next().unwrap_or_default();
        println!("{port}: {board}, firmware {}; {timer}", session.firmware());
        Ok(CytonReader {
            params,
            session: Some(session),
            connection: None,
            held: Held::default(),
        })
    }

    fn process(
        &mut self,
        ctx: &mut Ctx<'_>,
        _inputs: &Inputs<'_>,
        outputs: &mut Outputs<'_>,
    ) -> Next {
        let passed_on: &mut PassedOn = ctx.state.typed();
        if let Some(session) = self.session.take() {
            let newest = passed_on.newest();
            self.connection = Some(Connection::start(session, &self.params, newest));
        }
        let Some(connection) = &self.connection else {
            return Next::Stop("the board was not set up");
        };
        let full = self.params.block_frames as usize;
        let count = match self.held.block(full) {
            Some(count) => count,
            None => match connection.next(WITHIN) {
                Ok(None) => return Next::Again,
                Ok(Some(event)) => {
                    self.held.add(event);
                    match self.held.block(full) {
                        Some(count) => count,
                        None => return Next::Again,
                    }
                }
                Err(why) => return Next::Stop(why),
            },
        };
        let mut block = outputs.block(0);
        let records = &mut block.slice::<FrameRecord>()[..count];
        self.held.take(count, records);
        let newest = records[count - 1];
        *passed_on = PassedOn {
            frames: newest.index + 1,
            sampled_ns: newest.sampled_ns,
        };
        let header = block.header();
        header.sampled_ns = newest.sampled_ns;
        header.arrived_ns = newest.arrived_ns;
        block.commit(count);
        outputs.count_source(0, count as u64);
        Next::Continue
    }

    /// The state is a place in the stream, not a memory of the signal: it survives whatever asks for a reset.
    fn reset(&mut self, _state: &mut [u8]) {}
}

impl Drop for CytonReader {
    fn drop(&mut self) {
        let arrivals = self.connection.take().and_then(Connection::stop);
        if let Some(arrivals) = arrivals {
            for line in arrivals.to_string().lines() {
                println!("{}: {line}", self.params.port.display());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(indices: impl IntoIterator<Item = u64>) -> Event {
        let frames = indices.into_iter().map(|index| FrameRecord {
            index,
            ..FrameRecord::default()
        });
        Event::Frames(frames.collect())
    }

    fn taken(held: &mut Held, full: usize) -> Vec<Vec<u64>> {
        let mut blocks = Vec::new();
        while let Some(count) = held.block(full) {
            let mut block = vec![FrameRecord::default(); count];
            held.take(count, &mut block);
            blocks.push(block.iter().map(|f| f.index).collect());
        }
        blocks
    }

    #[test]
    fn a_block_waits_until_it_is_full_and_ends_at_a_gap() {
        let mut held = Held::default();
        held.add(frames(0..3));
        assert!(taken(&mut held, 4).is_empty());
        held.add(frames([3, 4, 5, 9, 10]));
        assert_eq!(taken(&mut held, 4), [vec![0, 1, 2, 3], vec![4, 5]]);
        held.add(frames([11, 12]));
        assert_eq!(taken(&mut held, 4), [[9, 10, 11, 12]]);
    }

    #[test]
    fn a_lost_connection_ends_the_block_that_was_begun() {
        let mut held = Held::default();
        held.add(frames(0..6));
        held.add(Event::Cut);
        assert_eq!(taken(&mut held, 4), [vec![0, 1, 2, 3], vec![4, 5]]);
        held.add(Event::Cut);
        assert!(taken(&mut held, 4).is_empty());
        held.add(frames(20..24));
        assert_eq!(taken(&mut held, 4), [[20, 21, 22, 23]]);
    }
}
