//! Stored numbers of any format as `f64`.

use ephapse_rtconfig::stream_type::Dtype;

/// Calls `each` with every number and its place. Digital lines have none.
pub(super) fn each_f64(dtype: Dtype, payload: &[u8], each: impl FnMut(usize, f64)) {
    match dtype {
        Dtype::I8 => all(payload, |b| f64::from(i8::from_le_bytes(b)), each),
        Dtype::I16 => all(payload, |b| f64::from(i16::from_le_bytes(b)), each),
        Dtype::I32 => all(payload, |b| f64::from(i32::from_le_bytes(b)), each),
        Dtype::I64 => all(payload, |b| i64::from_le_bytes(b) as f64, each),
        Dtype::U8 => all(payload, |b| f64::from(u8::from_le_bytes(b)), each),
        Dtype::U16 => all(payload, |b| f64::from(u16::from_le_bytes(b)), each),
        Dtype::U32 => all(payload, |b| f64::from(u32::from_le_bytes(b)), each),
        Dtype::U64 => all(payload, |b| u64::from_le_bytes(b) as f64, each),
        Dtype::F32 => all(payload, |b| f64::from(f32::from_le_bytes(b)), each),
        Dtype::F64 => all(payload, f64::from_le_bytes, each),
        Dtype::Bits => {}
    }
}

fn all<const N: usize>(
    payload: &[u8],
    read: impl Fn([u8; N]) -> f64,
    mut each: impl FnMut(usize, f64),
) {
    for (place, bytes) in payload.as_chunks::<N>().0.iter().enumerate() {
        each(place, read(*bytes));
    }
}
