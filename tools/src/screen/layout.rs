//! One screen: at most 24 lines of 80 columns.

use super::activity;
use super::cell_text::fitted;
use super::sparkline::sparkline;
use super::view::View;
use ephapse_bench::report::units::{duration, thousands};

/// Columns of the screen.
pub(super) const COLUMNS: usize = 80;

/// Columns of the sparkline.
const RECENT: usize = 60;

/// The screen, line by line.
pub(super) fn lines(view: &View) -> Vec<String> {
    let mut lines = vec![head(view)];
    if !view.rt_active {
        lines.push("rt = false: not everything that should runs in real time".to_owned());
    }
    lines.extend(activity::lines(view));
    lines.push(loop_words(view));
    lines.push(recent(view));
    let command = view.last_command.as_deref().unwrap_or("none yet");
    lines.push(format!("Last command  {command}"));
    lines.push(format!(
        "Skipped ticks {}   lost frames {}   Ctrl-C drains and stops",
        thousands(view.skipped),
        thousands(view.lost_frames)
    ));
    lines.iter().map(|line| fitted(line, COLUMNS)).collect()
}

fn head(view: &View) -> String {
    let left = format!(
        "ephapse {} {}",
        fitted(&view.session, 32),
        fitted(&view.state, 12)
    );
    let tick = match view.period_ns {
        0 => "unpaced".to_owned(),
        period => format!("tick {} ({} each)", thousands(view.tick), duration(period)),
    };
    let right = format!("{}  {tick}", clock(view.elapsed_ns));
    // The last column stays free: some terminals wrap when it is written.
    let gap = (COLUMNS - 1).saturating_sub(left.chars().count() + right.chars().count());
    format!("{left}{}{right}", " ".repeat(gap.max(1)))
}

/// `1:02:03.4`.
fn clock(ns: u64) -> String {
    let tenths = ns / 100_000_000;
    let (hours, minutes) = (tenths / 36_000, tenths / 600 % 60);
    format!(
        "{hours}:{minutes:02}:{:02}.{}",
        tenths / 10 % 60,
        tenths % 10
    )
}

fn loop_words(view: &View) -> String {
    match (view.loop_p50_ns, view.loop_p99_ns, view.loop_max_ns) {
        (Some(p50), Some(p99), Some(max)) => format!(
            "Loop, sampled to handed:  p50 {}  p99 {}  max {}",
            duration(p50),
            duration(p99),
            duration(max)
        ),
        _ => "Loop, sampled to handed:  no decision yet".to_owned(),
    }
}

fn recent(view: &View) -> String {
    if view.recent.is_empty() {
        return String::new();
    }
    let newest = &view.recent[view.recent.len().saturating_sub(RECENT)..];
    let most = newest.iter().copied().max().unwrap_or(0);
    format!(
        "  {:<RECENT$}  to {}",
        sparkline(newest, RECENT),
        duration(most)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(channels: usize) -> View {
        View {
            session: "demo".to_owned(),
            state: "running".to_owned(),
            elapsed_ns: 3_723_400_000_000,
            tick: 3_723_400,
            period_ns: 1_000_000,
            channels,
            labels: Vec::new(),
            grid: (0..channels).map(|c| c as f64 % 17.0).collect(),
            last_command: Some(
                "20 Hz on electrode 47, from frames 1,000 to 1,199, age 1.2 ms".to_owned(),
            ),
            loop_p50_ns: Some(1_150_000),
            loop_p99_ns: Some(1_340_000),
            loop_max_ns: Some(10_200_000),
            recent: (0..200).map(|i| 1_000_000 + i * 3_000).collect(),
            skipped: 2,
            lost_frames: 40,
            rt_active: true,
        }
    }

    #[test]
    fn every_array_fits_80_columns_and_24_lines() {
        for channels in [
            0, 1, 4, 8, 9, 32, 60, 64, 120, 128, 129, 512, 513, 1_024, 4_096,
        ] {
            for rt_active in [true, false] {
                let lines = lines(&View {
                    rt_active,
                    ..view(channels)
                });
                assert!(
                    lines.len() <= 24,
                    "{channels} channels: {} lines",
                    lines.len()
                );
                for line in lines {
                    assert!(
                        line.chars().count() <= COLUMNS,
                        "{channels} channels: {line}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_screen_shows_time_tick_loop_command_and_losses() {
        let screen = lines(&view(32)).join("\n");
        for part in [
            "ephapse demo running",
            "1:02:03.4  tick 3,723,400 (1.00 ms each)",
            "p50 1.15 ms  p99 1.34 ms  max 10.2 ms",
            "Last command  20 Hz on electrode 47",
            "Skipped ticks 2   lost frames 40",
            "█  to 1.60 ms",
        ] {
            assert!(screen.contains(part), "{part} is not in\n{screen}");
        }
        assert!(!screen.contains("rt = false"));
    }

    #[test]
    fn long_foreign_text_cannot_break_the_screen() {
        let lines = lines(&View {
            session: "s".repeat(100),
            state: "failed\x1b[31m".to_owned(),
            tick: u64::MAX,
            elapsed_ns: u64::MAX,
            labels: vec!["a very long label".to_owned(); 60],
            last_command: Some("x\ny".repeat(100)),
            grid: vec![1e300; 60],
            ..view(60)
        });
        assert!(
            lines
                .iter()
                .all(|l| l.chars().count() <= COLUMNS && !l.chars().any(char::is_control))
        );
    }

    #[test]
    fn before_the_first_decision_it_says_so() {
        let fresh = View {
            channels: 60,
            ..View::default()
        };
        let screen = lines(&fresh).join("\n");
        assert!(screen.contains("no decision yet") && screen.contains("none yet"));
        assert!(screen.contains("rt = false"));
    }
}
