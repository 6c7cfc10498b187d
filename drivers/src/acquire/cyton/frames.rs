//! Frames out of packets: numbers without their wrap, two packets joined for 16 channels, accelerometer and aux carried on.

use super::packet::{Aux, PACKET_CHANNELS, Packet};

/// Channels with a Daisy.
pub const MOST_CHANNELS: usize = 2 * PACKET_CHANNELS;
/// Packets per second.
pub const PACKETS_PER_S: u64 = 250;
/// From packet to packet, ns, by the board's nominal clock.
pub const PACKET_NS: u64 = 1_000_000_000 / PACKETS_PER_S;
/// Packets that adapters gather at most before they deliver: four times 16 ms.
const GATHERED: u64 = 16;
/// Values of a packet's number.
const NUMBERS: u64 = 256;

/// What stands beside the channels of a frame: the newest of each, carried on where a packet has nothing new.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    /// Accelerometer X, Y, Z, counts of 0.002 / 16 g.
    pub accel: [i16; 3],
    /// The six bytes of raw aux packets; two of them in packets with the board's time.
    pub raw: [u8; 6],
    /// The board's clock, ms; 0 as long as it has not been sent.
    pub board_ms: u32,
    /// Last byte of the frame's newest packet.
    pub footer: u8,
    /// High byte of each axis that has come and waits for its low one.
    high: [Option<u8>; 3],
}

impl Beside {
    fn take(&mut self, packet: &Packet) {
        self.footer = packet.footer;
        match packet.aux {
            // All zero says that there is no new value: a board at rest feels gravity on some axis.
            Aux::Accel([0, 0, 0]) | Aux::User(_) => {}
            Aux::Accel(accel) => self.accel = accel,
            Aux::Raw(raw) => self.raw = raw,
            Aux::AccelByte {
                code,
                byte,
                board_ms,
            } => {
                self.board_ms = board_ms;
                self.take_accel_byte(code, byte);
            }
            Aux::RawWithTime { bytes, board_ms } => {
                self.board_ms = board_ms;
                self.raw[..2].copy_from_slice(&bytes);
            }
        }
    }

    fn take_accel_byte(&mut self, code: u8, byte: u8) {
        let axis = match code.to_ascii_uppercase() {
            b'X' => 0,
            b'Y' => 1,
            b'Z' => 2,
            _ => return,
        };
        if code.is_ascii_uppercase() {
            self.high[axis] = Some(byte);
        } else if let Some(high) = self.high[axis].take() {
            self.accel[axis] = i16::from_be_bytes([high, byte]);
        }
    }
}

/// One sample of every channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Number of the frame since the board was started, lost ones counted.
    pub index: u64,
    /// Counts of 24 bits; the last eight are 0 without a Daisy.
    pub counts: [i32; MOST_CHANNELS],
    /// What stands beside them.
    pub beside: Beside,
}

/// Half of a frame: the board's own eight channels.
#[derive(Clone, Copy, Debug)]
struct BoardHalf {
    position: u64,
    counts: [i32; PACKET_CHANNELS],
}

/// Makes frames of the packets of a board, from one start to the next.
#[derive(Clone, Debug)]
pub struct Assembler {
    daisy: bool,
    /// Number of the newest packet without its wrap, and when it came, ns.
    last: Option<(u64, u64)>,
    /// Position of the packet that frame 0 begins with.
    first: Option<u64>,
    beside: Beside,
    half: Option<BoardHalf>,
    lost_packets: u64,
    gaps: u64,
}

impl Assembler {
    /// For a board that has just been started; `daisy`: with 16 channels.
    pub fn new(daisy: bool) -> Self {
        Assembler {
            daisy,
            last: None,
            first: None,
            beside: Beside::default(),
            half: None,
            lost_packets: 0,
            gaps: 0,
        }
    }

    /// Packets that did not come.
    pub fn lost_packets(&self) -> u64 {
        self.lost_packets
    }

    /// Places at which packets did not come.
    pub fn gaps(&self) -> u64 {
        self.gaps
    }

    /// Takes a packet that arrived at `arrived_ns`, and gives the frame that is complete with it. With a Daisy an odd packet
    /// has the board's channels and the even one behind it the Daisy's; a frame that lacks one is lost. (The board samples both at
    /// once and sends means over two samples, by turns: whichever two are joined, one is half a frame older.)
    pub fn take(&mut self, packet: &Packet, arrived_ns: u64) -> Option<Frame> {
        let position = self.position(packet.number, arrived_ns);
        self.beside.take(packet);
        let mut counts = [0; MOST_CHANNELS];
        if !self.daisy {
            counts[..PACKET_CHANNELS].copy_from_slice(&packet.counts);
            let first = *self.first.get_or_insert(position);
            return Some(self.frame(position - first, counts));
        }
        if position % 2 == 1 {
            self.half = Some(BoardHalf {
                position,
                counts: packet.counts,
            });
            self.first.get_or_insert(position);
            return None;
        }
        let half = self
            .half
            .take()
            .filter(|half| half.position + 1 == position)?;
        counts[..PACKET_CHANNELS].copy_from_slice(&half.counts);
        counts[PACKET_CHANNELS..].copy_from_slice(&packet.counts);
        let first = self.first.unwrap_or(half.position);
        Some(self.frame((half.position - first) / 2, counts))
    }

    fn frame(&self, index: u64, counts: [i32; MOST_CHANNELS]) -> Frame {
        Frame {
            index,
            counts,
            beside: self.beside,
        }
    }

