//! Types of streams as plain structs: shown to C, and read from it.

use crate::outcome::{Failure, c_text};
use ephapse_engine::abi::MAX_AXES;
use ephapse_rtconfig::stream_type::{
    Axis as StreamAxis, Dtype, Field as RecordField, Kind, Rate, RecordLayout, StreamType,
};
use std::ffi::{CStr, CString, c_char};
use std::ptr;

/// Kind of a stream: a dense array, time first.
pub const EPHAPSE_FRAMES: u32 = 1;
/// Kind of a stream: records, described field by field.
pub const EPHAPSE_RECORDS: u32 = 2;
/// Kind of a stream: opaque bytes.
pub const EPHAPSE_BYTES: u32 = 3;

/// Number format: signed 8 bits.
pub const EPHAPSE_I8: u32 = 1;
/// Number format: signed 16 bits, little-endian as all that follow.
pub const EPHAPSE_I16: u32 = 2;
/// Number format: signed 32 bits.
pub const EPHAPSE_I32: u32 = 3;
/// Number format: signed 64 bits.
pub const EPHAPSE_I64: u32 = 4;
/// Number format: unsigned 8 bits.
pub const EPHAPSE_U8: u32 = 5;
/// Number format: unsigned 16 bits.
pub const EPHAPSE_U16: u32 = 6;
/// Number format: unsigned 32 bits.
pub const EPHAPSE_U32: u32 = 7;
/// Number format: unsigned 64 bits.
pub const EPHAPSE_U64: u32 = 8;
/// Number format: `float`.
pub const EPHAPSE_F32: u32 = 9;
/// Number format: `double`.
pub const EPHAPSE_F64: u32 = 10;
/// Number format: digital lines, one bit per channel from the least significant bit, a row padded to whole bytes.
pub const EPHAPSE_BITS: u32 = 11;

/// Most axes of a stream.
pub const EPHAPSE_MAX_AXES: usize = 4;

const _: () = assert!(EPHAPSE_MAX_AXES == MAX_AXES);

/// One axis. Texts are UTF-8 and never null in what the library shows; null means empty in what you give.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Axis {
    /// `time`, `channel`, `frequency`, `row`, `column`, or a name of the stage's own; at most 15 bytes.
    pub name: *const c_char,
    /// Unit of the axis, empty if none; at most 15 bytes.
    pub unit: *const c_char,
    /// One label per element, or null.
    pub labels: *const *const c_char,
    /// Elements along this axis.
    pub length: u32,
}

/// One field of a record.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Field {
    /// Name, at most 31 bytes.
    pub name: *const c_char,
    /// Unit, empty if none; at most 15 bytes.
    pub unit: *const c_char,
    /// `EPHAPSE_I8` to `EPHAPSE_F64`.
    pub dtype: u32,
    /// Elements; 1 for a scalar.
    pub count: u32,
    /// Byte offset in the record.
    pub offset: u32,
}

