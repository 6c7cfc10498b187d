//! A whole loop that needs no file: synthetic cultures, and commands that go nowhere.

/// Six stages between a generated signal and a stimulator that does nothing. Endless.
pub const LOOP: &str = r#"
name = "loop"
timer = { period_ns = 1_000_000, cpu = 0 }

[defaults]
cpu = 1

[stage.source]
use = "acquire.synthetic"
cpu = 0
params = { channels = 8 }
out = { frames = "raw" }

[stage.band]
use = "filter.bandpass"
params = { low_hz = 300.0, high_hz = 3000.0 }
in = { frames = "raw" }
out = { frames = "filtered" }

[stage.detect]
use = "detect.threshold"
params = { calibrate_s = 0.1 }
in = { frames = "filtered" }
out = { spikes = "spikes" }

[stage.rate]
use = "feature.rate"
params = { bin_ms = 10.0, bins = 10 }
in = { spikes = "spikes" }
out = { rates = "rates" }

[stage.readout]
use = "readout.linear"
params = { weights = "population" }
in = { features = "rates" }
out = { decision = "decision" }

[stage.policy]
use = "policy.frequency"
params = { table_hz = [[0.5, 10.0], [2.0, 20.0]] }
in = { decision = "decision" }
out = { commands = "commands" }

[stage.stimulate]
use = "stimulate.null"
in = { commands = "commands" }
"#;
