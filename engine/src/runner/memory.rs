//! The stage segment: words, banks that flip, append-only state.
#![allow(unsafe_code, reason = "hands out the state copies of mapped memory")]

use crate::abi::{
    self, Bank, LINE, PAGE, STAGE_GEOMETRY_AT, SegmentHeader, StageGeometry, StageOrders,
    StageWords, segment,
};
use crate::adapt::{Kept, Space};
use crate::shm::{self, Access, Mapping, Segment, ShmError, Words, pages, read_at, write_at};
use crate::sync::{AtomicU64, Ordering};
use ephapse_rtconfig::describe::Described;
use serde_json::Value;
use std::fs::File;

/// Geometry of a stage's segment and its length.
fn geometry(described: &Described, params_bytes: usize) -> (StageGeometry, usize) {
    let words_at = PAGE;
    let orders_at = 2 * PAGE;
    let params_at = 3 * PAGE;
    let params = pages(params_bytes.max(1));
    let banks_at = params_at + 2 * params;
    let bank_stride = pages(size_of::<Bank>() + described.state_bytes);
    let append_at = banks_at + 2 * bank_stride;
    let geometry = StageGeometry {
        words_at: words_at as u64,
        orders_at: orders_at as u64,
        params_at: params_at as u64,
        params_bytes: params as u64,
        banks_at: banks_at as u64,
        bank_stride: bank_stride as u64,
        state_bytes: described.state_bytes as u64,
        append_at: append_at as u64,
        append_bytes: described.append_bytes as u64,
        layout_hash: u64::from(crc32c::crc32c(
            format!("{}+{}", described.state_bytes, described.append_bytes).as_bytes(),
        )),
        reserved: [0; 6],
    };
    (geometry, append_at + pages(described.append_bytes))
}

/// Bytes of a stage's segment.
pub fn bytes(described: &Described, params: &str) -> usize {
    geometry(described, params.len()).1
}

fn fill(
    image: &mut [u8],
    described: &Described,
    params: &str,
    header: SegmentHeader,
) -> SegmentHeader {
    let (geometry, _) = geometry(described, params.len());
    write_at(image, STAGE_GEOMETRY_AT, &geometry);
    let at = geometry.params_at as usize;
    image[at..at + params.len()].copy_from_slice(params.as_bytes());
    SegmentHeader {
        kind: segment::STAGE,
        fixed_bytes: PAGE as u64,
        ..header
    }
}

/// Makes a stage's segment.
///
/// # Errors
/// As [`shm::Owned::create`].
pub fn create(
    name: &str,
    described: &Described,
    params: &str,
    header: SegmentHeader,
) -> Result<shm::Owned, ShmError> {
    let mut owned = shm::Owned::create(name, bytes(described, params))?;
    let header = fill(owned.bytes_mut(), described, params, header);
    owned.publish(header);
    Ok(owned)
}

/// Makes one without a name.
///
/// # Errors
/// What the system said.
pub fn create_anonymous(described: &Described) -> std::io::Result<File> {
    let bytes = bytes(described, "{}");
    let file = shm::anonymous(bytes)?;
    let mut image = vec![0; bytes];
    let header = fill(
        &mut image,
        described,
        "{}",
        SegmentHeader {
            launcher_pid: std::process::id(),
            ..SegmentHeader::default()
        },
    );
    shm::publish_anonymous(&file, image, header)?;
    Ok(file)
}

/// Where words and banks of a segment stand, for its stage and for those who watch it.
pub struct StageMemory {
    /// The stage's own words.
    pub words: Words<StageWords>,
    /// The launcher's.
    pub orders: Words<StageOrders>,
    banks: [Words<Bank>; 2],
    state_bytes: usize,
    append_bytes: usize,
    /// What of both is the stage's own, at their starts.
    own: (usize, usize),
    /// What of both is its edge adapters', at their ends.
    adapters: Space,
    banks_map: Mapping,
    bank_stride: usize,
    append_map: Option<Mapping>,
    /// Two copies, of `params_bytes` each; the stage's own.
    params_map: Option<Mapping>,
    params_at: usize,
    params_bytes: usize,
}

/// A stage's state as a turn works on it: its own, and its edge adapters'.
pub struct StateParts<'a> {
    /// State in the next bank, as long as described.
    pub state: &'a mut [u8],
    /// The append-only region, as long as described.
    pub append: &'a mut [u8],
    /// The adapters' words in the next bank.
    pub(crate) kept: Kept<'a>,
}

