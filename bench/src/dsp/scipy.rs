//! The same filter and the same detector in SciPy and NumPy, on the same recording, in turns with ours.
//!
//! SciPy runs as a process of its own (`python3`, the script `sosfilt.py`) that inherits the caller's placement and
//! waits while ours runs. It is tried in several ways: in blocks as ours, with state carried from block to block, and in
//! its best case, which is whatever is fastest of both memory layouts in short, longer and one long block. Copying
//! into the layout it likes is not counted against it.
//!
//! `sosfilt` and the NumPy functions used here run on one thread; OpenBLAS, which NumPy loads and these do not use, is
//! held to one as well, and settings of its kernels are not passed on.

use super::BLOCK_FRAMES;
use super::detecting::{DEAD_FRAMES, Detecting};
use super::filtering::Filtering;
use super::kernel::{Kernel, Work, filtering, kernels};
use super::rounds::run_round;
use ephapse_engine::os::monotonic_ns;
use ephapse_engine::stage::StageError;
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;
use zerocopy::IntoBytes;

const SCRIPT: &str = include_str!("sosfilt.py");
/// Largest difference between the two filters' results, uV, that rounding may make.
const AGREEMENT_UV: f64 = 1e-9;
/// Rounds of each way before the best is chosen.
const CHOOSING_ROUNDS: usize = 3;
/// Set for the child: one thread.
const ONE_THREAD: [&str; 3] = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"];
/// Not passed on to the child: they choose kernels for another CPU than this.
const NOT_PASSED_ON: [&str; 2] = ["OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"];

/// A way of using SciPy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Way {
    /// `time x channel`, as a ring has it; else `channel x time`.
    pub time_first: bool,
    /// Frames that it is given at a time.
    pub block_frames: usize,
}

/// Ours and SciPy's rounds next to each other, frames/s.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// When its rounds began, CLOCK_MONOTONIC, ns.
    pub began_ns: u64,
    /// Ours.
    pub ours: f64,
    /// SciPy's, in the same blocks.
    pub same_blocks: f64,
    /// SciPy's, in its best case.
    pub best: f64,
}

/// What a comparison has shown.
#[derive(Clone, Debug)]
pub struct Compared {
    /// What was compared.
    pub kernel: Kernel,
    /// Versions: Python, NumPy, SciPy.
    pub versions: [String; 3],
    /// SciPy's best case.
    pub best_way: Way,
    /// Largest difference between ours and SciPy's filtered recording, uV; at most 1e-9.
    pub difference_uv: f64,
    /// Spikes that both have found in one turn of the recording, the same ones; `None` if none were looked for.
    pub spikes: Option<usize>,
    /// Spikes that one turn of the recording holds.
    pub planted: usize,
    /// Round by round.
    pub pairs: Vec<Pair>,
}

/// Why there is no comparison.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A kernel without a counterpart.
    #[error("kernel `{0}` has no counterpart in SciPy: compare `filter` or `filter+detector`")]
    NoCounterpart(&'static str),
    /// A stage does not take what it is given.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// The script ended or said what it should not.
    #[error("SciPy's side (`python3`, dsp/sosfilt.py) ended early: {0}")]
    Script(String),
    /// The two do not compute the same.
    #[error("ours and SciPy's results differ ({0}): their speed cannot be compared")]
    Differ(String),
}

impl From<io::Error> for CompareError {
    fn from(error: io::Error) -> Self {
        CompareError::Script(error.to_string())
    }
}

/// The rows that can be compared.
pub fn comparable() -> Vec<Kernel> {
    let mut rows = kernels();
    rows.retain(|kernel| matches!(kernel.work, Work::Filter | Work::FilterAndDetector));
    rows
}

/// Compares in `rounds` rounds of `round` each, on the recording of `seed`; `None` if there is no `python3` here, or no
/// SciPy in it.
///
/// # Errors
/// If the script fails, or the results are not the same: filtered samples to 1e-9 uV, spikes exactly.
pub fn compare(
    kernel: Kernel,
    seed: u64,
    round: Duration,
    rounds: usize,
) -> Result<Option<Compared>, CompareError> {
    compare_with(Command::new("python3"), kernel, seed, round, rounds)
}

