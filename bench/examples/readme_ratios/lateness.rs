//! Lateness of the engine's timer and of `cyclictest`, in turns on the same CPU.

use crate::stats::percentile;
use anyhow::{Context, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Runs of either kind.
const PAIRS: usize = 9;
/// Length of a run.
const SECONDS: u32 = 3;
/// Between two runs, so that the one before has let go of the CPUs.
const REST: Duration = Duration::from_millis(300);
/// Upper end of cyclictest's histogram in ns: the most it takes.
const HISTOGRAM_NS: u32 = 1_000_000;
const GRAPH: &str = include_str!("timer.toml");

/// Lateness of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lateness {
    /// Median, ns.
    pub p50_ns: u64,
    /// 99 %, ns.
    pub p99_ns: u64,
}

/// What came out, run by run.
#[derive(Debug, Default)]
pub struct Runs {
    /// The engine's timer.
    pub timer: Vec<Lateness>,
    /// `cyclictest`.
    pub cyclictest: Vec<Lateness>,
    /// The timer had SCHED_FIFO in every run.
    pub fifo: bool,
}

/// Why there is nothing to compare.
pub enum Missing {
    /// `cyclictest` is not on this machine.
    Cyclictest,
    /// The engine's program has not been built in the profile of this example.
    Ephapse(PathBuf),
}

/// Measures, or says what is missing.
///
/// # Errors
/// If either program fails.
pub fn measure() -> anyhow::Result<Result<Runs, Missing>> {
    let ephapse = ephapse_program()?;
    if !ephapse.exists() {
        return Ok(Err(Missing::Ephapse(ephapse)));
    }
    if Command::new("cyclictest")
        .arg("--help")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_err()
    {
        return Ok(Err(Missing::Cyclictest));
    }
    let folder = tempfile::tempdir().context("cannot make a folder for graph and reports")?;
    let graph = folder.path().join("timer.toml");
    std::fs::write(&graph, GRAPH)?;
    let mut runs = Runs {
        fifo: true,
        ..Runs::default()
    };
    for pair in 0..PAIRS {
        // Whichever comes first does so in every other pair only.
        for turn in 0..2 {
            std::thread::sleep(REST);
            if (pair + turn) % 2 == 0 {
                runs.cyclictest.push(run_cyclictest()?);
            } else {
                let (lateness, fifo) = run_timer(&ephapse, &graph, folder.path())?;
                runs.timer.push(lateness);
                runs.fifo &= fifo;
            }
        }
    }
    Ok(Ok(runs))
}

/// The `ephapse` beside this example: `target/PROFILE/examples/..`.
fn ephapse_program() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("cannot find this program's own path")?;
    let profile = own
        .parent()
        .and_then(Path::parent)
        .context("this program does not lie in target/PROFILE/examples")?;
    Ok(profile.join("ephapse"))
}