/// What a stage and its edge adapters need together. Each part of the adapters' begins on a line of its own.
pub fn with_adapters(described: &Described, adapters: Space) -> Described {
    let behind = |own: usize, more: usize| match more {
        0 => own,
        more => own.next_multiple_of(LINE) + more,
    };
    Described {
        state_bytes: behind(described.state_bytes, adapters.words),
        append_bytes: behind(described.append_bytes, adapters.held),
        ..described.clone()
    }
}

/// The newest parameters in a stage's segment and their epoch, for whoever only looks on.
///
/// # Errors
/// The segment is damaged, or they are being written: then a later look finds them.
pub fn read_params(segment: &Segment) -> Result<(u64, Value), String> {
    let read_only = |at: u64, bytes: u64| {
        let map = segment.map(at as usize, bytes as usize, Access::ReadOnly);
        map.map_err(|e| e.to_string())
    };
    let g: StageGeometry = read_at(segment.fixed(), STAGE_GEOMETRY_AT).unwrap_or_default();
    let orders: Words<StageOrders> = read_only(g.orders_at, PAGE as u64)?.words(0);
    let both = read_only(g.params_at, g.params_bytes.saturating_mul(2))?;
    let epoch = orders.epoch.load(Ordering::Acquire);
    let params = parse_params(&both, g.params_bytes as usize, epoch)?;
    match orders.epoch.load(Ordering::Acquire) {
        now if now == epoch => Ok((epoch, params)),
        now => Err(format!("epoch {epoch} has become {now} meanwhile")),
    }
}

/// Parameters of an epoch out of the mapping of both copies.
fn parse_params(both: &Mapping, bytes: usize, epoch: u64) -> Result<Value, String> {
    let mut text = vec![0; bytes];
    let from = both.as_ptr().wrapping_add((epoch & 1) as usize * bytes);
    // In bounds: the mapping holds both copies.
    shm::copy_relaxed(from, &mut text);
    let length = text.iter().position(|b| *b == 0).unwrap_or(text.len());
    serde_json::from_slice(&text[..length])
        .map_err(|e| format!("the parameters in its segment are no JSON: {e}"))
}

impl StageMemory {
    /// Attaches; the stage itself read-write, watchers read-only.
    ///
    /// # Errors
    /// A damaged segment.
    pub fn attach(segment: &Segment, access: Access) -> Result<Self, ShmError> {
        let refuse = || ShmError::refused(segment.name(), "its stage geometry is damaged");
        let g: StageGeometry = read_at(segment.fixed(), STAGE_GEOMETRY_AT).ok_or_else(refuse)?;
        let inside = |end: Option<u64>| end.is_some_and(|end| end <= segment.bytes() as u64);
        let banks = g.bank_stride.checked_mul(2);
        let sound = g.bank_stride.is_multiple_of(PAGE as u64)
            && g.bank_stride.checked_sub(size_of::<Bank>() as u64) >= Some(g.state_bytes)
            && inside(banks.and_then(|bytes| bytes.checked_add(g.banks_at)))
            && inside(g.append_at.checked_add(g.append_bytes));
        if !sound {
            return Err(refuse());
        }
        let words = segment.map(g.words_at as usize, PAGE, access)?;
        let orders = segment.map(g.orders_at as usize, PAGE, Access::ReadOnly)?;
        let stride = g.bank_stride as usize;
        let params_bytes = g.params_bytes as usize;
        if access == Access::ReadOnly {
            // Whoever watches (the timer) has no use for the state, and would lock all of it in memory.
            let bank = |index| segment.map(g.banks_at as usize + index * stride, PAGE, access);
            let banks_map = bank(0)?;
            return Ok(StageMemory {
                words: words.words(0),
                orders: orders.words(0),
                banks: [banks_map.words(0), bank(1)?.words(0)],
                state_bytes: 0,
                append_bytes: 0,
                own: (0, 0),
                adapters: Space::default(),
                banks_map,
                bank_stride: stride,
                append_map: None,
                params_map: None,
                params_at: g.params_at as usize,
                params_bytes,
            });
        }
        let params_map = segment.map(
            g.params_at as usize,
            params_bytes.saturating_mul(2),
            Access::ReadOnly,
        )?;
        let banks_map = segment.map(g.banks_at as usize, 2 * stride, access)?;
        let append_map = match g.append_bytes as usize {
            0 => None,
            bytes => Some(segment.map(g.append_at as usize, pages(bytes), access)?),
        };
        Ok(StageMemory {
            words: words.words(0),
            orders: orders.words(0),
            banks: [banks_map.words(0), banks_map.words(stride)],
            state_bytes: g.state_bytes as usize,
            append_bytes: g.append_bytes as usize,
            own: (g.state_bytes as usize, g.append_bytes as usize),
            adapters: Space::default(),
            banks_map,
            bank_stride: stride,
            append_map,
            params_map: Some(params_map),
            params_at: g.params_at as usize,
            params_bytes,
        })
    }