fn compare_with(
    python: Command,
    kernel: Kernel,
    seed: u64,
    round: Duration,
    rounds: usize,
) -> Result<Option<Compared>, CompareError> {
    let detects = match kernel.work {
        Work::Filter => false,
        Work::FilterAndDetector => true,
        _ => return Err(CompareError::NoCounterpart(kernel.name)),
    };
    let mut ours = Ours::new(seed, kernel, detects)?;
    let turn_frames = ours.filtering.blocks() * BLOCK_FRAMES;
    let ways: Vec<Way> = [true, false]
        .into_iter()
        .flat_map(|time_first| {
            [BLOCK_FRAMES, 8 * BLOCK_FRAMES, turn_frames].map(|block_frames| Way {
                time_first,
                block_frames,
            })
        })
        .collect();
    let job = Job {
        frames: turn_frames,
        channels: kernel.channels as usize,
        sos: sos_rows(&ours.filtering),
        thresholds: ours.detecting.as_mut().map(Detecting::thresholds),
        dead_frames: DEAD_FRAMES,
        ways: &ways,
    };
    let recording = &ours.filtering.recording().frames;
    let Some((mut theirs, agreed)) = Scipy::start(python, &job, recording)? else {
        return Ok(None);
    };
    let filtered = theirs.filtered(recording.len())?;
    let difference_uv = ours.agrees(&agreed, &filtered)?;

    let best = theirs.best_way(ways.len(), round)?;
    let mut prepared = kernel.prepare(seed)?;
    let mut pairs = Vec::with_capacity(rounds);
    for number in 0..rounds {
        let began_ns = monotonic_ns();
        let mut pair = [0.0; 3];
        for step in 0..pair.len() {
            // Who comes first changes from round to round.
            let turn = (number + step) % pair.len();
            pair[turn] = match turn {
                0 => run_round(&mut prepared, round).frames_per_s,
                1 => theirs.measure(0, round)?,
                _ => theirs.measure(best, round)?,
            };
        }
        let [ours, same_blocks, best] = pair;
        pairs.push(Pair {
            began_ns,
            ours,
            same_blocks,
            best,
        });
    }
    Ok(Some(Compared {
        kernel,
        versions: [agreed.python, agreed.numpy, agreed.scipy],
        best_way: ways[best],
        difference_uv,
        spikes: detects.then_some(agreed.spikes.len()),
        planted: ours.filtering.recording().spikes.len(),
        pairs,
    }))
}

/// Rows `[b0, b1, b2, 1, a1, a2]`, as SciPy takes them.
fn sos_rows(filtering: &Filtering) -> Vec<[f64; 6]> {
    let row =
        |s: &ephapse_stages::filter::design::Section| [s.b[0], s.b[1], s.b[2], 1.0, s.a[0], s.a[1]];
    filtering.sections().iter().map(row).collect()
}

/// Ours, at rest at the start of the recording.
struct Ours {
    filtering: Filtering,
    detecting: Option<Detecting>,
}

impl Ours {
    fn new(seed: u64, kernel: Kernel, detects: bool) -> Result<Self, StageError> {
        let channels = kernel.channels as usize;
        let mut filtering = filtering(seed, channels)?;
        let detecting = detects.then(|| Detecting::new(&filtering.turn(), channels));
        filtering.rewind();
        Ok(Ours {
            filtering,
            detecting,
        })
    }

