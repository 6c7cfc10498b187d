//! Atomics in shared memory, as the model checker sees them (`--cfg loom` only).
//!
//! A ring lies in mapped memory, and loom's atomics are no plain words that could lie there. So the atomics here have the
//! layout of plain words, and behind the words that a model *watches* stands an atomic of loom's each, found by the file
//! that is mapped and the byte in it: two mappings of one word are one word, as in two processes. Words that nobody watches
//! are plain memory; a model watches those that it is about, for every one more multiplies what has to be tried.
//!
//! Blocks are written and read in place through plain references, which loom cannot see. The ring says where it does so:
//! [`written`] makes atomic stores of the watched words of what the producer wrote since its last call, [`read_in_place`]
//! makes loads of them that must not meet any store. All threads of a model are one thread of the system, so that between
//! two calls to loom nothing else runs, and what stands in the memory below is the producer's draft.

use core::cell::{RefCell, UnsafeCell};
use core::sync::atomic::Ordering;
use loom::sync::atomic as checked;
use loom::sync::{Condvar, Mutex};
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::rc::Rc;
use std::time::Duration;

/// A file by its inode, and a byte of it.
type Place = (u64, u64);

/// A mapped region.
struct Region {
    end: usize,
    file: u64,
    at: u64,
}

/// Where those wait who sleep on a futex word.
struct Bed {
    door: Mutex<()>,
    wake: Condvar,
}

#[derive(Default)]
struct Memory {
    /// Every watched access of every thread passes here: see [`turn`].
    turnstile: Option<Rc<checked::AtomicU64>>,
    /// By first address.
    regions: BTreeMap<usize, Region>,
    u64s: BTreeMap<Place, Rc<checked::AtomicU64>>,
    u32s: BTreeMap<Place, Rc<checked::AtomicU32>>,
    beds: BTreeMap<Place, Rc<Bed>>,
}

impl Memory {
    fn place(&self, address: usize) -> Option<Place> {
        let (start, region) = self.regions.range(..=address).next_back()?;
        (address < region.end).then(|| (region.file, region.at + (address - start) as u64))
    }
}

thread_local! {
    static MEMORY: RefCell<Memory> = RefCell::default();
}

/// Forgets everything: the first line of every model.
pub fn fresh() {
    let turnstile = Some(Rc::new(checked::AtomicU64::new(0)));
    MEMORY.with_borrow_mut(|memory| {
        *memory = Memory {
            turnstile,
            ..Memory::default()
        };
    });
}

/// Before every watched access. loom compares an access only with the last one of the same word, and so tries a store before
/// another thread's load only if the storing thread did not look at the word itself in between. A word that all accesses
/// have in common makes it try every order; it is stored and never loaded, so that no fence can hang on it.
fn turn() {
    let turnstile = MEMORY.with_borrow(|memory| memory.turnstile.clone());
    if let Some(word) = turnstile {
        word.store(0, Ordering::Relaxed);
    }
}

fn inode(file: &File) -> u64 {
    file.metadata().expect("stat of an open file").ino()
}

fn bytes_of<const N: usize>(file: &File, at: u64) -> [u8; N] {
    let mut bytes = [0; N];
    file.read_exact_at(&mut bytes, at).expect("a word to watch");
    bytes
}

/// Watches the u64 at byte `at` of `file`. Before the model's threads are spawned.
pub fn watch(file: &File, at: u64) {
    let word = checked::AtomicU64::new(u64::from_le_bytes(bytes_of(file, at)));
    MEMORY.with_borrow_mut(|memory| memory.u64s.insert((inode(file), at), Rc::new(word)));
}

/// Watches the u32 at byte `at` of `file`, on which threads may sleep. Before the model's threads are spawned.
pub fn watch_u32(file: &File, at: u64) {
    let word = checked::AtomicU32::new(u32::from_le_bytes(bytes_of(file, at)));
    let bed = Bed {
        door: Mutex::new(()),
        wake: Condvar::new(),
    };
    MEMORY.with_borrow_mut(|memory| {
        memory.u32s.insert((inode(file), at), Rc::new(word));
        memory.beds.insert((inode(file), at), Rc::new(bed));
    });
}

/// `bytes` of `file` from byte `at` on are mapped at `base`.
pub(crate) fn mapped(base: *const u8, bytes: usize, file: &File, at: u64) {
    let (start, file) = (base as usize, inode(file));
    let end = start + bytes;
    MEMORY.with_borrow_mut(|memory| {
        // What was mapped here before is no longer.
        memory
            .regions
            .retain(|old, region| region.end <= start || *old >= end);
        memory.regions.insert(start, Region { end, file, at });
    });
}

/// The watched words in a range of addresses, in order.
fn watched(base: *const u8, bytes: usize) -> Vec<(*const u64, Rc<checked::AtomicU64>)> {
    MEMORY.with_borrow(|memory| {
        let Some((file, at)) = memory.place(base as usize) else {
            return Vec::new();
        };
        memory
            .u64s
            .range((file, at)..(file, at + bytes as u64))
            .map(|((_, byte), word)| {
                let address = base.wrapping_add((byte - at) as usize).cast();
                (address, Rc::clone(word))
            })
            .collect()
    })
}

