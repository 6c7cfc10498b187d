//! The state of a session at one instant, as far as it is shown.

/// What is shown.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Session.
    pub session: String,
    /// State of the session: `running`, `draining`, ...
    pub state: String,
    /// Since the common start, ns.
    pub elapsed_ns: u64,
    /// Newest tick.
    pub tick: u64,
    /// Length of a tick, ns; 0 in an unpaced run.
    pub period_ns: u64,
    /// Channels of the array.
    pub channels: usize,
    /// Label of each channel, or empty.
    pub labels: Vec<String>,
    /// Activity of each channel, Hz; fewer than `channels` before the first spikes were counted.
    pub grid: Vec<f64>,
    /// The last command handed to the device, in words.
    pub last_command: Option<String>,
    /// Median of the loop so far, ns.
    pub loop_p50_ns: Option<u64>,
    /// 99th percentile of the loop so far, ns.
    pub loop_p99_ns: Option<u64>,
    /// Maximum of the loop so far, ns.
    pub loop_max_ns: Option<u64>,
    /// Recent loop latencies, oldest first, ns.
    pub recent: Vec<u64>,
    /// Skipped ticks of all stages.
    pub skipped: u64,
    /// Frames the sources have lost.
    pub lost_frames: u64,
    /// Everything that should run in real time does.
    pub rt_active: bool,
}

impl View {
    /// Activity of a channel, Hz; 0 where none is known.
    pub(super) fn activity_hz(&self, channel: usize) -> f64 {
        let hz = self.grid.get(channel).copied().unwrap_or(0.0);
        if hz.is_finite() { hz.max(0.0) } else { 0.0 }
    }

    /// Label of a channel: its own, or its number counted from 1.
    pub(super) fn label(&self, channel: usize) -> String {
        let own = self.labels.get(channel).filter(|label| !label.is_empty());
        own.cloned().unwrap_or_else(|| (channel + 1).to_string())
    }
}