    /// Runs one turn and compares it with SciPy's; the largest difference, uV.
    fn agrees(&mut self, theirs: &Agreed, filtered: &[f64]) -> Result<f64, CompareError> {
        let mut spikes = Vec::new();
        let mut worst = theirs.apart;
        let size = filtered.len() / self.filtering.blocks();
        for reference in filtered.chunks_exact(size) {
            let block = self.filtering.next();
            for (y, r) in block.iter().zip(reference) {
                let apart = (y - r).abs();
                // A NaN is a difference too, and stays one.
                if apart > worst || apart.is_nan() {
                    worst = apart;
                }
            }
            if let Some(detecting) = &mut self.detecting {
                let found = detecting.block(block).iter();
                spikes.extend(found.map(|s| (s.frame, s.channel)));
            }
        }
        if worst.is_nan() || worst > AGREEMENT_UV {
            let why = format!("filtered samples by up to {worst:e} uV");
            return Err(CompareError::Differ(why));
        }
        if spikes != theirs.spikes {
            let why = format!(
                "{} spikes and {}, or others",
                spikes.len(),
                theirs.spikes.len()
            );
            return Err(CompareError::Differ(why));
        }
        Ok(worst)
    }
}

/// What the script is told.
#[derive(Serialize)]
struct Job<'a> {
    frames: usize,
    channels: usize,
    sos: Vec<[f64; 6]>,
    /// Positive, uV; none: do not detect.
    thresholds: Option<Vec<f64>>,
    dead_frames: u64,
    ways: &'a [Way],
}

/// What the script says first.
#[derive(Deserialize)]
#[serde(untagged)]
enum First {
    Missing {
        #[serde(rename = "missing")]
        _what: String,
    },
    Agreed(Agreed),
}

#[derive(Deserialize)]
struct Agreed {
    python: String,
    numpy: String,
    scipy: String,
    /// Largest difference between SciPy's own ways.
    apart: f64,
    /// Frame and channel.
    spikes: Vec<(u64, u32)>,
}

#[derive(Deserialize)]
struct Rate {
    frames_per_s: f64,
}

/// The process; ends with this.
struct Scipy {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Scipy {
    /// Starts it and lets it run one turn in each way; `None` if there is no Python, or no SciPy in it.
    fn start(
        mut python: Command,
        job: &Job<'_>,
        recording: &[f64],
    ) -> Result<Option<(Self, Agreed)>, CompareError> {
        python.args(["-c", SCRIPT]);
        python.stdin(Stdio::piped()).stdout(Stdio::piped());
        python.stderr(Stdio::piped());
        for name in ONE_THREAD {
            python.env(name, "1");
        }
        for name in NOT_PASSED_ON {
            python.env_remove(name);
        }
        let mut child = match python.spawn() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            spawned => spawned?,
        };
        let (Some(orders), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            unreachable!("both were asked for as pipes");
        };
        let mut scipy = Scipy {
            child,
            orders,
            answers: BufReader::new(answers),
        };
        // A script without SciPy ends before it reads: what it said is looked at first, and a broken pipe after.
        let sent = scipy.send(job, recording);
        let first: First = scipy.answer()?;
        match first {
            First::Missing { .. } => Ok(None),
            First::Agreed(agreed) => {
                sent?;
                Ok(Some((scipy, agreed)))
            }
        }
    }

    fn send(&mut self, job: &Job<'_>, recording: &[f64]) -> io::Result<()> {
        serde_json::to_writer(&mut self.orders, job)?;
        self.orders.write_all(b"\n")?;
        self.orders.write_all(recording.as_bytes())?;
        self.orders.flush()
    }

    /// The filtered recording, which follows the first answer.
    fn filtered(&mut self, length: usize) -> Result<Vec<f64>, CompareError> {
        let mut filtered = vec![0.0; length];
        self.answers.read_exact(filtered.as_mut_bytes())?;
        Ok(filtered)
    }

    /// Frames/s of way `index`.
    fn measure(&mut self, index: usize, round: Duration) -> Result<f64, CompareError> {
        writeln!(self.orders, "measure {index} {}", round.as_secs_f64())?;
        let rate: Rate = self.answer()?;
        Ok(rate.frames_per_s)
    }

    /// The way with the fastest of a few rounds: what else happens on the machine must not choose it.
    fn best_way(&mut self, ways: usize, round: Duration) -> Result<usize, CompareError> {
        let mut fastest = (0, 0.0);
        for _ in 0..CHOOSING_ROUNDS {
            for way in 0..ways {
                let rate = self.measure(way, round)?;
                if rate > fastest.1 {
                    fastest = (way, rate);
                }
            }
        }
        Ok(fastest.0)
    }

