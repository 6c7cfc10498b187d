//! The recorder's first half: takes what comes from rings and telemetry rings into the spool. Between the looks it takes at
//! them it does nothing but copy and count: no allocation, lock, log, system call.
//!
//! A block goes from its slot into a private copy, and from there, if it was whole, into the spool. The seat's own position
//! follows: a successor stands where the spool's account says.
//!
//! While recording is off everything is passed over and only counted; what was passed over becomes one gap of each source
//! when recording goes on, or ends.

use super::layout::BLOCK_ALIGNMENT;
use super::spool::{Account, Filling, Kind, Why, stride};
use crate::abi::{ActivationRecord, SlotHeader, segment};
use crate::os;
use crate::ring::{HoldSeat, LapSeat};
use crate::runner::file::{RecordedDuty, RecorderDuty};
use crate::runner::telemetry::KeptRecords;
use crate::shm::{Segment, ShmError};
use ephapse_rtconfig::plan::SeatKind;
use zerocopy::{FromZeros, IntoBytes};

/// Activation records in one entry at most.
const BATCH: usize = 32;
/// Blocks of one stream, or batches of one process, taken before the next one has its turn.
const IN_A_ROW: usize = 64;
const ZEROS: [u8; BLOCK_ALIGNMENT] = [0; BLOCK_ALIGNMENT];

/// The recorder's seat on one ring.
enum Seat {
    Lap(LapSeat),
    Hold(HoldSeat),
}

/// What a look at one source came to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    /// There was nothing.
    Nothing,
    /// Something was taken.
    Took,
    /// There was something, and the spool had no room.
    NoRoom,
}

/// Takes blocks and activation records into the spool.
pub struct Pump {
    spool: Filling,
    seats: Vec<Seat>,
    records: Vec<KeptRecords>,
    /// Per source: it waits for room in the spool, so that what is lost meanwhile is lost for that.
    waits: Vec<bool>,
    /// A block's payload on its way.
    payload: Vec<u8>,
    batch: [ActivationRecord; BATCH],
    /// The source whose turn it is first: nobody is always the one who finds no room.
    first: usize,
}

impl Pump {
    /// Takes the recorder's seats for `owner`, and goes on where a predecessor stood.
    ///
    /// # Errors
    /// A damaged segment, or a seat that somebody holds.
    pub fn attach(session: &Segment, duty: &RecorderDuty, owner: u64) -> Result<Self, ShmError> {
        let spool = session.open_beside(&duty.spool_segment, segment::SPOOL)?;
        let mut spool = Filling::attach(&spool)?;
        let sources = duty.streams.len() + duty.processes.len();
        if spool.sources() != sources {
            return Err(ShmError::refused(
                &duty.spool_segment,
                format!("is for {} sources, expected {sources}", spool.sources()),
            ));
        }
        let seats = duty.streams.iter().enumerate();
        let seats: Vec<Seat> = seats
            .map(|(source, recorded)| sit(session, recorded, owner, source, &mut spool))
            .collect::<Result<_, _>>()?;
        let records = duty.processes.iter().map(|process| {
            let segment = session.open_beside(&process.telemetry_segment, segment::TELEMETRY)?;
            KeptRecords::attach(&segment)
        });
        let largest = seats.iter().map(|seat| match seat {
            Seat::Lap(seat) => seat.payload_bytes(),
            Seat::Hold(_) => 0,
        });
        Ok(Pump {
            payload: vec![0; largest.max().unwrap_or(0)],
            records: records.collect::<Result<_, ShmError>>()?,
            seats,
            spool,
            waits: vec![false; sources],
            batch: [ActivationRecord::new_zeroed(); BATCH],
            first: 0,
        })
    }

