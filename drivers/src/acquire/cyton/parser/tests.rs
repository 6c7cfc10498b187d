//! What comes out of bytes that are right, wrong, missing, repeated or random.

use super::*;
use proptest::prelude::*;

/// A packet of the tests' own making: its channels tell its place in the stream.
fn bytes_of(place: u32) -> [u8; PACKET_BYTES] {
    let mut bytes = [0; PACKET_BYTES];
    bytes[0] = 0xA0;
    bytes[1] = place as u8;
    bytes[2..5].copy_from_slice(&place.to_be_bytes()[1..]);
    // Data that look like the beginning and the end of packets.
    bytes[5..8].copy_from_slice(&[0xA0, place as u8 ^ 0x55, 0xC0]);
    bytes[8..11].copy_from_slice(&[0xC1, 0xA0, (place >> 3) as u8]);
    bytes[32] = 0xC0;
    bytes
}

fn stream(places: impl IntoIterator<Item = u32>) -> Vec<u8> {
    places.into_iter().flat_map(bytes_of).collect()
}

fn all(parser: &mut Parser) -> Vec<Found> {
    std::iter::from_fn(|| parser.next_found()).collect()
}

fn places(found: &[Found]) -> Vec<u32> {
    let packets = found.iter().filter_map(|f| match f {
        Found::Packet(packet) => Some(packet.counts[0] as u32),
        Found::Answer(_) => None,
    });
    packets.collect()
}

fn parsed(bytes: &[u8]) -> (Vec<Found>, ByteCounts) {
    let mut parser = Parser::default();
    parser.push(bytes);
    let found = all(&mut parser);
    (found, parser.counts())
}

#[test]
fn packets_come_out_the_same_whatever_pieces_their_bytes_come_in() {
    let bytes = stream(0..600);
    let (whole, counts) = parsed(&bytes);
    assert_eq!(places(&whole), (0..600).collect::<Vec<_>>());
    assert_eq!((counts.packets, counts.discarded), (600, 0));
    for piece in [1, 2, 31, 32, 33, 34, 65, 4096] {
        let mut parser = Parser::default();
        let mut found = Vec::new();
        for piece in bytes.chunks(piece) {
            parser.push(piece);
            found.extend(all(&mut parser));
        }
        assert_eq!(found, whole, "pieces of {piece} bytes");
    }
}

#[test]
fn a_packet_in_its_place_is_found_with_its_last_byte() {
    let mut parser = Parser::default();
    parser.push(&stream(0..2));
    assert_eq!(all(&mut parser).len(), 2);
    let third = bytes_of(2);
    parser.push(&third[..32]);
    assert_eq!(parser.next_found(), None);
    parser.push(&third[32..]);
    assert_eq!(places(&all(&mut parser)), [2]);
}

#[test]
fn answers_that_arrive_while_streaming_are_taken_out_of_the_bytes() {
    let mut bytes = stream(0..3);
    bytes.extend(b"Success: Channel set for 3$$$");
    bytes.extend(stream(3..5));
    bytes.extend(b"250 Hz$$$ADS 1299\r\nON$$$");
    bytes.extend(stream(5..9));
    let (found, counts) = parsed(&bytes);
    let answers = found.iter().enumerate().filter_map(|(at, f)| match f {
        Found::Answer(text) => Some((at, text.as_str())),
        Found::Packet(_) => None,
    });
    let answers: Vec<_> = answers.collect();
    assert_eq!(
        answers,
        [
            (3, "Success: Channel set for 3"),
            (6, "250 Hz"),
            (7, "ADS 1299\r\nON")
        ]
    );
    assert_eq!(places(&found), (0..9).collect::<Vec<_>>());
    assert_eq!((counts.answer_bytes, counts.discarded), (53, 0));
}

#[test]
fn a_packet_that_comes_twice_is_given_once() {
    let mut bytes = stream(0..4);
    bytes.extend(bytes_of(3));
    bytes.extend(stream(4..6));
    let (found, counts) = parsed(&bytes);
    assert_eq!(places(&found), [0, 1, 2, 3, 4, 5]);
    assert_eq!((counts.repeated, counts.discarded), (1, 0));
}

#[test]
fn a_packet_cut_short_costs_itself_and_nothing_behind_it() {
    for kept in 1..33 {
        let mut bytes = stream(0..5);
        bytes.extend(&bytes_of(5)[..kept]);
        bytes.extend(stream(6..12));
        let (found, counts) = parsed(&bytes);
        let found = places(&found);
        assert_eq!(found[..5], [0, 1, 2, 3, 4]);
        assert!(
            found.ends_with(&[8, 9, 10, 11]),
            "{kept} bytes kept: {found:?}"
        );
        assert!(counts.discarded >= kept as u64);
    }
}

