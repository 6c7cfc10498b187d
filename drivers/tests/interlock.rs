//! The interlock: no limit is ever exceeded, whatever is commanded and whenever; off is never refused; what was ended
//! because somebody had died stands again when that is over.

use ephapse_drivers::stimulate::{
    CODE_RATE, Forced, Handed, Interlock, Limits, Now, Pulse, Refusal,
};
use ephapse_engine::abi::{SlotHeader, flag};
use ephapse_engine::records::Command;
use proptest::prelude::*;
use serde_json::json;
use std::collections::{BTreeMap, VecDeque};

const S: u64 = 1_000_000_000;
const SILENT_NS: u64 = S;
const OFF_WITHIN_NS: u64 = S / 10;
const MOST_COMMANDS: usize = 4;

fn limits(limits: serde_json::Value) -> Limits {
    serde_json::from_value(limits).unwrap()
}

/// An interlock with its state.
struct Bench {
    interlock: Interlock,
    state: Vec<u64>,
    now_ns: u64,
}

impl Bench {
    fn new(limits: Limits) -> Self {
        Bench {
            state: vec![0; Interlock::state_bytes(&limits) / 8],
            interlock: Interlock {
                limits,
                accept_reset: false,
                silent_ns: SILENT_NS,
                off_within_ns: OFF_WITHIN_NS,
            },
            now_ns: 10 * S,
        }
    }

    fn step(&mut self, barred: Barred, commands: &[Command]) -> Vec<Handed> {
        let most = Interlock::most_handed(&self.interlock.limits, MOST_COMMANDS as u32);
        let mut out = vec![Handed::default(); most as usize];
        let header = SlotHeader {
            sampled_ns: self.now_ns - barred.age_ns,
            flags: if barred.reset { flag::RESET } else { 0 },
            ..SlotHeader::default()
        };
        let now = self.now(&barred);
        let state = zerocopy::IntoBytes::as_mut_bytes(self.state.as_mut_slice());
        let count = self.interlock.step(state, now, &header, commands, &mut out);
        out.truncate(count);
        out
    }

    fn end(&mut self) -> Vec<Handed> {
        let mut out = vec![Handed::default(); self.interlock.limits.targets as usize];
        let now = self.now(&Barred::default());
        let state = zerocopy::IntoBytes::as_mut_bytes(self.state.as_mut_slice());
        let count = self.interlock.end(state, now, &mut out);
        out.truncate(count);
        out
    }

    fn now(&self, barred: &Barred) -> Now {
        Now {
            tick: self.now_ns / 1_000_000,
            ns: self.now_ns,
            off: barred.off,
            held: barred.held,
        }
    }

    fn pass(&mut self, ns: u64) -> &mut Self {
        self.now_ns += ns;
        self
    }
}

/// What stands against every command at a moment.
#[derive(Clone, Copy, Debug, Default)]
struct Barred {
    off: bool,
    held: bool,
    reset: bool,
    age_ns: u64,
}

const HELD: Barred = Barred {
    off: false,
    held: true,
    reset: false,
    age_ns: 0,
};
const FREE: Barred = Barred {
    off: false,
    held: false,
    reset: false,
    age_ns: 0,
};

fn rate(target: u32, hz: f64) -> Command {
    Command {
        target,
        code: CODE_RATE,
        values: [hz, 0.0, 0.0, 0.0],
        ..Command::default()
    }
}

/// Target, rate, why it was refused, why it was forced.
fn said(handed: &[Handed]) -> Vec<(u32, f64, Option<Refusal>, Option<Forced>)> {
    handed
        .iter()
        .map(|h| {
            (
                h.command.target,
                h.command.values[0],
                h.refusal(),
                h.why_forced(),
            )
        })
        .collect()
}

#[test]
fn without_limits_a_command_passes_and_an_empty_block_changes_nothing() {
    let mut bench = Bench::new(limits(json!({})));
    assert_eq!(
        said(&bench.step(FREE, &[rate(3, 20.0)])),
        [(3, 20.0, None, None)]
    );
    for _ in 0..10 {
        assert_eq!(bench.pass(S / 100).step(FREE, &[]), []);
    }
}

