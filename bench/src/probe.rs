//! How far the two CPUs of a measurement are from each other now.

use crate::ends::{Ends, LinkSpec, Mode, Wait};
use crate::hop::{self, PING};
use crate::measured::Distance;
use crate::stats::median;
use anyhow::Context;
use std::fs::File;
use std::os::fd::AsRawFd;

/// Half a round trip of a cache line below this: the CPUs share a cache. Above, each line crosses the chip or more (on the
/// host this was written on, near pairs took 45 to 65 ns, far ones about 240 ns).
const NEAR_BELOW_NS: f64 = 120.0;
/// Batches of a probe; their median counts.
const BATCHES: u32 = 20;
/// The key of its link; others begin behind it.
const KEY: u32 = 0;

/// An open ping between two ends.
pub struct Probe {
    /// Its two words, kept as long as it is open.
    _memory: File,
}

impl Probe {
    /// Opens it.
    ///
    /// # Errors
    /// If an end cannot.
    pub fn open(ends: &mut Ends, cpus: [u32; 2], run: &str) -> anyhow::Result<Self> {
        let mut link = LinkSpec {
            link: PING.to_owned(),
            key: KEY,
            payload: 64,
            slots: 2,
            wait: Wait::Spin,
            memory: String::new(),
            run: run.to_owned(),
            cpus,
        };
        let memory = hop::memory(&link)?.context("a ping needs memory")?;
        link.memory = format!("/proc/{}/fd/{}", std::process::id(), memory.as_raw_fd());
        ends.open(&link, false)?;
        Ok(Probe { _memory: memory })
    }

    /// Looks: near or far, and half a round trip, ns.
    ///
    /// # Errors
    /// If an end is gone.
    pub fn look(&mut self, ends: &mut Ends) -> anyhow::Result<(Distance, f64)> {
        let halves_ps = ends.run(KEY, Mode::Stream { batch: 1 }, BATCHES, 2, 0)?;
        let halves_ps: Vec<f64> = halves_ps.into_iter().map(|ps| ps as f64).collect();
        let half_ns = median(&halves_ps).context("a ping without values")? / 1e3;
        let distance = if half_ns < NEAR_BELOW_NS {
            Distance::Near
        } else {
            Distance::Far
        };
        Ok((distance, half_ns))
    }

    /// Closes it.
    ///
    /// # Errors
    /// If an end is gone.
    pub fn close(self, ends: &mut Ends) -> anyhow::Result<()> {
        ends.close(KEY)
    }
}
