//! Change of number format. Scale and offset stay with the type.

use super::buffer::Buffer;
use ephapse_rtconfig::stream_type::{Dtype, StreamType};

/// Converts rows of one dtype to another: integers saturate, fractions round to nearest even, NaN becomes 0.
pub(super) struct Cast {
    from: Dtype,
    to: Dtype,
    elements: usize,
    output: Buffer,
}

impl Cast {
    pub fn new(ring_type: &StreamType, to: Dtype) -> Self {
        let elements = ring_type.elements_per_frame();
        Cast {
            from: ring_type.dtype,
            to,
            elements,
            output: Buffer::new(to.bytes(elements) * ring_type.frames_per_block() as usize),
        }
    }

    pub fn apply(&mut self, payload: &[u8], rows: usize) -> &[u8] {
        let (from, to) = (self.from.bytes(1), self.to.bytes(1));
        let output = self.output.bytes_mut();
        for index in 0..rows * self.elements {
            let value = load(self.from, &payload[index * from..]);
            store(self.to, value, &mut output[index * to..]);
        }
        self.output(rows)
    }

    pub fn output(&self, rows: usize) -> &[u8] {
        &self.output.bytes()[..self.to.bytes(self.elements) * rows]
    }
}

/// A number in flight: 64-bit integers must not lose bits on their way through f64.
#[derive(Clone, Copy)]
enum Number {
    Integer(i128),
    Float(f64),
}

fn head<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[..N]);
    out
}

fn load(dtype: Dtype, bytes: &[u8]) -> Number {
    match dtype {
        Dtype::I8 => Number::Integer(i8::from_le_bytes(head(bytes)).into()),
        Dtype::I16 => Number::Integer(i16::from_le_bytes(head(bytes)).into()),
        Dtype::I32 => Number::Integer(i32::from_le_bytes(head(bytes)).into()),
        Dtype::I64 => Number::Integer(i64::from_le_bytes(head(bytes)).into()),
        Dtype::U8 | Dtype::Bits => Number::Integer(bytes[0].into()),
        Dtype::U16 => Number::Integer(u16::from_le_bytes(head(bytes)).into()),
        Dtype::U32 => Number::Integer(u32::from_le_bytes(head(bytes)).into()),
        Dtype::U64 => Number::Integer(u64::from_le_bytes(head(bytes)).into()),
        Dtype::F32 => Number::Float(f32::from_le_bytes(head(bytes)).into()),
        Dtype::F64 => Number::Float(f64::from_le_bytes(head(bytes))),
    }
}

fn store(dtype: Dtype, value: Number, bytes: &mut [u8]) {
    let integer = |low: i128, high: i128| match value {
        Number::Integer(v) => v.clamp(low, high),
        // `as` saturates and turns NaN into 0.
        Number::Float(v) => (v.round_ties_even() as i128).clamp(low, high),
    };
    let float = match value {
        Number::Integer(v) => v as f64,
        Number::Float(v) => v,
    };
    match dtype {
        Dtype::I8 => bytes[..1]
            .copy_from_slice(&(integer(i8::MIN.into(), i8::MAX.into()) as i8).to_le_bytes()),
        Dtype::I16 => bytes[..2]
            .copy_from_slice(&(integer(i16::MIN.into(), i16::MAX.into()) as i16).to_le_bytes()),
        Dtype::I32 => bytes[..4]
            .copy_from_slice(&(integer(i32::MIN.into(), i32::MAX.into()) as i32).to_le_bytes()),
        Dtype::I64 => bytes[..8]
            .copy_from_slice(&(integer(i64::MIN.into(), i64::MAX.into()) as i64).to_le_bytes()),
        Dtype::U8 | Dtype::Bits => bytes[0] = integer(0, u8::MAX.into()) as u8,
        Dtype::U16 => {
            bytes[..2].copy_from_slice(&(integer(0, u16::MAX.into()) as u16).to_le_bytes())
        }
        Dtype::U32 => {
            bytes[..4].copy_from_slice(&(integer(0, u32::MAX.into()) as u32).to_le_bytes())
        }
        Dtype::U64 => {
            bytes[..8].copy_from_slice(&(integer(0, u64::MAX.into()) as u64).to_le_bytes())
        }
        Dtype::F32 => bytes[..4].copy_from_slice(&(float as f32).to_le_bytes()),
        Dtype::F64 => bytes[..8].copy_from_slice(&float.to_le_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ephapse_rtconfig::stream_type::Rate;
    use zerocopy::IntoBytes;

    fn cast(from: Dtype, to: Dtype, payload: &[u8], channels: u32) -> Vec<u8> {
        let ring = StreamType::frames(from, 1, channels, Rate::hz(1000), "count");
        Cast::new(&ring, to).apply(payload, 1).to_vec()
    }

    #[test]
    fn integers_saturate_and_fractions_round_to_even() {
        let floats = [1e9, -1e9, 2.5, 3.5, f64::NAN, -0.5];
        assert_eq!(
            cast(Dtype::F64, Dtype::I16, floats.as_bytes(), 6),
            [32767_i16, -32768, 2, 4, 0, 0].as_bytes()
        );
        assert_eq!(
            cast(Dtype::I32, Dtype::U8, [-5_i32, 300, 7].as_bytes(), 3),
            [0, 255, 7]
        );
    }

    #[test]
    fn large_integers_keep_every_bit() {
        let large = [i64::MAX - 1, i64::MIN + 1];
        assert_eq!(
            cast(Dtype::I64, Dtype::I64, large.as_bytes(), 2),
            large.as_bytes()
        );
    }
}
