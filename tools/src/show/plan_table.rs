//! A planned schedule as text.

use super::plan_found::WITHHELD;
use super::plan_view::{PlanView, PredictionView, SkippedView, TaskView};
use ephapse_rtconfig::plan::Full;

/// The schedule: who runs where and when, the rings, what the model predicts, the verdict last.
pub fn plan_table(view: &PlanView) -> String {
    let mut lines = head(view);
    lines.extend(tasks(view));
    lines.extend(rings(view));
    lines.extend(predictions(view));
    lines.push(String::new());
    if let Some(before) = &view.as_it_is {
        lines.push(format!("as it is: {}", before.verdict.words));
        lines.push(format!("what if:  {}", view.verdict.words));
    } else {
        lines.push(view.verdict.words.clone());
    }
    lines
        .iter()
        .flat_map(|line| [line.trim_end(), "\n"])
        .collect()
}

fn head(view: &PlanView) -> Vec<String> {
    let cpus: Vec<String> = view.cpus.iter().map(u32::to_string).collect();
    let mut lines = vec![
        format!(
            "{}: tick {} ms; takes CPUs {}: sessions on other CPUs can run beside it (online here: {})",
            view.session,
            ms(view.tick_ns),
            cpus.join(", "),
            view.online
        ),
        format!(
            "shared memory: rings {} KiB, spool {} KiB; run times: {}",
            view.ring_bytes.div_ceil(1024),
            view.spool_bytes.div_ceil(1024),
            match view.run_times.as_str() {
                "budget_ns" => "budget_ns, of graph or stage",
                report => report,
            }
        ),
    ];
    if !view.missing_cpus.is_empty() {
        let missing: Vec<String> = view.missing_cpus.iter().map(u32::to_string).collect();
        lines.push(format!("not on this host: CPU {}", missing.join(", ")));
    }
    lines
}

fn tasks(view: &PlanView) -> Vec<String> {
    let measured = view.measured.is_some();
    let mut lines = vec![
        String::new(),
        "On each CPU whoever stands higher preempts whoever stands lower; `=`: the same priority, first come, first served"
            .to_owned(),
        format!(
            "{:>3} {:>5} {:<16} {:<14} {:>8} {:>8} {:>8} {:>9}{}",
            "CPU",
            "prio",
            "ms, at worst",
            "begins",
            "run",
            "response",
            "turn",
            "latency",
            if measured { "  measured" } else { "" }
        ),
    ];
    let mut before: Option<&TaskView> = None;
    for task in &view.tasks {
        let equal = before.is_some_and(|b| (b.cpu, b.priority) == (task.cpu, task.priority));
        lines.push(row(task, equal && task.priority > 0, measured));
        before = Some(task);
    }
    lines
}

fn row(task: &TaskView, equal: bool, measured: bool) -> String {
    let priority = match task.priority {
        0 => "other".to_owned(),
        priority if equal => format!("={priority}"),
        priority => priority.to_string(),
    };
    let response = task.response_ns.map_or("-".to_owned(), ms);
    let late = task
        .response_ns
        .zip(task.turn_ns)
        .is_some_and(|(a, b)| a > b);
    let remark = match &task.no_bound {
        Some(why) if why != WITHHELD => format!("  {why}"),
        Some(_) => String::new(),
        None if late => "  does not fit".to_owned(),
        None => String::new(),
    };
    let seen = if measured {
        format!(
            "  {:>8}",
            task.measured_latency_ns.map_or("-".to_owned(), ms)
        )
    } else {
        String::new()
    };
    format!(
        "{:>3} {priority:>5} {:<16} {:<14} {:>8} {response:>8} {:>8} {:>9}{seen}{remark}",
        task.cpu.map_or("any".to_owned(), |cpu| cpu.to_string()),
        task.name,
        task.begins,
        task.run_ns.map_or("-".to_owned(), ms),
        task.turn_ns.map_or("-".to_owned(), ms),
        task.latency_ns.map_or("-".to_owned(), ms),
    )
}

fn rings(view: &PlanView) -> Vec<String> {
    let mut lines = vec![
        String::new(),
        format!(
            "{:<16} {:>6} {:>8}  {:<12} most blocks behind, at worst",
            "ring", "slots", "KiB", "full"
        ),
    ];
    for ring in &view.rings {
        let full = match ring.full {
            Full::Wait => "wait",
            Full::DropNewest => "drop_newest",
            Full::Fault => "fault",
        };
        let readers: Vec<String> = ring
            .readers
            .iter()
            .map(|reader| {
                let most = reader
                    .most
                    .map_or("no bound".to_owned(), |most| most.to_string());
                let known = reader.most.is_some();
                let fills = if reader.can_fill && known {
                    ", can fill it"
                } else {
                    ""
                };
                format!("{} {most}{fills}", reader.stage)
            })
            .collect();
        lines.push(format!(
            "{:<16} {:>6} {:>8}  {full:<12} {}",
            ring.stream,
            ring.slots,
            ring.bytes.div_ceil(1024),
            readers.join("; ")
        ));
    }
    lines
}

