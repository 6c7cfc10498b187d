//! Hosts that consist of a few files below a folder.

use ephapse_rtconfig::doctor::{Asked, Facts, Host};
use std::path::Path;
use tempfile::TempDir;

/// A file below the root, and what stands in it.
pub type File = (&'static str, &'static str);

/// A host with CPUs 0 to 3; timer and stages are on 2 and 3.
pub struct HostTree {
    pub folder: TempDir,
    pub host: Host,
}

impl HostTree {
    pub fn new(files: &[File], facts: Facts) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (file, text) in files {
            write(folder.path(), file, text);
        }
        let host = Host {
            root: folder.path().to_owned(),
            facts,
            asked: Asked::usual([2, 3].into()),
        };
        HostTree { folder, host }
    }

    /// The same with something that spins on CPU 3.
    pub fn spinning(mut self) -> Self {
        self.host.asked.spinning_cpus = [3].into();
        self
    }
}

/// Writes a file that the host calls `/FILE`.
pub fn write(root: &Path, file: &str, text: &str) {
    let path = root.join(file.trim_start_matches('/'));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, format!("{text}\n")).unwrap();
}