    /// Looks at every source once. True if anything was taken. `last`: nothing comes any more, so that even while recording
    /// is off the gaps are told.
    pub fn round(&mut self, last: bool) -> bool {
        let sources = self.waits.len();
        let off = self.spool.told_off();
        let mut took = false;
        for turn in 0..sources {
            let source = (self.first + turn) % sources;
            let mut looks = 0;
            let last = loop {
                let process = source.checked_sub(self.seats.len());
                let look = match process {
                    _ if off => self.pass_over(source, process, last),
                    _ if self.spool.account(source).is_untold() => self.tell_off(source),
                    None => self.take_block(source),
                    Some(process) => self.take_records(source, process),
                };
                looks += 1;
                took |= look == Look::Took;
                if look != Look::Took || looks == IN_A_ROW {
                    break look;
                }
            };
            if let Some(Seat::Hold(seat)) = self.seats.get(source) {
                seat.ring_producer();
            }
            if last == Look::NoRoom {
                // Nobody else has a turn: what they all lose until theirs is lost for that.
                self.waits.fill(true);
                // Smaller blocks would still fit, and leave ever less room for this one: it is first next time.
                self.first = source;
                return took;
            }
        }
        self.first = (self.first + 1) % sources.max(1);
        took
    }

    /// True when everything that there is has been taken.
    pub fn took_all(&mut self) -> bool {
        let blocks = self.seats.iter_mut().all(|seat| match seat {
            Seat::Lap(seat) => seat.available() == 0,
            Seat::Hold(seat) => seat.available() == 0,
        });
        let first = self.seats.len();
        let mut records = self.records.iter().enumerate();
        blocks
            && records.all(|(p, kept)| self.spool.account(first + p).position >= kept.published())
            && !(0..self.waits.len()).any(|source| self.spool.account(source).is_untold())
    }

    /// The launcher's order to take the rest and leave.
    pub fn told_to_finish(&self) -> bool {
        self.spool.told_to_finish()
    }

    fn take_block(&mut self, source: usize) -> Look {
        let account = self.spool.account(source);
        match &mut self.seats[source] {
            Seat::Lap(seat) => {
                if seat.available() == 0 {
                    return Look::Nothing;
                }
                let most = block_bytes(seat.payload_bytes());
                if !self.spool.has_room(stride(0) + stride(most)) {
                    return Look::NoRoom;
                }
                let header = seat.take(&mut self.payload);
                let row_bytes = seat.row_bytes();
                let reached = header.map_or(seat.position(), |header| header.position);
                let account = self.pass_lapped(source, account, reached);
                if let Some(header) = header {
                    let bytes = header.valid as usize * row_bytes;
                    keep(
                        &mut self.spool,
                        source,
                        account,
                        &header,
                        &self.payload[..bytes],
                    );
                }
                self.waits[source] = false;
            }
            Seat::Hold(seat) => {
                let mut header = SlotHeader::new_zeroed();
                let Some((payload, damaged)) = seat.peek_into(0, &mut header) else {
                    return Look::Nothing;
                };
                let bytes = block_bytes(payload.len());
                if !self.spool.has_room(stride(bytes)) {
                    return Look::NoRoom;
                }
                if damaged {
                    let after = Account {
                        position: account.position + 1,
                        jumped: account.jumped + 1,
                        gaps: account.gaps + 1,
                        ..account
                    };
                    let gap = Kind::Gap(1, Why::Damaged);
                    let now_ns = os::monotonic_ns();
                    self.spool
                        .put(source, gap, account.position, now_ns, &[], after);
                } else {
                    keep(&mut self.spool, source, account, &header, payload);
                }
                seat.release(1);
            }
        }
        Look::Took
    }

    /// Notes as a gap what lies between the account and `reached`. Returns the account behind it.
    fn pass_lapped(&mut self, source: usize, account: Account, reached: u64) -> Account {
        let Some(missing @ 1..) = reached.checked_sub(account.position) else {
            return account;
        };
        let (why, no_room) = if self.waits[source] {
            (Why::SpoolFull, missing)
        } else {
            (Why::Lapped, 0)
        };
        let after = Account {
            position: reached,
            lapped: account.lapped + missing,
            no_room: account.no_room + no_room,
            gaps: account.gaps + 1,
            ..account
        };
        let gap = Kind::Gap(missing, why);
        let now_ns = os::monotonic_ns();
        // Room was there for this and for what comes behind it.
        self.spool
            .put(source, gap, account.position, now_ns, &[], after);
        after
    }

