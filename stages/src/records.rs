//! The standard records `spike` and `command` as structs.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// One spike. Layout: `rtconfig::stream_type::spike_layout`.
#[derive(Clone, Copy, Debug, Default, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Spike {
    /// Frame of the crossing, in the detector's input stream.
    pub frame: u64,
    /// Channel index.
    pub channel: u32,
    /// Width in frames; 0 if not measured.
    pub width: u32,
    /// Amplitude in the stream's amplitude unit.
    pub amplitude: f64,
}

/// One stimulation command. Layout: `rtconfig::stream_type::command_layout`.
#[derive(Clone, Copy, Debug, Default, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Command {
    /// Tick of the decision.
    pub tick: u64,
    /// What is to be stimulated.
    pub target: u32,
    /// What `values` mean; 1: `values[0]` is a stimulation frequency in Hz, 0 Hz is off.
    pub code: u32,
    /// Oldest frame of the pacing source the command was computed from.
    pub first_frame: u64,
    /// Newest frame of the pacing source the command was computed from.
    pub last_frame: u64,
    /// Values.
    pub values: [f64; 4],
    /// Age of the newest frame when the command was handed on, ns.
    pub age_ns: i64,
}
