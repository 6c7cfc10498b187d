//! A file that has its name only when it is whole.

use anyhow::{Context, bail};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A file being written as `FILE.part`: what stood under its name before is never half overwritten.
pub struct PartFile {
    file: File,
    path: PathBuf,
}

/// `raw.npy.part` of `raw.npy`.
pub fn part_of(path: &Path) -> PathBuf {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    PathBuf::from(part)
}

impl PartFile {
    /// Makes the file; what an earlier attempt left is written over. `option` is how the user named it.
    ///
    /// # Errors
    /// It cannot be made, or its name is a folder's.
    pub fn create(path: &Path, option: &str) -> anyhow::Result<Self> {
        if path.is_dir() {
            bail!(
                "{}: is a folder; name a file with {option} FILE",
                path.display()
            );
        }
        let part = part_of(path);
        let file = File::create(&part).with_context(|| {
            let part = part.display();
            format!("{part}: cannot be made; name another file with {option} FILE")
        })?;
        Ok(PartFile {
            file,
            path: path.to_owned(),
        })
    }

    /// The name that it will have.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes that are there.
    pub fn bytes(&self) -> u64 {
        self.file.metadata().map_or(0, |m| m.len())
    }

    /// Writes over what stands at a place.
    pub fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, at)
    }

    /// Gives it its name.
    ///
    /// # Errors
    /// It cannot be renamed.
    pub fn finish(&self) -> anyhow::Result<()> {
        let (part, path) = (part_of(&self.path), &self.path);
        std::fs::rename(&part, path).with_context(|| {
            let (part, path) = (part.display(), path.display());
            format!("{part}: cannot be renamed to {path}")
        })
    }
}

impl Write for PartFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
