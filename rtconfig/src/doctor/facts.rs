//! What a host says only to those who ask it, and writes into no file.

use serde::Serialize;

/// Answers of the running system. What was not asked, or cannot be asked (the tree is another host's copy), is `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// A thread has tried to get SCHED_FIFO of the highest priority that is asked for; else why it did not get it.
    pub fifo: Option<Result<(), String>>,
    /// `/dev/cpu_dma_latency` could be opened for writing; else why not.
    pub latency_file: Option<Result<(), String>>,
    /// Free bytes of the file system of `/dev/shm`.
    pub shm_free_bytes: Option<u64>,
    /// Bytes per second that reached the disk of the folder that captures go to.
    pub disk_bytes_per_s: Option<f64>,
    /// What `--measure` has seen, CPU by CPU.
    pub measured: Option<Vec<MeasuredCpu>>,
}

/// Wake-ups and gaps of one CPU, seen by a thread bound to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MeasuredCpu {
    /// CPU, by raw id.
    pub cpu: u32,
    /// The thread ran under SCHED_FIFO.
    pub fifo: bool,
    /// Wake-ups that were waited for.
    pub wakes: u64,
    /// Median of their lateness, ns.
    pub wake_p50_ns: u64,
    /// 99th percentile, ns.
    pub wake_p99_ns: u64,
    /// 99.9th percentile, ns.
    pub wake_p999_ns: u64,
    /// Latest, ns.
    pub wake_max_ns: u64,
    /// Time spent looking at nothing but the clock, ns.
    pub spun_ns: u64,
    /// Gaps in it: two looks at the clock lay at least 5 us apart.
    pub gaps: u64,
    /// All of them together, ns.
    pub gaps_ns: u64,
    /// Length of gap that was reached once a second, on average, ns.
    pub gap_each_second_ns: u64,
    /// Longest, ns.
    pub gap_max_ns: u64,
}
