//! `cyclictest` of rt-tests: the yardstick that everybody with a real-time host knows.

use super::rounds::Lateness;
use crate::cpu_idle::Idle;
use anyhow::{Context, bail};
use std::process::{Command, Stdio};

/// The program.
const PROGRAM: &str = "cyclictest";
/// Upper end of its histogram, ns: the most it takes.
const HISTOGRAM_NS: u64 = 1_000_000;

/// It is on this machine.
pub fn is_installed() -> bool {
    Command::new(PROGRAM)
        .arg("--help")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok()
}

/// One run: `wakes` wake-ups on `cpu`, one every `period_us`.
#[derive(Clone, Copy, Debug)]
pub struct Cyclictest {
    /// Raw CPU id.
    pub cpu: u32,
    /// FIFO priority.
    pub priority: u8,
    /// From wake-up to wake-up.
    pub period_us: u64,
    /// Wake-ups.
    pub wakes: u64,
    /// It holds /dev/cpu_dma_latency at 0 itself unless it is told not to.
    pub idle: Idle,
}

impl Cyclictest {
    fn arguments(self) -> Vec<String> {
        let mut arguments: Vec<String> = ["-q", "-m", "-t1", "-N", "-p"].map(Into::into).to_vec();
        arguments.push(self.priority.to_string());
        for (flag, value) in [
            ("-a", u64::from(self.cpu)),
            ("-i", self.period_us),
            ("-l", self.wakes),
            ("-h", HISTOGRAM_NS),
        ] {
            arguments.extend([flag.to_owned(), value.to_string()]);
        }
        if self.idle == Idle::Halted {
            arguments.push("--default-system".to_owned());
        }
        arguments
    }

    /// Runs it.
    ///
    /// # Errors
    /// If it does not run, or says something else than a histogram.
    pub fn run(self) -> anyhow::Result<Lateness> {
        let output = Command::new(PROGRAM)
            .args(self.arguments())
            .stdin(Stdio::null())
            .output()
            .context("cannot start cyclictest")?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!(
                "cyclictest ended with {}: {}",
                output.status,
                said.split_whitespace().collect::<Vec<_>>().join(" ")
            );
        }
        read(&String::from_utf8_lossy(&output.stdout))
    }
}

/// Reads what it prints. Of the values above its histogram the largest is known, and of the others that they are above it:
/// they count at its end, which flatters nobody but cyclictest, beyond the percentile where they begin.
fn read(text: &str) -> anyhow::Result<Lateness> {
    let mut lateness = Lateness::default();
    let mut overflows: Option<u64> = None;
    let mut max_ns = None;
    for line in text.lines() {
        if let Some(count) = line.strip_prefix("# Histogram Overflows:") {
            overflows = Some(count.trim().parse().context("cyclictest's overflows")?);
        } else if let Some(value) = line.strip_prefix("# Max Latencies:") {
            max_ns = Some(value.trim().parse().context("cyclictest's maximum")?);
        } else if !line.starts_with('#') {
            let mut numbers = line.split_whitespace().map(str::parse::<u64>);
            if let (Some(Ok(value_ns)), Some(Ok(count))) = (numbers.next(), numbers.next()) {
                let count = usize::try_from(count).unwrap_or(usize::MAX);
                let values = std::iter::repeat_n(value_ns, count);
                lateness.values_ns.extend(values);
            }
        }
    }
    let overflows = overflows.context("cyclictest printed no histogram")?;
    if overflows > 0 {
        lateness
            .values_ns
            .push(max_ns.context("cyclictest printed no maximum")?);
        let others = usize::try_from(overflows - 1).unwrap_or(usize::MAX);
        let at_least = std::iter::repeat_n(HISTOGRAM_NS, others);
        lateness.values_ns.extend(at_least);
    }
    if lateness.values_ns.is_empty() {
        bail!("cyclictest counted nothing");
    }
    Ok(lateness)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "# /dev/cpu_dma_latency set to 0us\n# Histogram\n000000 000000\n";

    #[test]
    fn its_histogram_is_read_value_by_value() {
        let text = format!(
            "{HEAD}017067 000003\n017253 000001\n# Total: 000000004\n# Min Latencies: 17067\n\
             # Avg Latencies: 17113\n# Max Latencies: 17253\n# Histogram Overflows: 00000\n\
             # Histogram Overflow at cycle number:\n# Thread 0:\n"
        );
        let lateness = read(&text).unwrap();
        assert_eq!(lateness.values_ns, [17_067, 17_067, 17_067, 17_253]);
        assert_eq!(lateness.missing, 0);
    }

    #[test]
    fn of_the_values_above_its_histogram_the_largest_is_kept_and_the_others_count_at_its_end() {
        let text = format!(
            "{HEAD}017067 000001\n# Max Latencies: 2682199\n# Histogram Overflows: 00003\n\
             # Histogram Overflow at cycle number:\n# Thread 0: 00007 00011 00080\n"
        );
        let lateness = read(&text).unwrap();
        assert_eq!(
            lateness.values_ns,
            [17_067, 2_682_199, 1_000_000, 1_000_000]
        );
        assert_eq!(lateness.missing, 0);
    }

    #[test]
    fn anything_but_a_histogram_is_an_error() {
        assert!(read("").is_err());
        assert!(read("000010 000050\n").is_err());
        let empty = format!("{HEAD}# Max Latencies: 0\n# Histogram Overflows: 00000\n");
        assert!(
            read(&empty)
                .unwrap_err()
                .to_string()
                .contains("counted nothing")
        );
    }

    #[test]
    fn only_for_halted_cpus_is_it_told_to_leave_the_system_as_it_is() {
        let run = |idle| Cyclictest {
            cpu: 3,
            priority: 95,
            period_us: 100,
            wakes: 5_000,
            idle,
        };
        let polling = run(Idle::Polling).arguments().join(" ");
        assert_eq!(polling, "-q -m -t1 -N -p 95 -a 3 -i 100 -l 5000 -h 1000000");
        let halted = run(Idle::Halted).arguments().join(" ");
        assert_eq!(halted, format!("{polling} --default-system"));
    }
}
