//! The report of a run: one [`Report`], and the files made of it.
//!
//! [`Report::new`] reduces an [`Outcome`](ephapse_engine::outcome::Outcome) to figures; [`text`](text()) and [`html`](html()) are
//! drawn from those figures alone, so `report.json` says everything the others show. [`write()`] leaves all of it in a
//! directory, with the full distributions as HdrHistogram files.

mod asked;
mod bins;
mod bounds;
mod causes;
mod certificate;
mod contract;
mod figures;
mod files;
mod from_outcome;
mod host_entries;
mod html;
mod incidents;
mod logs;
mod recorded;
mod rt_taken;
mod text;
pub mod units;
mod walks;
mod why;

pub use asked::AskedReport;
pub use certificate::{
    Certificate, CertificateError, CertifiedFile, Lost, ReplayReport, Skipped, Stalls,
};
pub use contract::*;
pub use files::write;
pub use html::html;
pub use incidents::IncidentReport;
pub use text::text;
pub use walks::{CauseReport, WalkHopReport, WalkReport, walk_text};

pub(crate) use figures::curve;
pub use from_outcome::rfc3339;
pub(crate) use host_entries::entries as host_entries;
pub(crate) use logs::hgrm;

#[cfg(test)]
mod tests;