/// The type of a stream: what one block holds, how it is laid out, what its numbers mean. Two streams fit only if all of
/// it is the same, labels and units included. Zero a struct before you fill it in.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Type {
    /// `EPHAPSE_FRAMES`, `EPHAPSE_RECORDS` or `EPHAPSE_BYTES`.
    pub kind: u32,
    /// Number format of a frame's elements; `EPHAPSE_U8` for records and bytes.
    pub dtype: u32,
    /// Axes that count, 1 to 4.
    pub rank: u32,
    /// Axes, time first. The length of `axes[0]` is the frames (records, bytes) that a block can hold.
    pub axes: [Axis; EPHAPSE_MAX_AXES],
    /// Frames in `rate_denominator` seconds, in lowest terms.
    pub rate_numerator: u64,
    /// See `rate_numerator`; both 0: no fixed rate (records, bytes).
    pub rate_denominator: u64,
    /// Unit of the stored numbers (`uV`, `count`); at most 15 bytes.
    pub unit: *const c_char,
    /// SI unit of `stored * scale + offset` (`V`), empty if the numbers have no SI meaning; at most 15 bytes.
    pub si_unit: *const c_char,
    /// Per channel, `scales` of them: SI value per stored unit. Null: 1.
    pub scale: *const f64,
    /// Per channel, `offsets` of them: SI value of a stored zero. Null: 0.
    pub offset: *const f64,
    /// Per channel, `positions` times x, y, z of the electrode, micrometres; or null.
    pub positions_um: *const f64,
    /// Entries of `scale`.
    pub scales: u32,
    /// Entries of `offset`.
    pub offsets: u32,
    /// Entries (of three numbers) of `positions_um`.
    pub positions: u32,
    /// Fields of a record; 0 for frames and bytes.
    pub field_count: u32,
    /// The fields, in order of offset.
    pub fields: *const Field,
    /// Name of the record layout: `spike`, `event`, `command`, `mark`, or your own; at most 31 bytes.
    pub record_name: *const c_char,
    /// Bytes of a record, a multiple of 8.
    pub record_bytes: u32,
    /// Told by the library, not looked at in what you give: length of `axes[0]`.
    pub frames_per_block: u32,
    /// Told by the library: length of the axis `channel`, else of the second axis, else 1.
    pub channels: u32,
    /// Told by the library: bytes from one frame (record, byte) to the next, without padding.
    pub row_bytes: usize,
    /// Told by the library: the type in a line, `20 x 60 i32, 20000 Hz, count`.
    pub summary: *const c_char,
}

/// `frames_per_block x channels` frames at `rate_hz`, without labels, positions and SI scale. `unit` (null: none) must live as
/// long as the answer is used. A rate that is not positive means no fixed rate. The answer is not checked: whoever takes it does that.
#[unsafe(no_mangle)]
pub extern "C" fn ephapse_frames(
    dtype: u32,
    frames_per_block: u32,
    channels: u32,
    rate_hz: f64,
    unit: *const c_char,
) -> Type {
    let axis = |name: &'static CStr, length| Axis {
        name: name.as_ptr(),
        unit: c"".as_ptr(),
        labels: ptr::null(),
        length,
    };
    let rate = Rate::from_f64(rate_hz).unwrap_or(Rate::NONE);
    Type {
        kind: EPHAPSE_FRAMES,
        dtype,
        rank: 2,
        axes: [
            axis(c"time", frames_per_block),
            axis(c"channel", channels),
            axis(c"", 0),
            axis(c"", 0),
        ],
        rate_numerator: rate.numerator,
        rate_denominator: rate.denominator,
        unit,
        ..EMPTY
    }
}

const EMPTY: Type = Type {
    kind: 0,
    dtype: 0,
    rank: 0,
    axes: [Axis {
        name: c"".as_ptr(),
        unit: c"".as_ptr(),
        labels: ptr::null(),
        length: 0,
    }; EPHAPSE_MAX_AXES],
    rate_numerator: 0,
    rate_denominator: 0,
    unit: c"".as_ptr(),
    si_unit: c"".as_ptr(),
    scale: ptr::null(),
    offset: ptr::null(),
    positions_um: ptr::null(),
    scales: 0,
    offsets: 0,
    positions: 0,
    field_count: 0,
    fields: ptr::null(),
    record_name: c"".as_ptr(),
    record_bytes: 0,
    frames_per_block: 0,
    channels: 0,
    row_bytes: 0,
    summary: c"".as_ptr(),
};

/// A type shown to C, with everything it points to.
pub(crate) struct Shown {
    shown: Box<Type>,
    _texts: Vec<CString>,
    _labels: Vec<Vec<*const c_char>>,
    _numbers: Vec<Vec<f64>>,
    _fields: Vec<Field>,
}