    /// The launcher's: writes the parameters of an epoch into their copy. The stage reads the other one.
    ///
    /// # Errors
    /// If there is no room for them: a copy has what the parameters at the start needed, in whole pages.
    pub fn write_params(&self, owned: &shm::Owned, epoch: u64, params: &str) -> Result<(), String> {
        if params.len() > self.params_bytes {
            return Err(format!(
                "the parameters are {} bytes and there is room for {}: start the session with longer ones",
                params.len(),
                self.params_bytes
            ));
        }
        let at = self.params_at + (epoch & 1) as usize * self.params_bytes;
        let mut text = params.as_bytes().to_vec();
        text.resize(self.params_bytes, 0);
        for (index, word) in text.as_chunks::<8>().0.iter().enumerate() {
            let live: &AtomicU64 = owned.words(at + index * 8);
            live.store(u64::from_le_bytes(*word), Ordering::Relaxed);
        }
        Ok(())
    }

    /// The newest parameters and their epoch.
    ///
    /// # Errors
    /// If they are no JSON: the launcher wrote them, so the segment is damaged.
    pub fn params(&self) -> Result<(u64, Value), String> {
        let Some(map) = &self.params_map else {
            return Err("whoever only watches has no parameters".to_owned());
        };
        let epoch = self.orders.epoch.load(Ordering::Acquire);
        parse_params(map, self.params_bytes, epoch).map(|params| (epoch, params))
    }

    /// The current bank.
    pub fn bank(&self) -> &Bank {
        &self.banks[(self.words.flip.load(Ordering::Acquire) & 1) as usize] // [F]
    }

    /// The bank that the next flip makes current. Its owner alone writes it.
    pub fn next_bank(&self) -> &Bank {
        &self.banks[(self.words.flip.load(Ordering::Relaxed) & 1 ^ 1) as usize]
    }

    /// Makes the next bank current.
    pub fn flip(&self) {
        let flip = self.words.flip.load(Ordering::Relaxed);
        self.words
            .flip
            .store(flip.wrapping_add(1), Ordering::Release); // [F]
    }

    /// Copies the current state into the next bank: what a turn does to it there becomes current with the flip.
    pub fn carry(&mut self) {
        if self.state_bytes == 0 {
            return;
        }
        let current = (self.words.flip.load(Ordering::Relaxed) & 1) as usize;
        let base = self.banks_map.as_ptr();
        // SAFETY: both state areas lie behind their bank inside the mapping (checked at attach), do not overlap, and are
        // written by this stage alone; no slice of them is alive (`&mut self`).
        unsafe {
            let from = base.add(current * self.bank_stride + size_of::<Bank>());
            let to = base.add((current ^ 1) * self.bank_stride + size_of::<Bank>());
            core::ptr::copy_nonoverlapping(from, to, self.state_bytes);
        }
    }

    /// Says which part of the state is the edge adapters'. The rest is the stage's own.
    ///
    /// # Panics
    /// If the segment is shorter than both need: its maker has laid it out by [`with_adapters`] from the same plan.
    pub fn divide(&mut self, described: &Described, adapters: Space) {
        let needed = with_adapters(described, adapters);
        assert!(
            (needed.state_bytes, needed.append_bytes) == (self.state_bytes, self.append_bytes),
            "the stage's segment was made for another state"
        );
        self.own = (described.state_bytes, described.append_bytes);
        self.adapters = adapters;
    }