#[test]
fn a_long_loss_is_believed_when_the_packet_behind_it_agrees() {
    let (found, counts) = parsed(&stream((0..3).chain(150..153)));
    assert_eq!(places(&found), [0, 1, 2, 150, 151, 152]);
    assert_eq!(counts.discarded, 0);
}

#[test]
fn every_byte_is_accounted_for() {
    let mut bytes = b"noise\xA0\xC0 text$$$".to_vec();
    bytes.extend(stream(0..3));
    bytes.extend(b"$$$\xFF\xFF\xA0");
    bytes.extend(stream(3..7));
    bytes.extend(&bytes_of(7)[..20]);
    let mut parser = Parser::default();
    parser.push(&bytes);
    all(&mut parser);
    let counts = parser.counts();
    let accounted = counts.packets * 33 + counts.answer_bytes + counts.discarded;
    assert_eq!(accounted + parser.pending() as u64, counts.pushed);
    assert_eq!(counts.pushed, bytes.len() as u64);
}

/// What happens to a stream on its way.
#[derive(Clone, Debug)]
enum Mutation {
    Flip(usize, u8),
    Insert(usize, Vec<u8>),
    Remove(usize, usize),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Mutation::Flip(at, byte)),
        (any::<usize>(), noise(40)).prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
        (any::<usize>(), 1..80_usize).prop_map(|(at, count)| Mutation::Remove(at, count)),
    ]
}

/// Random bytes, those that begin and end packets and answers often among them.
fn noise(most: usize) -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![any::<u8>(), Just(0xA0), 0xC0..=0xCF_u8, Just(b'$')];
    proptest::collection::vec(byte, 0..most)
}

fn mutate(bytes: &mut Vec<u8>, mutation: &Mutation) {
    match mutation {
        Mutation::Flip(at, byte) => {
            let at = at % bytes.len();
            bytes[at] ^= byte;
        }
        Mutation::Insert(at, inserted) => {
            let at = at % bytes.len();
            bytes.splice(at..at, inserted.iter().copied());
        }
        Mutation::Remove(at, count) => {
            let at = at % bytes.len();
            let end = (at + count).min(bytes.len() - 1);
            bytes.drain(at.min(end)..end);
        }
    }
}

/// Whatever came before: of the packets behind it at most the first two are not found, and nothing else is found in their
/// place once the stream is found again.
fn finds_the_stream_again(before: &[u8], pieces: usize) -> Result<(), TestCaseError> {
    let mut parser = Parser::default();
    let clean = stream(1000..1040);
    let mut found = Vec::new();
    let whole: Vec<u8> = before.iter().chain(&clean).copied().collect();
    for piece in whole.chunks(pieces) {
        parser.push(piece);
        found.extend(all(&mut parser));
    }
    let found = places(&found);
    prop_assert!(
        found.ends_with(&(1002..1040).collect::<Vec<_>>()),
        "found {found:?} behind {before:x?}"
    );
    let counts = parser.counts();
    let accounted = (counts.packets + counts.repeated) * 33 + counts.answer_bytes;
    prop_assert_eq!(
        accounted + counts.discarded + parser.pending() as u64,
        counts.pushed
    );
    Ok(())
}

fn cases() -> ProptestConfig {
    // 10^7 bytes are 10,000 cases of about 1,000 bytes.
    let asked = std::env::var("EPHAPSE_FUZZ_BYTES").ok();
    let bytes: u64 = asked.and_then(|text| text.parse().ok()).unwrap_or(500_000);
    ProptestConfig {
        cases: u32::try_from(bytes / 1000).unwrap_or(u32::MAX).max(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn behind_random_bytes_the_stream_is_found_within_two_packets(
        random in noise(2000),
        pieces in 1..100_usize,
    ) {
        finds_the_stream_again(&random, pieces)?;
    }

    #[test]
    fn behind_a_mutated_stream_it_is_found_again_within_two_packets(
        mutations in proptest::collection::vec(mutation(), 1..12),
        pieces in 1..100_usize,
    ) {
        let mut bytes = stream(960..1000);
        for mutation in &mutations {
            mutate(&mut bytes, mutation);
        }
        finds_the_stream_again(&bytes, pieces)?;
    }
}
