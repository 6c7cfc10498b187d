//! The accounts: every term read where it was counted, none computed from the others.

use super::prepare::{Part, Processes};
use crate::abi::{
    Bank, PAGE, ProducerWords, RING_GEOMETRY_AT, RingGeometry, SeatWords, end_reason,
};
use crate::due::due_between;
use crate::outcome::{EdgeAccount, RingAccount, SourceAccount, TickAccount};
use crate::shm::read_at;
use crate::sync::{AtomicU64, Ordering};
use ephapse_rtconfig::plan::{Pace, Reader, SeatKind};

/// Sum of an account's terms; `None` if it is more than 64 bits hold, which no sound counter reaches.
fn sum(terms: &[u64]) -> Option<u64> {
    terms
        .iter()
        .try_fold(0_u64, |sum, term| sum.checked_add(*term))
}

fn get(word: &AtomicU64) -> u64 {
    word.load(Ordering::Acquire)
}

/// The live words of a ring.
pub(super) fn producer_words(processes: &Processes, stream: usize) -> &ProducerWords {
    processes.rings[stream].words(geometry(processes, stream).producer_at as usize)
}

/// The live words of a seat.
pub(super) fn seat_words(processes: &Processes, stream: usize, seat: usize) -> &SeatWords {
    processes.rings[stream].words(geometry(processes, stream).seats_at as usize + seat * PAGE)
}

fn geometry(processes: &Processes, stream: usize) -> RingGeometry {
    // The launcher wrote the geometry itself and nobody else can: region (a) is read-only for all others.
    let copy: &[AtomicU64; 16] = processes.rings[stream].words(RING_GEOMETRY_AT);
    let bytes: Vec<u8> = copy
        .iter()
        .flat_map(|w| w.load(Ordering::Relaxed).to_ne_bytes())
        .collect();
    read_at(&bytes, 0).unwrap_or_default()
}

/// Ticks: `due` from clock, period, divider and phase; the rest from the process's own page. `died` names, per process,
/// whether it died: what fell due behind its last tick then counts as `dead`. So it does for everybody if it was the timer:
/// nobody announced those ticks.
pub(super) fn ticks(
    processes: &Processes,
    start_tick: u64,
    stop_tick: u64,
    died: &[bool],
) -> Vec<TickAccount> {
    let mut accounts = Vec::new();
    let all = || processes.list.iter().zip(died);
    let timer_died = all().any(|(process, died)| process.part == Part::Timer && *died);
    for (process, died) in all() {
        let stage = process.part.stage().map(|s| &processes.plan.stages[s]);
        let (divider, phase) = match (process.part, stage) {
            (Part::Timer, _) => (1, 0),
            (_, Some(stage)) if stage.pace == Pace::Tick => {
                (u64::from(stage.divider), u64::from(stage.phase))
            }
            _ => continue,
        };
        let bank: &Bank = process.memory.bank();
        let due = due_between(start_tick, stop_tick, divider, phase);
        let mut account = TickAccount {
            who: process.name.clone(),
            due,
            run: get(&bank.run),
            late_wake: get(&bank.late_wake),
            long_run: get(&bank.long_run),
            no_room: get(&bank.no_room),
            dead: get(&bank.dead),
            holds: false,
        };
        if *died || timer_died {
            account.dead += due_between(
                (get(&bank.ran) + 1).max(start_tick),
                stop_tick,
                divider,
                phase,
            );
        }
        let terms = [
            account.run,
            account.late_wake,
            account.long_run,
            account.no_room,
            account.dead,
        ];
        account.holds = sum(&terms) == Some(account.due);
        accounts.push(account);
    }
    accounts
}

/// Rings.
pub(super) fn rings(processes: &Processes) -> Vec<RingAccount> {
    let streams = processes.plan.streams.iter().enumerate();
    let accounts = streams.filter_map(|(index, stream)| {
        let bank = processes.of_stage(stream.maker)?.memory.bank();
        let port = processes.plan.stages[stream.maker]
            .outputs
            .iter()
            .position(|o| o.stream == index)?;
        let published = get(&producer_words(processes, index).published);
        let (offered, dropped) = (
            get(&bank.outputs[port].offered),
            get(&bank.outputs[port].dropped),
        );
        Some(RingAccount {
            stream: stream.name.clone(),
            offered,
            published,
            dropped,
            holds: sum(&[published, dropped]) == Some(offered),
        })
    });
    accounts.collect()
}

/// What the reader in a seat has counted.
struct Counted {
    consumed: u64,
    jumped: u64,
    lapped: u64,
    gaps: u64,
    lost_frames: u64,
    feedback: bool,
}

