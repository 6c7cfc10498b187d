//! How blocks, rings, rates and findings are written for people, scripts and NumPy. Knows no session: everything is given.

mod block_json;
mod block_text;
mod csv;
mod doctor;
mod npy;
mod part_file;
mod plan_found;
mod plan_table;
mod plan_view;
mod rate_table;
mod ring_table;
mod selection;

pub use block_json::JsonLines;
pub use block_text::Text;
pub use csv::CsvFile;
pub use doctor::doctor_text;
pub use npy::NpyFile;
pub use part_file::{PartFile, part_of};
pub use plan_found::Found;
pub use plan_table::plan_table;
pub use plan_view::PlanView;
pub use rate_table::rate_table;
pub use ring_table::ring_table;
pub use selection::{Columns, Rows};

use ephapse_engine::abi::SlotHeader;

/// A block about to be shown.
pub struct Shown<'a> {
    /// Its header.
    pub header: &'a SlotHeader,
    /// Its valid rows.
    pub payload: &'a [u8],
    /// The rows to be shown, by number in the block.
    pub rows: &'a [usize],
    /// Blocks missed since the one before.
    pub missed: u64,
}

/// Where shown blocks go.
pub trait Sink {
    /// Takes a block.
    ///
    /// # Errors
    /// It cannot be written.
    fn block(&mut self, shown: &Shown<'_>) -> anyhow::Result<()>;

    /// Nothing more is there at the moment: what was taken becomes visible.
    ///
    /// # Errors
    /// It cannot be written.
    fn settle(&mut self) -> anyhow::Result<()>;

    /// Nothing more will come. Says what was made, if it is not the output itself.
    ///
    /// # Errors
    /// It cannot be written.
    fn finish(&mut self) -> anyhow::Result<Option<String>>;
}
