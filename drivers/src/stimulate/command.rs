//! The check that a stream carries standard commands, or what has become of them.

use super::handed::handed_layout;
use ephapse_engine::stage::StageError;
use ephapse_rtconfig::stream_type::{Kind, RecordLayout, StreamType, command_layout};

/// Refuses an input that does not carry standard commands.
///
/// # Errors
/// `Input` naming the port and what came.
pub(super) fn check(port: &str, inputs: &[(&str, &StreamType)]) -> Result<StreamType, StageError> {
    check_layout(port, inputs, &command_layout())
}

/// Refuses an input that does not carry what an interlock hands on.
///
/// # Errors
/// `Input` naming the port and what came.
pub(super) fn check_handed(port: &str, inputs: &[(&str, &StreamType)]) -> Result<(), StageError> {
    check_layout(port, inputs, &handed_layout()).map(drop)
}

fn check_layout(
    port: &str,
    inputs: &[(&str, &StreamType)],
    standard: &RecordLayout,
) -> Result<StreamType, StageError> {
    let Some((port, stream_type)) = inputs.first() else {
        return Err(StageError::input(
            port,
            "is not connected; it needs a stream of commands",
        ));
    };
    let fits = stream_type.kind == Kind::Records && stream_type.record.as_ref() == Some(standard);
    if !fits {
        return Err(StageError::input(
            port,
            format!(
                "needs standard `{}` records of {} bytes, but gets {}",
                standard.name,
                standard.bytes,
                stream_type.summary()
            ),
        ));
    }
    Ok((*stream_type).clone())
}