impl Shown {
    pub fn new(of: &StreamType) -> Self {
        let mut texts = Vec::new();
        // A `CString`'s bytes stay where they are when the vector grows.
        let mut text = |text: &str| {
            texts.push(c_text(text));
            texts.last().map_or(ptr::null(), |t| t.as_ptr())
        };
        let mut labels = Vec::new();
        let mut shown = Box::new(EMPTY);
        for (axis, from) in shown.axes.iter_mut().zip(&of.axes) {
            let names: Vec<_> = from.labels.iter().map(|l| text(l)).collect();
            *axis = Axis {
                name: text(&from.name),
                unit: text(&from.unit),
                labels: pointer(&names),
                length: from.length,
            };
            labels.push(names);
        }
        let record = of.record.as_ref();
        let fields: Vec<Field> = record
            .map_or(&[][..], |r| &r.fields)
            .iter()
            .map(|field| Field {
                name: text(&field.name),
                unit: text(&field.unit),
                dtype: code_of(field.dtype),
                count: field.count,
                offset: field.offset,
            })
            .collect();
        let numbers = vec![
            of.scale.clone(),
            of.offset.clone(),
            of.positions_um.concat(),
        ];
        shown.kind = match of.kind {
            Kind::Frames => EPHAPSE_FRAMES,
            Kind::Records => EPHAPSE_RECORDS,
            Kind::Bytes => EPHAPSE_BYTES,
        };
        shown.dtype = code_of(of.dtype);
        shown.rank = of.axes.len() as u32;
        shown.rate_numerator = of.rate.numerator;
        shown.rate_denominator = of.rate.denominator;
        shown.unit = text(&of.unit);
        shown.si_unit = text(&of.si_unit);
        shown.scale = pointer(&numbers[0]);
        shown.offset = pointer(&numbers[1]);
        shown.positions_um = pointer(&numbers[2]);
        shown.scales = of.scale.len() as u32;
        shown.offsets = of.offset.len() as u32;
        shown.positions = of.positions_um.len() as u32;
        shown.field_count = fields.len() as u32;
        shown.fields = pointer(&fields);
        shown.record_name = text(record.map_or("", |r| &r.name));
        shown.record_bytes = record.map_or(0, |r| r.bytes);
        shown.frames_per_block = of.frames_per_block();
        shown.channels = of.channels() as u32;
        shown.row_bytes = of.row_bytes();
        shown.summary = text(&of.summary());
        Shown {
            shown,
            _texts: texts,
            _labels: labels,
            _numbers: numbers,
            _fields: fields,
        }
    }

    pub fn as_ptr(&self) -> *const Type {
        &raw const *self.shown
    }
}

fn pointer<T>(of: &[T]) -> *const T {
    if of.is_empty() {
        ptr::null()
    } else {
        of.as_ptr()
    }
}

fn code_of(dtype: Dtype) -> u32 {
    let at = Dtype::ALL.iter().position(|d| *d == dtype);
    at.map_or(0, |index| index as u32 + 1)
}

fn dtype_of(code: u32) -> Option<Dtype> {
    Dtype::ALL.get((code as usize).checked_sub(1)?).copied()
}

/// A text that C gave; `None` for a null pointer.
///
/// # Safety
/// `text` is null or ends with a zero byte, and is not changed meanwhile.
pub(crate) unsafe fn text_of<'a>(
    text: *const c_char,
    what: &str,
) -> Result<Option<&'a str>, Failure> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: not null; the rest is the caller's obligation.
    let text = unsafe { CStr::from_ptr(text) };
    match text.to_str() {
        Ok(text) => Ok(Some(text)),
        Err(_) => Err(Failure::argument(format!("{what}: is not UTF-8"))),
    }
}

/// A short text of a type; null means empty.
///
/// # Safety
/// As [`text_of`].
unsafe fn name_of(text: *const c_char, what: &str, most: usize) -> Result<String, Failure> {
    // SAFETY: the caller's obligation.
    let text = unsafe { text_of(text, what) }?.unwrap_or_default();
    if text.len() > most {
        return Err(Failure::argument(format!(
            "{what}: `{text}` has {} bytes, at most {most} fit",
            text.len()
        )));
    }
    Ok(text.to_owned())
}

