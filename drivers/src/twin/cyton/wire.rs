//! How a Cyton writes a packet.

/// What stands in a packet behind its channels, with the last byte that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// Accelerometer axes; zeros: nothing new.
    Axes(i16, i16, i16),
    /// Three words of analog inputs, or of digital lines.
    Words(u16, u16, u16),
    /// A byte of an axis, and the board's ms; `first` after time stamps were switched on.
    AxisAndTime {
        code: u8,
        byte: u8,
        ms: u32,
        first: bool,
    },
    /// Two bytes of inputs, and the board's ms.
    BytesAndTime {
        bytes: (u8, u8),
        ms: u32,
        first: bool,
    },
}

/// The bytes of a packet. Values beyond 24 bits are held at their limits, as the converter holds them.
pub fn write_packet(to: &mut Vec<u8>, number: u8, values: &[i32], tail: Tail) {
    to.push(0xA0);
    to.push(number);
    for value in values {
        let value = (*value).clamp(-0x80_0000, 0x7F_FFFF);
        to.push((value >> 16) as u8);
        to.push((value >> 8) as u8);
        to.push(value as u8);
    }
    let word = |to: &mut Vec<u8>, word: u16| {
        to.push((word >> 8) as u8);
        to.push(word as u8);
    };
    let time = |to: &mut Vec<u8>, ms: u32| {
        for shift in [24, 16, 8, 0] {
            to.push((ms >> shift) as u8);
        }
    };
    match tail {
        Tail::Axes(x, y, z) => {
            for axis in [x, y, z] {
                word(to, axis as u16);
            }
            to.push(0xC0);
        }
        Tail::Words(a, b, c) => {
            for input in [a, b, c] {
                word(to, input);
            }
            to.push(0xC1);
        }
        Tail::AxisAndTime {
            code,
            byte,
            ms,
            first,
        } => {
            to.extend([code, byte]);
            time(to, ms);
            to.push(if first { 0xC3 } else { 0xC4 });
        }
        Tail::BytesAndTime { bytes, ms, first } => {
            to.extend([bytes.0, bytes.1]);
            time(to, ms);
            to.push(if first { 0xC5 } else { 0xC6 });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written out by hand after OpenBCI's page on the data format.
    #[test]
    fn packets_are_those_of_the_format_page() {
        let mut bytes = Vec::new();
        let values = [0x01_0203, -1, -0x80_0000, 0x7F_FFFF, 0x100_0000, 0, 0, 5];
        write_packet(&mut bytes, 200, &values, Tail::Axes(-2, 0x1234, 0));
        let expected = [
            0xA0, 200, 1, 2, 3, 0xFF, 0xFF, 0xFF, 0x80, 0, 0, 0x7F, 0xFF, 0xFF, 0x7F, 0xFF, 0xFF,
            0, 0, 0, 0, 0, 0, 0, 0, 5, 0xFF, 0xFE, 0x12, 0x34, 0, 0, 0xC0,
        ];
        assert_eq!(bytes, expected);
    }

    #[test]
    fn the_last_byte_follows_the_tail() {
        let tails = [
            (
                Tail::Words(0x0102, 0x0304, 0x0506),
                [1, 2, 3, 4, 5, 6, 0xC1],
            ),
            (
                Tail::AxisAndTime {
                    code: b'X',
                    byte: 9,
                    ms: 0x0102_0304,
                    first: true,
                },
                [b'X', 9, 1, 2, 3, 4, 0xC3],
            ),
            (
                Tail::BytesAndTime {
                    bytes: (7, 8),
                    ms: 0xFF,
                    first: false,
                },
                [7, 8, 0, 0, 0, 0xFF, 0xC6],
            ),
        ];
        for (tail, expected) in tails {
            let mut bytes = Vec::new();
            write_packet(&mut bytes, 0, &[0; 8], tail);
            assert_eq!(bytes.len(), 33);
            assert_eq!(bytes[26..], expected);
        }
    }
}
