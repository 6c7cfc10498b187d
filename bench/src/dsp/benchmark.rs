//! `bench dsp`: every kernel in turns, and SciPy beside those it can do.

use super::scipy::{Compared, comparable, compare};
use super::{Kernel, Prepared, RATE_HZ, kernels, run_round};
use crate::ends::{Class, place, without_fifo};
use crate::measured::{
    Bound, Comparison, Distance, Measured, Round, Series, Statistic, histogram_of,
};
use crate::report::units::duration;
use crate::settings::Settings;
use anyhow::Context;
use ephapse_engine::os::monotonic_ns;
use std::time::Duration;

/// The recording.
const SEED: u64 = 7;
/// Time of each series, all rounds together.
const SERIES: Duration = Duration::from_millis(1_500);
/// The CPU is left to the others for so long after each round, lest the kernel throttles a FIFO thread inside one.
const REST: Duration = Duration::from_millis(10);
/// Frames of one value of a comparison: SciPy's side reports frames per second of a whole round.
const PER: u64 = 1_000_000;
/// How much faster than real time band-pass and detector of 1024 channels are promised to be.
const PROMISED_FACTOR: u64 = 6;

/// Measures on the receiver's CPU.
///
/// # Errors
/// If that CPU cannot be had, a stage refuses its parameters, or SciPy's results are not ours.
pub fn benchmark(settings: &Settings, run: &crate::Run) -> anyhow::Result<Measured> {
    let began_ns = run.began_ns;
    // In a thread of its own: CPU and class of the caller stay as they are.
    std::thread::scope(|scope| {
        let measuring = scope.spawn(|| here(settings, began_ns));
        measuring
            .join()
            .map_err(|_| anyhow::anyhow!("the measuring thread panicked"))?
    })
}

fn here(settings: &Settings, began_ns: u64) -> anyhow::Result<Measured> {
    let fifo = place(settings.cpus[1], settings.class).map_err(anyhow::Error::msg)?;
    let mut measured = alone(settings, began_ns)?;
    if settings.class != Class::Other && !fifo {
        measured.without_fifo.push(without_fifo("the kernels"));
    }
    for kernel in comparable() {
        let rounds = settings.repetitions;
        let compared = compare(kernel, SEED, round_time(settings), rounds)
            .with_context(|| format!("{} of {} channels", kernel.name, kernel.channels))?;
        let Some(compared) = compared else {
            measured.skipped.push(
                "SciPy beside the filters: no `python3` with scipy here; `apt-get install python3-scipy`"
                    .to_owned(),
            );
            break;
        };
        measured.append(beside_scipy(&compared, began_ns, round_time(settings)));
    }
    Ok(measured)
}

fn round_time(settings: &Settings) -> Duration {
    let rounds = u32::try_from(settings.repetitions).unwrap_or(u32::MAX);
    settings.duration.unwrap_or(SERIES) / rounds.max(1)
}

fn tag(kernel: Kernel, name: &str) -> String {
    format!(
        "dsp.{}.{}{name}",
        kernel.name.replace('+', "-"),
        kernel.channels
    )
}

/// All kernels in turns.
fn alone(settings: &Settings, began_ns: u64) -> anyhow::Result<Measured> {
    let mut prepared: Vec<Prepared> = kernels()
        .iter()
        .map(|kernel| kernel.prepare(SEED))
        .collect::<Result<_, _>>()?;
    let mut series: Vec<Series> = prepared.iter().map(series_of).collect();
    for repetition in 0..settings.repetitions {
        for step in 0..prepared.len() {
            let index = if repetition % 2 == 0 {
                step
            } else {
                prepared.len() - 1 - step
            };
            std::thread::sleep(REST);
            if let Some(warm_up) = settings.warm_up {
                run_round(&mut prepared[index], warm_up);
            }
            let from_ns = monotonic_ns();
            let histogram = run_round(&mut prepared[index], round_time(settings)).block_ns;
            series[index].rounds.push(Round {
                from_ns: from_ns - began_ns,
                length_ns: monotonic_ns() - from_ns,
                histogram,
                distance: Distance::OneCpu,
                missing: 0,
            });
        }
    }
    Ok(Measured {
        series,
        notes: vec![format!(
            "dsp: one thread on CPU {}, f64, input looping through a seeded recording with five spikes per second and channel; \
             `fft` is a power spectrum of 256 frames of every channel, `readout` four outputs for every frame",
            settings.cpus[1]
        )],
        ..Measured::default()
    })
}

fn series_of(prepared: &Prepared) -> Series {
    let kernel = prepared.kernel();
    let what = format!("{}, {} channels", kernel.name, kernel.channels);
    let frames = prepared.block_frames() as u64;
    let mut series = Series::rate(&tag(kernel, ""), "dsp, one CPU", &what, frames, "frames");
    series.real_time_hz = f64::from(RATE_HZ);
    if kernel.name == "filter+detector" && kernel.channels == 1024 {
        let real_time_ns = frames * 1_000_000_000 / u64::from(RATE_HZ);
        series.bound_p50_ns = Some(real_time_ns / PROMISED_FACTOR);
    }
    series
}

/// Ours against SciPy's in the same blocks, and against SciPy's best way.
fn beside_scipy(compared: &Compared, began_ns: u64, round: Duration) -> Measured {
    let kernel = compared.kernel;
    let group = format!(
        "dsp, {} of {} channels beside SciPy",
        kernel.name, kernel.channels
    );
    let series = |name: &str, what: &str, pick: &dyn Fn(usize) -> f64| {
        let mut series = Series::rate(&tag(kernel, name), &group, what, PER, "frames");
        series.real_time_hz = f64::from(RATE_HZ);
        series.rounds = (0..compared.pairs.len())
            .map(|index| Round {
                from_ns: compared.pairs[index].began_ns - began_ns,
                length_ns: round.as_nanos() as u64,
                histogram: histogram_of(&[(PER as f64 * 1e9 / pick(index)) as u64]),
                distance: Distance::OneCpu,
                missing: 0,
            })
            .collect();
        series
    };
    let pairs = &compared.pairs;
    let [python, numpy, scipy] = &compared.versions;
    let axes = if compared.best_way.time_first {
        "time x channel"
    } else {
        "channel x time"
    };
    let compare = |to: &str, bound| Comparison {
        of: tag(kernel, ".ours"),
        to: tag(kernel, to),
        statistic: Statistic::Rate,
        bound,
    };
    Measured {
        series: vec![
            series(".ours", "ephapse", &|i| pairs[i].ours),
            series(".scipy-same-blocks", "SciPy, same blocks", &|i| {
                pairs[i].same_blocks
            }),
            series(".scipy-best", "SciPy, its best way", &|i| pairs[i].best),
        ],
        comparisons: vec![
            compare(".scipy-same-blocks", None),
            compare(".scipy-best", Some(Bound::WholeAbove(1.0))),
        ],
        notes: vec![format!(
            "SciPy {scipy}, NumPy {numpy}, Python {python}, one thread: its best way is {axes} in blocks of {} frames ({}); results \
             differ by {:.1e} uV at most{}",
            compared.best_way.block_frames,
            duration(compared.best_way.block_frames as u64 * 1_000_000_000 / u64::from(RATE_HZ)),
            compared.difference_uv,
            compared.spikes.map_or_else(String::new, |spikes| format!(
                ", the {spikes} spikes are the same"
            )),
        )],
        ..Measured::default()
    }
}