#[test]
fn what_stands_is_ended_by_a_hold_and_stands_again_behind_it_as_it_is_wanted_by_then() {
    let mut bench = Bench::new(limits(json!({})));
    bench.step(FREE, &[rate(1, 10.0), rate(2, 20.0)]);
    let ended = bench
        .pass(S / 100)
        .step(HELD, &[rate(2, 40.0), rate(1, 0.0)]);
    assert_eq!(
        said(&ended),
        [
            (1, 0.0, None, Some(Forced::Off(Refusal::Held))),
            (2, 0.0, None, Some(Forced::Off(Refusal::Held))),
            (2, 40.0, Some(Refusal::Held), None),
            (1, 0.0, None, None),
        ]
    );
    assert_eq!(bench.pass(S / 100).step(HELD, &[]), [], "it is off already");
    let again = bench.pass(S / 100).step(FREE, &[]);
    assert_eq!(said(&again), [(2, 40.0, None, Some(Forced::Again))]);
}

#[test]
fn nothing_stands_again_once_the_session_has_switched_off() {
    let mut bench = Bench::new(limits(json!({})));
    bench.step(FREE, &[rate(0, 10.0)]);
    let off = Barred { off: true, ..FREE };
    let ended = bench.pass(S / 100).step(off, &[]);
    assert_eq!(
        said(&ended),
        [(0, 0.0, None, Some(Forced::Off(Refusal::Off)))]
    );
    assert_eq!(bench.pass(S / 100).step(off, &[]), []);
    assert_eq!(bench.end(), [], "there is nothing left to end");
}

#[test]
fn the_end_of_the_commands_ends_what_stands() {
    let mut bench = Bench::new(limits(json!({})));
    bench.step(FREE, &[rate(7, 10.0)]);
    assert_eq!(
        said(&bench.pass(S / 100).end()),
        [(7, 0.0, None, Some(Forced::End))]
    );
    assert_eq!(bench.pass(S / 100).end(), []);
}

#[test]
fn a_reset_and_data_that_is_too_old_bar_everything_until_they_are_over() {
    let mut bench = Bench::new(limits(json!({"max_age_ms": 50.0})));
    bench.step(FREE, &[rate(1, 10.0)]);
    for (barred, why) in [
        (
            Barred {
                reset: true,
                ..FREE
            },
            Refusal::Reset,
        ),
        (
            Barred {
                age_ns: S / 10,
                ..FREE
            },
            Refusal::Age,
        ),
    ] {
        let ended = bench.pass(S / 100).step(barred, &[]);
        assert_eq!(said(&ended), [(1, 0.0, None, Some(Forced::Off(why)))]);
        let again = bench.pass(S / 100).step(FREE, &[]);
        assert_eq!(said(&again), [(1, 10.0, None, Some(Forced::Again))]);
    }
}

#[test]
fn each_limit_refuses_by_its_name_and_leaves_what_stands() {
    let cases = [
        (
            json!({"max_rate_hz": 40.0}),
            [41.0, 0.0, 0.0, 0.0],
            Refusal::Rate,
        ),
        (
            json!({"max_amplitude_ua": 5.0}),
            [10.0, -6.0, 0.0, 0.0],
            Refusal::Amplitude,
        ),
        (
            json!({"max_phase_nc": 1.0}),
            [10.0, 6.0, 200.0, 0.0],
            Refusal::Charge,
        ),
        (
            json!({"max_net_nc": 0.1}),
            [10.0, 0.0, 0.0, -0.2],
            Refusal::Net,
        ),
        (
            json!({"max_duty": 0.01}),
            [40.0, 0.0, 200.0, 0.0],
            Refusal::Duty,
        ),
        (
            json!({"max_pulses_per_hour": 100.0}),
            [90.0, 0.0, 0.0, 0.0],
            Refusal::Hour,
        ),
        (json!({}), [f64::NAN, 0.0, 0.0, 0.0], Refusal::Malformed),
        (json!({}), [-1.0, 0.0, 0.0, 0.0], Refusal::Malformed),
        (json!({}), [1.0, 0.0, -200.0, 0.0], Refusal::Malformed),
    ];
    for (given, values, why) in cases {
        let mut bench = Bench::new(limits(given));
        bench.step(FREE, &[rate(1, 2.0)]);
        let asked = Command {
            values,
            ..rate(1, 0.0)
        };
        let handed = bench.pass(S / 1000).step(FREE, &[asked]);
        assert_eq!(handed.len(), 1, "{why:?}: {handed:?}");
        assert_eq!(handed[0].refusal(), Some(why));
    }
}

