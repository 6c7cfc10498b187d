//! Bytes to lines: of bounded length, and harmless in a terminal.

/// Longest line that is kept whole, bytes.
pub(super) const LONGEST: usize = 4096;

/// A line as it was written, without its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RawLine<'a> {
    /// At most [`LONGEST`] bytes.
    pub bytes: &'a [u8],
    /// Bytes beyond them.
    pub cut: u64,
    /// Nothing more came.
    pub unfinished: bool,
}

/// The beginning of a line whose end has not come yet.
#[derive(Debug, Default)]
pub(super) struct Lines {
    held: Vec<u8>,
    cut: u64,
}

impl Lines {
    /// Takes what was read, and gives every line that ends in it.
    pub fn feed(&mut self, mut bytes: &[u8], mut each: impl FnMut(RawLine<'_>)) {
        while let Some(end) = bytes.iter().position(|b| *b == b'\n') {
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            if self.held.is_empty() && line.len() <= LONGEST {
                each(RawLine {
                    bytes: line,
                    cut: 0,
                    unfinished: false,
                });
            } else {
                self.hold(line);
                self.give(false, &mut each);
            }
            bytes = rest;
        }
        self.hold(bytes);
    }

    /// Nothing more comes: gives a line that was begun.
    pub fn end(&mut self, mut each: impl FnMut(RawLine<'_>)) {
        if !self.held.is_empty() {
            self.give(true, &mut each);
        }
    }

    fn hold(&mut self, bytes: &[u8]) {
        let room = LONGEST - self.held.len();
        let fits = bytes.len().min(room);
        self.held.extend_from_slice(&bytes[..fits]);
        self.cut += (bytes.len() - fits) as u64;
    }

    fn give(&mut self, unfinished: bool, each: &mut impl FnMut(RawLine<'_>)) {
        each(RawLine {
            bytes: &self.held,
            cut: self.cut,
            unfinished,
        });
        self.held.clear();
        self.cut = 0;
    }
}

/// The text of a line: what is no UTF-8 replaced, colours and cursor movements left out, every other character that a terminal
/// would obey or that turns the direction of writing spelt out.
pub(super) fn harmless(bytes: &[u8]) -> String {
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    let text = String::from_utf8_lossy(bytes);
    let mut clean = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\x1b' if rest.peek() == Some(&'[') => {
                rest.next();
                // Parameters and intermediates, then the one that says what is to be done.
                while rest.next_if(|c| matches!(c, ' '..='?')).is_some() {}
                rest.next_if(|c| matches!(c, '@'..='~'));
            }
            '\t' => clean.push(c),
            c if c.is_control() || turns_direction(c) => {
                clean.extend(c.escape_unicode());
            }
            c => clean.push(c),
        }
    }
    clean
}

fn turns_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(chunks: &[&[u8]]) -> Vec<(Vec<u8>, u64, bool)> {
        let (mut lines, mut all) = (Lines::default(), Vec::new());
        let mut each = |l: RawLine<'_>| all.push((l.bytes.to_vec(), l.cut, l.unfinished));
        for chunk in chunks {
            lines.feed(chunk, &mut each);
        }
        lines.end(&mut each);
        all
    }

    #[test]
    fn lines_are_the_same_however_they_were_read() {
        let whole = b"one\n\nthree\nfo";
        let expected = [
            (b"one".to_vec(), 0, false),
            (b"".to_vec(), 0, false),
            (b"three".to_vec(), 0, false),
            (b"fo".to_vec(), 0, true),
        ];
        for cut in 0..=whole.len() {
            let (a, b) = whole.split_at(cut);
            assert_eq!(lines_of(&[a, b]), expected, "cut at {cut}");
        }
    }

    #[test]
    fn a_line_without_end_takes_no_more_memory_and_what_is_cut_is_counted() {
        let chunk = [b'x'; 1000];
        let mut lines = Lines::default();
        for _ in 0..1000 {
            lines.feed(&chunk, |_| panic!("it has no end"));
        }
        assert_eq!(lines.held.len(), LONGEST);
        let mut seen = Vec::new();
        lines.feed(b"\nnext\n", |l| seen.push((l.bytes.len(), l.cut)));
        assert_eq!(seen, [(LONGEST, 1_000_000 - LONGEST as u64), (4, 0)]);
    }

    #[test]
    fn a_long_line_in_one_piece_is_cut_as_well() {
        let mut bytes = vec![b'y'; LONGEST + 7];
        bytes.push(b'\n');
        assert_eq!(lines_of(&[&bytes]), [(vec![b'y'; LONGEST], 7, false)]);
    }

    #[test]
    fn nothing_that_a_terminal_would_obey_is_left() {
        assert_eq!(harmless(b"\x1b[1;31mred\x1b[0m and plain"), "red and plain");
        assert_eq!(harmless(b"10 %\r20 %\r"), "10 %\\u{d}20 %");
        assert_eq!(harmless(b"\x1b]0;title\x07"), "\\u{1b}]0;title\\u{7}");
        assert_eq!(harmless(b"tab\there \xff"), "tab\there \u{fffd}");
        assert_eq!(
            harmless("\u{9b}2J \u{202e}".as_bytes()),
            "\\u{9b}2J \\u{202e}"
        );
        assert_eq!(harmless(b"broken off \x1b["), "broken off ");
    }
}