/// The account of whoever sits there; `None` if there is no such process.
fn counted(processes: &Processes, reader: Reader, stream: usize, seat: usize) -> Option<Counted> {
    match reader {
        Reader::Stage(stage) => {
            let inputs = &processes.plan.stages[stage].inputs;
            let mut ports = inputs.iter();
            let port = ports.position(|i| i.stream == stream && i.seat as usize == seat)?;
            let account = &processes.of_stage(stage)?.memory.bank().inputs[port];
            Some(Counted {
                consumed: get(&account.consumed),
                jumped: get(&account.jumped),
                lapped: get(&account.lapped),
                gaps: get(&account.gaps),
                lost_frames: get(&account.lost_frames),
                feedback: inputs[port].feedback,
            })
        }
        Reader::Recorder => {
            let account = processes.recording.as_ref()?.account(stream)?;
            Some(Counted {
                consumed: account.consumed,
                jumped: account.jumped,
                lapped: account.lapped,
                gaps: account.gaps,
                // Frames lost before a block stand in its header, which is recorded.
                lost_frames: 0,
                feedback: false,
            })
        }
    }
}

/// Seats.
pub(super) fn edges(processes: &Processes) -> Vec<EdgeAccount> {
    let mut accounts = Vec::new();
    for (index, stream) in processes.plan.streams.iter().enumerate() {
        let published = get(&producer_words(processes, index).published);
        for (seat, plan) in stream.seats.iter().enumerate() {
            let Some(counted) = counted(processes, plan.reader, index, seat) else {
                continue;
            };
            let words = seat_words(processes, index, seat);
            let joined = get(&words.joined);
            let published = published.saturating_sub(joined);
            let position = get(&words.position).saturating_sub(joined);
            let left = published.saturating_sub(position);
            let Counted {
                consumed,
                jumped,
                lapped,
                ..
            } = counted;
            // A feedback edge takes no part in the end; a closed seat reports what it left.
            let may_leave =
                counted.feedback || get(&words.closed) != 0 || plan.kind == SeatKind::Lap;
            accounts.push(EdgeAccount {
                stream: stream.name.clone(),
                seat: processes.plan.reader_name(plan.reader).to_owned(),
                kind: plan.kind,
                published,
                consumed,
                jumped,
                lapped,
                left,
                gaps: counted.gaps,
                lost_frames: counted.lost_frames,
                holds: sum(&[consumed, jumped, lapped, left]) == Some(published)
                    && position <= published
                    && (left == 0 || may_leave),
            });
        }
    }
    accounts
}

/// Sources: what the device, file or driver counted against what was published and lost.
pub(super) fn sources(processes: &Processes) -> Vec<SourceAccount> {
    let streams = processes.plan.streams.iter().enumerate();
    let accounts = streams.filter_map(|(index, stream)| {
        let maker = &processes.plan.stages[stream.maker];
        if !maker.is_source() {
            return None;
        }
        let port = maker.outputs.iter().position(|o| o.stream == index)?;
        let account = &processes.of_stage(stream.maker)?.memory.bank().outputs[port];
        let (counted, valid, lost) = (
            get(&account.counted),
            get(&account.valid),
            get(&account.lost),
        );
        Some(SourceAccount {
            stream: stream.name.clone(),
            counted,
            valid,
            lost,
            holds: sum(&[valid, lost]) == Some(counted),
        })
    });
    accounts.collect()
}

/// True when every stream has ended and every `hold` seat that is still open has taken all of it.
pub(super) fn drained(processes: &Processes) -> bool {
    processes
        .plan
        .streams
        .iter()
        .enumerate()
        .all(|(index, stream)| {
            let words = producer_words(processes, index);
            let end = get(&words.end);
            end != crate::abi::OPEN
                && stream.seats.iter().enumerate().all(|(seat, plan)| {
                    let words = seat_words(processes, index, seat);
                    let feedback = plan.reader.stage().is_some_and(|stage| {
                        let mut inputs = processes.plan.stages[stage].inputs.iter();
                        inputs.any(|i| i.stream == index && i.feedback)
                    });
                    plan.kind == SeatKind::Lap
                        || feedback
                        || get(&words.closed) != 0
                        || get(&words.position) >= end
                })
        })
}

/// True when every source (helpers apart) has ended its streams.
pub(super) fn sources_ended(processes: &Processes) -> bool {
    processes
        .plan
        .streams
        .iter()
        .enumerate()
        .all(|(index, stream)| {
            let maker = &processes.plan.stages[stream.maker];
            !maker.is_source() || get(&producer_words(processes, index).end) != crate::abi::OPEN
        })
}

/// Stores the end of a dead process's streams, and closes its seats so that nobody waits for it.
pub(super) fn bury(processes: &Processes, stage: usize) {
    let plan = &processes.plan.stages[stage];
    for output in &plan.outputs {
        let words = producer_words(processes, output.stream);
        if get(&words.end) == crate::abi::OPEN {
            words.end_reason.store(end_reason::DIED, Ordering::Relaxed);
            words.end.store(get(&words.published), Ordering::Release); // [E]
        }
    }
    close_seats(processes, Part::Stage(stage));
}

/// Closes the seats of a process that will not come back, so that nobody waits for it.
pub(super) fn close_seats(processes: &Processes, part: Part) {
    for (stream, seat) in processes.seats_of(part) {
        seat_words(processes, stream, seat)
            .closed
            .store(1, Ordering::Release);
    }
}