    /// The state in the next bank, and the append-only region.
    pub fn next_state(&mut self) -> StateParts<'_> {
        let next = (self.words.flip.load(Ordering::Relaxed) & 1 ^ 1) as usize;
        let append = match &self.append_map {
            // SAFETY: the mapping is at least `append_bytes` long and, as this process is the stage and holds `&mut self`,
            // nobody else writes it or refers to it.
            Some(map) => unsafe {
                core::slice::from_raw_parts_mut(map.as_ptr(), self.append_bytes)
            },
            None => &mut [],
        };
        // SAFETY: as in `carry`; `&mut self` keeps the slice unique.
        let state = unsafe {
            let at = self
                .banks_map
                .as_ptr()
                .add(next * self.bank_stride + size_of::<Bank>());
            core::slice::from_raw_parts_mut(at, self.state_bytes)
        };
        let (state, words) = state.split_at_mut(self.state_bytes - self.adapters.words);
        let (append, held) = append.split_at_mut(self.append_bytes - self.adapters.held);
        StateParts {
            state: &mut state[..self.own.0],
            append: &mut append[..self.own.1],
            kept: Kept { words, held },
        }
    }

    /// For whoever only looks on: copies the current state, as far as it fits. `None` if it is being changed again and again.
    pub fn copy_state(&self, out: &mut [u8]) -> Option<()> {
        let length = out.len().min(self.state_bytes);
        (0..8).find_map(|_| {
            let flip = self.words.flip.load(Ordering::Acquire); // [F]
            let current = (flip & 1) as usize;
            let at = current * self.bank_stride + size_of::<Bank>();
            // In bounds: both banks hold `state_bytes` of state, checked at attach.
            shm::copy_relaxed(self.banks_map.as_ptr().wrapping_add(at), &mut out[..length]);
            std::sync::atomic::fence(std::sync::atomic::Ordering::Acquire);
            // With the next flip this copy becomes the one that is changed.
            (self.words.flip.load(Ordering::Relaxed) == flip).then_some(())
        })
    }

    /// Touches every page.
    pub fn touch(&self) {
        self.banks_map.touch();
        if let Some(map) = &self.append_map {
            map.touch();
        }
    }

    /// States why something went wrong, for the launcher.
    pub fn say(&self, reason: &str) {
        crate::text::store(&self.words.reason, reason);
    }
}

/// Accounts of a stage in its own memory; written to the next bank before each flip.
#[derive(Clone, Debug, Default)]
pub struct Accounts {
    /// Newest tick dealt with.
    pub ran: u64,
    /// Activation records written.
    pub records: u64,
    /// Ticks run.
    pub run: u64,
    /// Ticks skipped: late wake, long run, no room, dead.
    pub skipped: [u64; 4],
    /// Frames until settled.
    pub settle_left: u64,
    /// The first state has been written.
    pub started: bool,
    /// The inputs have ended and what was held has been published.
    pub finished: bool,
    /// Activations.
    pub activations: u64,
}

/// Stores one plain counter.
pub(super) fn put(word: &AtomicU64, value: u64) {
    word.store(value, Ordering::Relaxed);
}

/// Loads one plain counter.
pub(crate) fn get(word: &AtomicU64) -> u64 {
    word.load(Ordering::Relaxed)
}

impl Accounts {
    /// From the current bank: zero at first, what the predecessor left after a restart.
    pub fn load(bank: &Bank) -> Self {
        Accounts {
            ran: get(&bank.ran),
            records: get(&bank.records),
            run: get(&bank.run),
            skipped: [
                get(&bank.late_wake),
                get(&bank.long_run),
                get(&bank.no_room),
                get(&bank.dead),
            ],
            settle_left: get(&bank.settle_left),
            started: get(&bank.started) & 1 != 0,
            finished: get(&bank.started) & 2 != 0,
            activations: get(&bank.activations),
        }
    }

    /// Into the bank that is about to become current.
    pub fn store(&self, bank: &Bank) {
        put(&bank.ran, self.ran);
        put(&bank.records, self.records);
        put(&bank.run, self.run);
        put(&bank.late_wake, self.skipped[0]);
        put(&bank.long_run, self.skipped[1]);
        put(&bank.no_room, self.skipped[2]);
        put(&bank.dead, self.skipped[3]);
        put(&bank.settle_left, self.settle_left);
        put(
            &bank.started,
            u64::from(self.started) | u64::from(self.finished) << 1,
        );
        put(&bank.activations, self.activations);
    }
}

/// Causes of a skipped tick, as indices of [`Accounts::skipped`].
pub mod cause {
    /// It was waiting when the tick fell due.
    pub const LATE_WAKE: usize = 0;
    /// Its own activation ran past it.
    pub const LONG_RUN: usize = 1;
    /// An output had no room.
    pub const NO_ROOM: usize = 2;
    /// The process was dead.
    pub const DEAD: usize = 3;
}

/// The session segment as its processes see it.
pub struct SessionView {
    /// The launcher's words.
    pub words: Words<abi::SessionWords>,
    /// The timer's words.
    pub timer: Words<abi::TimerWords>,
}

impl SessionView {
    /// Attaches; the timer writes its own page.
    ///
    /// # Errors
    /// A damaged segment.
    pub fn attach(segment: &Segment, timer: Access) -> Result<Self, ShmError> {
        let words = segment.map(PAGE, PAGE, Access::ReadOnly)?;
        let timer = segment.map(2 * PAGE, PAGE, timer)?;
        Ok(SessionView {
            words: words.words(0),
            timer: timer.words(0),
        })
    }
}
