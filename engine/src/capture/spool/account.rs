//! What has become of a source's blocks.

pub(super) const ACCOUNT_WORDS: usize = 9;

/// What has become of one source's blocks (or activation records).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Next position to be read.
    pub position: u64,
    /// Read whole, and put into the spool.
    pub consumed: u64,
    /// Overwritten before they were read.
    pub lapped: u64,
    /// Passed over: the producer wrote what cannot be, or recording was off.
    pub jumped: u64,
    /// Of those lapped: while the spool had no room.
    pub no_room: u64,
    /// Bytes put into the spool.
    pub bytes: u64,
    /// Gaps.
    pub gaps: u64,
    /// Of those jumped: while recording was off.
    pub off: u64,
    /// Of those: how many a gap tells of. The rest is told when recording goes on or ends.
    pub off_told: u64,
}

impl Account {
    /// True if something was passed over while recording was off that no gap tells of yet.
    pub fn is_untold(&self) -> bool {
        self.off > self.off_told
    }

    pub(super) fn words(&self) -> [u64; ACCOUNT_WORDS] {
        [
            self.position,
            self.consumed,
            self.lapped,
            self.jumped,
            self.no_room,
            self.bytes,
            self.gaps,
            self.off,
            self.off_told,
        ]
    }

    pub(super) fn from_words(words: [u64; ACCOUNT_WORDS]) -> Self {
        let [
            position,
            consumed,
            lapped,
            jumped,
            no_room,
            bytes,
            gaps,
            off,
            off_told,
        ] = words;
        Account {
            position,
            consumed,
            lapped,
            jumped,
            no_room,
            bytes,
            gaps,
            off,
            off_told,
        }
    }
}
