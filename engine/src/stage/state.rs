//! The state block of a stage: two copies that flip, and an append-only region.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// State of one activation: `carried` from the previous one, written to the copy that the flip will make current.
pub struct State<'a> {
    next: &'a mut [u8],
    append: &'a mut [u8],
}

impl<'a> State<'a> {
    /// `next` already holds a copy of the previous activation's state; `append` is the append-only region.
    pub fn new(next: &'a mut [u8], append: &'a mut [u8]) -> Self {
        State { next, append }
    }

    /// The state as one `T`, to be changed in place. `T`'s size must be the described `state_bytes`.
    ///
    /// # Panics
    /// If the sizes differ: a fault of the stage's `describe`, found by its first test.
    pub fn typed<T: FromBytes + IntoBytes + KnownLayout + Immutable>(&mut self) -> &mut T {
        T::mut_from_bytes(self.next)
            .unwrap_or_else(|_| panic!("state_bytes is not the size of this type"))
    }

    /// The state as a slice of `T`.
    ///
    /// # Panics
    /// If `state_bytes` is not a multiple of `T`'s size.
    pub fn slice_mut<T: FromBytes + IntoBytes + Immutable>(&mut self) -> &mut [T] {
        <[T]>::mut_from_bytes(self.next)
            .unwrap_or_else(|_| panic!("state_bytes is not a multiple of this type's size"))
    }

    /// The state as bytes, and the append-only region, both at once.
    pub fn parts_mut(&mut self) -> (&mut [u8], &mut [u8]) {
        (self.next, self.append)
    }
}
