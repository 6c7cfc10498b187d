//! Memory that begins on a cache line, as the payload of a slot does.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// Bytes for the output of an adapter; as many from the start as it can get.
pub(super) struct Buffer(Vec<Line>);

impl Buffer {
    pub fn new(bytes: usize) -> Self {
        Buffer(vec![Line([0; 64]); bytes.div_ceil(64)])
    }

    pub fn bytes(&self) -> &[u8] {
        self.0.as_slice().as_bytes()
    }

    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.0.as_mut_slice().as_mut_bytes()
    }
}
