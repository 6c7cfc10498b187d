//! Pages that are not there until they are touched, in a process whose memory is locked.
#![allow(unsafe_code, reason = "gives private pages back to the kernel")]

use crate::abi::PAGE;
use memmap2::{MmapMut, UncheckedAdvice};

/// Pages that fault when they are touched.
pub(super) struct FreshPages {
    map: MmapMut,
}

impl FreshPages {
    /// So many pages; `None` if the system has none.
    pub fn map(pages: u32) -> Option<Self> {
        let map = MmapMut::map_anon(pages as usize * PAGE).ok()?;
        Some(FreshPages { map })
    }

    /// Takes them out of the process's lock, and gives them back: the kernel keeps no locked page from being there.
    pub fn let_go(&mut self) {
        // Not locked, where nothing may be locked: then there is nothing to undo.
        let _ = self.map.unlock();
        // SAFETY: private anonymous memory of our own, to which nobody holds a reference; it reads as zero afterwards.
        let _ = unsafe { self.map.unchecked_advise(UncheckedAdvice::DontNeed) };
    }

    /// Touches the first so many, each of which faults.
    pub fn touch(&mut self, pages: u32) {
        for byte in self.map.iter_mut().step_by(PAGE).take(pages as usize) {
            *core::hint::black_box(byte) = 1;
        }
        self.let_go();
    }
}