/// The loop as it was predicted and measured, and its bound.
fn predictions(view: &PlanView) -> Vec<String> {
    let before = view.as_it_is.as_deref();
    let predicted = before.and_then(|before| before.prediction.as_ref());
    let named = match predicted {
        Some(_) => "what if",
        None => "predicted",
    };
    let rows: Vec<(&str, &PredictionView)> = [
        ("measured", view.measured.as_ref()),
        ("as it is", predicted),
        (named, view.prediction.as_ref()),
    ]
    .into_iter()
    .filter_map(|(name, seen)| Some((name, seen?)))
    .collect();
    let bound = |view: &PlanView| view.verdict.loop_ns.map_or("no bound".to_owned(), ms);
    if rows.is_empty() {
        let changed = match before {
            Some(before) => format!(" (as it is: {})", bound(before)),
            None => String::new(),
        };
        return vec![
            String::new(),
            format!("loop, ms, at worst: {}{changed}", bound(view)),
        ];
    }
    let mut lines = vec![
        String::new(),
        format!(
            "{:<12} {:>12} {:>8} {:>8} {:>8} {:>8} {:>9} {:>9}",
            "loop, ms", "decisions", "p50", "p99", "p99.9", "max", "skipped", "dropped"
        ),
    ];
    for (name, seen) in &rows {
        lines.push(looped(name, seen));
    }
    match before {
        Some(before) => {
            lines.push(format!("{:<12} {:>48}", "bound, as is", bound(before)));
            lines.push(format!("{:<12} {:>48}", "bound, if", bound(view)));
        }
        None => lines.push(format!("{:<12} {:>48}", "bound", bound(view))),
    }
    for (name, seen) in &rows {
        lines.extend(losses(name, seen));
    }
    if let Some(seen) = &view.prediction {
        let length_s = seen.length_ns.unwrap_or(0) as f64 / 1e9;
        lines.push(format!(
            "(model of {length_s} s of run, seed {}; a stage without a run time takes none in it)",
            seen.seed.unwrap_or(0)
        ));
    }
    lines
}

/// Decisions and, of the stage that skips most, the share of its ticks; blocks dropped.
fn looped(name: &str, seen: &PredictionView) -> String {
    let figure = |ns: Option<u64>| ns.map_or("-".to_owned(), ms);
    let its = &seen.loop_latency;
    let skipped = most_skipped(seen).map_or(0, skipped_ticks);
    let share = 100.0 * skipped as f64 / (skipped + its.count).max(1) as f64;
    let dropped: u64 = seen.dropped.iter().map(|of| of.dropped).sum();
    format!(
        "{name:<12} {:>12} {:>8} {:>8} {:>8} {:>8} {:>9} {dropped:>9}",
        its.count,
        figure(its.p50_ns),
        figure(its.p99_ns),
        figure(its.p999_ns),
        figure(its.max_ns),
        match skipped {
            0 => "0".to_owned(),
            _ => format!("{share:.3} %"),
        }
    )
}

fn skipped_ticks(of: &SkippedView) -> u64 {
    of.late_wake + of.long_run + of.no_room
}

fn most_skipped(seen: &PredictionView) -> Option<&SkippedView> {
    seen.skipped.iter().max_by_key(|of| skipped_ticks(of))
}

/// Who skips most, and why, and who drops.
fn losses(name: &str, seen: &PredictionView) -> Vec<String> {
    let skipped = most_skipped(seen).map(|of| {
        let causes = [
            (of.late_wake, "late wake"),
            (of.long_run, "long run"),
            (of.no_room, "no room"),
        ];
        let causes = causes.iter().filter(|(ticks, _)| *ticks > 0);
        let causes: Vec<String> = causes.map(|(n, cause)| format!("{n} {cause}")).collect();
        format!(
            "{name}: `{}` skips most ticks: {}",
            of.stage,
            causes.join(" + ")
        )
    });
    let dropped = seen.dropped.iter();
    let dropped = dropped.map(|of| format!("{name}: `{}` drops {} blocks", of.stream, of.dropped));
    skipped.into_iter().chain(dropped).collect()
}

fn ms(ns: u64) -> String {
    format!("{}.{:03}", ns / 1_000_000, ns / 1_000 % 1_000)
}
