//! A stream's type as bytes of the fixed region, and back.

use crate::abi::{AxisEntry, FieldEntry, MAX_AXES, TYPE_AT, TypeBlock};
use crate::shm::read_at;
use crate::text;
use ephapse_rtconfig::stream_type::{Axis, Dtype, Field, Kind, Rate, RecordLayout, StreamType};
use zerocopy::{FromBytes, IntoBytes};

fn dtype_code(dtype: Dtype) -> u32 {
    Dtype::ALL
        .iter()
        .position(|d| *d == dtype)
        .map_or(0, |i| i as u32 + 1)
}

fn dtype_of(code: u32) -> Option<Dtype> {
    Dtype::ALL.get((code as usize).checked_sub(1)?).copied()
}

/// Appends the tables of `stream_type` to `tables` (which begins at byte `tables_at` of the segment) and returns the block.
pub(super) fn encode(
    stream_type: &StreamType,
    tables: &mut Vec<u8>,
    tables_at: usize,
) -> TypeBlock {
    fn append(tables: &mut Vec<u8>, tables_at: usize, bytes: &[u8]) -> u64 {
        if bytes.is_empty() {
            return 0;
        }
        tables.resize(tables.len().next_multiple_of(8), 0);
        let at = (tables_at + tables.len()) as u64;
        tables.extend_from_slice(bytes);
        at
    }
    let mut block = TypeBlock {
        kind: match stream_type.kind {
            Kind::Frames => 1,
            Kind::Records => 2,
            Kind::Bytes => 3,
        },
        dtype: dtype_code(stream_type.dtype),
        rank: stream_type.axes.len() as u32,
        frames_per_block: stream_type.frames_per_block(),
        row_stride: stream_type.row_bytes() as u64,
        rate_numerator: stream_type.rate.numerator,
        rate_denominator: stream_type.rate.denominator,
        unit: text::fixed(&stream_type.unit),
        si_unit: text::fixed(&stream_type.si_unit),
        scales: stream_type.scale.len() as u32,
        offsets: stream_type.offset.len() as u32,
        positions: stream_type.positions_um.len() as u32,
        ..TypeBlock::default()
    };
    block.scale_at = append(tables, tables_at, stream_type.scale.as_slice().as_bytes());
    block.offset_at = append(tables, tables_at, stream_type.offset.as_slice().as_bytes());
    block.positions_at = append(
        tables,
        tables_at,
        stream_type.positions_um.as_slice().as_bytes(),
    );
    if let Some(layout) = &stream_type.record {
        let fields: Vec<FieldEntry> = layout
            .fields
            .iter()
            .map(|f| FieldEntry {
                name: text::fixed(&f.name),
                dtype: dtype_code(f.dtype),
                count: f.count,
                offset: f.offset,
                reserved: 0,
                unit: text::fixed(&f.unit),
            })
            .collect();
        block.record_name = text::fixed(&layout.name);
        block.record_bytes = layout.bytes;
        block.fields = fields.len() as u32;
        block.fields_at = append(tables, tables_at, fields.as_slice().as_bytes());
    }
    for (entry, axis) in block.axes.iter_mut().zip(&stream_type.axes) {
        let mut labels = Vec::new();
        for label in &axis.labels {
            labels.extend_from_slice(label.replace('\0', " ").as_bytes());
            labels.push(0);
        }
        *entry = AxisEntry {
            length: axis.length,
            labels: axis.labels.len() as u32,
            name: text::fixed(&axis.name),
            unit: text::fixed(&axis.unit),
            labels_at: append(tables, tables_at, &labels),
            labels_bytes: labels.len() as u64,
            reserved: 0,
        };
    }
    block
}

