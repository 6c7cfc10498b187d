//! Captures: what a session was, in files that outlive it.
//!
//! ```text
//! Appender ─> memory-mapped, preallocated file of self-delimiting records ─> Capture ─> items, blocks, activations
//!  append                        layout, scan                                  reader
//! ```
#![doc = ""]
#![doc = include_str!("../../CAPTURE.md")]

mod append;
mod blocks;
mod cursor;
mod damage;
mod digest;
pub mod disk;
mod file_set;
mod files;
pub mod layout;
mod live;
mod lock;
mod meta;
mod name;
mod pump;
mod reader;
pub mod recover;
mod resume;
mod salvage;
mod scan;
pub mod spool;
mod summary;
mod verify;
mod writer;

pub use append::{AppendError, AppendOptions, Appender, Entry, Reached};
pub use blocks::{Activations, Blocks, Recorded, RecordedActivation};
pub use cursor::{Cursor, Item, Place, Placed};
pub use damage::Damage;
pub use digest::{sha256, sha256_of};
pub use file_set::path_of as path_of_file;
pub use files::NamedFile;
pub use live::of_session;
pub use lock::CaptureLock;
pub use meta::{
    EndNote, EndOf, FileNote, GapNote, GapOf, MarkNote, Meta, ParamsNote, SealNote, seal_why,
};
pub use name::free_path;
pub use pump::Pump;
pub use reader::{Capture, CaptureError};
pub use salvage::{SalvageError, Salvaged, salvage};
pub use summary::{StreamSummary, Summary};
pub use verify::Verification;
pub use writer::{RecordError, Step, Writer, append_options};
