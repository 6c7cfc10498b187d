//! Are the two CPUs of a measurement near each other or far? On a virtual machine that changes under our feet.

use crate::ends::{Ends, LinkSpec, Mode, Wait};
use crate::hop;
use crate::measured::Distance;
use anyhow::Context;
use std::fs::File;
use std::os::fd::AsRawFd;

/// Half a round trip of a cache line below which two CPUs share a cache: near ones were seen from 45 ns on, far ones at
/// about 240 ns.
pub const NEAR_BELOW_NS: f64 = 120.0;
/// Link key of the probe: no measurement counts its links so far.
const KEY: u32 = u32::MAX;
/// Batches of one look; the median of them counts.
const BATCHES: u32 = 9;

/// An open ping between two ends.
pub struct Probe {
    /// Both ends have opened it through the driver's descriptor.
    _memory: File,
}

impl Probe {
    /// Opens the ping between the ends.
    ///
    /// # Errors
    /// If its memory cannot be had, or an end cannot open it.
    pub fn open(ends: &mut Ends, cpus: [u32; 2], run: &str) -> anyhow::Result<Self> {
        let mut link = LinkSpec {
            link: hop::PING.to_owned(),
            key: KEY,
            payload: hop::payload::LEAST,
            slots: 1,
            wait: Wait::Spin,
            memory: String::new(),
            run: run.to_owned(),
            cpus,
        };
        let memory = hop::memory(&link)
            .and_then(|memory| memory.ok_or_else(|| std::io::Error::other("a ping needs some")))
            .context("memory for the probe of the CPUs' distance")?;
        link.memory = path_of(&memory);
        ends.open(&link, false)?;
        Ok(Probe { _memory: memory })
    }

    /// How far the CPUs are from each other now, and half a round trip in ns.
    ///
    /// # Errors
    /// If an end fails.
    pub fn look(&mut self, ends: &mut Ends) -> anyhow::Result<(Distance, f64)> {
        let mut halves_ps = ends.run(KEY, Mode::Paced, BATCHES, 1, 0)?;
        halves_ps.sort_unstable();
        let middle_ps = halves_ps.get(halves_ps.len() / 2);
        let half_ns =
            *middle_ps.context("the probe of the CPUs' distance brought no values")? as f64 / 1e3;
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

/// A path at which another process of this user can open a file of this one that has no name.
pub fn path_of(file: &File) -> String {
    format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd())
}
