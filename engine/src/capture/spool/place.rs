//! How far the emptying end has come.

use crate::capture::append::Reached;

pub(super) const PLACE_WORDS: usize = 8;

/// How far the emptying end has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Bytes taken.
    pub taken: u64,
    /// Entries taken.
    pub entries: u64,
    /// Where in the capture that was.
    pub reached: Reached,
    /// Number of the last event appended.
    pub event: u64,
    /// Bytes of entries appended to the capture: all that were taken but those given up.
    pub appended: u64,
}

impl Place {
    pub(super) fn words(&self) -> [u64; PLACE_WORDS] {
        [
            self.taken,
            self.entries,
            self.reached.sequence,
            self.event,
            self.appended,
            u64::from(self.reached.file),
            self.reached.end,
            self.reached.records,
        ]
    }

    pub(super) fn from_words(words: [u64; PLACE_WORDS]) -> Self {
        let [
            taken,
            entries,
            sequence,
            event,
            appended,
            file,
            end,
            records,
        ] = words;
        Place {
            taken,
            entries,
            reached: Reached {
                // 0, which no file has, for a number that cannot be.
                file: u32::try_from(file).unwrap_or_default(),
                end,
                records,
                sequence,
            },
            event,
            appended,
        }
    }
}
