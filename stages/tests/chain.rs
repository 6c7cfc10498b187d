//! The stages behind each other on rings, from frames to commands, in logical time.

use ephapse_engine::abi::{SlotHeader, flag};
use ephapse_engine::records::{Command, Spike};
use ephapse_engine::stage::{Next, Registry, Rig, Stage, Taken};
use ephapse_rtconfig::describe::Catalogue;
use ephapse_rtconfig::stream_type::{Dtype, Rate, StreamType};
use ephapse_stages::detect::Threshold;
use ephapse_stages::feature::SpikeRate;
use ephapse_stages::filter::{Bandpass, MovingAverage};
use ephapse_stages::policy::Frequency;
use ephapse_stages::readout::Linear;
use serde_json::json;
use std::path::Path;
use zerocopy::IntoBytes;

const RATE_HZ: u64 = 30_000;

/// Five stages from the input of the filter to the output of the policy.
struct Chain {
    channels: usize,
    block_frames: usize,
    filter: Rig<Bandpass>,
    detect: Rig<Threshold>,
    rate: Rig<SpikeRate>,
    readout: Rig<Linear>,
    policy: Rig<Frequency>,
    frames: u64,
    spikes: Vec<Spike>,
    rows: Vec<f64>,
    commands: Vec<Command>,
}

/// Hands what a stage has made to the next one.
fn hand_on<S: Stage>(made: &[Taken], next: &mut Rig<S>) -> Vec<Taken> {
    for block in made {
        assert_eq!(next.push(0, block.header, &block.payload), Next::Continue);
    }
    next.take(0)
}

impl Chain {
    fn new(channels: usize, block_frames: usize, calibrate_s: f64, skip_s: f64) -> Self {
        let mut input = StreamType::frames(
            Dtype::I16,
            block_frames as u32,
            channels as u32,
            Rate::hz(RATE_HZ),
            "count",
        );
        input.si_unit = "V".to_owned();
        input.scale = vec![0.195e-6; channels];
        let filter = Rig::<Bandpass>::new(
            json!({"low_hz": 300.0, "high_hz": 3000.0, "order": 2}),
            &[input],
        )
        .unwrap();
        let detect = Rig::<Threshold>::new(
            json!({"calibrate_s": calibrate_s, "calibrate_skip_s": skip_s, "max_spikes_per_block": 1024}),
            &[filter.output_type(0).clone()],
        )
        .unwrap();
        let rate = Rig::<SpikeRate>::new(
            json!({"bin_ms": 10.0, "bins": 10}),
            &[detect.output_type(0).clone()],
        )
        .unwrap();
        let readout = Rig::<Linear>::new(
            json!({"weights": "population"}),
            &[rate.output_type(0).clone()],
        )
        .unwrap();
        let policy = Rig::<Frequency>::new(
            json!({"table_hz": [[0.5, 10.0], [2.0, 20.0], [8.0, 40.0]], "target": 3}),
            &[readout.output_type(0).clone()],
        )
        .unwrap();
        Chain {
            channels,
            block_frames,
            filter,
            detect,
            rate,
            readout,
            policy,
            frames: 0,
            spikes: Vec::new(),
            rows: Vec::new(),
            commands: Vec::new(),
        }
    }

    /// Plays a recording (`time x channel`) in blocks; `seam`: it does not continue what was played before.
    fn play(&mut self, recording: &[i16], seam: bool) {
        let blocks = recording.chunks(self.block_frames * self.channels);
        for (number, block) in blocks.enumerate() {
            let valid = (block.len() / self.channels) as u64;
            let header = SlotHeader {
                first_frame: self.frames,
                origin_first: self.frames,
                origin_frame: self.frames + valid - 1,
                valid: valid as u32,
                sampled_ns: (self.frames + valid) * 1_000_000_000 / RATE_HZ,
                flags: if seam && number == 0 { flag::GAP } else { 0 },
                ..SlotHeader::default()
            };
            self.frames += valid;
            assert_eq!(
                self.filter.push(0, header, block.as_bytes()),
                Next::Continue
            );
            let filtered = self.filter.take(0);
            let spikes = hand_on(&filtered, &mut self.detect);
            let rates = hand_on(&spikes, &mut self.rate);
            let decisions = hand_on(&rates, &mut self.readout);
            let commands = hand_on(&decisions, &mut self.policy);
            for made in [&filtered, &spikes, &rates, &decisions, &commands] {
                assert_eq!(made.len(), 1, "one block of every stream for every block");
            }
            assert_eq!(spikes[0].header.user, 0, "no spike was lost");
            self.spikes.extend(spikes[0].rows::<Spike>());
            self.rows.extend(decisions[0].rows::<f64>());
            self.commands.extend(commands[0].rows::<Command>());
        }
    }
}