    fn answer<T: serde::de::DeserializeOwned>(&mut self) -> Result<T, CompareError> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        serde_json::from_str(&line).map_err(|error| {
            if line.is_empty() {
                CompareError::Script(self.last_words())
            } else {
                CompareError::Script(format!("{error} in its answer {line:?}"))
            }
        })
    }

    /// The last line that a script which has ended wrote to its stderr.
    fn last_words(&mut self) -> String {
        let mut text = String::new();
        if let Some(stderr) = &mut self.child.stderr {
            // Only half an explanation if this fails.
            let _ = stderr.read_to_string(&mut text);
        }
        let last = text.lines().rfind(|line| !line.trim().is_empty());
        last.unwrap_or("it said nothing").to_owned()
    }
}

impl Drop for Scipy {
    fn drop(&mut self) {
        // It may be in the middle of a round, and has nothing to tidy up. If it is gone already, so much the better.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUND: Duration = Duration::from_millis(5);

    #[test]
    fn scipy_filters_and_detects_the_same_and_is_timed_round_by_round() {
        let rows = comparable();
        let sixty: Vec<_> = rows.into_iter().filter(|k| k.channels == 60).collect();
        assert_eq!(sixty.len(), 2);
        for kernel in sixty {
            let Some(compared) = compare(kernel, 7, ROUND, 3).unwrap() else {
                eprintln!("SKIPPED: no python3 with scipy on this machine");
                return;
            };
            assert_eq!(compared.kernel, kernel);
            assert!(compared.difference_uv <= AGREEMENT_UV);
            assert!(compared.planted > 10);
            let detects = kernel.name == "filter+detector";
            assert_eq!(compared.spikes, detects.then_some(compared.planted));
            assert_eq!(compared.pairs.len(), 3);
            for pair in compared.pairs {
                assert!(pair.ours > 0.0 && pair.same_blocks > 0.0 && pair.best > 0.0);
            }
        }
    }

    #[test]
    fn another_threshold_or_filter_is_noticed() {
        let kernel = comparable()[2];
        assert_eq!((kernel.name, kernel.channels), ("filter+detector", 60));
        let mut ours = Ours::new(7, kernel, true).unwrap();
        let filtered = ours.filtering.turn();
        ours.filtering.rewind();
        let mut agreed = Agreed {
            python: String::new(),
            numpy: String::new(),
            scipy: String::new(),
            apart: 0.0,
            spikes: Vec::new(),
        };
        let said = |error: CompareError| error.to_string();
        let text = said(ours.agrees(&agreed, &filtered).unwrap_err());
        assert!(text.contains("spikes and 0"), "{text}");
        for wrong in [1e-6, f64::NAN] {
            let mut ours = Ours::new(7, kernel, true).unwrap();
            let mut filtered = filtered.clone();
            filtered[1000] += wrong;
            let text = said(ours.agrees(&agreed, &filtered).unwrap_err());
            assert!(text.contains("filtered samples"), "{text}");
        }
        agreed.apart = 1e-6;
        let mut ours = Ours::new(7, kernel, true).unwrap();
        assert!(ours.agrees(&agreed, &filtered).is_err());
    }

    #[test]
    fn without_python_or_scipy_there_is_no_comparison_and_a_script_that_fails_is_an_error() {
        let kernel = comparable()[0];
        let with = |python: &str, options: &[&str]| {
            let mut command = Command::new(python);
            command.args(options);
            compare_with(command, kernel, 7, ROUND, 1)
        };
        assert!(with("no-such-python3", &[]).unwrap().is_none());
        // Without its site Python does not find SciPy (and where there is no Python there is none either).
        assert!(with("python3", &["-I", "-S"]).unwrap().is_none());
        let text = with("false", &[]).unwrap_err().to_string();
        assert!(text.contains("ended early: it said nothing"), "{text}");
        let fft = kernels().into_iter().find(|k| k.name == "fft").unwrap();
        let text = compare(fft, 7, ROUND, 1).unwrap_err().to_string();
        assert!(text.contains("`fft` has no counterpart"), "{text}");
    }
}
