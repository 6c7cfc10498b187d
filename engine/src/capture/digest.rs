//! SHA-256 of files: what a certificate says of a capture, and a capture of the executables that made it.

use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

const AT_ONCE: usize = 1 << 20;

/// Bytes of a file and its SHA-256 as 64 hexadecimal digits: what `sha256sum` prints.
///
/// # Errors
/// It cannot be read.
pub fn sha256_of(path: &Path) -> io::Result<(u64, String)> {
    let all = sha256_while(File::open(path)?, || true)?;
    all.ok_or_else(|| io::ErrorKind::Interrupted.into())
}

/// The same of a file that is open, as long as the caller `goes_on`; `None` if it did not.
///
/// # Errors
/// It cannot be read.
pub(super) fn sha256_while(
    mut file: File,
    goes_on: impl Fn() -> bool,
) -> io::Result<Option<(u64, String)>> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; AT_ONCE];
    let mut bytes = 0;
    while goes_on() {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(Some((bytes, hex(&hasher.finalize()))));
        }
        hasher.update(&buffer[..read]);
        bytes += read as u64;
    }
    Ok(None)
}

/// SHA-256 of some bytes, as 64 hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    use core::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_what_sha256sum_prints() {
        // FIPS 180-4, the one-block example.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(b"abc"), abc);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        std::fs::write(&path, b"abc").unwrap();
        assert_eq!(sha256_of(&path).unwrap(), (3, abc.to_owned()));
    }
}