/// Priority, CPU, period and clock of the graph's timer. cyclictest too holds /dev/cpu_dma_latency at 0.
fn run_cyclictest() -> anyhow::Result<Lateness> {
    let output = Command::new("cyclictest")
        .args(["-q", "-m", "-p", "95", "-a", "0", "-t", "1", "-i", "1000"])
        .args(["-N", "-D", &SECONDS.to_string()])
        .args(["-h", &HISTOGRAM_NS.to_string()])
        .output()
        .context("cannot start cyclictest")?;
    if !output.status.success() {
        bail!(
            "cyclictest ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    read_cyclictest(&String::from_utf8_lossy(&output.stdout))
}

fn read_cyclictest(text: &str) -> anyhow::Result<Lateness> {
    let mut histogram = Vec::new();
    let mut beyond = 0;
    for line in text.lines() {
        if let Some(count) = line.strip_prefix("# Histogram Overflows:") {
            beyond = count.trim().parse().context("cyclictest's overflows")?;
        }
        let mut numbers = line.split_whitespace().map(str::parse::<u64>);
        if let (Some(Ok(value_ns)), Some(Ok(count))) = (numbers.next(), numbers.next())
            && count > 0
        {
            histogram.push((value_ns, count));
        }
    }
    let at = |share| {
        percentile(&histogram, beyond, share).with_context(|| {
            format!("cyclictest's {share} percentile lies above {HISTOGRAM_NS} ns, or it counted nothing")
        })
    };
    Ok(Lateness {
        p50_ns: at(0.50)?,
        p99_ns: at(0.99)?,
    })
}

/// Lateness of the timer in one run of the graph, and whether it had SCHED_FIFO.
fn run_timer(ephapse: &Path, graph: &Path, folder: &Path) -> anyhow::Result<(Lateness, bool)> {
    let output = Command::new(ephapse)
        .arg("run")
        .arg(graph)
        .arg("--report")
        .arg(folder)
        .args(["--duration", &format!("{SECONDS}s")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .output()
        .context("cannot start ephapse")?;
    if !output.status.success() {
        bail!(
            "ephapse run ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let report = std::fs::read_to_string(folder.join("report.json"))
        .context("the run left no report.json")?;
    read_report(&serde_json::from_str(&report)?)
}

/// The figures as they happened: cyclictest, too, adds nothing for the wake-ups it slept through.
fn read_report(report: &serde_json::Value) -> anyhow::Result<(Lateness, bool)> {
    let entry = |list: &str, key: &str, value: &str| {
        report[list]
            .as_array()
            .and_then(|entries| entries.iter().find(|entry| entry[key] == value))
            .with_context(|| format!("report.json has no {value} among its {list}"))
    };
    let figures = &entry("hops", "kind", "timer_lateness")?["uncorrected"];
    let figure = |key: &str| {
        figures[key]
            .as_u64()
            .with_context(|| format!("the timer's lateness has no {key}"))
    };
    Ok((
        Lateness {
            p50_ns: figure("p50_ns")?,
            p99_ns: figure("p99_ns")?,
        },
        entry("stages", "name", "timer")?["policy"] == "fifo",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cyclictest_s_histogram_is_read_with_its_overflows() {
        let text = "# /dev/cpu_dma_latency set to 0us\n# Histogram\n000000 000000\n017067 000061\n017253 000038\n\
                    # Total: 000000099\n# Max Latencies: 2682199\n# Histogram Overflows: 00001\n";
        let lateness = read_cyclictest(text).unwrap();
        assert_eq!(
            lateness,
            Lateness {
                p50_ns: 17_067,
                p99_ns: 17_253
            }
        );
    }

    #[test]
    fn a_percentile_above_cyclictest_s_histogram_is_an_error_not_a_number() {
        let text = "000010 000050\n# Histogram Overflows: 00050\n";
        let error = read_cyclictest(text).unwrap_err().to_string();
        assert!(error.contains("0.99"), "{error}");
        assert!(read_cyclictest("").is_err());
    }

    #[test]
    fn the_timer_s_figures_are_those_that_happened() {
        let report = serde_json::json!({
            "hops": [
                { "stage": "band", "kind": "wake", "uncorrected": { "p50_ns": 1, "p99_ns": 2 } },
                { "stage": "timer", "kind": "timer_lateness", "p50_ns": 9, "p99_ns": 9,
                  "uncorrected": { "p50_ns": 3, "p99_ns": 4 } },
            ],
            "stages": [{ "name": "timer", "policy": "fifo" }],
        });
        let (lateness, fifo) = read_report(&report).unwrap();
        assert_eq!((lateness.p50_ns, lateness.p99_ns, fifo), (3, 4, true));
    }

    #[test]
    fn a_report_without_the_timer_is_named_as_such() {
        let error = read_report(&serde_json::json!({ "hops": [] })).unwrap_err();
        assert!(error.to_string().contains("timer_lateness"), "{error}");
    }
}
