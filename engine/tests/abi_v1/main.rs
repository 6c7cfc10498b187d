//! Segments of ABI version 1 as they were when it was frozen (`tests/abi_v1/*.bin`), and what stands in them (`*.txt`).
//!
//! Today's code must still write the same bytes, and read from them what they say; a reader in C, which knows `ABI.md`
//! alone, must read the same. Images are stored without the zeros at their end. `EPHAPSE_REGENERATE=1` writes the files
//! anew: only for what the document allows a minor version to do, and beside the old ones then.

mod made;
mod read;

use ephapse_engine::shm;
use made::IMAGES;
use read::{read, restored};
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

fn stored(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/abi_v1")
        .join(file)
}

fn regenerate() -> bool {
    std::env::var_os("EPHAPSE_REGENERATE").is_some_and(|v| v == "1")
}

#[test]
fn todays_code_writes_the_segments_of_version_1_byte_for_byte() {
    for (image, _, make) in IMAGES {
        let owned = make();
        let mut made = fs::read(shm::path_of(owned.name())).unwrap();
        made.truncate(made.iter().rposition(|b| *b != 0).map_or(0, |at| at + 1));
        let path = stored(&format!("{image}.bin"));
        if regenerate() && !path.exists() {
            fs::write(&path, &made).unwrap();
        }
        let kept = fs::read(&path).unwrap();
        // A later minor version says so, and uses bytes that were reserved, which these images leave zero.
        let minor = |image: &[u8]| u32::from_le_bytes(image[8..12].try_into().unwrap());
        assert!(minor(&made) >= minor(&kept), "{image}");
        made[8..12].copy_from_slice(&kept[8..12]);
        let differs = kept.iter().zip(&made).position(|(kept, made)| kept != made);
        assert_eq!(differs, None, "{image}: first byte that differs");
        assert_eq!(kept.len(), made.len(), "{image}");
    }
}

fn same_lines(image: &str, read: &str, kept: &str, by: &str) {
    for (read, kept) in read.lines().zip(kept.lines()) {
        assert_eq!(read, kept, "{image}, {by}");
    }
    assert_eq!(read.lines().count(), kept.lines().count(), "{image}, {by}");
}

#[test]
fn todays_code_reads_every_value_of_the_segments_of_version_1() {
    for (image, kind, _) in IMAGES {
        let read = read(image, kind);
        let path = stored(&format!("{image}.txt"));
        if regenerate() {
            fs::write(&path, &read).unwrap();
        }
        let kept = fs::read_to_string(&path).unwrap();
        same_lines(image, &read, &kept, "read by the engine");
    }
}

/// Runs the C reader on bytes: what it printed, and what it complained of.
fn by_the_reader(program: &Path, folder: &Path, bytes: &[u8]) -> Result<String, String> {
    let file = folder.join("image");
    fs::write(&file, bytes).unwrap();
    let ran = Command::new(program).arg(&file).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    assert!(
        ran.status.code().is_some(),
        "the reader died: {:?}",
        ran.status
    );
    match ran.status.success() {
        true => Ok(text(ran.stdout)),
        false => Err(text(ran.stderr)),
    }
}

#[test]
fn a_reader_that_knows_the_document_alone_reads_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("reader");
    let compiled = Command::new("cc")
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-O1", "-o"])
        .args([&program, &stored("reader.c")])
        .output();
    let compiled = match compiled {
        Ok(compiled) => compiled,
        Err(error) => {
            eprintln!("NOT TESTED: the C reader of ABI.md, for there is no `cc` here ({error})");
            return;
        }
    };
    let complaint = String::from_utf8_lossy(&compiled.stderr);
    assert!(compiled.status.success(), "{complaint}");
    for (image, ..) in IMAGES {
        let file = restored(image);
        let mut bytes = vec![0; file.metadata().unwrap().len() as usize];
        file.read_exact_at(&mut bytes, 0).unwrap();
        let kept = fs::read_to_string(stored(&format!("{image}.txt"))).unwrap();
        let read = by_the_reader(&program, folder.path(), &bytes).unwrap();
        same_lines(image, &read, &kept, "read in C");
        // It judges for itself.
        for (at, why) in [
            (0, "not a segment"),
            (12, "version 1"),
            (90, "checksum"),
            (300, "checksum"),
        ] {
            let mut damaged = bytes.clone();
            damaged[at] ^= 4;
            let refused = by_the_reader(&program, folder.path(), &damaged).unwrap_err();
            assert!(refused.contains(why), "{image}, byte {at}: {refused}");
        }
    }
}