#[test]
fn the_pulse_that_a_device_is_set_up_for_counts_where_a_command_does_not_say() {
    let set_up = json!({"max_phase_nc": 1.0, "pulse": {"amplitude_ua": 6.0, "phase_us": 200.0}});
    let refused = Bench::new(limits(set_up)).step(FREE, &[rate(1, 2.0)]);
    assert_eq!(refused[0].refusal(), Some(Refusal::Charge));
}

#[test]
fn a_code_that_no_limit_can_be_compared_with_passes_only_where_there_are_none() {
    let strange = Command {
        code: 77,
        ..rate(1, 2.0)
    };
    let mut free = Bench::new(limits(json!({})));
    assert_eq!(free.step(FREE, &[strange])[0].refusal(), None);
    let mut limited = Bench::new(limits(json!({"max_rate_hz": 40.0})));
    assert_eq!(
        limited.step(FREE, &[strange])[0].refusal(),
        Some(Refusal::Code)
    );
}

#[test]
fn a_target_more_than_can_be_accounted_for_is_refused_and_may_still_be_switched_off() {
    let mut bench = Bench::new(limits(json!({"targets": 2})));
    let handed = bench.step(
        FREE,
        &[rate(1, 2.0), rate(9, 2.0), rate(5, 2.0), rate(5, 0.0)],
    );
    let refused: Vec<Option<Refusal>> = handed.iter().map(Handed::refusal).collect();
    assert_eq!(refused, [None, None, Some(Refusal::Targets), None]);
}

#[test]
fn after_a_silence_in_which_the_guard_switched_off_what_is_wanted_stands_again() {
    let mut bench = Bench::new(limits(json!({})));
    bench.step(FREE, &[rate(1, 2.0)]);
    let again = bench.pass(2 * SILENT_NS).step(FREE, &[]);
    assert_eq!(said(&again), [(1, 2.0, None, Some(Forced::Again))]);
}

#[test]
fn an_hour_that_is_full_ends_what_stands_and_lets_it_stand_again_when_it_has_passed() {
    let mut bench = Bench::new(limits(json!({"max_pulses_per_hour": 1000.0})));
    bench.step(FREE, &[rate(1, 10.0)]);
    let mut events = Vec::new();
    for tenth in 1..=50_000_u64 {
        let handed = bench.pass(S / 10).step(FREE, &[]);
        events.extend(handed.iter().map(|h| (tenth / 10, h.why_forced().unwrap())));
    }
    let (ended_s, why) = events[0];
    assert_eq!(why, Forced::Off(Refusal::Hour));
    assert!((80..=100).contains(&ended_s), "ended after {ended_s} s");
    let (again_s, why) = events[1];
    assert_eq!(why, Forced::Again);
    assert!((3600..=4200).contains(&again_s), "again after {again_s} s");
}

#[test]
fn numbers_that_limit_nothing_are_refused_by_name() {
    for wrong in [
        json!({"max_rate_hz": -1.0}),
        json!({"targets": 0}),
        json!({"targets": 5000}),
        json!({"pulse": {"phase_us": -1.0}}),
    ] {
        let key = wrong.as_object().unwrap().keys().next().unwrap().clone();
        let error = limits(wrong).check().unwrap_err().to_string();
        assert!(error.contains("limits") && error.contains(&key), "{error}");
    }
    assert!(serde_json::from_value::<Limits>(json!({"max_rate": 3})).is_err());
}

/// A device that does as it is told: it counts its pulses, the first at once. The guard switches it off after a silence.
#[derive(Default)]
struct Device {
    rate_hz: f64,
    pulse: Pulse,
    since_ns: u64,
    /// Times of its pulses, ns; those of the last hour.
    pulses: VecDeque<u64>,
    most_in_an_hour: usize,
}

impl Device {
    fn go_on(&mut self, from_ns: u64, to_ns: u64) {
        if self.rate_hz <= 0.0 {
            return;
        }
        let period_ns = (1e9 / self.rate_hz) as u64;
        let first = (from_ns.saturating_sub(self.since_ns)).div_ceil(period_ns.max(1));
        let mut at_ns = self.since_ns + first * period_ns;
        while at_ns < to_ns {
            self.pulses.push_back(at_ns);
            at_ns += period_ns;
            while self
                .pulses
                .front()
                .is_some_and(|first| at_ns - first > 3600 * S)
            {
                self.pulses.pop_front();
            }
            self.most_in_an_hour = self.most_in_an_hour.max(self.pulses.len());
        }
    }
}

