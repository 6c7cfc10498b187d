//! A view as one line: words for a pipe, JSON for scripts.

use super::cell_text::fitted;
use super::view::View;
use ephapse_bench::report::units::{duration, thousands};
use serde_json::json;

/// One line of words, without an end of line.
pub fn plain_line(view: &View) -> String {
    let latency = match (view.loop_p50_ns, view.loop_p99_ns, view.loop_max_ns) {
        (Some(p50), Some(p99), Some(max)) => format!(
            "loop p50 {} p99 {} max {}",
            duration(p50),
            duration(p99),
            duration(max)
        ),
        _ => "no decision yet".to_owned(),
    };
    let active = (0..view.channels)
        .filter(|c| view.activity_hz(*c) > 0.0)
        .count();
    format!(
        "{:.1} s  {}  tick {}  {latency}  active {active}/{}  skipped {}  lost {}{}  last command: {}",
        view.elapsed_ns as f64 / 1e9,
        fitted(&view.state, 12),
        thousands(view.tick),
        view.channels,
        thousands(view.skipped),
        thousands(view.lost_frames),
        if view.rt_active { "" } else { "  rt = false" },
        fitted(view.last_command.as_deref().unwrap_or("none"), 120)
    )
}

/// One JSON object, without an end of line; keys are the names of [`View`]'s fields.
pub fn json_line(view: &View) -> String {
    json!({
        "session": view.session,
        "state": view.state,
        "elapsed_ns": view.elapsed_ns,
        "tick": view.tick,
        "period_ns": view.period_ns,
        "channels": view.channels,
        "labels": view.labels,
        "grid": view.grid,
        "last_command": view.last_command,
        "loop_p50_ns": view.loop_p50_ns,
        "loop_p99_ns": view.loop_p99_ns,
        "loop_max_ns": view.loop_max_ns,
        "recent": view.recent,
        "skipped": view.skipped,
        "lost_frames": view.lost_frames,
        "rt_active": view.rt_active,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view() -> View {
        View {
            session: "demo".to_owned(),
            state: "running".to_owned(),
            elapsed_ns: 3_210_000_000,
            tick: 3_210,
            period_ns: 1_000_000,
            channels: 3,
            grid: vec![0.0, 2.5, f64::NAN],
            last_command: Some("20 Hz\non 47".to_owned()),
            loop_p50_ns: Some(1_150_000),
            loop_p99_ns: Some(1_340_000),
            loop_max_ns: Some(10_200_000),
            skipped: 1_234,
            ..View::default()
        }
    }

    #[test]
    fn the_plain_line_is_one_line_that_says_it_all() {
        assert_eq!(
            plain_line(&view()),
            "3.2 s  running  tick 3,210  loop p50 1.15 ms p99 1.34 ms max 10.2 ms  active 1/3  skipped 1,234  lost 0  \
             rt = false  last command: 20 Hz?on 47"
        );
    }

    #[test]
    fn the_json_line_is_one_line_and_reads_back() {
        let line = json_line(&view());
        assert!(!line.contains('\n'));
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["tick"], 3_210);
        assert_eq!(read["grid"], json!([0.0, 2.5, null]));
        assert_eq!(read["rt_active"], false);
        assert_eq!(read["last_command"], "20 Hz\non 47");
    }
}
