//! Wakes between real processes: this executable, started again with `end`, is what the driver of the tests measures.

use ephapse_bench::Run;
use ephapse_bench::ends::{Class, Ends, LinkSpec, Mode, Program, RoundValues, Wait, serve};
use ephapse_bench::hop::OwnLinks;
use ephapse_bench::measured::Measured;
use ephapse_bench::probe::{Probe, path_of};
use ephapse_bench::settings::Settings;
use ephapse_bench::wake::{self, MOST_WAITERS, Mechanism};
use ephapse_bench::watch::{Action, Watch};
use ephapse_engine::os::{self, PidFd};
use libtest_mimic::{Arguments, Trial};
use std::collections::BTreeSet;
use std::fs::File;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("end") {
        return match serve(&mut OwnLinks) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    let mut arguments = Arguments::from_args();
    // Two tests at a time would take the two CPUs from each other.
    arguments.test_threads = Some(1);
    let tests: [(&str, fn()); 5] = [
        (
            "every_wake_reaches_every_waiter_once_by_every_mechanism",
            every_wake_reaches_every_waiter_once_by_every_mechanism,
        ),
        (
            "the_measurement_of_wakes_has_every_series_with_all_its_values",
            the_measurement_of_wakes_has_every_series_with_all_its_values,
        ),
        (
            "a_killed_waiter_is_an_error_in_one_line_and_nobody_is_left",
            a_killed_waiter_is_an_error_in_one_line_and_nobody_is_left,
        ),
        (
            "an_end_that_hangs_in_raw_sync_is_killed_and_named",
            an_end_that_hangs_in_raw_sync_is_killed_and_named,
        ),
        (
            "the_probe_calls_two_cpus_near_or_far_and_leaves_other_links_alone",
            the_probe_calls_two_cpus_near_or_far_and_leaves_other_links_alone,
        ),
    ];
    let two = two_cpus().is_some();
    let trials = tests
        .map(|(name, test)| {
            // Ends that spin need a CPU each: on a machine with one these tests are shown as ignored.
            Trial::test(name, move || {
                test();
                Ok(())
            })
            .with_ignored_flag(!two)
        })
        .into();
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn two_cpus() -> Option<[u32; 2]> {
    match os::allowed_cpus().as_slice() {
        [first, second, ..] => Some([*first, *second]),
        _ => None,
    }
}

fn program() -> Program {
    Program {
        path: std::env::current_exe().unwrap(),
        args: vec!["end".to_owned()],
    }
}

/// SCHED_FIFO where it is permitted: on a busy machine that is faster. Nothing here depends on it.
const CLASS: Class = Class::Fifo(60);

fn ends(receivers: usize) -> Ends {
    Ends::start_with(&program(), two_cpus().unwrap(), CLASS, receivers).unwrap()
}

/// The driver's descriptor must stay open as long as the link.
fn open(ends: &mut Ends, mechanism: Mechanism, waiters: usize, key: u32) -> File {
    let memory = mechanism.memory(waiters).unwrap();
    let link = LinkSpec {
        link: mechanism.link(),
        key,
        payload: 64,
        slots: 1,
        wait: Wait::Sleep,
        memory: path_of(&memory),
        run: "test".to_owned(),
        cpus: two_cpus().unwrap(),
    };
    ends.open_to(&link, waiters).unwrap();
    memory
}

fn assert_sound(values: &RoundValues, waiters: usize, wakes: usize, what: &str) {
    assert_eq!(values.sender.len(), wakes, "{what}");
    assert_eq!(values.receivers.len(), waiters, "{what}");
    for woke in &values.receivers {
        assert_eq!(woke.len(), wakes, "{what}");
        for (wake, woke_ns) in woke.iter().enumerate() {
            assert!(*woke_ns > values.sender[wake], "{what}: wake {wake} early");
            let next_ns = values.sender.get(wake + 1).unwrap_or(&u64::MAX);
            assert!(woke_ns < next_ns, "{what}: wake {wake} late");
        }
    }
}

fn every_wake_reaches_every_waiter_once_by_every_mechanism() {
    let mut ends = ends(MOST_WAITERS);
    for waiters in [1, 3, MOST_WAITERS] {
        for (mechanism, key) in Mechanism::ALL.into_iter().zip(0..) {
            if !mechanism.takes(waiters) {
                continue;
            }
            let what = format!("{} to {waiters}", mechanism.what());
            let _memory = open(&mut ends, mechanism, waiters, key);
            // Rounds one after the other on the same link: nothing of one is left for the next.
            for wakes in [20, 1, 7] {
                let values = ends.run_all(key, Mode::Paced, wakes, 2, 200_000);
                let values = values.unwrap_or_else(|e| panic!("{what}: {e:#}"));
                assert_sound(&values, waiters, wakes as usize, &what);
            }
            ends.close(key).unwrap();
        }
    }
}

fn the_measurement_of_wakes_has_every_series_with_all_its_values() {
    let settings = Settings {
        cpus: two_cpus().unwrap(),
        class: CLASS,
        period: Some(Duration::from_micros(500)),
        duration: Some(Duration::from_millis(5)),
        warm_up: Some(Duration::from_millis(1)),
        repetitions: 2,
    };
    let mut run = Run::new(Watch::new(None, Action::Continue), Arc::default());
    let measured = wake::measure(&program(), &settings, &mut run).unwrap();
    let states = if measured.skipped.is_empty() {
        vec!["polling", "halted"]
    } else {
        // Who may not hold the device still gets the other half, and is told.
        assert!(measured.skipped[0].contains("/dev/cpu_dma_latency"));
        vec!["halted"]
    };
    let mut expected = BTreeSet::new();
    for state in states {
        for mechanism in Mechanism::ALL {
            expected.insert(format!("wake.{}.1.{state}", mechanism.word()));
            for waiters in [4, 8].iter().filter(|w| mechanism.takes(**w)) {
                for which in ["first", "slowest", "skew"] {
                    let word = mechanism.word();
                    expected.insert(format!("wake.{word}.{waiters}.{state}.{which}"));
                }
            }
        }
    }
    assert_eq!(tags(&measured), expected);
    for series in &measured.series {
        assert!(!series.rounds.is_empty(), "{}", series.tag);
        for round in &series.rounds {
            assert_eq!(round.histogram.len(), 5, "{}", series.tag);
        }
    }
    for comparison in &measured.comparisons {
        assert!(expected.contains(&comparison.of) && expected.contains(&comparison.to));
    }
    assert!(!measured.comparisons.is_empty());
}

fn tags(measured: &Measured) -> BTreeSet<String> {
    measured.series.iter().map(|s| s.tag.clone()).collect()
}

/// Kills waiter 1 of 3 in the middle of a round; the error, and whether everybody is gone when the ends are dropped.
fn kill_one(mechanism: Mechanism) -> String {
    let mut ends = ends(3);
    let _memory = open(&mut ends, mechanism, 3, 0);
    let processes: Vec<PidFd> = ends
        .pids()
        .into_iter()
        .map(|pid| PidFd::open(pid).unwrap())
        .collect();
    let victim = ends.pids()[2];
    let killer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        PidFd::open(victim).unwrap().signal(9).unwrap();
    });
    let error = ends.run_all(0, Mode::Paced, 1_000_000, 0, 500_000);
    killer.join().unwrap();
    let error = format!("{:#}", error.unwrap_err());
    assert!(error.contains(&format!("pid {victim}")), "{error}");
    assert!(error.contains("signal: 9"), "{error}");
    assert!(!error.contains('\n'), "{error}");
    drop(ends);
    assert!(processes.iter().all(PidFd::is_dead));
    error
}

