//! What a benchmark comes to: figures and ratios, each computed from histograms that go into the `.hlog` beside them.
//!
//! ```text
//! Measured ─> reduce ─> BenchResult ─> bench.json, bench.txt, bench.html
//!     └─> intervals ─> bench.hlog ─> check: reduce again, compare with bench.json
//!     └─> hgrm/TAG.hgrm
//! ```

mod buckets;
mod check;
mod contract;
mod files;
mod html;
mod intervals;
mod ratios;
mod reduce;
mod text;

pub use check::{CheckError, Checked, check};
pub use contract::*;
pub use files::{Wanted, write};
pub use html::html;
pub use reduce::{Circumstances, reduce};
pub use text::text;

#[cfg(test)]
mod samples;
