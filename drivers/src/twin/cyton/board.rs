//! What a board does with the bytes it is sent.

use super::signal::{CHANNELS, Signal};
use super::wire::{Tail, write_packet};

/// Packets per second.
const RATE: u64 = 250;
/// A new value of the accelerometer every so many packets: 25 per second.
const ACCEL_EVERY: u64 = 10;
const BANNER: &str = "OpenBCI V3 8-16 channel\nOn Board ADS1299 Device ID: 0x3E\n";
const DAISY_BANNER: &str = "On Daisy ADS1299 Device ID: 0x3E\n";
const BANNER_END: &str = "LIS3DH Device ID: 0x33\nFirmware: v3.1.2\n$$$";
const OFF: &str = "Failure: Communications timeout - Device failed to poll Host$$$";
/// Gains by their code.
const GAIN_OF_CODE: [f64; 7] = [1.0, 2.0, 4.0, 6.0, 8.0, 12.0, 24.0];
const SWITCH_OFF: &[u8; CHANNELS] = b"12345678qwertyui";
const SWITCH_ON: &[u8; CHANNELS] = b"!@#$%^&*QWERTYUI";
const IN_SETTINGS: &[u8; CHANNELS] = b"12345678QWERTYUI";
/// Bytes between `x` and `X`.
const SETTINGS: usize = 7;

/// What is collected of a command that is longer than a byte.
enum Collecting {
    Nothing,
    Settings(Vec<u8>),
    Mode,
    Rate,
}

/// A board, switched on.
pub(super) struct Board {
    has_daisy: bool,
    /// 16 channels are in use.
    sixteen: bool,
    streaming: bool,
    mode: u8,
    /// Board times are on; true inside: the next packet is the first with one.
    times: Option<bool>,
    gains: [f64; CHANNELS],
    on: [bool; CHANNELS],
    collecting: Collecting,
    /// Packets since the start of the stream.
    packets: u64,
    /// Packets since it was switched on: its clock.
    clock: u64,
    off: bool,
    /// `b` that began a stream, and `b` to a board that streamed.
    pub starts: u64,
    pub starts_in_vain: u64,
}

impl Board {
    pub fn new(has_daisy: bool, off: bool) -> Self {
        Board {
            has_daisy,
            sixteen: has_daisy,
            streaming: false,
            mode: b'0',
            times: None,
            gains: [24.0; CHANNELS],
            on: [true; CHANNELS],
            collecting: Collecting::Nothing,
            packets: 0,
            clock: 0,
            off,
            starts: 0,
            starts_in_vain: 0,
        }
    }

    pub fn streaming(&self) -> bool {
        self.streaming
    }

    /// Takes a byte from the host; what is answered is added to `answer`.
    pub fn hear(&mut self, byte: u8, answer: &mut Vec<u8>) {
        let text = if self.off {
            // `s` and `b` are not answered even by a board that is there.
            if matches!(byte, b's' | b'b') {
                String::new()
            } else {
                OFF.to_owned()
            }
        } else {
            match std::mem::replace(&mut self.collecting, Collecting::Nothing) {
                Collecting::Nothing => self.command(byte),
                Collecting::Settings(settings) => self.settings(settings, byte),
                Collecting::Mode => self.set_mode(byte),
                Collecting::Rate => rate_answer(byte).to_owned(),
            }
        };
        answer.extend_from_slice(text.as_bytes());
    }

    fn command(&mut self, byte: u8) -> String {
        let place = |set: &[u8]| set.iter().position(|b| *b == byte);
        match byte {
            b'v' => {
                *self = Board {
                    starts: self.starts,
                    starts_in_vain: self.starts_in_vain,
                    clock: self.clock,
                    ..Board::new(self.has_daisy, false)
                };
                let daisy = if self.has_daisy { DAISY_BANNER } else { "" };
                format!("{BANNER}{daisy}{BANNER_END}")
            }
            b'd' => {
                self.gains = [24.0; CHANNELS];
                self.on = [true; CHANNELS];
                "updating channel settings to default$$$".to_owned()
            }
            b'V' => "v3.1.2$$$".to_owned(),
            b'?' => "Board ADS Registers\nADS_ID, 00, 3E, 0, 0, 1, 1, 1, 1, 1, 0\n$$$".to_owned(),
            b'C' if self.has_daisy => {
                self.sixteen = true;
                "16$$$".to_owned()
            }
            b'C' => "no daisy to attach!8$$$".to_owned(),
            b'c' => {
                let removed = std::mem::take(&mut self.sixteen);
                let text = if removed {
                    "daisy removed"
                } else {
                    "no daisy to remove!"
                };
                format!("{text}$$$")
            }
            b'x' => {
                self.collecting = Collecting::Settings(Vec::new());
                String::new()
            }
            b'/' => {
                self.collecting = Collecting::Mode;
                String::new()
            }
            b'~' => {
                self.collecting = Collecting::Rate;
                String::new()
            }
            b'b' => {
                if self.streaming {
                    self.starts_in_vain += 1;
                } else {
                    self.starts += 1;
                    self.streaming = true;
                    self.packets = 0;
                }
                String::new()
            }
            b's' => {
                self.streaming = false;
                String::new()
            }
            b'<' => {
                self.times = Some(true);
                "Time stamp ON$$$".to_owned()
            }
            b'>' => {
                self.times = None;
                "Time stamp OFF$$$".to_owned()
            }
            b'0' | b'-' | b'=' | b'p' | b'[' | b']' => {
                "Configured internal test signal.$$$".to_owned()
            }
            _ => {
                let switched = place(SWITCH_OFF)
                    .map(|c| (c, false))
                    .or(place(SWITCH_ON).map(|c| (c, true)));
                let Some((channel, on)) = switched else {
                    return String::new();
                };
                self.on[channel] = on;
                let said = if on { "on" } else { "off" };
                if self.streaming {
                    String::new()
                } else {
                    format!("Channel {} {said}$$$", channel + 1)
                }
            }
        }
    }

