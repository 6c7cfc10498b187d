//! Shared-memory segments: made and unlinked by the launcher, mapped region by region by everybody else.
//!
//! `shared_memory` creates and unlinks (it maps everything read-write, so only the launcher uses it); everybody else
//! opens the segment's file, checks whose it is, and maps what it needs with `memmap2`, read-only where it only reads.
#![allow(unsafe_code, reason = "maps memory that other processes write")]

use crate::abi::{self, SegmentHeader};
use crate::sync::{AtomicU64, Ordering};
use crate::trap::{Point, trap};
use core::mem::size_of;
use core::ptr::NonNull;
use memmap2::{MmapOptions, MmapRaw};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zerocopy::FromBytes;

#[cfg(tsan)]
mod one_mapping;

/// Where POSIX shared-memory names appear as files.
pub const SHM_DIR: &str = "/dev/shm";

/// Why a segment could not be made or mapped.
#[derive(Debug, thiserror::Error)]
pub enum ShmError {
    /// The name is taken.
    #[error(
        "{name}: a segment of this name exists already: another session runs, or one was killed (run `ephapse gc`)"
    )]
    Exists {
        /// Segment.
        name: String,
    },
    /// Not enough shared memory.
    #[error(
        "{name}: {bytes} bytes of shared memory cannot be had: {source} (see `df -h /dev/shm`)"
    )]
    NoSpace {
        /// Segment.
        name: String,
        /// Size.
        bytes: usize,
        /// Cause.
        source: io::Error,
    },
    /// It cannot be opened or mapped.
    #[error("{name}: {what}: {source}")]
    Io {
        /// Segment.
        name: String,
        /// What failed.
        what: &'static str,
        /// Cause.
        source: io::Error,
    },
    /// It is not what it should be.
    #[error("{name}: {why}")]
    Refused {
        /// Segment.
        name: String,
        /// Both sides of the disagreement, and whose segment it is.
        why: String,
    },
}

impl ShmError {
    pub(crate) fn refused(name: &str, why: impl Into<String>) -> Self {
        ShmError::Refused {
            name: name.to_owned(),
            why: why.into(),
        }
    }
}

/// Rounds up to whole pages.
pub const fn pages(bytes: usize) -> usize {
    bytes.div_ceil(abi::PAGE) * abi::PAGE
}

/// The file behind a segment name (`/ephapse.0.demo.raw`).
pub fn path_of(name: &str) -> PathBuf {
    Path::new(SHM_DIR).join(name.trim_start_matches('/'))
}

/// A segment that this process made and will unlink: zero-filled, with its memory really there.
pub struct Owned {
    shmem: shared_memory::Shmem,
    name: String,
}

