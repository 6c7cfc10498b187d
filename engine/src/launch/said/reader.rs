//! The thread that reads what everybody says.

use super::entry::{LogEnd, LogEntry, Said, SaidAccount, Spout};
use super::lines::{Lines, RawLine, harmless};
use super::log_file::LogFile;
use super::sift::{Allowance, Sieve, Sifted};
use super::{FRESH, LAST_LINES, Shared};
use crate::os;
use crate::runner::memory::SessionView;
use crate::sync::Ordering;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

/// Read at a time.
const CHUNK: usize = 64 * 1024;
/// Chunks of one pipe before the next pipe has its turn.
const CHUNKS: usize = 4;
/// What is counted and not told yet is told so often.
const TELL_NS: u64 = 1_000_000_000;
/// Longest turn without anything to read.
const TURN: Duration = Duration::from_millis(100);
/// When everybody has left, whoever they have started themselves is listened to for so long.
const LAST_NS: u64 = 200_000_000;
/// What stands beside the text of an entry, bytes, about.
const STAMPS: u64 = 200;
/// Nobody who computes waits for this thread: those have the CPU first.
const NICE: i8 = 5;

/// A pipe that is read.
struct Pipe {
    process: usize,
    spout: Spout,
    file: File,
    lines: Lines,
}

/// A process, whichever of its generations speaks.
struct Speaker {
    allowance: Allowance,
    /// By stream.
    sieves: [Sieve; 2],
    account: SaidAccount,
}

/// The entries of a turn, with the process of each.
#[derive(Default)]
struct Batch {
    entries: Vec<(usize, LogEntry)>,
    /// In the file, about.
    bytes: u64,
}

/// When an entry is stamped.
#[derive(Clone, Copy)]
struct Now {
    realtime_ns: u64,
    monotonic_ns: u64,
    after_start_ns: Option<u64>,
    tick: u64,
}

pub(super) struct Reader {
    shared: Arc<Shared>,
    speakers: Vec<Speaker>,
    pipes: Vec<Pipe>,
    file: LogFile,
    clock: SessionView,
    woken: File,
    told_ns: u64,
    batch: Batch,
    why: String,
}

impl Reader {
    pub fn new(
        shared: Arc<Shared>,
        names: &[String],
        file: LogFile,
        clock: SessionView,
        woken: File,
    ) -> Self {
        let now_ns = os::monotonic_ns();
        let speaker = |name: &String| Speaker {
            allowance: Allowance::new(now_ns),
            sieves: Default::default(),
            account: SaidAccount {
                stage: name.clone(),
                ..SaidAccount::default()
            },
        };
        Reader {
            shared,
            speakers: names.iter().map(speaker).collect(),
            pipes: Vec::new(),
            file,
            clock,
            woken,
            told_ns: now_ns,
            batch: Batch::default(),
            why: String::new(),
        }
    }

    /// Reads until the log is ended and everything is read.
    pub fn run(mut self) {
        os::set_nice(NICE);
        let mut buffer = vec![0; CHUNK];
        let mut over_since = None;
        loop {
            let over = self.join();
            let fds: Vec<i32> = core::iter::once(self.woken.as_raw_fd())
                .chain(self.pipes.iter().map(|p| p.file.as_raw_fd()))
                .collect();
            let wait = if over { Duration::from_millis(5) } else { TURN };
            let ready = os::poll_in(&fds, wait);
            if ready[0] {
                // More than a chunk of them cannot be there: a pipe that is full of them wakes as well.
                let _ = self.woken.read(&mut buffer);
            }
            let now = self.now();
            let behind = self.read(&ready[1..], &mut buffer, now);
            if now.monotonic_ns >= self.told_ns + TELL_NS {
                self.told_ns = now.monotonic_ns;
                self.tell_so_far(now);
            }
            self.write(&behind);
            if over {
                let since = *over_since.get_or_insert(now.monotonic_ns);
                let waited = now.monotonic_ns > since + LAST_NS;
                let quiet = !behind.contains(&true);
                // Whoever still writes then is none of the session's.
                if quiet && (self.pipes.is_empty() || waited)
                    || now.monotonic_ns > since + 5 * LAST_NS
                {
                    return self.end();
                }
            }
        }
    }

