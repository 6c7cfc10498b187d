use super::layout::{EMPTY_AT, FILL_AT, GEOMETRY_AT};
use super::*;
use crate::abi::{PAGE, SegmentHeader, segment};
use crate::shm::{self, Segment, write_at};
use crate::sync::Ordering;
use std::fs::File;

fn opened(file: &File) -> Segment {
    let [read, write] = [0, 1].map(|_| file.try_clone().unwrap());
    Segment::from_files("spool", read, Some(write), segment::SPOOL).unwrap()
}

fn taken(emptying: &mut Emptying) -> Option<(u32, Kind, u64, Vec<u8>)> {
    let place = emptying.place();
    let found = emptying.front()?;
    let entry = (
        found.source,
        found.kind,
        found.position,
        found.parts.concat(),
    );
    let place = Place {
        taken: place.taken + found.stride,
        entries: place.entries + 1,
        ..place
    };
    emptying.advance(place);
    Some(entry)
}

fn put(filling: &mut Filling, source: usize, bytes: &[u8]) -> bool {
    let before = filling.account(source);
    let after = Account {
        position: before.position + 1,
        consumed: before.consumed + 1,
        bytes: before.bytes + bytes.len() as u64,
        ..before
    };
    let (front, back) = bytes.split_at(bytes.len() / 2);
    filling.put(
        source,
        Kind::Data(1),
        before.position,
        7,
        &[front, back],
        after,
    )
}

#[test]
fn entries_of_every_length_come_out_as_they_went_in_round_the_end_and_in_order() {
    let file = create_anonymous(2, 1).unwrap();
    let segment = opened(&file);
    let (mut filling, mut emptying) = (
        Filling::attach(&segment).unwrap(),
        Emptying::attach(&segment).unwrap(),
    );
    let mut position = [0_u64; 2];
    for length in 0..700_usize {
        let bytes: Vec<u8> = (0..length).map(|i| (i * 7 + length) as u8).collect();
        let source = length % 2;
        assert!(put(&mut filling, source, &bytes), "{length}");
        let expected = (source as u32, Kind::Data(1), position[source], bytes);
        assert_eq!(taken(&mut emptying), Some(expected));
        position[source] += 1;
    }
    assert_eq!(taken(&mut emptying), None);
    assert_eq!(emptying.view().account(1).consumed, 350);
}

#[test]
fn what_has_no_room_is_not_put_and_changes_no_account() {
    let segment = opened(&create_anonymous(1, 4096).unwrap());
    let (mut filling, mut emptying) = (
        Filling::attach(&segment).unwrap(),
        Emptying::attach(&segment).unwrap(),
    );
    let mut fitted = 0;
    while put(&mut filling, 0, &[1; 1000]) {
        fitted += 1;
    }
    assert_eq!(fitted, 4096 / (64 + 1024));
    assert_eq!(emptying.view().account(0).consumed, fitted);
    assert!(taken(&mut emptying).is_some());
    assert!(put(&mut filling, 0, &[2; 1000]));
    assert!(!filling.has_room(5000));
}

#[test]
fn a_gap_says_what_is_missing_and_why() {
    let segment = opened(&create_anonymous(1, 4096).unwrap());
    let (mut filling, mut emptying) = (
        Filling::attach(&segment).unwrap(),
        Emptying::attach(&segment).unwrap(),
    );
    let account = Account {
        position: 9,
        lapped: 9,
        gaps: 1,
        ..Account::default()
    };
    assert!(filling.put(0, Kind::Gap(9, Why::SpoolFull), 0, 1, &[], account));
    let gap = (0, Kind::Gap(9, Why::SpoolFull), 0, Vec::new());
    assert_eq!(taken(&mut emptying), Some(gap));
    assert_eq!(emptying.view().account(0), account);
}

#[test]
fn a_damaged_entry_costs_what_is_in_the_spool_and_nothing_that_comes_later() {
    use std::os::unix::fs::FileExt;
    let file = create_anonymous(1, 4096).unwrap();
    let segment = opened(&file);
    let (mut filling, mut emptying) = (
        Filling::attach(&segment).unwrap(),
        Emptying::attach(&segment).unwrap(),
    );
    for _ in 0..3 {
        assert!(put(&mut filling, 0, &[3; 10]));
    }
    let at = emptying.view().geometry.entries_at;
    // The length of the first entry: longer than all there is.
    file.write_all_at(&u64::MAX.to_le_bytes(), at + 40).unwrap();
    assert_eq!(taken(&mut emptying), None);
    assert_eq!(
        emptying.view().empty().damaged.load(Ordering::Relaxed),
        3 * 128
    );
    assert!(put(&mut filling, 0, &[4; 10]));
    let next = taken(&mut emptying).map(|(_, _, position, bytes)| (position, bytes));
    assert_eq!(next, Some((3, vec![4; 10])));
}

#[test]
fn words_that_cannot_be_are_refused_or_passed_over() {
    use std::os::unix::fs::FileExt;
    let file = create_anonymous(1, 4096).unwrap();
    let segment = opened(&file);
    let mut filling = Filling::attach(&segment).unwrap();
    while put(&mut filling, 0, &[1; 1000]) {}
    // Somebody says that more was taken than there is: no room comes of that.
    file.write_all_at(&u64::MAX.to_le_bytes(), EMPTY_AT as u64)
        .unwrap();
    assert!(!filling.has_room(4000));
    assert!(Filling::attach(&segment).is_err());
    // A head that is more than a ring ahead.
    file.write_all_at(&(1_u64 << 40).to_le_bytes(), FILL_AT as u64)
        .unwrap();
    assert!(Emptying::attach(&segment).is_err());
    let damaged = SpoolGeometry {
        sources: u64::MAX,
        entries_bytes: 4096,
        entries_at: 4096,
        ..SpoolGeometry::default()
    };
    let mut image = vec![0; 5 * PAGE];
    write_at(&mut image, GEOMETRY_AT, &damaged);
    let other = shm::anonymous(5 * PAGE).unwrap();
    let header = SegmentHeader {
        kind: segment::SPOOL,
        fixed_bytes: PAGE as u64,
        ..SegmentHeader::default()
    };
    shm::publish_anonymous(&other, image, header).unwrap();
    assert!(SpoolView::attach(&opened(&other)).is_err());
}
