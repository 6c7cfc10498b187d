//! The table InfoChannel: one row per channel, columns read by name.
//!
//! Files differ in which columns they have and in their order, so no record type is fixed here: each column is read by
//! itself, through a record of one member, which HDF5 matches by name. Nothing else of the row is touched.

use crate::acquire::hdf5_file::{one_line, trimmed};
use hdf5::types::{FixedAscii, FixedUnicode, TypeDescriptor, VarLenAscii, VarLenUnicode};
use hdf5::{Dataset, H5Type};

/// One channel.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Channel {
    /// Row in ChannelData.
    pub row: usize,
    /// Label, or the channel's id if it has none.
    pub label: String,
    /// Unit of the scaled value.
    pub unit: String,
    /// Power of ten of `conversion_factor`.
    pub exponent: i32,
    /// Stored number that means zero.
    pub ad_zero: f64,
    /// Microseconds per sample.
    pub tick_us: i64,
    /// Scaled value per count, times ten to `exponent`; 0 if there is no scale.
    pub conversion_factor: f64,
}

/// Reads one column as `Vec<$member>`, if the table has it.
macro_rules! column {
    ($table:expr, $name:tt, $member:ty) => {{
        #[derive(Clone, H5Type)]
        #[repr(C)]
        struct Cell {
            #[hdf5(rename = $name)]
            value: $member,
        }
        if $table.kind_of($name).is_some() {
            let cells = $table.dataset.read_raw::<Cell>();
            let cells = cells
                .map_err(|e| format!("its column {} cannot be read ({})", $name, one_line(&e)))?;
            Some(
                cells
                    .into_iter()
                    .map(|cell| cell.value)
                    .collect::<Vec<$member>>(),
            )
        } else {
            None
        }
    }};
}

/// Reads one text column in whichever of HDF5's text types it has.
macro_rules! text_column {
    ($table:expr, $name:tt) => {{
        let texts = |cells: Vec<Vec<u8>>| cells.iter().map(|c| trimmed(c)).collect::<Vec<_>>();
        match $table.kind_of($name) {
            Some(TypeDescriptor::VarLenAscii) => column!($table, $name, VarLenAscii)
                .map(|v| texts(v.iter().map(|c| c.as_bytes().to_vec()).collect())),
            Some(TypeDescriptor::VarLenUnicode) => column!($table, $name, VarLenUnicode)
                .map(|v| texts(v.iter().map(|c| c.as_bytes().to_vec()).collect())),
            Some(TypeDescriptor::FixedAscii(_)) => column!($table, $name, FixedAscii<256>)
                .map(|v| texts(v.iter().map(|c| c.as_bytes().to_vec()).collect())),
            Some(TypeDescriptor::FixedUnicode(_)) => column!($table, $name, FixedUnicode<256>)
                .map(|v| texts(v.iter().map(|c| c.as_bytes().to_vec()).collect())),
            _ => None,
        }
    }};
}

struct Table<'a> {
    dataset: &'a Dataset,
    members: Vec<(String, TypeDescriptor)>,
}

impl Table<'_> {
    fn kind_of(&self, name: &str) -> Option<&TypeDescriptor> {
        self.members
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, kind)| kind)
    }
}

/// Channels in the table's order.
///
/// # Errors
/// What is wrong with the table, to be put behind its name.
pub(super) fn read(dataset: &Dataset) -> Result<Vec<Channel>, String> {
    let described = dataset.dtype().and_then(|d| d.to_descriptor());
    let described =
        described.map_err(|e| format!("has a type that cannot be read ({})", one_line(&e)))?;
    let TypeDescriptor::Compound(record) = described else {
        return Err("is not a table of records".to_owned());
    };
    let members = record.fields.into_iter().map(|f| (f.name, f.ty)).collect();
    let table = Table { dataset, members };
    let missing = |name: &str| format!("has no column {name}");

    let rows = column!(table, "RowIndex", i64).ok_or_else(|| missing("RowIndex"))?;
    let ticks = column!(table, "Tick", i64).ok_or_else(|| missing("Tick"))?;
    let factors =
        column!(table, "ConversionFactor", f64).ok_or_else(|| missing("ConversionFactor"))?;
    let exponents = column!(table, "Exponent", i32).ok_or_else(|| missing("Exponent"))?;
    let zeros = column!(table, "ADZero", f64);
    let ids = column!(table, "ChannelID", i64);
    let labels = text_column!(table, "Label");
    let units = text_column!(table, "Unit");

    (0..rows.len())
        .map(|i| {
            let row = usize::try_from(rows[i])
                .map_err(|_| format!("gives channel {i} the row {}", rows[i]))?;
            let label = labels
                .as_ref()
                .map(|l| l[i].clone())
                .filter(|l| !l.is_empty());
            let id = || ids.as_ref().map_or(i as i64, |ids| ids[i]).to_string();
            Ok(Channel {
                row,
                label: label.unwrap_or_else(id),
                unit: units.as_ref().map_or_else(String::new, |u| u[i].clone()),
                exponent: exponents[i],
                ad_zero: zeros.as_ref().map_or(0.0, |z| z[i]),
                tick_us: ticks[i],
                conversion_factor: factors[i],
            })
        })
        .collect()
}
