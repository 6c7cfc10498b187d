//! The block that travels: written and read in place, on every link by the same code.
//!
//! Word 0 is when the sender began (CLOCK_MONOTONIC, ns), word 1 the block's position; each further word depends on the
//! position and its own index, so that a lost, doubled, stale or torn block does not go unseen.

/// Smallest payload.
pub const LEAST: usize = 64;

/// Writes the payload of block `position`. Not inlined, so that every link runs the very same loop.
#[inline(never)]
pub fn fill(payload: &mut [u8], position: u64, began_ns: u64) {
    let (words, _) = payload.as_chunks_mut::<8>();
    for (index, word) in words.iter_mut().enumerate() {
        *word = position.wrapping_add(index as u64).to_ne_bytes();
    }
    if let [first, second, ..] = words {
        *first = began_ns.to_ne_bytes();
        *second = position.to_ne_bytes();
    }
}

/// What a reader learns of a block by reading every word of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Word 0.
    pub began_ns: u64,
    /// Word 1.
    pub position: u64,
    /// Sum of the words behind them.
    pub sum: u64,
    words: u64,
}

/// Reads every word of a payload.
#[inline(never)]
pub fn read(payload: &[u8]) -> Seen {
    let (words, _) = payload.as_chunks::<8>();
    let [first, second, rest @ ..] = words else {
        return Seen {
            began_ns: 0,
            position: u64::MAX,
            sum: 0,
            words: 0,
        };
    };
    Seen {
        began_ns: u64::from_ne_bytes(*first),
        position: u64::from_ne_bytes(*second),
        sum: rest
            .iter()
            .fold(0, |sum, word| sum.wrapping_add(u64::from_ne_bytes(*word))),
        words: words.len() as u64,
    }
}

impl Seen {
    /// Is this block `position`, whole?
    ///
    /// # Errors
    /// Says what arrived instead.
    pub fn check(&self, position: u64) -> Result<(), String> {
        // Words 2 to n-1: (n-2) position + sum of 2..n.
        let behind = self.words.saturating_sub(2);
        let indices = if behind == 0 {
            0
        } else {
            (self.words + 1) * behind / 2
        };
        let expected = position.wrapping_mul(behind).wrapping_add(indices);
        if self.position == position && self.sum == expected && self.words > 0 {
            Ok(())
        } else {
            Err(format!(
                "block {position} arrived as block {} with another payload",
                self.position
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_read_back_is_its_position_s_and_no_other_s() {
        for bytes in [LEAST, 240, 24_000, 61_440] {
            let mut payload = vec![0; bytes];
            for position in [0, 1, 77, u64::from(u32::MAX) + 5, u64::MAX] {
                fill(&mut payload, position, 123);
                let seen = read(&payload);
                assert_eq!(seen.began_ns, 123);
                assert_eq!(seen.check(position), Ok(()), "{bytes} B, block {position}");
                assert!(seen.check(position.wrapping_add(1)).is_err());
            }
        }
    }

    #[test]
    fn a_block_torn_in_the_middle_is_seen() {
        let mut old = vec![0; 240];
        let mut new = vec![0; 240];
        fill(&mut old, 5, 1);
        fill(&mut new, 6, 2);
        old[..128].copy_from_slice(&new[..128]);
        assert!(read(&old).check(6).is_err());
        assert!(read(&[0; 64]).check(0).is_err());
    }
}
