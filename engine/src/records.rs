//! The four standard record layouts as structs; `rtconfig::stream_type` describes the same bytes field by field.

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

/// One event on a digital line. Layout: `event_layout`.
#[derive(Clone, Copy, Debug, Default, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Event {
    /// Frame.
    pub time: u64,
    /// Line.
    pub line: u32,
    /// Code.
    pub code: u32,
    /// Value.
    pub value: f64,
}

/// One stimulation command. Layout: `command_layout`.
#[derive(Clone, Copy, Debug, Default, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Command {
    /// Tick of the decision.
    pub tick: u64,
    /// What is to be stimulated: a group or electrode number of the device.
    pub target: u32,
    /// What `values` mean; 1: rate (Hz; 0 is off), amplitude (uA), duration of each phase (us), net charge of a pulse (nC);
    /// 0 in the last three: as the device has been set up. It stands until the target's next command.
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

/// A mark. Layout: `mark_layout`.
#[derive(Clone, Copy, Debug, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Mark {
    /// Frame.
    pub time: u64,
    /// Code.
    pub code: u32,
    /// Bytes of `text` that count.
    pub length: u32,
    /// UTF-8.
    pub text: [u8; 64],
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::mem::{offset_of, size_of};
    use ephapse_rtconfig::stream_type::{
        RecordLayout, command_layout, event_layout, mark_layout, spike_layout,
    };

    fn offsets(layout: &RecordLayout) -> Vec<usize> {
        layout.fields.iter().map(|f| f.offset as usize).collect()
    }

    #[test]
    fn structs_lie_where_the_described_fields_say() {
        let spike = spike_layout("uV");
        assert_eq!(spike.bytes as usize, size_of::<Spike>());
        assert_eq!(
            offsets(&spike),
            [
                offset_of!(Spike, frame),
                offset_of!(Spike, channel),
                offset_of!(Spike, width),
                offset_of!(Spike, amplitude)
            ]
        );
        let event = event_layout();
        assert_eq!(event.bytes as usize, size_of::<Event>());
        assert_eq!(
            offsets(&event),
            [
                offset_of!(Event, time),
                offset_of!(Event, line),
                offset_of!(Event, code),
                offset_of!(Event, value)
            ]
        );
        let command = command_layout();
        assert_eq!(command.bytes as usize, size_of::<Command>());
        assert_eq!(
            offsets(&command),
            [
                offset_of!(Command, tick),
                offset_of!(Command, target),
                offset_of!(Command, code),
                offset_of!(Command, first_frame),
                offset_of!(Command, last_frame),
                offset_of!(Command, values),
                offset_of!(Command, age_ns)
            ]
        );
        let mark = mark_layout();
        assert_eq!(mark.bytes as usize, size_of::<Mark>());
        assert_eq!(
            offsets(&mark),
            [
                offset_of!(Mark, time),
                offset_of!(Mark, code),
                offset_of!(Mark, length),
                offset_of!(Mark, text)
            ]
        );
    }
}
