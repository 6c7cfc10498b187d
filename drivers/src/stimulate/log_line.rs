//! A command as one line of JSON.

use super::refusal::Refusal;
use ephapse_engine::records::Command;
use serde::Serialize;
use std::io::{self, Write};

/// Keys in the order in which they stand in the line.
#[derive(Serialize)]
struct Line<'a> {
    tick: u64,
    target: u32,
    value: f64,
    values: &'a [f64; 4],
    first_frame: u64,
    last_frame: u64,
    age_ns: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<&'static str>,
}

/// Writes `{"tick":..,"target":..,"value":..,"values":[..],"first_frame":..,"last_frame":..,"age_ns":..}` and a line
/// end; a command that was not carried out has `"refused":".."` behind it. A value that is no number is written as null.
///
/// # Errors
/// Those of `out`.
pub fn write_line(
    out: &mut impl Write,
    command: &Command,
    refusal: Option<Refusal>,
) -> io::Result<()> {
    let line = Line {
        tick: command.tick,
        target: command.target,
        value: command.values[0],
        values: &command.values,
        first_frame: command.first_frame,
        last_frame: command.last_frame,
        age_ns: command.age_ns,
        refused: refusal.map(Refusal::name),
    };
    serde_json::to_writer(&mut *out, &line)?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_when_and_from_which_frames() {
        let command = Command {
            tick: 12,
            target: 3,
            first_frame: 200,
            last_frame: 239,
            values: [20.0, 0.5, 0.0, 0.0],
            age_ns: 1_500_000,
            ..Command::default()
        };
        let mut out = Vec::new();
        write_line(&mut out, &command, None).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "{\"tick\":12,\"target\":3,\"value\":20.0,\"values\":[20.0,0.5,0.0,0.0],\"first_frame\":200,\"last_frame\":239,\"age_ns\":1500000}\n"
        );
    }
    #[test]
    fn a_refused_command_says_why() {
        let mut out = Vec::new();
        write_line(&mut out, &Command::default(), Some(Refusal::Off)).unwrap();
        let line = String::from_utf8(out).unwrap();
        assert!(line.ends_with(",\"refused\":\"off\"}\n"), "{line}");
    }
}