fn a_killed_waiter_is_an_error_in_one_line_and_nobody_is_left() {
    for mechanism in [Mechanism::Signal, Mechanism::Futex, Mechanism::BareFutex] {
        kill_one(mechanism);
    }
}

/// Once a waiter was killed, `raw_sync` waits for ever, with no way to bound it from within.
fn an_end_that_hangs_in_raw_sync_is_killed_and_named() {
    kill_one(Mechanism::RawSync);
}

fn the_probe_calls_two_cpus_near_or_far_and_leaves_other_links_alone() {
    use ephapse_bench::measured::Distance;
    let mut ends = ends(1);
    let mut probe = Probe::open(&mut ends, two_cpus().unwrap(), "test").unwrap();
    let _memory = open(&mut ends, Mechanism::BareFutex, 1, 0);
    for _ in 0..3 {
        let (distance, half_ns) = probe.look(&mut ends).unwrap();
        let near = half_ns < ephapse_bench::probe::NEAR_BELOW_NS;
        assert_eq!(distance == Distance::Near, near, "{half_ns} ns");
        assert_ne!(distance, Distance::Unsettled);
        let values = ends.run_all(0, Mode::Paced, 5, 0, 100_000).unwrap();
        assert_sound(&values, 1, 5, "a futex between two looks");
    }
}