    /// Takes in the pipes of new processes. True if the log is to be ended.
    fn join(&mut self) -> bool {
        let mut state = self.shared.state();
        let joining = state.joining.drain(..);
        self.pipes
            .extend(joining.map(|(process, spout, file)| Pipe {
                process,
                spout,
                file,
                lines: Lines::default(),
            }));
        state.over
    }

    fn now(&self) -> Now {
        let start_ns = self.clock.words.start_ns.load(Ordering::Acquire); // [S]
        let monotonic_ns = os::monotonic_ns();
        Now {
            realtime_ns: os::realtime_ns(),
            monotonic_ns,
            after_start_ns: monotonic_ns.checked_sub(start_ns).filter(|_| start_ns != 0),
            tick: self.clock.timer.tick.load(Ordering::Acquire),
        }
    }

    /// Reads from every pipe that has something. Tells by process who had more than that.
    fn read(&mut self, ready: &[bool], buffer: &mut [u8], now: Now) -> Vec<bool> {
        let mut behind = vec![false; self.speakers.len()];
        let mut pipes = core::mem::take(&mut self.pipes);
        let mut ready = ready.iter();
        pipes.retain_mut(|pipe| {
            if !ready.next().copied().unwrap_or(false) {
                return true;
            }
            for _ in 0..CHUNKS {
                match pipe.file.read(buffer) {
                    Ok(0) => {
                        self.hang_up(pipe, now);
                        return false;
                    }
                    Ok(n) => self.hear(pipe, &buffer[..n], now),
                    Err(e) if e.kind() == ErrorKind::Interrupted => {}
                    // Nothing more for now.
                    Err(e) if e.kind() == ErrorKind::WouldBlock => return true,
                    Err(_) => {
                        self.hang_up(pipe, now);
                        return false;
                    }
                }
            }
            behind[pipe.process] = true;
            true
        });
        self.pipes = pipes;
        behind
    }

    fn hear(&mut self, pipe: &mut Pipe, bytes: &[u8], now: Now) {
        self.sift(pipe, bytes.len() as u64, now, |lines, each| {
            lines.feed(bytes, each);
        });
    }

    /// A pipe's writers are gone.
    fn hang_up(&mut self, pipe: &mut Pipe, now: Now) {
        self.sift(pipe, 0, now, |lines, each| lines.end(each));
        let speaker = &mut self.speakers[pipe.process];
        let mut keep = keeping(
            pipe.process,
            pipe.spout,
            &speaker.account.stage,
            now,
            &mut self.batch,
        );
        speaker.sieves[pipe.spout as usize].end(&mut keep);
    }

