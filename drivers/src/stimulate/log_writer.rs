//! `stimulate.log.writer`: the helper that writes commands to a file of JSON lines.

use super::command::check;
use super::log::LogParams;
use super::log_line::write_line;
use super::refusal::Refusal;
use ephapse_engine::records::Command;
use ephapse_engine::stage::{
    Ctx, Described, Inputs, Next, Outputs, Ports, Program, Role, Stage, StageError,
};
use ephapse_rtconfig::stream_type::StreamType;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// How much of the file is known to be written: the whole state of the writer. All zero is the beginning of a run.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct WriterState {
    /// Bytes of complete lines.
    pub bytes: u64,
    /// Commands in them.
    pub commands: u64,
}

/// The log, open. Lines are in the file when [`LogFile::write`] returns.
pub struct LogFile {
    file: BufWriter<Count>,
    resumed: bool,
}

/// Counts what goes into the file.
struct Count {
    file: File,
    bytes: u64,
}

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl LogFile {
    /// Opens or creates the file, and leaves what is in it until the first block says where to go on.
    ///
    /// # Errors
    /// `Resource` naming the file or its folder.
    pub fn open(path: &Path) -> Result<Self, StageError> {
        let file = open_for_writing(path)?;
        Ok(LogFile {
            file: BufWriter::new(Count { file, bytes: 0 }),
            resumed: false,
        })
    }

    /// Writes the commands, all carried out or all refused, and flushes; a block without commands costs nothing.
    ///
    /// At the first call everything behind `state.bytes` is cut off: what an earlier run left, or, after a restart, the
    /// block that was half written when the writer was killed. Every command stands in the file exactly once.
    ///
    /// # Errors
    /// Those of the file.
    pub fn write(
        &mut self,
        state: &mut WriterState,
        commands: &[Command],
        refusal: Option<Refusal>,
    ) -> io::Result<()> {
        if !self.resumed {
            let inner = self.file.get_mut();
            inner.file.set_len(state.bytes)?;
            inner.file.seek(SeekFrom::Start(state.bytes))?;
            inner.bytes = state.bytes;
            self.resumed = true;
        }
        if commands.is_empty() {
            return Ok(());
        }
        for command in commands {
            write_line(&mut self.file, command, refusal)?;
        }
        self.file.flush()?;
        state.bytes = self.file.get_ref().bytes;
        state.commands += commands.len() as u64;
        Ok(())
    }
}

fn open_for_writing(path: &Path) -> Result<File, StageError> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(|error| refusal(path, &error))
}

fn refusal(path: &Path, error: &io::Error) -> StageError {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let (what, why) = if path.is_dir() {
        (
            path,
            "is a directory; name a file in it with `path`".to_owned(),
        )
    } else if !folder.is_dir() {
        (
            folder,
            "no such folder for the stimulation log; make it, or give another `path`".to_owned(),
        )
    } else if path.exists() {
        (
            path,
            format!("the stimulation log cannot be written ({error}); give another `path`"),
        )
    } else {
        (
            folder,
            format!(
                "no stimulation log can be written in this folder ({error}); give another `path`"
            ),
        )
    };
    StageError::resource(what.display().to_string(), why)
}

/// Refuses a path that cannot be written, without leaving a file behind or touching one that is there.
pub(super) fn check_writable(path: &Path) -> Result<(), StageError> {
    let existed = path.exists();
    open_for_writing(path)?;
    if !existed {
        std::fs::remove_file(path).map_err(|error| refusal(path, &error))?;
    }
    Ok(())
}

/// The stage `stimulate.log.writer`.
pub struct LogWriter {
    path: PathBuf,
    file: LogFile,
}

impl LogWriter {
    fn stop(&self, error: &io::Error) -> Next {
        let why = format!(
            "{}: the stimulation log cannot be written ({error})",
            self.path.display()
        );
        // Said once, and the process ends with it.
        Next::Stop(Box::leak(why.into_boxed_str()))
    }
}

impl Stage for LogWriter {
    const KIND: &'static str = "stimulate.log.writer";
    const ABOUT: &'static str = "Writes the commands of stimulate.log to its file.";
    const ROLE: Role = Role::Sink;
    const PORTS: Ports = Ports {
        inputs: &["helped"],
        outputs: &[],
    };
    const PROGRAM: Program = Program::Full;
    const HELPER: bool = true;
    type Params = LogParams;

    fn describe(
        params: &Self::Params,
        inputs: &[(&str, &StreamType)],
    ) -> Result<Described, StageError> {
        check("helped", inputs)?;
        check_writable(&params.path)?;
        Ok(Described {
            state_bytes: size_of::<WriterState>(),
            parts_per_call: 1,
            ..Described::default()
        })
    }

    fn prepare(
        params: Self::Params,
        _inputs: &[(&str, &StreamType)],
        _what: &Described,
    ) -> Result<Self, StageError> {
        Ok(LogWriter {
            file: LogFile::open(&params.path)?,
            path: params.path,
        })
    }

    fn process(
        &mut self,
        ctx: &mut Ctx<'_>,
        inputs: &Inputs<'_>,
        _outputs: &mut Outputs<'_>,
    ) -> Next {
        let commands = inputs.pacing();
        let refusal = Refusal::from_user(commands.header.user);
        match self
            .file
            .write(ctx.state.typed(), commands.slice(), refusal)
        {
            Ok(()) => Next::Continue,
            Err(error) => self.stop(&error),
        }
    }

    /// The state says what is in the file, which a gap does not change.
    fn reset(&mut self, _state: &mut [u8]) {}

    /// A run without a single block still leaves a log of its own: an empty one.
    fn finish(&mut self, ctx: &mut Ctx<'_>, _outputs: &mut Outputs<'_>) {
        let _ = self.file.write(ctx.state.typed(), &[], None);
    }
}