/// The type that stands in a fixed region; `None` if a code, a length or a table is out of range.
pub(super) fn decode(fixed: &[u8]) -> Option<StreamType> {
    let block: TypeBlock = read_at(fixed, TYPE_AT)?;
    let table = |at: u64, count: u32, size: usize| -> Option<&[u8]> {
        let bytes = (count as usize).checked_mul(size)?;
        if bytes == 0 {
            return Some(&[]);
        }
        let at = usize::try_from(at).ok()?;
        fixed.get(at..at.checked_add(bytes)?)
    };
    let numbers = |at: u64, count: u32| -> Option<Vec<f64>> {
        Some(
            table(at, count, 8)?
                .as_chunks::<8>()
                .0
                .iter()
                .map(|b| f64::from_le_bytes(*b))
                .collect(),
        )
    };
    let kind = match block.kind {
        1 => Kind::Frames,
        2 => Kind::Records,
        3 => Kind::Bytes,
        _ => return None,
    };
    let rank = block.rank as usize;
    if rank == 0 || rank > MAX_AXES || block.memory_order != 0 {
        return None;
    }
    let mut axes = Vec::with_capacity(rank);
    for entry in &block.axes[..rank] {
        let bytes = table(entry.labels_at, u32::try_from(entry.labels_bytes).ok()?, 1)?;
        let labels: Vec<String> = bytes.split_inclusive(|b| *b == 0).map(text::of).collect();
        if labels.len() != entry.labels as usize {
            return None;
        }
        axes.push(Axis {
            name: text::of(&entry.name),
            length: entry.length,
            unit: text::of(&entry.unit),
            labels,
        });
    }
    let record = if kind == Kind::Records {
        let entries = table(block.fields_at, block.fields, size_of::<FieldEntry>())?;
        let mut fields = Vec::new();
        for chunk in entries.chunks_exact(size_of::<FieldEntry>()) {
            let entry = FieldEntry::read_from_bytes(chunk).ok()?;
            let dtype = dtype_of(entry.dtype)?;
            let end = (entry.offset as usize).checked_add(dtype.bytes(entry.count as usize))?;
            if end > block.record_bytes as usize {
                return None;
            }
            fields.push(Field {
                name: text::of(&entry.name),
                dtype,
                count: entry.count,
                offset: entry.offset,
                unit: text::of(&entry.unit),
            });
        }
        if block.record_bytes == 0 {
            return None;
        }
        Some(RecordLayout {
            name: text::of(&block.record_name),
            bytes: block.record_bytes,
            fields,
        })
    } else {
        None
    };
    let positions = numbers(block.positions_at, block.positions.checked_mul(3)?)?;
    let stream_type = StreamType {
        kind,
        dtype: dtype_of(block.dtype)?,
        axes,
        rate: Rate {
            numerator: block.rate_numerator,
            denominator: block.rate_denominator,
        },
        unit: text::of(&block.unit),
        si_unit: text::of(&block.si_unit),
        scale: numbers(block.scale_at, block.scales)?,
        offset: numbers(block.offset_at, block.offsets)?,
        record,
        positions_um: positions.as_chunks::<3>().0.to_vec(),
    };
    let rows_fit = stream_type
        .axes
        .iter()
        .skip(1)
        .try_fold(8_usize, |product, axis| {
            product.checked_mul(axis.length as usize)
        })
        .is_some();
    (rows_fit
        && stream_type.frames_per_block() == block.frames_per_block
        && stream_type.row_bytes() as u64 == block.row_stride)
        .then_some(stream_type)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::PAGE;
    use ephapse_rtconfig::stream_type::spike_layout;

    fn round_trip(stream_type: &StreamType) -> Option<StreamType> {
        let mut tables = Vec::new();
        let block = encode(stream_type, &mut tables, PAGE);
        let mut fixed = vec![0; PAGE];
        crate::shm::write_at(&mut fixed, TYPE_AT, &block);
        fixed.extend_from_slice(&tables);
        decode(&fixed)
    }

    #[test]
    fn every_shape_of_stream_comes_back_as_it_was() {
        let mut frames = StreamType::frames(Dtype::I32, 20, 60, Rate::hz(20_000), "count");
        frames.si_unit = "V".into();
        frames.scale = vec![5.96e-8; 60];
        frames.offset = vec![0.25; 60];
        frames.positions_um = (0..60).map(|c| [f64::from(c), 2.0, 0.0]).collect();
        let mut spectrum = StreamType::frames(Dtype::F64, 1, 4, Rate::new(1, 3), "uV2/Hz");
        spectrum.axes.push(Axis {
            name: "frequency".into(),
            length: 129,
            unit: "Hz".into(),
            labels: vec![],
        });
        let spikes = StreamType::records(spike_layout("uV"), 256);
        for stream_type in [frames, spectrum, spikes] {
            assert_eq!(round_trip(&stream_type), Some(stream_type));
        }
    }

    #[test]
    fn a_damaged_type_is_refused_and_never_read_past_its_end() {
        let mut tables = Vec::new();
        let block = encode(
            &StreamType::records(spike_layout("uV"), 256),
            &mut tables,
            PAGE,
        );
        for corrupt in [
            TypeBlock { kind: 9, ..block },
            TypeBlock { dtype: 0, ..block },
            TypeBlock { rank: 5, ..block },
            TypeBlock {
                fields: u32::MAX,
                ..block
            },
            TypeBlock {
                fields_at: u64::MAX - 3,
                ..block
            },
            TypeBlock {
                positions: u32::MAX,
                ..block
            },
            TypeBlock {
                row_stride: 1,
                ..block
            },
        ] {
            let mut fixed = vec![0; PAGE];
            crate::shm::write_at(&mut fixed, TYPE_AT, &corrupt);
            fixed.extend_from_slice(&tables);
            assert_eq!(decode(&fixed), None, "{corrupt:?}");
        }
    }
}
