//! Values as they are written on the command line.

use ephapse_bench::ends::Class;
use ephapse_rtconfig::schedule::{IRQ_PRIORITY, IrqThread};
use std::time::Duration;

/// `80`, `f:80`, `o`, `o:0`, as rtla writes them.
pub(super) fn class(text: &str) -> Result<Class, String> {
    let (policy, priority) =
        text.split_once(':')
            .unwrap_or(if text == "o" { ("o", "0") } else { ("f", text) });
    match (policy, priority.parse::<u8>()) {
        ("f", Ok(priority)) if (1..=98).contains(&priority) => Ok(Class::Fifo(priority)),
        ("o", Ok(0)) => Ok(Class::Other),
        _ => Err("write it `f:80` (1 to 98; 99 belongs to the kernel) or `o`".into()),
    }
}

fn in_unit(text: &str, unit: &str) -> Result<Duration, String> {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        duration(&format!("{text}{unit}"))
    } else {
        duration(text)
    }
}

pub(super) fn microseconds(text: &str) -> Result<Duration, String> {
    in_unit(text, "us")
}

pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    in_unit(text, "s")
}

pub(super) fn irq(text: &str) -> Result<IrqThread, String> {
    let form =
        || "write it `cpu=1,every=1ms,run=20us`, with `priority=50` if it has another".to_owned();
    let (mut cpu, mut priority, mut every, mut run) = (None, Some(IRQ_PRIORITY), None, None);
    for part in text.split(',') {
        let (key, value) = part.split_once('=').ok_or_else(form)?;
        let ns = || u64::try_from(duration(value)?.as_nanos()).map_err(|_| form());
        match key.trim() {
            "cpu" => cpu = value.parse().ok(),
            "priority" => priority = value.parse().ok().filter(|p| (1..=98).contains(p)),
            "every" => every = Some(ns()?),
            "run" => run = Some(ns()?),
            _ => return Err(form()),
        }
    }
    let all = cpu.zip(priority).zip(every).zip(run);
    let (((cpu, priority), every_ns), run_ns) = all.ok_or_else(form)?;
    Ok(IrqThread {
        cpu,
        priority,
        every_ns,
        run_ns,
    })
}

pub(super) fn speed(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(speed) if speed > 0.0 && f64::is_finite(speed) => Ok(speed),
        _ => Err("a speed is a number above 0, e.g. `1` for the rhythm it had".into()),
    }
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text)
        .map_err(|e| format!("{e} (write it like `10s`, `500ms`, `2min`)"))?;
    if duration.is_zero() {
        Err("a run of no length shows nothing".into())
    } else {
        Ok(duration)
    }
}