/// The caller has written `bytes` at `base` through plain references since it was here last.
pub(crate) fn written(base: *const u8, bytes: usize) {
    for (address, word) in watched(base, bytes) {
        turn();
        // SAFETY: inside the caller's mapping, 8-aligned as every watched word; no other thread of the system writes here.
        word.store(unsafe { address.read() }, Ordering::Relaxed);
    }
}

/// The caller reads `bytes` at `base` in place: a store that neither happens before this nor after it is a race.
pub(crate) fn read_in_place(base: *const u8, bytes: usize) {
    for (address, word) in watched(base, bytes) {
        // SAFETY: loom itself refuses a store that could meet this load.
        let value = unsafe { word.unsync_load() };
        // SAFETY: as in `written`.
        let draft = unsafe { address.read() };
        assert_eq!(
            value, draft,
            "a reader stands on a slot that is being written"
        );
    }
}

/// Sleeps on a watched word while it holds `seen`. The bound counts for nothing: a wake that is lost is a deadlock, which
/// loom names.
pub fn futex_wait(word: &AtomicU32, seen: u32, _bound: Duration) {
    let bed = word.bed();
    let door = bed
        .door
        .lock()
        .expect("no thread of a model panics and goes on");
    if word.load(Ordering::Relaxed) == seen {
        drop(bed.wake.wait(door).expect("as above"));
    }
}

/// Wakes everybody who sleeps on a watched word.
pub fn futex_wake_all(word: &AtomicU32) {
    let bed = word.bed();
    let _door = bed
        .door
        .lock()
        .expect("no thread of a model panics and goes on");
    bed.wake.notify_all();
}

macro_rules! atomic {
    ($name:ident, $int:ty, $words:ident) => {
        /// A word of shared memory.
        #[repr(transparent)]
        pub struct $name(UnsafeCell<$int>);

        // SAFETY: only the threads of one model share it, and they are one thread of the system.
        unsafe impl Sync for $name {}

        impl $name {
            /// A word that nobody watches.
            pub const fn new(value: $int) -> Self {
                $name(UnsafeCell::new(value))
            }

            /// The word at an address.
            ///
            /// # Safety
            /// As the standard library's.
            pub const unsafe fn from_ptr<'a>(pointer: *mut $int) -> &'a Self {
                // SAFETY: promised by the caller; the layout is the number's.
                unsafe { &*pointer.cast::<Self>() }
            }

            /// Its address.
            pub const fn as_ptr(&self) -> *mut $int {
                self.0.get()
            }

            fn watched(&self) -> Option<Rc<checked::$name>> {
                let word = MEMORY.with_borrow(|memory| {
                    let place = memory.place(self.as_ptr() as usize)?;
                    memory.$words.get(&place).cloned()
                })?;
                turn();
                Some(word)
            }

            fn plain(&self) -> $int {
                // SAFETY: `self` is live; the model is one thread of the system.
                unsafe { self.0.get().read_volatile() }
            }

            fn set_plain(&self, value: $int) -> $int {
                let before = self.plain();
                // SAFETY: as above.
                unsafe { self.0.get().write_volatile(value) };
                before
            }

            /// Loads.
            #[track_caller]
            pub fn load(&self, order: Ordering) -> $int {
                match self.watched() {
                    Some(word) => word.load(order),
                    None => self.plain(),
                }
            }

            /// Stores.
            #[track_caller]
            pub fn store(&self, value: $int, order: Ordering) {
                match self.watched() {
                    Some(word) => word.store(value, order),
                    None => _ = self.set_plain(value),
                }
            }

            /// Adds; the number before.
            #[track_caller]
            pub fn fetch_add(&self, value: $int, order: Ordering) -> $int {
                match self.watched() {
                    Some(word) => word.fetch_add(value, order),
                    None => self.set_plain(self.plain().wrapping_add(value)),
                }
            }

            /// The greater one stays; the number before.
            #[track_caller]
            pub fn fetch_max(&self, value: $int, order: Ordering) -> $int {
                match self.watched() {
                    Some(word) => word.fetch_max(value, order),
                    None => self.set_plain(self.plain().max(value)),
                }
            }

            /// Puts `new` in the place of `current`; the number before.
            ///
            /// # Errors
            /// The number that stood there instead.
            #[track_caller]
            pub fn compare_exchange(
                &self,
                current: $int,
                new: $int,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$int, $int> {
                match self.watched() {
                    Some(word) => word.compare_exchange(current, new, success, failure),
                    None if self.plain() == current => Ok(self.set_plain(new)),
                    None => Err(self.plain()),
                }
            }
        }
    };
}

atomic!(AtomicU64, u64, u64s);
atomic!(AtomicU32, u32, u32s);

impl AtomicU32 {
    fn bed(&self) -> Rc<Bed> {
        MEMORY.with_borrow(|memory| {
            let place = memory.place(self.as_ptr() as usize);
            let bed = place.and_then(|place| memory.beds.get(&place));
            bed.cloned()
                .expect("who sleeps in a model sleeps on a watched word")
        })
    }
}