/// Noise, in which from frame `from` on every channel fires `hz` times a second.
fn culture(frames: usize, channels: usize, from: usize, hz: usize) -> Vec<i16> {
    let mut x = 0x9E37_79B9_7F4A_7C15u64;
    let mut out = Vec::with_capacity(frames * channels);
    let interval = RATE_HZ as usize / hz;
    for i in 0..frames {
        for c in 0..channels {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            let noise = (x % 61) as i16 - 30;
            let phase = (i + c * 97) % interval;
            let fires = i >= from && phase < 12;
            // A negative wave of 0.4 ms.
            let wave = if fires {
                -40 * (6 - (phase as i16 - 6).abs())
            } else {
                0
            };
            out.push(noise + wave);
        }
    }
    out
}

/// What a command says but for the tick, which belongs to the block it was made in.
fn said(commands: &[Command]) -> Vec<(f64, u64, u64)> {
    commands
        .iter()
        .map(|c| (c.values[0], c.first_frame, c.last_frame))
        .collect()
}

#[test]
fn commands_and_the_frames_they_stand_for_do_not_depend_on_block_size() {
    let recording = culture(45_000, 4, 20_000, 30);
    let mut logs = Vec::new();
    for block_frames in [30, 7, 300, 1000] {
        let mut chain = Chain::new(4, block_frames, 0.3, 0.0);
        chain.play(&recording, false);
        assert!(
            chain
                .commands
                .iter()
                .all(|c| c.target == 3 && c.code == 1 && c.age_ns == 0)
        );
        logs.push((said(&chain.commands), chain.spikes, chain.rows));
    }
    let (commands, spikes, _) = &logs[0];
    assert!(
        commands.is_sorted_by(|a, b| a.0 < b.0),
        "the rate rises: {commands:?}"
    );
    assert_eq!(commands.last().map(|c| c.0), Some(40.0));
    assert!(spikes.len() > 50);
    for (_, first, last) in commands {
        assert_eq!(last + 1 - first, 3000, "a window of ten bins of 300 frames");
        assert_eq!((last + 1) % 300, 0);
    }
    for log in &logs[1..] {
        assert_eq!(log, &logs[0]);
    }
}

#[test]
fn silence_gives_no_command() {
    let mut chain = Chain::new(4, 30, 0.3, 0.0);
    chain.play(&vec![0; 30_000 * 4], false);
    assert!(chain.rows.len() > 90);
    assert!(chain.commands.is_empty() && chain.spikes.is_empty());
}

#[test]
fn a_loop_makes_no_spike_and_does_not_calibrate_again() {
    // Quiet noise that ends far from where it begins: the seam is a leap of 5 mV.
    let mut recording = culture(30_000, 2, usize::MAX, 30);
    for (i, x) in recording.iter_mut().enumerate() {
        *x += (i as i32 * 25_000 / 60_000) as i16;
    }
    let mut chain = Chain::new(2, 30, 0.3, 0.0);
    for turn in 0..3 {
        chain.play(&recording, turn > 0);
    }
    assert_eq!(chain.spikes, []);
    // The same leap in one piece is seen.
    let mut torn = Chain::new(2, 30, 0.3, 0.0);
    torn.play(&recording, false);
    torn.play(&recording, false);
    assert!(!torn.spikes.is_empty());
}

#[test]
fn after_a_seam_what_was_commanded_is_neither_repeated_nor_forgotten() {
    let mut chain = Chain::new(4, 30, 0.3, 0.0);
    let firing = culture(45_000, 4, 15_000, 30);
    chain.play(&firing, false);
    let before = chain.commands.len();
    assert!(before > 0);
    let last = chain.commands[before - 1].values[0];
    chain.play(&firing[30_000 * 4..], true);
    assert_eq!(
        chain.commands.len(),
        before,
        "the rate is the same, the window refills unseen"
    );
    chain.play(&vec![0; 6_000 * 4], true);
    assert!(last > 0.0);
    assert_eq!(
        chain.commands.last().map(|c| c.values[0]),
        Some(0.0),
        "silence switches off"
    );
}

