//! A ring with its readers, block by block.

use crate::plan::Full;

/// A block.
#[derive(Clone, Copy, Debug, Default)]
pub struct Block {
    /// When its newest frame was sampled, ns.
    pub sampled_ns: u64,
    /// When its readers were told, ns; `u64::MAX` if they have not been.
    pub told_ns: u64,
}

/// A reader.
#[derive(Clone, Debug)]
pub struct Reader {
    /// Its next block.
    pub position: u64,
    /// The maker cannot pass it.
    pub hold: bool,
    /// Most blocks between it and the maker so far.
    pub most: u64,
    /// Blocks overwritten before it took them.
    pub lapped: u64,
}

/// A ring.
#[derive(Clone, Debug)]
pub struct RingState {
    blocks: Vec<Block>,
    slots: u64,
    full: Full,
    /// Blocks published.
    pub published: u64,
    /// Blocks dropped for want of room.
    pub dropped: u64,
    /// Blocks whose readers were told.
    told: u64,
    /// Readers, in order.
    pub readers: Vec<Reader>,
}

impl RingState {
    /// An empty ring.
    pub fn new(slots: u64, full: Full) -> Self {
        let capacity = usize::try_from(slots.next_power_of_two()).unwrap_or(usize::MAX);
        RingState {
            blocks: vec![Block::default(); capacity],
            slots,
            full,
            published: 0,
            dropped: 0,
            told: 0,
            readers: Vec::new(),
        }
    }

    /// Free slots before the `hold` reader that is furthest behind.
    pub fn room(&self) -> u64 {
        let holding = self.readers.iter().filter(|reader| reader.hold);
        let behind = holding.map(|reader| self.published - reader.position).max();
        self.slots.saturating_sub(behind.unwrap_or(0))
    }

    /// A turn may begin whose outputs need `credit` slots here.
    pub fn has_credit(&self, credit: u64) -> bool {
        self.full != Full::Wait || self.room() >= credit
    }

    /// Publishes a block, or drops it.
    pub fn publish(&mut self, sampled_ns: u64) {
        if self.room() == 0 {
            self.dropped += 1;
            return;
        }
        let at = self.published as usize & (self.blocks.len() - 1);
        self.blocks[at] = Block {
            sampled_ns,
            told_ns: u64::MAX,
        };
        self.published += 1;
        for reader in &mut self.readers {
            let behind = self.published - reader.position;
            if behind > self.slots {
                reader.lapped += behind - self.slots;
                reader.position = self.published - self.slots;
            }
            reader.most = reader.most.max(behind.min(self.slots));
        }
    }

    /// Readers are told of everything published so far.
    pub fn tell(&mut self, now_ns: u64) {
        let mask = self.blocks.len() - 1;
        for position in self.told..self.published {
            self.blocks[position as usize & mask].told_ns = now_ns;
        }
        self.told = self.published;
    }

    /// The next block of a reader.
    pub fn next(&self, reader: usize) -> Option<Block> {
        let position = self.readers[reader].position;
        (position < self.published)
            .then(|| self.blocks[position as usize & (self.blocks.len() - 1)])
    }
}
