//! What the interlock hands to the device's helper: a command, and what became of it.

use super::refusal::{Forced, Refusal};
use ephapse_engine::records::Command;
use ephapse_rtconfig::stream_type::{Dtype, Field, RecordLayout, command_layout};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A command behind the interlock. Layout: [`handed_layout`].
#[derive(Clone, Copy, Debug, Default, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Handed {
    /// The command.
    pub command: Command,
    /// Number of the [`Refusal`]; 0: to be carried out.
    refused: u32,
    /// Number of what made the interlock give it of itself ([`Forced`]); 0: the loop gave it.
    forced: u32,
}

impl Handed {
    /// A command of the loop's.
    pub fn asked(command: Command, refusal: Option<Refusal>) -> Self {
        Handed {
            command,
            refused: refusal.map_or(0, |refusal| refusal as u32),
            forced: 0,
        }
    }

    /// A command of the interlock's own.
    pub fn forced(command: Command, why: Forced) -> Self {
        Handed {
            command,
            refused: 0,
            forced: why.number(),
        }
    }

    /// Why it is not to be carried out, if it is not.
    pub fn refusal(&self) -> Option<Refusal> {
        Refusal::from_number(self.refused)
    }

    /// Why the interlock gave it, if the loop did not.
    pub fn why_forced(&self) -> Option<Forced> {
        Forced::from_number(self.forced)
    }
}

/// The standard command's fields, and behind them `refused` and `forced`, u32 each: 80 bytes.
pub fn handed_layout() -> RecordLayout {
    let command = command_layout();
    let mut fields = command.fields;
    let more = ["refused", "forced"].into_iter().zip([72, 76]);
    fields.extend(more.map(|(name, offset)| Field {
        name: name.to_owned(),
        dtype: Dtype::U32,
        count: 1,
        offset,
        unit: String::new(),
    }));
    RecordLayout {
        name: "handed".to_owned(),
        bytes: size_of::<Handed>() as u32,
        fields,
    }
}