/// `count` things at `from`; none if it is null.
///
/// # Safety
/// `from` is null or points to `count` values.
unsafe fn list<'a, T>(from: *const T, count: usize) -> &'a [T] {
    if from.is_null() {
        &[]
    } else {
        // SAFETY: the caller's obligation.
        unsafe { std::slice::from_raw_parts(from, count) }
    }
}

/// The type that C describes, checked.
///
/// # Safety
/// `of` is null or points to a [`Type`] whose texts end with zero bytes and whose tables are as long as it says.
pub(crate) unsafe fn read(of: *const Type) -> Result<StreamType, Failure> {
    // SAFETY: null or valid, as the caller promises.
    let Some(of) = (unsafe { of.as_ref() }) else {
        return Err(Failure::argument("type: is null"));
    };
    let kind = match of.kind {
        EPHAPSE_FRAMES => Kind::Frames,
        EPHAPSE_RECORDS => Kind::Records,
        EPHAPSE_BYTES => Kind::Bytes,
        other => {
            return Err(Failure::argument(format!(
                "type: kind {other} is none of EPHAPSE_FRAMES, EPHAPSE_RECORDS, EPHAPSE_BYTES"
            )));
        }
    };
    let unknown = |code: u32, what: &str| {
        Failure::argument(format!(
            "{what}: dtype {code} is none of EPHAPSE_I8 (1) to EPHAPSE_BITS (11)"
        ))
    };
    let dtype = dtype_of(of.dtype).ok_or_else(|| unknown(of.dtype, "type"))?;
    if of.rank == 0 || of.rank as usize > MAX_AXES {
        return Err(Failure::argument(format!(
            "type: rank {} is not 1 to {MAX_AXES}",
            of.rank
        )));
    }
    let mut axes = Vec::new();
    for axis in &of.axes[..of.rank as usize] {
        if axis.length == 0 {
            return Err(Failure::argument("type: an axis has length 0"));
        }
        // SAFETY: the caller's obligation, for the texts and the table of labels.
        let (name, unit, given) = unsafe {
            (
                name_of(axis.name, "axis name", 15)?,
                name_of(axis.unit, "axis unit", 15)?,
                list(axis.labels, axis.length as usize),
            )
        };
        let mut labels = Vec::new();
        for label in given {
            // SAFETY: as above.
            labels.push(unsafe { name_of(*label, "label", usize::MAX) }?);
        }
        axes.push(StreamAxis {
            name,
            length: axis.length,
            unit,
            labels,
        });
    }
    let record = match kind {
        // SAFETY: as above, for the record's name and fields.
        Kind::Records => Some(unsafe { record(of, unknown) }?),
        Kind::Frames | Kind::Bytes => None,
    };
    // SAFETY: as above, for the tables and texts.
    unsafe {
        let positions = list(of.positions_um, of.positions as usize * 3);
        Ok(StreamType {
            kind,
            dtype,
            axes,
            rate: Rate::new(of.rate_numerator, of.rate_denominator),
            unit: name_of(of.unit, "unit", 15)?,
            si_unit: name_of(of.si_unit, "si_unit", 15)?,
            scale: list(of.scale, of.scales as usize).to_vec(),
            offset: list(of.offset, of.offsets as usize).to_vec(),
            record,
            positions_um: positions.as_chunks::<3>().0.to_vec(),
        })
    }
}

