//! Packets and answers out of the bytes of a Cyton that streams.
//!
//! A packet has no checksum, and its first and last byte occur in data, too. Behind a packet the next one is expected at
//! once: there its first and last byte are enough. Where bytes had to be passed over, its number must also follow the last
//! one closely; and a number that does not (the first, one after a long loss, a repeated one) is believed when a second
//! packet stands right behind with the number after it. On a mismatch one byte is passed over, not a packet.
//!
//! Commands may be sent while the board streams. Their answers, text that ends in `$$$`, stand between two packets.

use super::packet::{PACKET_BYTES, Packet, begins, has_form};

/// A number so many after the last one follows it closely: what a moment of bad radio costs.
const CLOSELY: u8 = 8;
/// No answer is longer: the longest, the list of registers, has 2,000 bytes.
const MOST_ANSWER_BYTES: usize = 8192;
const ANSWER_END: &[u8] = b"$$$";

/// What was found in the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A packet.
    Packet(Packet),
    /// The answer to a command, without its `$$$`.
    Answer(String),
}

/// What became of all bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByteCounts {
    /// Bytes pushed.
    pub pushed: u64,
    /// Packets found, repeated ones not among them.
    pub packets: u64,
    /// Packets that came twice in a row, byte for byte; the second is left out.
    pub repeated: u64,
    /// Bytes of answers, `$$$` included.
    pub answer_bytes: u64,
    /// Bytes that were neither.
    pub discarded: u64,
}

/// Finds packets and answers, whatever pieces the bytes come in.
#[derive(Clone, Debug, Default)]
pub struct Parser {
    bytes: Vec<u8>,
    /// The first so many of `bytes` were passed over: an answer that is not complete, or nothing.
    passed: usize,
    /// The packet before.
    last: Option<[u8; PACKET_BYTES]>,
    counts: ByteCounts,
}

/// What stands at a place that begins like a packet.
enum Candidate {
    Packet([u8; PACKET_BYTES]),
    No,
    /// More bytes are needed to say.
    Wait,
}

impl Parser {
    /// Adds what has arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.counts.pushed += bytes.len() as u64;
        self.bytes.extend_from_slice(bytes);
    }

    /// The next packet or answer that is complete.
    pub fn next_found(&mut self) -> Option<Found> {
        while let Some(byte) = self.bytes.get(self.passed) {
            if begins(*byte) {
                match self.candidate() {
                    Candidate::Wait => return None,
                    Candidate::Packet(bytes) => {
                        if let Some(packet) = self.take_packet(&bytes) {
                            return Some(Found::Packet(packet));
                        }
                        continue;
                    }
                    Candidate::No => {}
                }
            }
            self.passed += 1;
            if self.bytes[..self.passed].ends_with(ANSWER_END) {
                if let Some(answer) = self.take_answer() {
                    return Some(Found::Answer(answer));
                }
            } else if self.passed >= 2 * MOST_ANSWER_BYTES {
                self.discard(MOST_ANSWER_BYTES);
            }
        }
        None
    }

    /// What became of all bytes so far. What is not in any of the counts is still being looked at.
    pub fn counts(&self) -> ByteCounts {
        self.counts
    }

    /// Bytes that are still being looked at.
    pub fn pending(&self) -> usize {
        self.bytes.len()
    }

    fn form_at(&self, at: usize) -> Option<[u8; PACKET_BYTES]> {
        let bytes = self.bytes.get(at..at + PACKET_BYTES)?;
        bytes.try_into().ok()
    }

    fn candidate(&self) -> Candidate {
        let Some(bytes) = self.form_at(self.passed) else {
            return Candidate::Wait;
        };
        if !has_form(&bytes) {
            return Candidate::No;
        }
        let step = self.last.map(|last| bytes[1].wrapping_sub(last[1]));
        let follows = step.is_some_and(|step| (1..=CLOSELY).contains(&step));
        let at_once = self.last.is_some() && self.passed == 0;
        if follows || (at_once && self.last == Some(bytes)) {
            return Candidate::Packet(bytes);
        }
        let behind = self.passed + PACKET_BYTES;
        match self.form_at(behind) {
            Some(next) if has_form(&next) && next[1] == bytes[1].wrapping_add(1) => {
                Candidate::Packet(bytes)
            }
            Some(_) => Candidate::No,
            // A byte that begins no packet settles it at once.
            None if self.bytes.get(behind).is_some_and(|byte| !begins(*byte)) => Candidate::No,
            None => Candidate::Wait,
        }
    }

    fn take_packet(&mut self, bytes: &[u8; PACKET_BYTES]) -> Option<Packet> {
        self.discard(self.passed);
        self.bytes.drain(..PACKET_BYTES);
        if self.last.as_ref() == Some(bytes) {
            self.counts.repeated += 1;
            return None;
        }
        self.last = Some(*bytes);
        self.counts.packets += 1;
        Packet::decode(bytes)
    }

    /// The text that ends where the passed-over bytes end; `None` if that is nothing but its end mark.
    fn take_answer(&mut self) -> Option<String> {
        let seen = &self.bytes[..self.passed];
        let text_bytes = seen.iter().rev().take_while(|b| is_text(**b)).count();
        let begin = (self.passed - text_bytes).max(self.passed.saturating_sub(MOST_ANSWER_BYTES));
        let text = &seen[begin..self.passed - ANSWER_END.len()];
        let text = String::from_utf8_lossy(text).trim().to_owned();
        let answer_bytes = self.passed - begin;
        self.discard(begin);
        self.bytes.drain(..answer_bytes);
        self.passed = 0;
        if text.is_empty() {
            self.counts.discarded += answer_bytes as u64;
            return None;
        }
        self.counts.answer_bytes += answer_bytes as u64;
        Some(text)
    }

    /// The first `count` of the passed-over bytes are neither packet nor answer.
    fn discard(&mut self, count: usize) {
        self.counts.discarded += count as u64;
        self.bytes.drain(..count);
        self.passed -= count;
    }
}

fn is_text(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\r' | b'\n' | b'\t')
}

#[cfg(test)]
mod tests;
