//! The check that a stream carries standard commands.

use ephapse_engine::stage::StageError;
use ephapse_rtconfig::stream_type::{Kind, StreamType, command_layout};

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