    /// Recording is off: counts what there is and lets it go. `process`: of which these are the records; else blocks.
    fn pass_over(&mut self, source: usize, process: Option<usize>, last: bool) -> Look {
        let account = self.spool.account(source);
        // A successor goes back with a `lap` seat, and gives back what is counted with a `hold` seat: the one moves before
        // it is counted, the other behind.
        let reached = match process {
            Some(process) => self.records[process].published(),
            None => match &mut self.seats[source] {
                Seat::Lap(seat) => {
                    seat.jump_to_newest(0);
                    seat.position()
                }
                Seat::Hold(seat) => seat.position() + seat.available(),
            },
        };
        let passed = reached.saturating_sub(account.position);
        if passed == 0 {
            return if last && account.is_untold() {
                self.tell_off(source)
            } else {
                Look::Nothing
            };
        }
        let after = Account {
            position: reached,
            jumped: account.jumped + passed,
            off: account.off + passed,
            ..account
        };
        self.spool.note(source, after);
        match process {
            Some(process) => self.records[process].keep(reached),
            None => {
                if let Seat::Hold(seat) = &mut self.seats[source] {
                    seat.release(passed);
                }
            }
        }
        self.waits[source] = false;
        Look::Took
    }

    /// Puts the gap for what was passed over while recording was off.
    fn tell_off(&mut self, source: usize) -> Look {
        let account = self.spool.account(source);
        let untold = account.off - account.off_told;
        if !self.spool.has_room(stride(0)) {
            return Look::NoRoom;
        }
        let after = Account {
            gaps: account.gaps + 1,
            off_told: account.off,
            ..account
        };
        let from = account.position - untold;
        let gap = Kind::Gap(untold, Why::Off);
        let now_ns = os::monotonic_ns();
        self.spool.put(source, gap, from, now_ns, &[], after);
        Look::Took
    }

    fn take_records(&mut self, source: usize, process: usize) -> Look {
        let account = self.spool.account(source);
        let kept = &self.records[process];
        if kept.published() <= account.position {
            return Look::Nothing;
        }
        let most = BATCH * size_of::<ActivationRecord>();
        if !self.spool.has_room(stride(0) + stride(most)) {
            return Look::NoRoom;
        }
        let (first, count) = kept.copy(account.position, &mut self.batch);
        let account = self.pass_lapped(source, account, first);
        let bytes = self.batch[..count].as_bytes();
        let after = Account {
            position: first + count as u64,
            consumed: account.consumed + count as u64,
            bytes: account.bytes + bytes.len() as u64,
            ..account
        };
        if count > 0 {
            let data = Kind::Data(count as u32);
            let at_ns = self.batch[0].woke_ns;
            self.spool.put(source, data, first, at_ns, &[bytes], after);
        }
        self.waits[source] = false;
        self.records[process].keep(after.position);
        Look::Took
    }
}

/// Bytes of a block as it is kept: the header, the rows, and zeros.
fn block_bytes(payload: usize) -> usize {
    size_of::<SlotHeader>() + payload.next_multiple_of(BLOCK_ALIGNMENT)
}

fn keep(spool: &mut Filling, source: usize, account: Account, header: &SlotHeader, payload: &[u8]) {
    let padding = payload.len().next_multiple_of(BLOCK_ALIGNMENT) - payload.len();
    let parts = [header.as_bytes(), payload, &ZEROS[..padding]];
    let after = Account {
        position: header.position + 1,
        consumed: account.consumed + 1,
        bytes: account.bytes + block_bytes(payload.len()) as u64,
        ..account
    };
    let at_ns = header.committed_ns;
    spool.put(source, Kind::Data(1), header.position, at_ns, &parts, after);
}

/// Takes a seat, and stands where the account says.
fn sit(
    session: &Segment,
    recorded: &RecordedDuty,
    owner: u64,
    source: usize,
    spool: &mut Filling,
) -> Result<Seat, ShmError> {
    let edge = &recorded.edge;
    let ring = session.open_beside(&edge.segment, segment::RING)?;
    let account = spool.account(source);
    Ok(match recorded.kind {
        SeatKind::Lap => {
            let mut seat = LapSeat::attach(&ring, recorded.seat, &edge.stream_type, owner)?;
            seat.resume_at(account.position);
            Seat::Lap(seat)
        }
        SeatKind::Hold => {
            let mut seat = HoldSeat::attach(&ring, recorded.seat, &edge.stream_type, owner)?;
            // What is in the spool and was not yet given back.
            seat.release(account.position.saturating_sub(seat.position()));
            Seat::Hold(seat)
        }
    })
}
