//! Frames held over block borders: the one place that re-blocks.

/// A store of the newest frames. Each stands in it twice, `capacity` rows apart, so that any run of up to `capacity` frames
/// lies in one piece and nothing is ever moved.
///
/// The store itself stands once and does not flip with the state: what a turn writes lies behind everything that the state
/// before the turn still speaks of. Killed before the flip, the turn is done again and writes the same rows.
pub(super) struct Held {
    row: usize,
    capacity: usize,
}

impl Held {
    /// Room for runs of `longest` frames while up to `fed` more come in at once.
    pub fn new(row: usize, longest: usize, fed: usize) -> Self {
        Held {
            row,
            capacity: longest + fed,
        }
    }

    /// Bytes of the store.
    pub fn bytes(&self) -> usize {
        (2 * self.capacity * self.row).next_multiple_of(64)
    }

    /// Appends whole rows; `before` frames have been appended so far.
    pub fn push(&self, store: &mut [u8], before: u64, mut rows: &[u8]) {
        let mut at = (before % self.capacity as u64) as usize;
        while !rows.is_empty() {
            let fitting = rows.len().min((self.capacity - at) * self.row);
            let (now, later) = rows.split_at(fitting);
            for copy in [at, at + self.capacity] {
                store[copy * self.row..][..fitting].copy_from_slice(now);
            }
            rows = later;
            at = 0;
        }
    }

    /// The `count` frames from frame `first` on, counted from the first that was ever appended.
    pub fn run<'a>(&self, store: &'a [u8], first: u64, count: usize) -> &'a [u8] {
        let at = (first % self.capacity as u64) as usize;
        &store[at * self.row..][..count * self.row]
    }
}