#[test]
fn live_on_rings_the_organoid_s_spikes_are_the_reference_s() {
    let data = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data"));
    let path = data.join("mea_raw/finalspark_exp_240213_151732_dev.i16");
    let Ok(bytes) = std::fs::read(&path) else {
        eprintln!("SKIPPED: {} is not on this machine", path.display());
        return;
    };
    let recording: Vec<i16> = bytes
        .chunks_exact(2)
        .map(|b| i16::from_le_bytes([b[0], b[1]]))
        .collect();
    let table = data.join("reference/finalspark_dev_crossings_ch_sample_trough.npy");
    let table = npyz::NpyFile::new(std::fs::File::open(table).unwrap()).unwrap();
    let table: Vec<i64> = table.into_vec().unwrap();
    // The reference calibrates over 3000..63000; the filter says that it settles for the first frames of these.
    let settled = settle_frames();
    let skip_s = (3000 - settled) as f64 / RATE_HZ as f64;
    let mut chain = Chain::new(32, 30, 2.0, skip_s);
    chain.play(&recording, false);
    let mut expected: Vec<(u64, u32)> = table
        .chunks(3)
        .map(|row| (row[1] as u64, row[0] as u32))
        .filter(|(frame, _)| *frame >= 63_000 + 15_000)
        .collect();
    expected.sort_unstable();
    let found: Vec<(u64, u32)> = chain.spikes.iter().map(|s| (s.frame, s.channel)).collect();
    assert_eq!(found, expected);
    assert!(!chain.commands.is_empty());
}

/// What `filter.bandpass` says of its settling.
fn settle_frames() -> u64 {
    let input = StreamType::frames(Dtype::I16, 30, 1, Rate::hz(RATE_HZ), "count");
    let registry = Registry::new(ephapse_stages::describables());
    let params = json!({"low_hz": 300.0, "high_hz": 3000.0});
    let what = registry.describe("filter.bandpass", &params, &[("frames", &input)]);
    what.unwrap().settle_frames
}

#[test]
fn every_parameter_of_every_kind_is_described() {
    let registry = Registry::new(ephapse_stages::describables());
    let kinds: Vec<&str> = registry.kinds().iter().map(|k| k.kind.as_str()).collect();
    let runs: Vec<&str> = ephapse_stages::runnables().iter().map(|r| r.kind).collect();
    assert_eq!(kinds.len(), runs.len());
    for kind in registry.kinds() {
        assert!(runs.contains(&kind.kind.as_str()));
        let properties = kind.params_schema["properties"].as_object().unwrap();
        for (key, schema) in properties {
            let text = schema["description"].as_str().unwrap_or_default();
            assert!(text.len() > 10, "{}: `{key}` has no description", kind.kind);
        }
        assert_eq!(kind.params_schema["additionalProperties"], json!(false));
    }
}

#[test]
fn the_moving_average_starts_over_behind_a_gap() {
    let input = StreamType::frames(Dtype::F32, 4, 1, Rate::hz(1000), "uV");
    let mut rig = Rig::<MovingAverage>::new(json!({"frames": 2}), &[input]).unwrap();
    let mut push = |first_frame: u64, values: [f32; 4], flags: u32| {
        let header = SlotHeader {
            first_frame,
            valid: 4,
            flags,
            ..SlotHeader::default()
        };
        rig.push(0, header, values.as_bytes());
        let made = rig.take(0).remove(0);
        (made.rows::<f64>(), made.header.settling)
    };
    assert_eq!(
        push(0, [1.0, 3.0, 5.0, 7.0], 0),
        (vec![1.0, 2.0, 4.0, 6.0], 1)
    );
    assert_eq!(
        push(4, [9.0, 9.0, 9.0, 9.0], 0),
        (vec![8.0, 9.0, 9.0, 9.0], 0)
    );
    assert_eq!(
        push(9, [1.0, 3.0, 5.0, 7.0], flag::GAP),
        (vec![1.0, 2.0, 4.0, 6.0], 1)
    );
}
