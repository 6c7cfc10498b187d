//! What an Ephapse session should run, and where it may run.
//!
//! Data and checks only: this crate maps no shared memory, knows no stage, and starts no process but the commands of other
//! people's stages that are asked what they are ([`modules`]).
//! A graph file is parsed ([`graph`]), its types flow from sources to sinks by asking a [`describe::Catalogue`]
//! ([`resolve`]), and the outcome is a [`plan::Plan`]: everything the launcher needs, nothing left to decide.
//! Whether a host can keep what a plan asks is what [`doctor`] finds out.
#![warn(missing_docs)]

pub mod adapter;
pub mod chaos;
pub mod describe;
pub mod doctor;
pub mod explain;
pub mod graph;
pub mod host;
pub mod modules;
pub mod plan;
pub mod problem;
pub mod recording;
pub mod resolve;
pub mod schedule;
pub mod schema;
pub mod si_unit;
pub mod stream_type;
