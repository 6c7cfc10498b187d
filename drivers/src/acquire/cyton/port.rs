//! The serial port: opened, read with a deadline, written.

use serialport::{ClearBuffer, ErrorKind, SerialPort, TTYPort};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Duration;

/// What the dongle's adapter speaks.
const BAUD: u32 = 115_200;
/// Longest that writing a command may take.
const WRITE_WITHIN: Duration = Duration::from_millis(100);

/// An open port, ours alone.
pub struct Port {
    tty: TTYPort,
}

impl Port {
    /// Opens a port: 115200 baud, 8-N-1, raw, refused to everybody else.
    ///
    /// # Errors
    /// What is wrong and what to do.
    pub fn open(path: &Path) -> Result<Self, String> {
        let builder = serialport::new(path.to_string_lossy(), BAUD).exclusive(true);
        let tty = TTYPort::open(&builder).map_err(|error| {
            let denied = matches!(error.kind(), ErrorKind::Io(io::ErrorKind::PermissionDenied));
            if !path.exists() {
                "no such serial port; is the dongle plugged in? (`ephapse devices` lists what there is)".to_owned()
            } else if denied {
                "may not be opened by this user; add it to the group `dialout`, or install rtconfig/host/90-ephapse.rules".to_owned()
            } else {
                format!("cannot be opened ({error}); end whatever else uses it")
            }
        })?;
        Ok(Port { tty })
    }

    /// Reads what is there, or waits at most `within` for the first byte; 0: nothing came.
    ///
    /// # Errors
    /// The port is gone.
    pub fn read(&mut self, bytes: &mut [u8], within: Duration) -> io::Result<usize> {
        self.tty.set_timeout(within)?;
        match self.tty.read(bytes) {
            Ok(0) => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
            Err(error) if is_nothing_yet(&error) => Ok(0),
            other => other,
        }
    }

    /// Writes a command.
    ///
    /// # Errors
    /// The port is gone, or takes nothing.
    pub fn write(&mut self, command: &[u8]) -> io::Result<()> {
        self.tty.set_timeout(WRITE_WITHIN)?;
        self.tty.write_all(command)
    }

    /// Throws away what has arrived and was not read.
    ///
    /// # Errors
    /// The port is gone.
    pub fn forget_input(&mut self) -> io::Result<()> {
        self.tty.clear(ClearBuffer::Input).map_err(io::Error::from)
    }
}

impl Drop for Port {
    /// A pseudo-terminal keeps the mark that refuses others when its user is gone; a serial port loses it.
    fn drop(&mut self) {
        let _ = self.tty.set_exclusive(false);
    }
}

fn is_nothing_yet(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}
