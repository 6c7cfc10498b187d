//! The block that travels: 100 frames of 60 channels of `i32`, written and read in place on either ring by the same code.

use ephapse_engine::abi::SlotHeader;
use ephapse_rtconfig::stream_type::{Dtype, Rate, StreamType};

/// Bytes of the payload.
pub const PAYLOAD_BYTES: usize = 60 * 100 * 4;
/// Slots of either ring.
pub const SLOTS: u32 = 64;

/// Which moment the producer stamps into the header; the consumer's moment is always after the last byte was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// Before a slot is claimed: writing the payload is part of the hop.
    Claim,
    /// After the payload was written, before it is published.
    Commit,
}

/// Type of the stream.
pub fn stream_type() -> StreamType {
    StreamType::frames(Dtype::I32, 100, 60, Rate::hz(20_000), "count")
}

/// Header of block `position`.
pub fn header(position: u64, stamped_ns: u64) -> SlotHeader {
    SlotHeader {
        position,
        cause: position,
        first_frame: position * 100,
        parts: 1,
        valid: 100,
        committed_ns: stamped_ns,
        ..SlotHeader::default()
    }
}

/// Writes the payload of block `position`. Not inlined, so that both rings run the very same loop.
#[inline(never)]
pub fn fill(payload: &mut [u8], position: u64) {
    let first = position as u32;
    for (index, sample) in payload.as_chunks_mut::<4>().0.iter_mut().enumerate() {
        *sample = first.wrapping_add(index as u32).to_ne_bytes();
    }
}

/// Reads every sample of a payload.
#[inline(never)]
pub fn sum(payload: &[u8]) -> u32 {
    payload.as_chunks::<4>().0.iter().fold(0, |sum, sample| {
        sum.wrapping_add(u32::from_ne_bytes(*sample))
    })
}

/// What [`sum`] gives for block `position`.
pub fn expected_sum(position: u64) -> u32 {
    let samples = (PAYLOAD_BYTES / 4) as u32;
    (position as u32)
        .wrapping_mul(samples)
        .wrapping_add((samples / 2).wrapping_mul(samples - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_type_has_blocks_of_24_kb() {
        assert_eq!(stream_type().block_bytes(), PAYLOAD_BYTES);
        assert_eq!(PAYLOAD_BYTES, 24_000);
    }

    #[test]
    fn a_payload_read_back_has_the_sum_of_its_position_and_of_no_other() {
        let mut payload = vec![0; PAYLOAD_BYTES];
        for position in [0, 1, 77, u64::from(u32::MAX) + 5] {
            fill(&mut payload, position);
            assert_eq!(sum(&payload), expected_sum(position), "block {position}");
            assert_ne!(
                sum(&payload),
                expected_sum(position + 1),
                "block {position}"
            );
        }
    }
}
