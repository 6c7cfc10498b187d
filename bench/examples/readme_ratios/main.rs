//! The ratios of the README's table, measured in one run on this machine:
//!
//! - a hop of 24,000 B between two processes, through the engine's ring against a bare ring between the same two CPUs;
//! - the lateness of the engine's timer against `cyclictest` on the same CPU.
//!
//! `cargo build --profile demo -p ephapse`, then `cargo run --profile demo -p ephapse-bench --example readme_ratios`;
//! `cyclictest` comes with the package `rt-tests`. Takes about a minute and a half and prints a Markdown table. Rounds of
//! both kinds are interleaved, so that what else happens on the machine meets both; the times differ from run to run and
//! from machine to machine, the ratios are the result.

mod bare_ring;
mod block;
mod consumer;
mod ends;
mod hop;
mod lateness;
mod ping;
mod placement;
mod stats;
mod wire;

use ephapse_rtconfig::host::HostFingerprint;
use lateness::{Lateness, Missing};
use std::path::Path;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => table(),
        [hop::CONSUMER, bare_fd, engine_fd] => consumer::run(bare_fd, engine_fd),
        _ => anyhow::bail!("takes no arguments"),
    }
}

fn table() -> anyhow::Result<()> {
    let load_before = load();
    let hops = hop::measure()?;
    println!("| in one run | Ephapse | yardstick | ratio (95 % interval) | pairs |");
    println!("|---|---|---|---|---|");
    for row in &hops.rows {
        println!(
            "{}",
            line(row.what, "bare ring", &row.engine_ns, &row.bare_ns)
        );
    }
    let lateness = lateness::measure()?;
    let mut notes = Vec::new();
    match &lateness {
        Ok(runs) => {
            for (what, figure) in [
                ("timer lateness at 1 kHz, p50", p50 as fn(&Lateness) -> f64),
                ("timer lateness at 1 kHz, p99", p99),
            ] {
                let of: Vec<f64> = runs.timer.iter().map(figure).collect();
                let to: Vec<f64> = runs.cyclictest.iter().map(figure).collect();
                println!("{}", line(what, "cyclictest", &of, &to));
            }
            if !runs.fifo {
                notes.push("The timer had no SCHED_FIFO.".to_owned());
            }
        }
        Err(Missing::Cyclictest) => println!(
            "| timer lateness at 1 kHz | | cyclictest not installed (`apt-get install rt-tests`) | | 0 |"
        ),
        Err(Missing::Ephapse(path)) => println!(
            "| timer lateness at 1 kHz | {} not built (`cargo build --profile demo -p ephapse`) | | | 0 |",
            path.display()
        ),
    }
    notes.insert(0, hop_note(&hops));
    let host = HostFingerprint::read(Path::new("/"));
    println!(
        "\nTimes are medians over rounds; the ratio is the median of the ratios pair by pair. {}",
        notes.join(" ")
    );
    println!(
        "Host: {}, {} CPUs, Linux {}{}; load {load_before} before, {} after.",
        host.cpu_model,
        host.cpus,
        host.kernel_release,
        if host.hypervisor {
            ", virtual machine"
        } else {
            ""
        },
        load()
    );
    Ok(())
}

fn p50(lateness: &Lateness) -> f64 {
    lateness.p50_ns as f64
}

fn p99(lateness: &Lateness) -> f64 {
    lateness.p99_ns as f64
}

/// One line of the table, from paired values in ns.
fn line(what: &str, yardstick: &str, of_ns: &[f64], to_ns: &[f64]) -> String {
    let (Some(of), Some(to), Some(ratio)) = (
        stats::median(of_ns),
        stats::median(to_ns),
        stats::paired_ratio(of_ns, to_ns),
    ) else {
        return format!("| {what} | | {yardstick} | nothing measured | 0 |");
    };
    let short = if ratio.coverage < stats::CONFIDENCE {
        format!("; only {:.0} %", ratio.coverage * 100.0)
    } else {
        String::new()
    };
    format!(
        "| {what} | {:.2} us | {yardstick}, {:.2} us | {:.2} ({:.2} to {:.2}{short}) | {} |",
        of / 1e3,
        to / 1e3,
        ratio.median,
        ratio.low,
        ratio.high,
        of_ns.len()
    )
}

fn hop_note(hops: &hop::Hops) -> String {
    let [before, after] = hops.ping_ns;
    let (was, is) = (ping::distance(before), ping::distance(after));
    let moved = if was == is {
        String::new()
    } else {
        " (the CPUs moved during the run: measure again)".to_owned()
    };
    format!(
        "Half a round trip of a cache line between the two CPUs: {before:.0} ns before ({was}), {after:.0} ns after ({is}){moved}. \
         Both ends of a hop spin{}.",
        if hops.fifo {
            " under SCHED_FIFO"
        } else {
            ", without SCHED_FIFO (not permitted)"
        }
    )
}

/// Load averages over 1, 5 and 15 minutes.
fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace()
        .take(3)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_shows_both_medians_and_the_paired_ratio_with_its_interval() {
        let to: Vec<f64> = (1..=6).map(|k| f64::from(k) * 1_000.0).collect();
        let of: Vec<f64> = to.iter().map(|t| t * 1.1).collect();
        assert_eq!(
            line("hop", "bare ring", &of, &to),
            "| hop | 3.85 us | bare ring, 3.50 us | 1.10 (1.10 to 1.10) | 6 |"
        );
    }

    #[test]
    fn a_line_owns_up_to_an_interval_from_too_few_pairs() {
        let text = line("hop", "bare ring", &[2.0, 2.0], &[1.0, 1.0]);
        assert!(text.contains("only 50 %"), "{text}");
    }
}