impl Owned {
    /// Makes a segment of `bytes` (rounded up to pages).
    ///
    /// # Errors
    /// [`ShmError::Exists`], [`ShmError::NoSpace`], or what the system said.
    pub fn create(name: &str, bytes: usize) -> Result<Self, ShmError> {
        let bytes = pages(bytes);
        let shmem = shared_memory::ShmemConf::new()
            .size(bytes)
            .os_id(name)
            .create()
            .map_err(|e| match e {
                shared_memory::ShmemError::MappingIdExists
                | shared_memory::ShmemError::LinkExists => ShmError::Exists {
                    name: name.to_owned(),
                },
                other => ShmError::Io {
                    name: name.to_owned(),
                    what: "cannot create the segment",
                    source: io::Error::other(other.to_string()),
                },
            })?;
        let owned = Owned {
            shmem,
            name: name.to_owned(),
        };
        trap(Point::Segment);
        // Without this a full /dev/shm shows itself later, as a SIGBUS in some stage.
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path_of(name))
            .map_err(|source| ShmError::Io {
                name: name.to_owned(),
                what: "cannot open the segment just made",
                source,
            })?;
        // SAFETY: plain system call on an open descriptor.
        let rc = unsafe { libc::posix_fallocate(file.as_raw_fd(), 0, bytes as libc::off_t) };
        if rc != 0 {
            return Err(ShmError::NoSpace {
                name: name.to_owned(),
                bytes,
                source: io::Error::from_raw_os_error(rc),
            });
        }
        #[cfg(loom)]
        crate::sync::modelled::mapped(owned.shmem.as_ptr(), bytes, &file, 0);
        Ok(owned)
    }

    /// Name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole segment, before its version word is written: nobody else looks at it yet.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: the mapping is `len` bytes long and lives as long as `self`; until `publish` no other process has
        // been told the name and attaching waits for the version word [V].
        unsafe { core::slice::from_raw_parts_mut(self.shmem.as_ptr(), self.shmem.len()) }
    }

    /// Seals the fixed region with its checksum and writes the version word last \[V\].
    pub fn publish(&mut self, header: SegmentHeader) {
        let base = self.shmem.as_ptr();
        seal(self.bytes_mut(), header);
        #[cfg(loom)]
        crate::sync::modelled::written(base, self.shmem.len());
        // SAFETY: the word at offset 8 is 8-aligned (segments start on a page) and inside the mapping.
        let version = unsafe { AtomicU64::from_ptr(base.add(8).cast()) };
        version.store(abi::VERSION, Ordering::Release); // [V]
        trap(Point::Published);
    }

    /// A reference to live words of the segment.
    pub fn words<T>(&self, at: usize) -> &T {
        assert!(
            at.is_multiple_of(align_of::<T>()) && at + size_of::<T>() <= self.shmem.len(),
            "words outside the segment"
        );
        // SAFETY: in bounds and aligned (asserted; the mapping starts on a page); `T` is a struct of atomics, valid for any bytes.
        unsafe { &*self.shmem.as_ptr().add(at).cast::<T>() }
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        trap(Point::Unlink);
    }
}

/// Fills in a header (all but the version word) and its checksum at the start of `segment`.
pub(crate) fn seal(segment: &mut [u8], mut header: SegmentHeader) {
    header.magic = abi::MAGIC;
    header.version = 0;
    header.byte_order = abi::BYTE_ORDER;
    header.segment_bytes = segment.len() as u64;
    header.crc = 0;
    let fixed = header.fixed_bytes as usize;
    write_at(segment, 0, &header);
    let crc = crc32c::crc32c(&segment[32..fixed]);
    segment[28..32].copy_from_slice(&crc.to_le_bytes());
}

/// Writes a plain struct at a byte offset of a buffer.
pub(crate) fn write_at<T: zerocopy::IntoBytes + zerocopy::Immutable>(
    buffer: &mut [u8],
    at: usize,
    value: &T,
) {
    buffer[at..at + size_of::<T>()].copy_from_slice(value.as_bytes());
}

/// Reads a plain struct at a byte offset of a buffer.
pub(crate) fn read_at<T: FromBytes>(buffer: &[u8], at: usize) -> Option<T> {
    T::read_from_bytes(buffer.get(at..at.checked_add(size_of::<T>())?)?).ok()
}

/// How a region is mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// A store is a fault of the storing process.
    ReadOnly,
    /// Read and write.
    ReadWrite,
}

/// A segment that somebody else made, opened and checked, not yet mapped.
pub struct Segment {
    name: String,
    read: File,
    write: Option<File>,
    bytes: usize,
    header: SegmentHeader,
    fixed: Vec<u8>,
}

