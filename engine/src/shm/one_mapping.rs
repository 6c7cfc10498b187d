//! For ThreadSanitizer (`--cfg tsan`, `make tsan`), which knows memory by its address: both ends of a ring in one process get
//! the same mapping of a region. It is writable, whatever the end asked for.

use super::{Access, ShmError, map_region};
use memmap2::MmapRaw;
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// By inode, first byte and bytes.
type Regions = BTreeMap<(u64, usize, usize), Weak<MmapRaw>>;

static REGIONS: Mutex<Regions> = Mutex::new(BTreeMap::new());

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
    let mut regions = REGIONS.lock().unwrap_or_else(PoisonError::into_inner);
    let region = (meta.ino(), at, bytes);
    if let Some(map) = regions.get(&region).and_then(Weak::upgrade) {
        return Ok(map);
    }
    let map = Arc::new(match write {
        Some(file) => map_region(name, file, at, bytes, Access::ReadWrite)?,
        None => map_region(name, read, at, bytes, Access::ReadOnly)?,
    });
    regions.insert(region, Arc::downgrade(&map));
    Ok(map)
}