#[derive(Clone, Debug)]
struct Step {
    pass_ns: u64,
    barred: Barred,
    commands: Vec<(u32, [f64; 4])>,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let value = prop_oneof![
        4 => 0.0..60.0_f64, 1 => Just(0.0), 1 => Just(-3.0), 1 => Just(f64::NAN), 1 => Just(f64::INFINITY), 1 => 0.0..1e6_f64
    ];
    let values = (value.clone(), -8.0..8.0_f64, 0.0..400.0_f64, -0.3..0.3_f64);
    let command = (0..5_u32, values).prop_map(|(target, (a, b, c, d))| (target, [a, b, c, d]));
    // Now and then longer than the guard lets pass; now and then minutes.
    let pass = prop_oneof![
        8 => 1_000_000..S, 2 => S..20 * S, 1 => 60 * S..1200 * S
    ];
    let barred = (0..20_u8, 0..200_000_000_u64).prop_map(|(which, age_ns)| Barred {
        off: false,
        held: which == 0,
        reset: which == 1,
        age_ns,
    });
    let step = (
        pass,
        barred,
        prop::collection::vec(command, 0..MOST_COMMANDS),
    )
        .prop_map(|(pass_ns, barred, commands)| Step {
            pass_ns,
            barred,
            commands,
        });
    prop::collection::vec(step, 1..400)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(std::env::var("EPHAPSE_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(64)))]

    #[test]
    fn over_random_commands_and_times_no_limit_is_ever_exceeded(steps in steps()) {
        let limits: Limits = limits(json!({
            "max_rate_hz": 40.0, "max_amplitude_ua": 5.0, "max_phase_nc": 1.2, "max_net_nc": 0.2, "max_duty": 0.012,
            "max_pulses_per_hour": 2000.0, "max_age_ms": 150.0, "targets": 3,
        }));
        let mut bench = Bench::new(limits.clone());
        let mut devices: BTreeMap<u32, Device> = BTreeMap::new();
        for step in &steps {
            let from_ns = bench.now_ns;
            // Alone, the device goes on until the guard has switched it off.
            let alone_ns = SILENT_NS + OFF_WITHIN_NS;
            for device in devices.values_mut() {
                device.go_on(from_ns, from_ns + step.pass_ns.min(alone_ns));
                if step.pass_ns >= alone_ns {
                    device.rate_hz = 0.0;
                }
            }
            bench.pass(step.pass_ns);
            let commands: Vec<Command> = step.commands.iter()
                .map(|(target, values)| Command { values: *values, ..rate(*target, 0.0) })
                .collect();
            for handed in bench.step(step.barred, &commands) {
                if handed.refusal().is_some() {
                    continue;
                }
                let [hz, ua, us, nc] = handed.command.values;
                let device = devices.entry(handed.command.target).or_default();
                if device.rate_hz != hz || device.pulse != (Pulse { amplitude_ua: ua, phase_us: us, net_nc: nc }) {
                    *device = Device {
                        rate_hz: hz,
                        pulse: Pulse { amplitude_ua: ua, phase_us: us, net_nc: nc },
                        since_ns: bench.now_ns,
                        pulses: core::mem::take(&mut device.pulses),
                        most_in_an_hour: device.most_in_an_hour,
                    };
                }
                if hz > 0.0 {
                    prop_assert!(!step.barred.held && !step.barred.reset && step.barred.age_ns <= 150_000_000);
                    prop_assert!(hz <= 40.0 && ua.abs() <= 5.0 && nc.abs() <= 0.2, "{handed:?}");
                    prop_assert!(ua.abs() * us * 1e-3 <= 1.2 && hz * 2.0 * us * 1e-6 <= 0.012, "{handed:?}");
                }
            }
            prop_assert!(devices.values().filter(|d| d.rate_hz > 0.0).count() <= 3);
            let barred = step.barred.held || step.barred.reset || step.barred.age_ns > 150_000_000;
            prop_assert!(!barred || devices.values().all(|d| d.rate_hz == 0.0), "something stands while it is barred");
        }
        for (target, device) in &devices {
            prop_assert!(device.most_in_an_hour <= 2000, "target {target}: {} pulses within an hour", device.most_in_an_hour);
        }
        let ended = bench.end();
        for handed in &ended {
            devices.get_mut(&handed.command.target).unwrap().rate_hz = handed.command.values[0];
        }
        prop_assert!(devices.values().all(|d| d.rate_hz == 0.0), "something stands when it is over");
    }
}
