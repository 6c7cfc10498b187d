//! Stored numbers of any format as `f64`, in physical units where the stream knows them.

use ephapse_engine::stage::StageError;
use ephapse_rtconfig::stream_type::{Dtype, Kind, StreamType};
use zerocopy::{FromBytes, Immutable};

/// Frames per second of an input. `needs` says, in an error, what is nothing without: "a filter needs one".
///
/// # Errors
/// If the stream has none.
pub fn rate_of(port: &str, input: &StreamType, needs: &str) -> Result<f64, StageError> {
    let rate_hz = input.rate.as_f64();
    if rate_hz > 0.0 {
        return Ok(rate_hz);
    }
    let why = format!("has no rate ({}): {needs}", input.summary());
    Err(StageError::input(port, why))
}

/// Turns the payload of a `time x channel` frames stream into `f64`.
#[derive(Clone, Debug)]
pub struct Numbers {
    dtype: Dtype,
    channels: usize,
    /// Per channel; empty means the stored number itself.
    gain: Vec<f64>,
    /// Per channel; empty means 0.
    offset: Vec<f64>,
}

impl Numbers {
    /// The stored numbers themselves, in the stream's unit. `port` names the input in errors.
    ///
    /// # Errors
    /// If the stream is not `time x channel` frames of numbers.
    pub fn stored(port: &str, input: &StreamType) -> Result<Self, StageError> {
        let wrong = |what: String| {
            StageError::input(
                port,
                format!("{what}; needed are frames `time x channel` of numbers"),
            )
        };
        if input.kind != Kind::Frames {
            return Err(wrong(format!("is {}", input.summary())));
        }
        if input.dtype == Dtype::Bits {
            return Err(wrong("holds digital lines (bits)".to_owned()));
        }
        if input.axes.len() > 2 {
            let names: Vec<&str> = input.axes.iter().map(|a| a.name.as_str()).collect();
            return Err(wrong(format!("has the axes {}", names.join(" x "))));
        }
        if input.elements_per_frame() == 0 || input.frames_per_block() == 0 {
            return Err(wrong(format!("is empty ({})", input.summary())));
        }
        Ok(Numbers {
            dtype: input.dtype,
            channels: input.elements_per_frame(),
            gain: Vec::new(),
            offset: Vec::new(),
        })
    }

    /// Microvolts if the stream's `si_unit` is `V`, else the stored numbers.
    ///
    /// A microvolt is `stored * gain + offset` with `gain = scale * 1e6`, computed once per channel.
    ///
    /// # Errors
    /// As [`Numbers::stored`].
    pub fn physical(port: &str, input: &StreamType) -> Result<Self, StageError> {
        let mut numbers = Numbers::stored(port, input)?;
        if input.si_unit == "V" {
            let per_channel = |of: &dyn Fn(usize) -> f64| {
                (0..numbers.channels)
                    .map(|c| of(c) * 1e6)
                    .collect::<Vec<f64>>()
            };
            let gain = per_channel(&|c| input.scale_of(c));
            let offset = per_channel(&|c| input.offset_of(c));
            if gain.iter().any(|g| *g != 1.0) {
                numbers.gain = gain;
            }
            if offset.iter().any(|o| *o != 0.0) {
                numbers.gain = per_channel(&|c| input.scale_of(c));
                numbers.offset = offset;
            }
        }
        Ok(numbers)
    }

    /// The `f64` type of what [`Numbers::physical`] gives: shape, labels and positions of `input`; `uV` with its SI
    /// scale for volts, else `input`'s own unit and scale.
    pub fn physical_type(input: &StreamType) -> StreamType {
        let mut output = input.clone();
        output.dtype = Dtype::F64;
        if input.si_unit == "V" {
            output.unit = "uV".to_owned();
            output.scale = vec![1e-6; input.elements_per_frame()];
            output.offset = Vec::new();
        }
        output
    }