    /// Number of the packet without its wrap. A number says how many were lost but for whole rounds of 256: those are told by
    /// the time that has passed. A packet may be early by what an adapter gathers; late it may be by as long as this host
    /// has not read, so a round counts only if all of its time has passed.
    fn position(&mut self, number: u8, arrived_ns: u64) -> u64 {
        let Some((last, last_ns)) = self.last else {
            let position = u64::from(number);
            self.last = Some((position, arrived_ns));
            return position;
        };
        let step = match number.wrapping_sub(last as u8) {
            0 => NUMBERS,
            step => u64::from(step),
        };
        let passed = arrived_ns.saturating_sub(last_ns) / PACKET_NS;
        let rounds = (passed.saturating_sub(step) + GATHERED) / NUMBERS;
        let step = step + rounds * NUMBERS;
        if step > 1 {
            self.lost_packets += step - 1;
            self.gaps += 1;
        }
        self.last = Some((last + step, arrived_ns));
        last + step
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(number: u32, aux: Aux, footer: u8) -> Packet {
        Packet {
            number: number as u8,
            counts: core::array::from_fn(|c| (number * 10) as i32 + c as i32),
            aux,
            footer,
        }
    }

    fn plain(number: u32) -> Packet {
        packet(number, Aux::Accel([0; 3]), 0xC0)
    }

    fn indices(assembler: &mut Assembler, numbers: impl IntoIterator<Item = u32>) -> Vec<u64> {
        let frames = numbers
            .into_iter()
            .filter_map(|n| assembler.take(&plain(n), u64::from(n) * PACKET_NS));
        frames.map(|f| f.index).collect()
    }

    #[test]
    fn numbers_that_wrap_go_on_and_a_jump_is_so_many_lost() {
        let mut assembler = Assembler::new(false);
        let found = indices(&mut assembler, (250..520).chain(525..530));
        let expected: Vec<u64> = (0..270).chain(275..280).collect();
        assert_eq!(found, expected);
        assert_eq!((assembler.lost_packets(), assembler.gaps()), (5, 1));
    }

    #[test]
    fn whole_rounds_that_were_lost_are_told_by_the_time() {
        for lost in [255, 256, 300, 1000, 1279] {
            let mut assembler = Assembler::new(false);
            let found = indices(&mut assembler, (0..10).chain(10 + lost..20 + lost));
            assert_eq!(found[10], u64::from(10 + lost), "{lost}");
            assert_eq!(assembler.lost_packets(), u64::from(lost));
        }
    }

    #[test]
    fn packets_that_come_in_lumps_are_not_taken_for_lost_rounds() {
        let mut assembler = Assembler::new(false);
        // Half a second of nothing, then everything at once.
        assembler.take(&plain(0), 0);
        for number in 1..=125 {
            assembler.take(&plain(number), 500_000_000);
        }
        assert_eq!(assembler.lost_packets(), 0);
    }

    #[test]
    fn with_a_daisy_an_odd_packet_and_the_even_one_behind_it_are_a_frame() {
        let mut assembler = Assembler::new(true);
        let frames: Vec<Frame> = (0..7)
            .filter_map(|n| assembler.take(&plain(n), 0))
            .collect();
        assert_eq!(
            frames.iter().map(|f| f.index).collect::<Vec<_>>(),
            [0, 1, 2]
        );
        assert_eq!(frames[1].counts[..9], [30, 31, 32, 33, 34, 35, 36, 37, 40]);
    }

    #[test]
    fn a_missing_half_costs_its_frame_only() {
        for missing in [5, 6] {
            let mut assembler = Assembler::new(true);
            let found = indices(&mut assembler, (0..20).filter(|n| *n != missing));
            assert_eq!(found, [0, 1, 3, 4, 5, 6, 7, 8], "without packet {missing}");
            assert_eq!(assembler.lost_packets(), 1);
        }
    }

    #[test]
    fn the_accelerometer_holds_its_value_until_a_new_one_comes() {
        let mut assembler = Assembler::new(false);
        let auxes = [[0; 3], [8000, -5, 1], [0; 3], [7, 0, 0], [0; 3]];
        let accels: Vec<[i16; 3]> = (0..)
            .zip(auxes)
            .filter_map(|(n, aux)| assembler.take(&packet(n, Aux::Accel(aux), 0xC0), 0))
            .map(|f| f.beside.accel)
            .collect();
        assert_eq!(
            accels,
            [[0; 3], [8000, -5, 1], [8000, -5, 1], [7, 0, 0], [7, 0, 0]]
        );
    }

    #[test]
    fn accelerometer_bytes_beside_board_times_make_values_when_the_low_byte_comes() {
        let mut assembler = Assembler::new(false);
        let bytes = [
            (b'X', 0x1F),
            (b'x', 0x40),
            (b'y', 9),
            (b'Z', 0xFF),
            (b'?', 1),
            (b'z', 0xF0),
        ];
        let mut last = Beside::default();
        for (n, (code, byte)) in (0..).zip(bytes) {
            let aux = Aux::AccelByte {
                code,
                byte,
                board_ms: 1000 + n,
            };
            last = assembler.take(&packet(n, aux, 0xC4), 0).unwrap().beside;
        }
        assert_eq!(last.accel, [0x1F40, 0, -16]);
        assert_eq!((last.board_ms, last.footer), (1005, 0xC4));
    }

    #[test]
    fn raw_bytes_are_carried_on_and_renewed() {
        let mut assembler = Assembler::new(false);
        assembler.take(&packet(0, Aux::Raw([1, 2, 3, 4, 5, 6]), 0xC1), 0);
        let aux = Aux::RawWithTime {
            bytes: [9, 8],
            board_ms: 77,
        };
        let beside = assembler.take(&packet(1, aux, 0xC6), 0).unwrap().beside;
        assert_eq!((beside.raw, beside.board_ms), ([9, 8, 3, 4, 5, 6], 77));
    }
}
