//! How long an FTDI adapter keeps what it has received: sysfs, below a root that tests choose.

use std::fmt;
use std::path::{Path, PathBuf};

/// What it should be, ms.
const WANTED_MS: u32 = 1;

/// What was done about an adapter's `latency_timer`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LatencyTimer {
    /// It is 1 ms; it was so before, or was made so and read back.
    Short {
        /// ms before.
        before_ms: u32,
    },
    /// It is longer and could not be changed.
    Long {
        /// ms now.
        ms: u32,
        /// File.
        file: PathBuf,
        /// Why.
        why: String,
    },
    /// The port has none: a pseudo-terminal, or another make.
    NotFtdi,
}

/// The file of a port's timer, if it has one. `/dev/serial/by-id/...` are links to the port.
fn file_of(root: &Path, port: &Path) -> Option<PathBuf> {
    let device = std::fs::canonicalize(port).unwrap_or_else(|_| port.to_owned());
    let name = device.file_name()?;
    let folder = root.join("sys/bus/usb-serial/devices").join(name);
    let file = folder.join("latency_timer");
    file.exists().then_some(file)
}

fn read(file: &Path) -> Result<u32, String> {
    let text = std::fs::read_to_string(file).map_err(|e| e.to_string())?;
    let text = text.trim();
    text.parse().map_err(|_| format!("it reads `{text}`"))
}

/// The timer of a port, ms; `None` if it has none that can be read.
pub fn latency_ms(root: &Path, port: &Path) -> Option<u32> {
    read(&file_of(root, port)?).ok()
}

/// Sets the timer of a port to 1 ms and reads it back. `root` is `/`.
pub fn shorten(root: &Path, port: &Path) -> LatencyTimer {
    let Some(file) = file_of(root, port) else {
        return LatencyTimer::NotFtdi;
    };
    let before = match read(&file) {
        Ok(ms) => ms,
        Err(why) => return LatencyTimer::Long { ms: 0, file, why },
    };
    if before == WANTED_MS {
        return LatencyTimer::Short { before_ms: before };
    }
    let written = std::fs::write(&file, WANTED_MS.to_string()).map_err(|e| e.to_string());
    match (written, read(&file)) {
        (Ok(()), Ok(WANTED_MS)) => LatencyTimer::Short { before_ms: before },
        (Ok(()), Ok(ms)) => LatencyTimer::Long {
            ms,
            file,
            why: "it was written and did not change".to_owned(),
        },
        (Err(why), Ok(ms)) => LatencyTimer::Long { ms, file, why },
        (_, Err(why)) => LatencyTimer::Long {
            ms: before,
            file,
            why,
        },
    }
}

impl fmt::Display for LatencyTimer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LatencyTimer::Short {
                before_ms: WANTED_MS,
            } => write!(f, "latency_timer 1 ms"),
            LatencyTimer::Short { before_ms } => {
                write!(f, "latency_timer 1 ms (was {before_ms} ms)")
            }
            LatencyTimer::Long { ms, file, why } => write!(
                f,
                "latency_timer {ms} ms: samples come in lumps, for it cannot be set to 1 ({why}); as root: echo 1 > {}, or install \
                 rtconfig/host/90-ephapse.rules",
                file.display()
            ),
            LatencyTimer::NotFtdi => write!(f, "not an FTDI adapter: no latency_timer"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn tree(timer: Option<&str>) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("sys/bus/usb-serial/devices/ttyUSB3");
        fs::create_dir_all(&folder).unwrap();
        if let Some(text) = timer {
            fs::write(folder.join("latency_timer"), text).unwrap();
        }
        root
    }

    const PORT: &str = "/dev/ttyUSB3";

    #[test]
    fn a_slow_adapter_is_made_fast_and_read_back() {
        let root = tree(Some("16\n"));
        let done = shorten(root.path(), Path::new(PORT));
        assert_eq!(done, LatencyTimer::Short { before_ms: 16 });
        assert_eq!(latency_ms(root.path(), Path::new(PORT)), Some(1));
        assert_eq!(
            shorten(root.path(), Path::new(PORT)).to_string(),
            "latency_timer 1 ms"
        );
    }

    #[test]
    fn a_timer_that_cannot_be_written_is_said_with_its_file() {
        let root = tree(None);
        let file = root
            .path()
            .join("sys/bus/usb-serial/devices/ttyUSB3/latency_timer");
        // Writing to it fails for root, too; it reads as something that is no number of ms.
        fs::create_dir(&file).unwrap();
        let done = shorten(root.path(), Path::new(PORT));
        assert!(matches!(done, LatencyTimer::Long { .. }), "{done:?}");
        assert!(done.to_string().contains(&file.display().to_string()));
    }

    #[test]
    fn a_pseudo_terminal_has_none() {
        let root = tree(None);
        for port in ["/dev/pts/4", PORT] {
            let done = shorten(root.path(), Path::new(port));
            assert_eq!(done, LatencyTimer::NotFtdi);
            assert!(done.to_string().contains("not an FTDI adapter"));
        }
    }

    #[test]
    fn a_name_by_id_leads_to_its_port() {
        let root = tree(Some("16"));
        let dev = root.path().join("dev");
        fs::create_dir(&dev).unwrap();
        fs::write(dev.join("ttyUSB3"), "").unwrap();
        std::os::unix::fs::symlink("ttyUSB3", dev.join("usb-FTDI_DM00")).unwrap();
        let done = shorten(root.path(), &dev.join("usb-FTDI_DM00"));
        assert_eq!(done, LatencyTimer::Short { before_ms: 16 });
    }
}