/// # Safety
/// As [`read`].
unsafe fn record(
    of: &Type,
    unknown: impl Fn(u32, &str) -> Failure,
) -> Result<RecordLayout, Failure> {
    // SAFETY: the caller's obligation.
    let name = unsafe { name_of(of.record_name, "record name", 31) }?;
    if of.record_bytes == 0 || !of.record_bytes.is_multiple_of(8) {
        return Err(Failure::argument(format!(
            "record `{name}`: {} bytes are not a positive multiple of 8",
            of.record_bytes
        )));
    }
    let mut fields = Vec::new();
    // SAFETY: as above.
    for given in unsafe { list(of.fields, of.field_count as usize) } {
        // SAFETY: as above.
        let field = unsafe { name_of(given.name, "field name", 31) }?;
        let what = format!("field `{field}` of record `{name}`");
        let dtype = dtype_of(given.dtype).ok_or_else(|| unknown(given.dtype, &what))?;
        let end = u64::from(given.offset) + dtype.bytes(given.count as usize) as u64;
        if given.count == 0 || end > u64::from(of.record_bytes) {
            return Err(Failure::argument(format!(
                "{what}: {} x {} at byte {} is not inside {} bytes",
                given.count,
                dtype.name(),
                given.offset,
                of.record_bytes
            )));
        }
        fields.push(RecordField {
            name: field,
            dtype,
            count: given.count,
            offset: given.offset,
            // SAFETY: as above.
            unit: unsafe { name_of(given.unit, "field unit", 15) }?,
        });
    }
    Ok(RecordLayout {
        name,
        bytes: of.record_bytes,
        fields,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ephapse_rtconfig::stream_type::{command_layout, spike_layout};

    fn back(of: &StreamType) -> StreamType {
        let shown = Shown::new(of);
        // SAFETY: `shown` lives and points to what it owns.
        unsafe { read(shown.as_ptr()) }.unwrap()
    }

    #[test]
    fn a_type_shown_to_c_and_read_back_is_the_same() {
        let mut frames = StreamType::frames(Dtype::I16, 20, 3, Rate::new(30_000, 7), "count");
        frames.si_unit = "V".into();
        frames.scale = vec![1e-6, 2e-6, 3e-6];
        frames.offset = vec![0.0, 0.5, 1.0];
        frames.positions_um = vec![[0.0, 1.0, 2.0], [3.0, 4.0, 5.0], [6.0, 7.0, 8.0]];
        frames.axes.push(StreamAxis {
            unit: "Hz".into(),
            ..StreamAxis::new("frequency", 5)
        });
        assert_eq!(back(&frames), frames);
        let mut spikes = StreamType::records(spike_layout("uV"), 256);
        spikes.rate = Rate::hz(20_000);
        assert_eq!(back(&spikes), spikes);
        let commands = StreamType::records(command_layout(), 4);
        assert_eq!(back(&commands), commands);
        let bytes = StreamType {
            kind: Kind::Bytes,
            record: None,
            ..StreamType::records(command_layout(), 100)
        };
        assert_eq!(back(&bytes), bytes);
        for dtype in Dtype::ALL {
            let frames = StreamType::frames(dtype, 4, 9, Rate::NONE, "");
            assert_eq!(back(&frames), frames);
        }
    }

    #[test]
    fn a_type_that_cannot_be_is_refused_by_name() {
        let refused = |change: fn(&mut Type)| {
            let mut given = ephapse_frames(EPHAPSE_F64, 10, 2, 1000.0, c"uV".as_ptr());
            change(&mut given);
            // SAFETY: all texts and tables are static.
            unsafe { read(&raw const given) }.unwrap_err().why
        };
        assert!(refused(|t| t.kind = 9).contains("kind 9"));
        assert!(refused(|t| t.dtype = 12).contains("dtype 12"));
        assert!(refused(|t| t.rank = 5).contains("rank 5"));
        assert!(refused(|t| t.axes[1].length = 0).contains("length 0"));
        assert!(refused(|t| t.unit = c"a unit of twenty byte".as_ptr()).contains("at most 15"));
        let record = refused(|t| {
            t.kind = EPHAPSE_RECORDS;
            t.record_name = c"mine".as_ptr();
            t.record_bytes = 12;
        });
        assert!(record.contains("record `mine`: 12 bytes"), "{record}");
        // SAFETY: null is allowed.
        let nothing = unsafe { read(ptr::null()) };
        assert!(nothing.unwrap_err().why.contains("null"));
    }
}