impl Segment {
    /// Opens a segment by name and checks owner, mode, size, version, byte order, kind and checksum.
    ///
    /// # Errors
    /// [`ShmError::Refused`] names both versions or owners, the segment and the maker's pid.
    pub fn open(name: &str, kind: u32, access: Access) -> Result<Self, ShmError> {
        let path = path_of(name);
        let io_error = |what| {
            move |source| ShmError::Io {
                name: name.to_owned(),
                what,
                source,
            }
        };
        let read = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NOFOLLOW)
            .open(&path)
            .map_err(io_error(
                "cannot open the segment (is the session still running?)",
            ))?;
        let write = match access {
            Access::ReadOnly => None,
            Access::ReadWrite => Some(
                OpenOptions::new()
                    .read(true)
                    .write(true)
                    .custom_flags(libc::O_NOFOLLOW)
                    .open(&path)
                    .map_err(io_error("cannot open the segment for writing"))?,
            ),
        };
        let meta = read
            .metadata()
            .map_err(io_error("cannot stat the segment"))?;
        // SAFETY: no arguments, no memory.
        let uid = unsafe { libc::geteuid() };
        if meta.uid() != uid {
            return Err(ShmError::refused(
                name,
                format!("belongs to user {}, not to {uid}: refused", meta.uid()),
            ));
        }
        if meta.mode() & 0o077 != 0 {
            return Err(ShmError::refused(
                name,
                format!(
                    "others may open it (mode {:o}): refused",
                    meta.mode() & 0o777
                ),
            ));
        }
        Self::checked(name, read, write, meta.len() as usize, kind)
    }

    /// Opens a further segment of the session whose session segment this is, to be written too. One that an earlier session
    /// of the same name has left is refused.
    ///
    /// # Errors
    /// As [`Segment::open`]; for another session's, [`ShmError::Refused`] with both sessions and their makers.
    pub fn open_beside(&self, name: &str, kind: u32) -> Result<Self, ShmError> {
        let opened = Self::open(name, kind, Access::ReadWrite)?;
        let (its, ours) = (&opened.header, &self.header);
        if its.session_id == ours.session_id {
            return Ok(opened);
        }
        Err(ShmError::refused(
            name,
            format!(
                "is of session {:032x} (made by pid {}), expected {:032x} (made by pid {}): left by an earlier session of this name (run `ephapse gc`)",
                u128::from_be_bytes(its.session_id),
                its.launcher_pid,
                u128::from_be_bytes(ours.session_id),
                ours.launcher_pid
            ),
        ))
    }

    /// The same checks on descriptors that were handed over (a memfd).
    ///
    /// # Errors
    /// As [`Segment::open`].
    pub fn from_files(
        name: &str,
        read: File,
        write: Option<File>,
        kind: u32,
    ) -> Result<Self, ShmError> {
        let bytes = read
            .metadata()
            .map_err(|source| ShmError::Io {
                name: name.to_owned(),
                what: "cannot stat the segment",
                source,
            })?
            .len();
        Self::checked(name, read, write, bytes as usize, kind)
    }

    fn checked(
        name: &str,
        read: File,
        write: Option<File>,
        bytes: usize,
        kind: u32,
    ) -> Result<Self, ShmError> {
        if bytes < size_of::<SegmentHeader>() {
            return Err(ShmError::refused(
                name,
                format!("is {bytes} bytes long, shorter than a header: not yet made, or truncated"),
            ));
        }
        let first = map_region(
            name,
            &read,
            0,
            pages(size_of::<SegmentHeader>()).min(bytes),
            Access::ReadOnly,
        )?;
        // SAFETY: offset 8 is inside the mapping (at least 128 bytes) and 8-aligned.
        let version = unsafe { AtomicU64::from_ptr(first.as_mut_ptr().add(8).cast()) }
            .load(Ordering::Acquire); // [V]
        let mut head = [0_u8; size_of::<SegmentHeader>()];
        copy_relaxed(first.as_mut_ptr(), &mut head);
        let header: SegmentHeader = read_at(&head, 0).unwrap_or_default();
        let pid = header.launcher_pid;
        if header.magic != abi::MAGIC {
            return Err(ShmError::refused(
                name,
                "does not begin with the magic word: not a segment of ours",
            ));
        }
        if version == 0 {
            return Err(ShmError::refused(
                name,
                format!(
                    "its version word is not yet written: pid {pid} is still making it, or died doing so"
                ),
            ));
        }
        if version >> 32 != u64::from(abi::VERSION_MAJOR) {
            return Err(ShmError::refused(
                name,
                format!(
                    "has ABI {}.{}, this program speaks {}.{} (made by pid {pid}): use programs of one version",
                    version >> 32,
                    version & 0xffff_ffff,
                    abi::VERSION_MAJOR,
                    abi::VERSION_MINOR
                ),
            ));
        }
        if header.byte_order != abi::BYTE_ORDER {
            return Err(ShmError::refused(
                name,
                "was made on a machine of another byte order",
            ));
        }
        if header.kind != kind {
            return Err(ShmError::refused(
                name,
                format!(
                    "is a segment of kind {}, expected kind {kind} (made by pid {pid})",
                    header.kind
                ),
            ));
        }
        if header.segment_bytes != bytes as u64 {
            return Err(ShmError::refused(
                name,
                format!(
                    "is {bytes} bytes long but says {}: truncated (made by pid {pid})",
                    header.segment_bytes
                ),
            ));
        }
        let fixed_bytes = header.fixed_bytes as usize;
        if fixed_bytes < size_of::<SegmentHeader>() || fixed_bytes > bytes {
            return Err(ShmError::refused(
                name,
                format!(
                    "says its fixed region has {fixed_bytes} of {bytes} bytes: damaged (made by pid {pid})"
                ),
            ));
        }
        let region = map_region(name, &read, 0, fixed_bytes, Access::ReadOnly)?;
        let mut fixed = vec![0_u8; fixed_bytes];
        copy_relaxed(region.as_mut_ptr(), &mut fixed);
        let crc = crc32c::crc32c(&fixed[32..]);
        if crc != header.crc {
            return Err(ShmError::refused(
                name,
                format!(
                    "its fixed region has checksum {crc:08x}, should have {:08x}: damaged (made by pid {pid})",
                    header.crc
                ),
            ));
        }
        Ok(Segment {
            name: name.to_owned(),
            read,
            write,
            bytes,
            header,
            fixed,
        })
    }

    /// Name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Header.
    pub fn header(&self) -> &SegmentHeader {
        &self.header
    }

    /// Private copy of the fixed region: checked once, never read again from shared memory.
    pub fn fixed(&self) -> &[u8] {
        &self.fixed
    }

    /// Bytes of the segment.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Maps a region, populated.
    ///
    /// # Errors
    /// If it lies outside the segment, or the system refuses.
    pub fn map(&self, at: usize, bytes: usize, access: Access) -> Result<Mapping, ShmError> {
        if !at.is_multiple_of(abi::PAGE)
            || bytes == 0
            || at.checked_add(bytes).is_none_or(|end| end > self.bytes)
        {
            return Err(ShmError::refused(
                &self.name,
                format!("has no region of {bytes} bytes at {at}"),
            ));
        }
        let file = match access {
            Access::ReadOnly => &self.read,
            Access::ReadWrite => self
                .write
                .as_ref()
                .ok_or_else(|| ShmError::refused(&self.name, "was opened read-only"))?,
        };
        #[cfg(not(tsan))]
        let map = Arc::new(map_region(&self.name, file, at, bytes, access)?);
        #[cfg(tsan)]
        let map = one_mapping::of(&self.name, file, self.write.as_ref(), at, bytes)?;
        Ok(Mapping { map, bytes })
    }
}