    /// Sifts the lines that `give` makes of what a pipe has brought.
    fn sift(
        &mut self,
        pipe: &mut Pipe,
        bytes: u64,
        now: Now,
        give: impl FnOnce(&mut Lines, &mut dyn FnMut(RawLine<'_>)),
    ) {
        let Speaker {
            allowance,
            sieves,
            account,
        } = &mut self.speakers[pipe.process];
        let (file, batch) = (&self.file, &mut self.batch);
        let sieve = &mut sieves[pipe.spout as usize];
        let mut count = 0;
        give(&mut pipe.lines, &mut |line| {
            count += 1;
            let room = file.has_room_behind(batch.bytes);
            let mut keep = keeping(pipe.process, pipe.spout, &account.stage, now, batch);
            sieve.take(line, room, allowance, now.monotonic_ns, &mut keep);
        });
        account.lines += count;
        account.bytes += bytes;
    }

    /// Tells what was counted and not told, as long as there is room.
    fn tell_so_far(&mut self, now: Now) {
        if !self.file.has_room_behind(self.batch.bytes) {
            return;
        }
        for (process, speaker) in self.speakers.iter_mut().enumerate() {
            for spout in [Spout::Stdout, Spout::Stderr] {
                let stage = &speaker.account.stage;
                let mut keep = keeping(process, spout, stage, now, &mut self.batch);
                speaker.sieves[spout as usize].tell_so_far(&mut keep);
            }
        }
    }

    /// Writes the entries of this turn, counts them, and lets others see them.
    fn write(&mut self, behind: &[bool]) {
        let Batch { entries, .. } = core::mem::take(&mut self.batch);
        entries.iter().for_each(|(_, entry)| self.file.add(entry));
        let written = if entries.is_empty() {
            Ok(())
        } else {
            self.file.write()
        };
        for (process, entry) in &entries {
            let Some(said) = entry.said() else { continue };
            let speaker = &mut self.speakers[*process];
            if written.is_err() {
                speaker.sieves[said.from as usize].lose(said.lines);
                continue;
            }
            let account = &mut speaker.account;
            match entry {
                LogEntry::Line(_) => {
                    account.kept += 1;
                    account.cut += u64::from(said.cut_bytes > 0);
                }
                LogEntry::Repeated(_) => account.repeated += said.lines,
                _ => account.not_kept += said.lines,
            }
        }
        if let Err(error) = written {
            self.why = error.to_string();
        }
        let mut state = self.shared.state();
        for (process, entry) in entries {
            if let LogEntry::Line(said) = &entry {
                let last = &mut state.last[process][said.from as usize];
                last.push_back(said.text.clone());
                if last.len() > LAST_LINES {
                    last.pop_front();
                }
            }
            state.fresh.push_back(entry);
            if state.fresh.len() > FRESH {
                state.fresh.pop_front();
            }
        }
        state.behind.clear();
        state.behind.extend_from_slice(behind);
        state.turns += 1;
        drop(state);
        self.shared.turned.notify_all();
    }

    /// Tells what is still to be told, room or not, and the accounts.
    fn end(mut self) {
        let now = self.now();
        for pipe in &mut core::mem::take(&mut self.pipes) {
            self.hang_up(pipe, now);
        }
        self.tell_all(now);
        let quiet = vec![false; self.speakers.len()];
        self.write(&quiet);
        // What the disk has just refused is counted, if only in the report.
        for speaker in &mut self.speakers {
            for sieve in &mut speaker.sieves {
                speaker.account.not_kept += sieve.untold();
            }
        }
        let accounts = self.speakers.into_iter().map(|s| s.account);
        let accounts: Vec<SaidAccount> = accounts.filter(|a| a.bytes > 0).collect();
        self.file.add(&LogEntry::End(LogEnd {
            realtime_ns: now.realtime_ns,
            tick: now.tick,
            said: accounts.clone(),
        }));
        if let Err(error) = self.file.write() {
            self.why = error.to_string();
        }
        let mut state = self.shared.state();
        state.accounts = accounts;
        state.why = self.why;
        state.turns += 1;
    }

    fn tell_all(&mut self, now: Now) {
        for (process, speaker) in self.speakers.iter_mut().enumerate() {
            for spout in [Spout::Stdout, Spout::Stderr] {
                let stage = &speaker.account.stage;
                let mut keep = keeping(process, spout, stage, now, &mut self.batch);
                speaker.sieves[spout as usize].tell(&mut keep);
            }
        }
    }
}

/// Makes entries of what was sifted.
fn keeping<'a>(
    process: usize,
    from: Spout,
    stage: &'a str,
    now: Now,
    batch: &'a mut Batch,
) -> impl FnMut(Sifted<'_>) + 'a {
    let said = move |lines, text, cut_bytes, unfinished| Said {
        realtime_ns: now.realtime_ns,
        after_start_ns: now.after_start_ns,
        tick: now.tick,
        stage: stage.to_owned(),
        from,
        lines,
        text,
        cut_bytes,
        unfinished,
    };
    move |sifted| {
        let entry = match sifted {
            Sifted::Line(line) => {
                LogEntry::Line(said(1, harmless(line.bytes), line.cut, line.unfinished))
            }
            Sifted::Repeated(bytes, lines) => {
                LogEntry::Repeated(said(lines, harmless(bytes), 0, false))
            }
            Sifted::NotKept(lines) => LogEntry::NotKept(said(lines, String::new(), 0, false)),
        };
        batch.bytes += entry.said().map_or(0, |s| s.text.len() as u64) + STAMPS;
        batch.entries.push((process, entry));
    }
}
