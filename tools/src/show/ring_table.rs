//! Rings as text: one paragraph each, one line per seat.

use crate::look::ring::{Owned, RingState, SeatState};
use ephapse_rtconfig::plan::{Full, SeatKind};
use std::fmt::Write;

/// A paragraph for every ring.
pub fn ring_table(rings: &[RingState]) -> String {
    let paragraphs: Vec<String> = rings.iter().map(paragraph).collect();
    paragraphs.join("\n")
}

fn paragraph(ring: &RingState) -> String {
    let full = match ring.full {
        Full::Wait => "wait",
        Full::DropNewest => "drop_newest",
        Full::Fault => "fault",
    };
    let end = match &ring.end {
        None => "open".to_owned(),
        Some(end) => format!(
            "ended at {} ({}, {} frames lost behind it)",
            end.position, end.reason, end.lost_frames
        ),
    };
    let mut out = format!("{}: {}\n", ring.stream, ring.stream_type);
    out += &format!(
        "  {} slots of {} bytes, {} bytes in all; full: {full}; published {}, {end}\n",
        ring.slots, ring.slot_bytes, ring.bytes, ring.published
    );
    let maker = &ring.producer;
    let name = match (&maker.stage, &maker.port) {
        (Some(stage), Some(port)) => format!("{stage}.{port}"),
        _ => "(unknown)".to_owned(),
    };
    out += &format!("  producer {name}, {}", owner(maker.owner.as_ref()));
    if let (Some(offered), Some(dropped)) = (maker.offered, maker.dropped) {
        out += &format!("; offered {offered}, dropped {dropped}");
    }
    out.push('\n');
    let shown: Vec<&SeatState> = ring
        .seats
        .iter()
        .filter(|s| !s.spare || s.owner.is_some())
        .collect();
    if !shown.is_empty() {
        out += &seat_line(
            "seat", "kind", "reader", "owner", "position", "lag", "ms", ACCOUNT,
        );
    }
    for seat in &shown {
        out += &row(seat);
    }
    let spare = ring.seats.len() - shown.len();
    if spare > 0 {
        let _ = writeln!(
            out,
            "  {spare} spare seat{}, free",
            if spare == 1 { "" } else { "s" }
        );
    }
    out
}

const ACCOUNT: [&str; 4] = ["consumed", "jumped", "lapped", "gaps"];

fn row(seat: &SeatState) -> String {
    let kind = match seat.kind {
        SeatKind::Hold => "hold",
        SeatKind::Lap => "lap",
    };
    let reader = if seat.spare {
        "(joined)".to_owned()
    } else {
        format!("{}.{}", seat.stage, seat.port)
    };
    let owner = if seat.closed {
        "closed".to_owned()
    } else {
        owner(seat.owner.as_ref())
    };
    let counts = [seat.consumed, seat.jumped, seat.lapped, seat.gaps]
        .map(|count| count.map_or("-".to_owned(), |c| c.to_string()));
    seat_line(
        &seat.seat.to_string(),
        kind,
        &reader,
        &owner,
        &seat.position.to_string(),
        &seat.lag_blocks.to_string(),
        &seat.lag_ms.map_or("-".to_owned(), |ms| format!("{ms:.1}")),
        counts.each_ref().map(String::as_str),
    )
}

#[allow(
    clippy::too_many_arguments,
    reason = "one per column; head and rows share the widths here"
)]
fn seat_line(
    seat: &str,
    kind: &str,
    reader: &str,
    owner: &str,
    position: &str,
    lag: &str,
    ms: &str,
    [consumed, jumped, lapped, gaps]: [&str; 4],
) -> String {
    format!(
        "  {seat:<4} {kind:<4} {reader:<20} {owner:<30} {position:>10} {lag:>6} {ms:>9} {consumed:>10} {jumped:>8} \
         {lapped:>8} {gaps:>6}\n"
    )
}

fn owner(owner: Option<&Owned>) -> String {
    match owner {
        None => "free".to_owned(),
        Some(owner) => format!(
            "pid {} {}, generation {}",
            owner.pid,
            if owner.alive { "alive" } else { "dead" },
            owner.generation
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::ring::{EndState, MakerState};

    fn seat(index: usize, spare: bool) -> SeatState {
        SeatState {
            seat: index,
            kind: SeatKind::Lap,
            spare,
            stage: String::new(),
            port: String::new(),
            owner: None,
            closed: false,
            position: 0,
            lag_blocks: 0,
            lag_ms: None,
            consumed: None,
            jumped: None,
            lapped: None,
            gaps: None,
            lost_frames: None,
        }
    }

    #[test]
    fn a_ring_tells_its_seats_their_owners_and_who_is_behind() {
        let owned = |pid, alive| {
            Some(Owned {
                pid,
                generation: 2,
                alive,
            })
        };
        let reader = SeatState {
            kind: SeatKind::Hold,
            stage: "band".into(),
            port: "frames".into(),
            owner: owned(4711, false),
            position: 995,
            lag_blocks: 5,
            lag_ms: Some(5.04),
            consumed: Some(995),
            jumped: Some(0),
            lapped: Some(0),
            gaps: Some(1),
            ..seat(0, false)
        };
        let mut ring = RingState {
            stream: "raw".into(),
            stream_type: "20 x 8 f64, 20000 Hz, uV".into(),
            slots: 128,
            slot_bytes: 1408,
            bytes: 196_608,
            full: Full::DropNewest,
            published: 1000,
            end: None,
            producer: MakerState {
                stage: Some("source".into()),
                port: Some("frames".into()),
                owner: owned(4710, true),
                offered: Some(1003),
                dropped: Some(3),
            },
            seats: vec![reader, seat(1, true), seat(2, true)],
        };
        assert_eq!(
            ring_table(&[ring.clone()]),
            "\
raw: 20 x 8 f64, 20000 Hz, uV
  128 slots of 1408 bytes, 196608 bytes in all; full: drop_newest; published 1000, open
  producer source.frames, pid 4710 alive, generation 2; offered 1003, dropped 3
  seat kind reader               owner                            position    lag        ms   consumed   jumped   lapped   gaps
  0    hold band.frames          pid 4711 dead, generation 2           995      5       5.0        995        0        0      1
  2 spare seats, free
"
        );
        ring.end = Some(EndState {
            position: 1000,
            reason: "died",
            lost_frames: 40,
        });
        ring.producer.offered = None;
        ring.producer.owner = None;
        ring.seats.truncate(2);
        ring.seats[0].closed = true;
        let told = ring_table(&[ring]);
        assert!(
            told.contains("published 1000, ended at 1000 (died, 40 frames lost behind it)\n"),
            "{told}"
        );
        assert!(told.contains("  producer source.frames, free\n"), "{told}");
        assert!(told.contains("band.frames          closed  "), "{told}");
        assert!(told.ends_with("  1 spare seat, free\n"), "{told}");
    }
}