fn map_region(
    name: &str,
    file: &File,
    at: usize,
    bytes: usize,
    access: Access,
) -> Result<MmapRaw, ShmError> {
    let mut options = MmapOptions::new();
    options.offset(at as u64).len(bytes).populate();
    let map = match access {
        Access::ReadOnly => options.map_raw_read_only(file),
        Access::ReadWrite => options.map_raw(file),
    }
    .map_err(|source| ShmError::Io {
        name: name.to_owned(),
        what: "cannot map the segment",
        source,
    })?;
    #[cfg(loom)]
    crate::sync::modelled::mapped(map.as_ptr(), bytes, file, at as u64);
    Ok(map)
}

/// Copies out of memory that another process may be writing: relaxed word loads, so that no compiler may invent reads.
///
/// The source must be 8-aligned and valid for `to.len()` bytes, which every caller gets from a checked mapping.
#[inline]
pub(crate) fn copy_relaxed(from: *const u8, to: &mut [u8]) {
    let words = to.len() / 8;
    let (head, tail) = to.split_at_mut(words * 8);
    for (index, chunk) in head.as_chunks_mut::<8>().0.iter_mut().enumerate() {
        // SAFETY: the callers' mappings are page-aligned (or 128-aligned slots) and at least `to.len()` long.
        let word = unsafe { AtomicU64::from_ptr(from.add(index * 8).cast_mut().cast()) }
            .load(Ordering::Relaxed);
        *chunk = word.to_ne_bytes();
    }
    for (index, byte) in tail.iter_mut().enumerate() {
        // SAFETY: as above; the last, partial word is read byte by byte.
        *byte = unsafe {
            core::sync::atomic::AtomicU8::from_ptr(from.add(words * 8 + index).cast_mut())
        }
        .load(Ordering::Relaxed);
    }
}

