//! One packet of a Cyton: 33 bytes, a sample number, eight channels, six bytes of something else.

/// Bytes of a packet.
pub const PACKET_BYTES: usize = 33;
/// Channels of a packet; 16 channels come in two packets.
pub const PACKET_CHANNELS: usize = 8;
const HEADER: u8 = 0xA0;
const COUNTS_AT: usize = 2;
const AUX_AT: usize = 26;
const FOOTER_AT: usize = PACKET_BYTES - 1;

/// What a packet carries beside its channels. Which of these it is the packet's last byte says, never a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aux {
    /// 0xC0: accelerometer, counts of 0.002 / 16 g; all zero when there is no new value.
    Accel([i16; 3]),
    /// 0xC1: as the board mode has it: three analog inputs, 16 bits each, most significant byte first, or digital lines.
    Raw([u8; 6]),
    /// 0xC3, 0xC4: one byte of an accelerometer value, and the board's clock.
    AccelByte {
        /// `X x Y y Z z`: upper case, the high byte.
        code: u8,
        /// The byte.
        byte: u8,
        /// The board's clock, ms.
        board_ms: u32,
    },
    /// 0xC5, 0xC6: two bytes as in `Raw`, and the board's clock.
    RawWithTime {
        /// The bytes.
        bytes: [u8; 2],
        /// The board's clock, ms.
        board_ms: u32,
    },
    /// 0xC2 and 0xC7 to 0xCF: the user's own.
    User([u8; 6]),
}

/// One packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Sample number, modulo 256.
    pub number: u8,
    /// Channels, counts of 24 bits.
    pub counts: [i32; PACKET_CHANNELS],
    /// The six bytes behind them.
    pub aux: Aux,
    /// Last byte, 0xC0 to 0xCF.
    pub footer: u8,
}

/// True for the byte that every packet begins with.
pub(super) fn begins(byte: u8) -> bool {
    byte == HEADER
}

/// True if these bytes begin and end as a packet does.
pub(super) fn has_form(bytes: &[u8; PACKET_BYTES]) -> bool {
    begins(bytes[0]) && bytes[FOOTER_AT] >> 4 == 0xC
}

impl Packet {
    /// Decodes bytes that begin and end as a packet does; `None` if they do not.
    pub fn decode(bytes: &[u8; PACKET_BYTES]) -> Option<Self> {
        if !has_form(bytes) {
            return None;
        }
        let mut counts = [0; PACKET_CHANNELS];
        for (count, three) in counts.iter_mut().zip(bytes[COUNTS_AT..AUX_AT].chunks(3)) {
            // The shift back carries the sign down.
            *count = i32::from_be_bytes([three[0], three[1], three[2], 0]) >> 8;
        }
        let aux = [
            bytes[26], bytes[27], bytes[28], bytes[29], bytes[30], bytes[31],
        ];
        let [a, b, c, d, e, f] = aux;
        let board_ms = u32::from_be_bytes([c, d, e, f]);
        let footer = bytes[FOOTER_AT];
        Some(Packet {
            number: bytes[1],
            counts,
            aux: match footer {
                0xC0 => Aux::Accel([[a, b], [c, d], [e, f]].map(i16::from_be_bytes)),
                0xC1 => Aux::Raw(aux),
                0xC3 | 0xC4 => Aux::AccelByte {
                    code: a,
                    byte: b,
                    board_ms,
                },
                0xC5 | 0xC6 => Aux::RawWithTime {
                    bytes: [a, b],
                    board_ms,
                },
                _ => Aux::User(aux),
            },
            footer,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(aux: [u8; 6], footer: u8) -> Packet {
        let mut bytes = [0; PACKET_BYTES];
        bytes[0] = 0xA0;
        bytes[1] = 77;
        bytes[2..5].copy_from_slice(&[0x7F, 0xFF, 0xFF]);
        bytes[5..8].copy_from_slice(&[0x80, 0x00, 0x00]);
        bytes[8..11].copy_from_slice(&[0xFF, 0xFF, 0xFE]);
        bytes[26..32].copy_from_slice(&aux);
        bytes[32] = footer;
        Packet::decode(&bytes).unwrap()
    }

    #[test]
    fn channels_are_24_bits_of_twos_complement_most_significant_byte_first() {
        let packet = packet([0; 6], 0xC0);
        assert_eq!(packet.number, 77);
        assert_eq!(packet.counts[..4], [8_388_607, -8_388_608, -2, 0]);
    }

    #[test]
    fn the_last_byte_says_what_the_six_bytes_before_it_are() {
        let bytes = [0x12, 0x34, 0xFF, 0xFE, 0x80, 0x01];
        let board_ms = 0xFFFE_8001;
        let expected = [
            (0xC0, Aux::Accel([0x1234, -2, -32767])),
            (0xC1, Aux::Raw(bytes)),
            (0xC2, Aux::User(bytes)),
            (
                0xC3,
                Aux::AccelByte {
                    code: 0x12,
                    byte: 0x34,
                    board_ms,
                },
            ),
            (
                0xC4,
                Aux::AccelByte {
                    code: 0x12,
                    byte: 0x34,
                    board_ms,
                },
            ),
            (
                0xC5,
                Aux::RawWithTime {
                    bytes: [0x12, 0x34],
                    board_ms,
                },
            ),
            (
                0xC6,
                Aux::RawWithTime {
                    bytes: [0x12, 0x34],
                    board_ms,
                },
            ),
            (0xC7, Aux::User(bytes)),
            (0xCF, Aux::User(bytes)),
        ];
        for (footer, aux) in expected {
            let packet = packet(bytes, footer);
            assert_eq!((packet.aux, packet.footer), (aux, footer), "{footer:x}");
        }
    }

    #[test]
    fn bytes_that_begin_or_end_otherwise_are_no_packet() {
        let mut bytes = [0; PACKET_BYTES];
        bytes[0] = 0xA0;
        for footer in [0x00, 0xBF, 0xD0, 0xFF] {
            bytes[32] = footer;
            assert_eq!(Packet::decode(&bytes), None);
        }
        bytes[32] = 0xC0;
        bytes[0] = 0xA1;
        assert_eq!(Packet::decode(&bytes), None);
    }
}
