//! Hosts that consist of a few files below a folder.

use ephapse_rtconfig::doctor::{Asked, Facts, Host};
use std::path::Path;
use tempfile::TempDir;

/// A file below the root, and what stands in it.
pub type File = (&'static str, &'static str);

/// A host with CPUs 0 to 3, timer and stages on 2 and 3, to be made.
#[derive(Clone, Default)]
pub struct Recipe {
    pub files: Vec<File>,
    pub facts: Facts,
    /// Something spins on CPU 3.
    pub spins: bool,
}

/// A host that was made.
pub struct HostTree {
    pub folder: TempDir,
    pub host: Host,
}

impl Recipe {
    pub fn make(&self) -> HostTree {
        let folder = tempfile::tempdir().unwrap();
        for (file, text) in &self.files {
            write(folder.path(), file, text);
        }
        let mut asked = Asked::usual([2, 3].into());
        if self.spins {
            asked.spinning_cpus = [3].into();
        }
        let host = Host {
            root: folder.path().to_owned(),
            facts: self.facts.clone(),
            asked,
        };
        HostTree { folder, host }
    }
}

/// Writes a file that the host calls `/FILE`.
pub fn write(root: &Path, file: &str, text: &str) {
    let path = root.join(file.trim_start_matches('/'));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, format!("{text}\n")).unwrap();
}
