//! Names and one-line reasons as fixed bytes.

use crate::sync::{AtomicU64, Ordering};

/// Zero-padded UTF-8, cut at a character's border.
pub fn fixed<const N: usize>(text: &str) -> [u8; N] {
    let mut out = [0; N];
    let mut end = text.len().min(N);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    out[..end].copy_from_slice(&text.as_bytes()[..end]);
    out
}

/// The text before the first zero byte.
pub fn of(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// Stores a text in words of shared memory.
pub fn store(words: &[AtomicU64], text: &str) {
    let mut end = text.len().min(words.len() * 8);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let bytes = &text.as_bytes()[..end];
    for (index, word) in words.iter().enumerate() {
        let mut chunk = [0; 8];
        let part = bytes.get(index * 8..).unwrap_or_default();
        let n = part.len().min(8);
        chunk[..n].copy_from_slice(&part[..n]);
        word.store(u64::from_le_bytes(chunk), Ordering::Relaxed);
    }
}

/// Loads a text from words of shared memory.
pub fn load(words: &[AtomicU64]) -> String {
    let bytes: Vec<u8> = words
        .iter()
        .flat_map(|w| w.load(Ordering::Relaxed).to_le_bytes())
        .collect();
    of(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_too_long_is_cut_at_a_character() {
        assert_eq!(of(&fixed::<4>("abcµ")), "abc");
        let words = [const { AtomicU64::new(0) }; 2];
        store(&words, "fifteen bytes: µ and more");
        assert_eq!(load(&words), "fifteen bytes: ");
    }
}
