//! For ThreadSanitizer (`--cfg tsan`, `make tsan`), which knows memory by its address: both ends of a ring that one thread
//! attaches get the same mapping of a region. It is writable, whatever the end asked for.

use super::{Access, ShmError, map_region};
use memmap2::MmapRaw;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::mem::ManuallyDrop;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

/// By inode, first byte and bytes. Mapped for ever: the sanitizer does not see the fence before the last drop of an `Arc`.
type Regions = BTreeMap<(u64, usize, usize), ManuallyDrop<Arc<MmapRaw>>>;

thread_local! {
    static REGIONS: RefCell<Regions> = RefCell::default();
}

/// The mapping of a region: the one that is there, or a new one.
pub(super) fn of(
    name: &str,
    read: &File,
    write: Option<&File>,
    at: usize,
    bytes: usize,
) -> Result<Arc<MmapRaw>, ShmError> {
    let meta = read.metadata().map_err(|source| ShmError::Io {
        name: name.to_owned(),
        what: "cannot stat the segment",
        source,
    })?;
    let region = (meta.ino(), at, bytes);
    let there = REGIONS.with_borrow(|regions| regions.get(&region).map(|map| Arc::clone(map)));
    if let Some(map) = there {
        return Ok(map);
    }
    let map = Arc::new(match write {
        Some(file) => map_region(name, file, at, bytes, Access::ReadWrite)?,
        None => map_region(name, read, at, bytes, Access::ReadOnly)?,
    });
    let kept = ManuallyDrop::new(Arc::clone(&map));
    REGIONS.with_borrow_mut(|regions| regions.insert(region, kept));
    Ok(map)
}
