//! Names of the files of one capture: `run.cap`, `run.0002.cap`, `run.0003.cap`.

use std::path::{Path, PathBuf};

/// Path of file `number` of the capture whose first file is `first`.
pub fn path_of(first: &Path, number: u32) -> PathBuf {
    if number <= 1 {
        return first.to_owned();
    }
    let stem = first.file_stem().unwrap_or_default().to_string_lossy();
    let name = match first.extension() {
        Some(extension) => format!("{stem}.{number:04}.{}", extension.to_string_lossy()),
        None => format!("{stem}.{number:04}"),
    };
    first.with_file_name(name)
}

/// Files of a set that may be missing in a row before the rest is given up.
const MOST_MISSING: u32 = 16;

/// The next file that is there behind file `number`, if there should be one, and its number.
pub fn following(first: &Path, number: u32) -> Option<(PathBuf, u32)> {
    let numbers = number.saturating_add(1)..=number.saturating_add(1 + MOST_MISSING);
    let mut files = numbers.map(|number| (path_of(first, number), number));
    files.find(|(path, _)| path.exists())
}

/// The capture's first file, from any of its files and that one's number.
pub fn first_of(path: &Path, number: u32) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let first = name.replacen(&format!(".{number:04}"), "", 1);
    if number <= 1 || first == name {
        path.to_owned()
    } else {
        path.with_file_name(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_a_set_leads_to_its_first() {
        let first = Path::new("/data/run.cap");
        assert_eq!(path_of(first, 1), first);
        assert_eq!(path_of(first, 12), Path::new("/data/run.0012.cap"));
        assert_eq!(first_of(&path_of(first, 12), 12), first);
        assert_eq!(first_of(first, 1), first);
        // Renamed by somebody: it stands for itself.
        assert_eq!(first_of(Path::new("other.cap"), 3), Path::new("other.cap"));
    }
}