    /// Channels of a frame.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// The payload itself if it already is what [`Numbers::convert`] would write.
    pub fn in_place<'a>(&self, payload: &'a [u8]) -> Option<&'a [f64]> {
        if self.dtype == Dtype::F64 && self.gain.is_empty() {
            <[f64]>::ref_from_bytes(payload).ok()
        } else {
            None
        }
    }

    /// The frames of a payload: in place where they are stored so already, else converted into `room`, which must be as long as
    /// [`Numbers::convert`] wants it.
    pub fn frames<'a>(&self, payload: &'a [u8], room: &'a mut [f64]) -> &'a [f64] {
        match self.in_place(payload) {
            Some(frames) => frames,
            None => self.convert(payload, room),
        }
    }

    /// Converts whole frames; returns the `f64` written at the start of `out`, frame after frame.
    ///
    /// # Panics
    /// If `out` is shorter than the payload has numbers, or the payload is no whole number of them: both are compared
    /// when the stage is prepared.
    pub fn convert<'a>(&self, payload: &[u8], out: &'a mut [f64]) -> &'a mut [f64] {
        match self.dtype {
            Dtype::I8 => self.fill::<i8>(payload, out, f64::from),
            Dtype::I16 => self.fill::<i16>(payload, out, f64::from),
            Dtype::I32 => self.fill::<i32>(payload, out, f64::from),
            Dtype::I64 => self.fill::<i64>(payload, out, |v| v as f64),
            Dtype::U8 => self.fill::<u8>(payload, out, f64::from),
            Dtype::U16 => self.fill::<u16>(payload, out, f64::from),
            Dtype::U32 => self.fill::<u32>(payload, out, f64::from),
            Dtype::U64 => self.fill::<u64>(payload, out, |v| v as f64),
            Dtype::F32 => self.fill::<f32>(payload, out, f64::from),
            Dtype::F64 => self.fill::<f64>(payload, out, |v| v),
            Dtype::Bits => unreachable!("refused by Numbers::stored"),
        }
    }

    fn fill<'a, T: FromBytes + Immutable + Copy>(
        &self,
        payload: &[u8],
        out: &'a mut [f64],
        number: impl Fn(T) -> f64,
    ) -> &'a mut [f64] {
        let stored = <[T]>::ref_from_bytes(payload)
            .unwrap_or_else(|_| panic!("payload is not a whole number of this type"));
        let out = &mut out[..stored.len()];
        if self.gain.is_empty() {
            for (y, x) in out.iter_mut().zip(stored) {
                *y = number(*x);
            }
            return out;
        }
        for (ys, xs) in out
            .chunks_exact_mut(self.channels)
            .zip(stored.chunks_exact(self.channels))
        {
            for ((y, x), gain) in ys.iter_mut().zip(xs).zip(&self.gain) {
                *y = number(*x) * gain;
            }
            for (y, offset) in ys.iter_mut().zip(&self.offset) {
                *y += offset;
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ephapse_rtconfig::stream_type::Rate;
    use zerocopy::IntoBytes;

    fn volts(dtype: Dtype, scale: f64, offset: f64) -> StreamType {
        let mut t = StreamType::frames(dtype, 2, 2, Rate::hz(1000), "count");
        t.si_unit = "V".to_owned();
        t.scale = vec![scale; 2];
        t.offset = vec![offset; 2];
        t
    }

    #[test]
    fn counts_of_195_nanovolts_become_exactly_the_microvolts_of_0_195_a_count() {
        let t = volts(Dtype::I16, 1.95e-7, 0.0);
        let stored: [i16; 4] = [1, -60, 21, i16::MIN];
        let mut out = [0.0; 4];
        Numbers::physical("frames", &t)
            .unwrap()
            .convert(stored.as_bytes(), &mut out);
        assert_eq!(out, stored.map(|s| f64::from(s) * 0.195));
        let made = Numbers::physical_type(&t);
        assert_eq!((made.unit.as_str(), made.si_unit.as_str()), ("uV", "V"));
        assert_eq!(made.scale, [1e-6, 1e-6]);
        assert!(made.offset.is_empty());
    }

    #[test]
    fn the_offset_of_a_stored_zero_is_added_in_microvolts() {
        let t = volts(Dtype::U16, 1e-6, -0.032768);
        let mut out = [0.0; 4];
        Numbers::physical("frames", &t)
            .unwrap()
            .convert([32768u16, 32769, 0, 65535].as_bytes(), &mut out);
        assert_eq!(out, [0.0, 1.0, -32768.0, 32767.0]);
    }

    #[test]
    fn microvolts_in_f64_are_read_in_place() {
        let mut t = StreamType::frames(Dtype::F64, 2, 2, Rate::hz(1000), "uV");
        t.si_unit = "V".to_owned();
        t.scale = vec![1e-6; 2];
        let data = [1.0, 2.0, 3.0, 4.0];
        let numbers = Numbers::physical("frames", &t).unwrap();
        assert_eq!(numbers.in_place(data.as_bytes()), Some(&data[..]));
        t.scale[1] = 2e-6;
        let numbers = Numbers::physical("frames", &t).unwrap();
        assert_eq!(numbers.in_place(data.as_bytes()), None);
    }

    #[test]
    fn every_number_format_is_read_and_bits_are_refused() {
        for dtype in Dtype::ALL {
            let t = StreamType::frames(dtype, 1, 1, Rate::hz(1000), "count");
            let numbers = Numbers::physical("frames", &t);
            if dtype == Dtype::Bits {
                let error = numbers.unwrap_err().to_string();
                assert!(
                    error.contains("input `frames`") && error.contains("bits"),
                    "{error}"
                );
                continue;
            }
            let mut bytes = [0u8; 8];
            match dtype {
                Dtype::F32 => bytes[..4].copy_from_slice(&7f32.to_le_bytes()),
                Dtype::F64 => bytes.copy_from_slice(&7f64.to_le_bytes()),
                _ => bytes[0] = 7,
            }
            // A u64 array keeps the bytes aligned for every format.
            let words = [u64::from_le_bytes(bytes)];
            let mut out = [0.0];
            numbers
                .unwrap()
                .convert(&words.as_bytes()[..dtype.bytes(1)], &mut out);
            assert_eq!(out, [7.0], "{}", dtype.name());
        }
    }
}
