//! What has become of a command, as one line of JSON.

use super::handed::Handed;
use super::refusal::{Forced, Refusal};
use ephapse_engine::guard::Off;
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
    #[serde(skip_serializing_if = "Option::is_none")]
    forced: Option<&'static str>,
}

/// Writes `{"tick":..,"target":..,"value":..,"values":[..],"first_frame":..,"last_frame":..,"age_ns":..}` and a line
/// end; a command that was not carried out has `"refused":".."` behind it, one that the interlock gave of itself
/// `"forced":".."`. A value that is no number is written as null.
///
/// # Errors
/// Those of `out`.
pub fn write_line(
    out: &mut impl Write,
    handed: &Handed,
    refusal: Option<Refusal>,
) -> io::Result<()> {
    let command = &handed.command;
    let line = Line {
        tick: command.tick,
        target: command.target,
        value: command.values[0],
        values: &command.values,
        first_frame: command.first_frame,
        last_frame: command.last_frame,
        age_ns: command.age_ns,
        refused: refusal.map(Refusal::name),
        forced: handed.why_forced().map(Forced::name),
    };
    serde_json::to_writer(&mut *out, &line)?;
    out.write_all(b"\n")
}

/// The guard's line: everything is off.
#[derive(Serialize)]
struct OffLine<'a> {
    off: &'a str,
    tick: u64,
}

/// How every such line begins, and no other.
pub(super) const OFF_BEGINS: &[u8] = b"{\"off\":";

/// `{"off":"why","tick":..}` and a line end.
///
/// # Errors
/// None but those of the memory it writes to.
pub fn off_line(off: &Off<'_>) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(&OffLine {
        off: off.why,
        tick: off.tick,
    })?;
    line.push(b'\n');
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ephapse_engine::records::Command;

    fn line(handed: &Handed) -> String {
        let mut out = Vec::new();
        write_line(&mut out, handed, handed.refusal()).unwrap();
        String::from_utf8(out).unwrap()
    }

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
        assert_eq!(
            line(&Handed::asked(command, None)),
            "{\"tick\":12,\"target\":3,\"value\":20.0,\"values\":[20.0,0.5,0.0,0.0],\"first_frame\":200,\"last_frame\":239,\"age_ns\":1500000}\n"
        );
    }

    #[test]
    fn a_refused_command_says_why_and_so_does_one_of_the_interlock() {
        let refused = line(&Handed::asked(Command::default(), Some(Refusal::Off)));
        assert!(refused.ends_with(",\"refused\":\"off\"}\n"), "{refused}");
        let forced = line(&Handed::forced(
            Command::default(),
            Forced::Off(Refusal::Age),
        ));
        assert!(forced.ends_with(",\"forced\":\"age\"}\n"), "{forced}");
    }

    #[test]
    fn the_guards_line_is_told_from_all_others_by_its_beginning() {
        let off = off_line(&Off {
            why: "the launcher is gone",
            tick: 7,
        })
        .unwrap();
        assert_eq!(off, b"{\"off\":\"the launcher is gone\",\"tick\":7}\n");
        assert!(off.starts_with(OFF_BEGINS));
        assert!(!line(&Handed::default()).as_bytes().starts_with(OFF_BEGINS));
    }
}