/// A mapped region.
#[derive(Clone)]
pub struct Mapping {
    map: Arc<MmapRaw>,
    bytes: usize,
}

impl Mapping {
    /// First byte.
    pub fn as_ptr(&self) -> *mut u8 {
        self.map.as_mut_ptr()
    }

    /// Length.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Live words at a byte offset, kept mapped as long as the answer lives.
    ///
    /// # Panics
    /// If they lie outside the region: offsets come from a checked geometry.
    pub fn words<T>(&self, at: usize) -> Words<T> {
        assert!(
            at.is_multiple_of(align_of::<T>()) && at + size_of::<T>() <= self.bytes,
            "words outside the region"
        );
        // SAFETY: in bounds, as asserted.
        let pointer = unsafe { self.map.as_mut_ptr().add(at).cast::<T>() };
        Words {
            pointer: NonNull::new(pointer).unwrap_or(NonNull::dangling()),
            _keep: self.map.clone(),
        }
    }

    /// Locks the region in memory and touches every page.
    pub fn touch(&self) {
        for page in (0..self.bytes).step_by(abi::PAGE) {
            // SAFETY: in bounds; a volatile read has no other effect than to make the page present.
            unsafe { self.map.as_ptr().add(page).read_volatile() };
        }
    }
}

// SAFETY: a mapping is plain memory; all live access goes through atomics or through the claim/peek protocol of the ring.
unsafe impl Send for Mapping {}

/// Live words in a mapping.
pub struct Words<T> {
    pointer: NonNull<T>,
    _keep: Arc<MmapRaw>,
}

impl<T> Clone for Words<T> {
    fn clone(&self) -> Self {
        Words {
            pointer: self.pointer,
            _keep: self._keep.clone(),
        }
    }
}

impl<T> core::ops::Deref for Words<T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: bounds and alignment were asserted by `Mapping::words`, the mapping is kept alive, and `T` consists of
        // atomics (or padding) that are valid for any bytes.
        unsafe { self.pointer.as_ref() }
    }
}

// SAFETY: `T` consists of atomics.
unsafe impl<T: Sync> Send for Words<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Words<T> {}

/// An unnamed segment of `bytes` in memory, for rings inside one process.
///
/// # Errors
/// What the system said.
pub fn anonymous(bytes: usize) -> io::Result<File> {
    use std::os::fd::FromRawFd;
    // SAFETY: the name is a valid C string; the returned descriptor is owned by the `File`.
    let file = unsafe {
        let fd = libc::memfd_create(c"ephapse".as_ptr(), libc::MFD_CLOEXEC);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        File::from_raw_fd(fd)
    };
    file.set_len(pages(bytes) as u64)?;
    Ok(file)
}

/// Writes a prepared image into an unnamed segment; the version word comes last.
///
/// # Errors
/// What the system said.
pub(crate) fn publish_anonymous(
    file: &File,
    mut image: Vec<u8>,
    header: SegmentHeader,
) -> io::Result<()> {
    use std::os::unix::fs::FileExt;
    seal(&mut image, header);
    file.write_all_at(&image, 0)?;
    file.write_all_at(&abi::VERSION.to_le_bytes(), 8)
}