    fn settings(&mut self, mut settings: Vec<u8>, byte: u8) -> String {
        if byte != b'X' {
            settings.push(byte);
            if settings.len() > SETTINGS {
                return "Failure: too many chars$$$".to_owned();
            }
            self.collecting = Collecting::Settings(settings);
            return String::new();
        }
        let Ok([name, power, gain, input, bias, srb2, srb1]) = <[u8; SETTINGS]>::try_from(settings)
        else {
            return "Failure: too few chars$$$".to_owned();
        };
        let channel = IN_SETTINGS.iter().position(|b| *b == name);
        let gain = GAIN_OF_CODE.get(usize::from(gain.wrapping_sub(b'0')));
        let bits = [power, bias, srb2, srb1]
            .iter()
            .all(|b| matches!(b, b'0' | b'1'));
        match (channel, gain) {
            (Some(channel), Some(gain)) if bits && (b'0'..=b'7').contains(&input) => {
                self.gains[channel] = *gain;
                self.on[channel] = power == b'0';
                format!("Success: Channel set for {}$$$", channel + 1)
            }
            _ => "Failure: invalid channel settings$$$".to_owned(),
        }
    }

    fn set_mode(&mut self, byte: u8) -> String {
        let name = match byte {
            b'0' => "default",
            b'1' => "debug",
            b'2' => "analog",
            b'3' => "digital",
            b'4' => "marker",
            _ => return "Failure: invalid board mode value$$$".to_owned(),
        };
        self.mode = byte;
        format!("Success: {name}$$$")
    }

    /// The bytes of the next packet.
    pub fn packet(&mut self, signal: &Signal, to: &mut Vec<u8>) {
        let packet = self.packets;
        let seconds = packet as f64 / RATE as f64;
        // With 16 channels packets 1 and 2 are frame 0; packet 0 belongs to no frame.
        let (frame, offset) = if self.sixteen {
            (
                packet.saturating_sub(1) / 2,
                if packet % 2 == 1 { 0 } else { 8 },
            )
        } else {
            (packet, 0)
        };
        let values: [i32; 8] = core::array::from_fn(|c| {
            let channel = c + offset;
            if !self.on[channel] || (self.sixteen && packet == 0) {
                return 0;
            }
            let uv_per_count = 4.5e6 / self.gains[channel] / 8_388_607.0;
            (signal.uv(frame, seconds, channel) / uv_per_count).round() as i32
        });
        let tail = self.tail(packet);
        write_packet(to, packet as u8, &values, tail);
        self.packets += 1;
        self.clock += 1;
    }

    /// At rest, lying flat: 1 g on z. Inputs count up, so that each can be told from the others.
    fn tail(&mut self, packet: u64) -> Tail {
        let ms = (self.clock * 1000 / RATE) as u32;
        let first = self.times == Some(true);
        let timed = self.times.is_some();
        if timed {
            self.times = Some(false);
        }
        let (x, y, z) = ((packet % 100) as i16 * 16, -320, 8000_i16);
        let (a5, a6, a7) = ((packet % 1024) as u16, 512, 1023);
        match (self.mode, timed) {
            (b'2', false) => Tail::Words(a5, a6, a7),
            (b'2', true) => Tail::BytesAndTime {
                bytes: ((a5 >> 8) as u8, a5 as u8),
                ms,
                first,
            },
            (b'3', false) => Tail::Words((packet % 2) as u16 * 256, 256, 1),
            (b'3', true) => Tail::BytesAndTime {
                bytes: ((packet % 2) as u8, 0),
                ms,
                first,
            },
            (_, true) => {
                let axes = [x.to_be_bytes(), i16::to_be_bytes(y), z.to_be_bytes()];
                let turn = (packet % ACCEL_EVERY) as usize;
                let code = *b"XxYyZz".get(turn).unwrap_or(&0);
                let byte = axes.get(turn / 2).map_or(0, |axis| axis[turn % 2]);
                Tail::AxisAndTime {
                    code,
                    byte,
                    ms,
                    first,
                }
            }
            (_, false) if packet.is_multiple_of(ACCEL_EVERY) => Tail::Axes(x, y, z),
            (_, false) => Tail::Axes(0, 0, 0),
        }
    }
}

fn rate_answer(byte: u8) -> &'static str {
    match byte {
        b'6' | b'~' => "Success: Sample rate is 250Hz$$$",
        b'0'..=b'5' => "Failure: sample rate needs a Wi-Fi shield$$$",
        _ => "Failure: invalid sample rate$$$",
    }
}
