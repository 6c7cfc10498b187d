//! The standard `command` record, and the check that a stream carries it.

use ephapse_engine::stage::StageError;
use ephapse_rtconfig::stream_type::{Kind, StreamType, command_layout};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// One stimulation command, 72 bytes, as [`command_layout`] describes it field by field.
#[derive(Clone, Copy, Debug, Default, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Command {
    /// Tick in which it was decided; 0 until somebody knows.
    pub tick: u64,
    /// What to stimulate.
    pub target: u32,
    /// What kind of command it is; the policy's own.
    pub code: u32,
    /// First frame it was computed from.
    pub first_frame: u64,
    /// Last frame it was computed from.
    pub last_frame: u64,
    /// Up to four values; the first is the command's main one.
    pub values: [f64; 4],
    /// From the taking of the last frame to the hand-over, ns.
    pub age_ns: i64,
}

/// Refuses an input that does not carry standard commands.
///
/// # Errors
/// `Input` naming the port and what came.
pub(super) fn check(port: &str, inputs: &[(&str, &StreamType)]) -> Result<StreamType, StageError> {
    let Some((port, stream_type)) = inputs.first() else {
        return Err(StageError::input(
            port,
            "is not connected; it needs a stream of commands",
        ));
    };
    let standard = command_layout();
    let fits = stream_type.kind == Kind::Records && stream_type.record.as_ref() == Some(&standard);
    if !fits {
        return Err(StageError::input(
            port,
            format!(
                "needs standard `command` records of {} bytes, but gets {}",
                standard.bytes,
                stream_type.summary()
            ),
        ));
    }
    Ok((*stream_type).clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn the_record_lies_as_the_layout_says() {
        let layout = command_layout();
        assert_eq!(size_of::<Command>(), layout.bytes as usize);
        let offsets: Vec<(&str, usize)> = layout
            .fields
            .iter()
            .map(|f| (f.name.as_str(), f.offset as usize))
            .collect();
        assert_eq!(
            offsets,
            [
                ("tick", offset_of!(Command, tick)),
                ("target", offset_of!(Command, target)),
                ("code", offset_of!(Command, code)),
                ("first_frame", offset_of!(Command, first_frame)),
                ("last_frame", offset_of!(Command, last_frame)),
                ("values", offset_of!(Command, values)),
                ("age", offset_of!(Command, age_ns)),
            ]
        );
    }
}
