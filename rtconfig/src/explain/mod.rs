//! A plan drawn for the terminal: who feeds whom, where it runs, and where the time goes; and where each value of its graph
//! was written.

mod budget;
mod flow;
mod values;

pub use values::values;

use crate::plan::Plan;
use crate::recording::{bytes_per_second, spool_bytes};
use crate::resolve::bytes_of;

/// Columns of the drawing.
const COLUMNS: usize = 80;

/// Draws the plan, at most 80 columns wide: the flow from sources to sinks, then where the latency budget goes.
pub fn draw(plan: &Plan) -> String {
    let mut lines = vec![headline(plan), memory(plan), recording(plan)];
    lines.extend(chaos(plan));
    let commands = plan.on.named();
    let commands = commands.iter().filter(|(_, command)| !command.is_empty());
    lines.extend(commands.map(|(on, command)| format!("on {on}: {}", command.join(" "))));
    lines.push(String::new());
    lines.extend(flow::draw(plan));
    lines.extend(budget::draw(plan));
    let mut text = String::new();
    for line in lines {
        text.push_str(cut(line.trim_end(), COLUMNS).trim_end());
        text.push('\n');
    }
    text
}

fn headline(plan: &Plan) -> String {
    match &plan.timer {
        Some(timer) => {
            let spin = match timer.spin_ns {
                0 => String::new(),
                spin_ns => format!(", spins {:.3} ms", ms(spin_ns)),
            };
            format!(
                "{}: tick {} ms, timer on CPU {}, fifo {}{spin}",
                plan.session,
                ms(timer.period_ns),
                timer.cpu,
                timer.priority
            )
        }
        None => format!("{}: unpaced, logical time, no timer", plan.session),
    }
}

fn memory(plan: &Plan) -> String {
    let bytes: u64 = plan.streams.iter().map(bytes_of).sum();
    let helpers = plan.stages.iter().filter(|s| s.helper_of.is_some()).count();
    format!(
        "stages: {}, helpers: {helpers}, rings: {}, shared memory: {} KiB",
        plan.stages.len() - helpers,
        plan.streams.len(),
        bytes.div_ceil(1024)
    )
}

fn recording(plan: &Plan) -> String {
    let Some(recorder) = &plan.recorder else {
        return "recorder: none".to_owned();
    };
    let what = match recorder.streams.len() {
        1 => "1 stream".to_owned(),
        streams => format!("{streams} streams"),
    };
    format!(
        "recorder: {what}, up to {:.1} MB/s, spool: {} KiB ({} s)",
        bytes_per_second(plan, recorder) / 1e6,
        spool_bytes(plan, recorder).div_ceil(1024),
        recorder.spool_s
    )
}

/// Each fault on a line; of many only the first.
fn chaos(plan: &Plan) -> Vec<String> {
    const SHOWN: usize = 8;
    let mut lines: Vec<String> = plan
        .chaos
        .iter()
        .take(SHOWN)
        .map(|injection| {
            let fault = &injection.fault;
            format!(
                "chaos: tick {}: {} {}",
                injection.tick,
                fault.who(plan),
                fault.words()
            )
        })
        .collect();
    if let more @ 1.. = plan.chaos.len().saturating_sub(SHOWN) {
        lines.push(format!("chaos: {more} more"));
    }
    lines
}

fn ms(ns: u64) -> f64 {
    ns as f64 / 1e6
}

/// The text in at most `columns` characters; what had to go is marked.
fn cut(text: &str, columns: usize) -> String {
    if text.chars().count() <= columns {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(columns.saturating_sub(1)).collect();
    short.push('…');
    short
}
