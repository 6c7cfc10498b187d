//! Lateness of a real timer: this executable is the lean program of the sessions that the tests run.

use ephapse_bench::Run;
use ephapse_bench::ends::Class;
use ephapse_bench::measured::Measured;
use ephapse_bench::programs::Programs;
use ephapse_bench::settings::Settings;
use ephapse_bench::tick;
use ephapse_bench::watch::{Action, Watch};
use ephapse_engine::os;
use libtest_mimic::{Arguments, Trial};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

fn main() -> ExitCode {
    if std::env::var_os("EPHAPSE_STAGE").is_some() {
        let runnables: Vec<_> = ephapse_drivers::lean()
            .into_iter()
            .chain(ephapse_stages::runnables())
            .collect();
        return match ephapse_engine::runner::run_timer_or(&runnables, None) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        };
    }
    let mut arguments = Arguments::from_args();
    // Sessions at the same time would take the CPUs from each other.
    arguments.test_threads = Some(1);
    let tests: [(&str, fn()); 3] = [
        (
            "every_wake_up_of_timer_and_cyclictest_is_in_its_series",
            every_wake_up_of_timer_and_cyclictest_is_in_its_series,
        ),
        (
            "a_value_above_the_threshold_ends_the_measurement_after_its_round",
            a_value_above_the_threshold_ends_the_measurement_after_its_round,
        ),
        (
            "an_interrupted_measurement_is_an_error_and_leaves_nothing",
            an_interrupted_measurement_is_an_error_and_leaves_nothing,
        ),
    ];
    let trials = tests.map(|(name, test)| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    });
    libtest_mimic::run(&arguments, trials.into()).exit_code()
}

fn measure(interrupts: u32, watch: Watch) -> anyhow::Result<(Measured, Watch)> {
    let own = std::env::current_exe()?;
    let allowed = os::allowed_cpus();
    let settings = Settings {
        cpus: [allowed[0], allowed[allowed.len() - 1]],
        class: Class::Other,
        period: Some(Duration::from_millis(2)),
        duration: Some(Duration::from_millis(400)),
        warm_up: None,
        repetitions: 2,
    };
    let programs = Programs {
        lean: own.clone(),
        full: (own, Vec::new()),
    };
    let mut run = Run::new(watch, Arc::new(AtomicU32::new(interrupts)));
    let measured = tick::measure(&programs, &settings, &mut run)?;
    Ok((measured, run.watch))
}

/// Shared memory of this process's sessions.
fn left_behind() -> Vec<PathBuf> {
    let name = format!(".bench-tick-{}.", std::process::id());
    let entries = std::fs::read_dir("/dev/shm").unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.to_string_lossy().contains(&name))
        .collect()
}

fn every_wake_up_of_timer_and_cyclictest_is_in_its_series() {
    let (measured, _) = measure(0, Watch::new(None, Action::Continue)).unwrap();
    let skipped = |what: &str| measured.skipped.iter().any(|line| line.starts_with(what));
    let mut expected = BTreeSet::new();
    for (state, there) in [("polling", !skipped("tick, idle CPUs")), ("halted", true)] {
        for (who, there) in [
            ("sleep", there),
            // One CPU alone has no room for a timer that spins.
            ("spin", there && !skipped("timer that spins")),
            ("cyclictest", there && !skipped("cyclictest")),
        ] {
            if there {
                expected.insert(format!("tick.2ms.{who}.{state}"));
            }
        }
    }
    let tags: BTreeSet<String> = measured.series.iter().map(|s| s.tag.clone()).collect();
    assert_eq!(tags, expected, "skipped: {:?}", measured.skipped);
    for series in &measured.series {
        assert_eq!(series.rounds.len(), 2, "{}", series.tag);
        assert_eq!(
            series.bound_p50_ns.is_some(),
            series.tag.contains(".spin."),
            "{}",
            series.tag
        );
        for round in &series.rounds {
            let counted = round.histogram.len() + round.missing;
            if series.tag.contains("cyclictest") {
                assert_eq!(counted, 100, "{}", series.tag);
            } else {
                // A session ticks from its common start to the end of draining; a stalled timer skips some.
                assert_eq!(round.missing, 0, "{}", series.tag);
                assert!(counted > 0, "{}", series.tag);
            }
        }
    }
    for comparison in &measured.comparisons {
        assert!(tags.contains(&comparison.of) && tags.contains(&comparison.to));
        assert_eq!(comparison.bound, None, "only the 1 ms rhythm has one");
    }
    assert_eq!(left_behind(), Vec::<PathBuf>::new());
}

fn a_value_above_the_threshold_ends_the_measurement_after_its_round() {
    let (measured, watch) = measure(0, Watch::new(Some(1), Action::Stop)).unwrap();
    let rounds: usize = measured.series.iter().map(|s| s.rounds.len()).sum();
    assert_eq!(rounds, 1);
    assert_eq!(watch.hits.len(), 1);
}

fn an_interrupted_measurement_is_an_error_and_leaves_nothing() {
    let error = measure(1, Watch::new(None, Action::Continue));
    let error = format!("{:#}", error.err().unwrap());
    assert!(error.contains("interrupted"), "{error}");
    assert!(!error.contains('\n'), "{error}");
    assert_eq!(left_behind(), Vec::<PathBuf>::new());
}
