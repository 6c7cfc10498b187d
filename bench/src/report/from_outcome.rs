//! A report from what a run left behind.

use super::ReplayReport;
use super::contract::*;
use super::incidents::IncidentReport;
use super::walks::WalkReport;
use super::{bins, bounds, figures, why};
use ephapse_engine::outcome::{self, HopKind, Outcome, Verdict};
use std::time::{Duration, SystemTime};

impl Report {
    /// Reduces an outcome to figures. `host` is the host's fingerprint, `recording` names what was played.
    pub fn new(outcome: &Outcome, host: &serde_json::Value, recording: Option<String>) -> Self {
        let verdict = outcome.verdict();
        let mut report = Report {
            format: FORMAT.to_owned(),
            verdict,
            why: String::new(),
            exit_code: verdict.exit_code(),
            ended_by: outcome.ended_by.clone(),
            faults: outcome.faults.iter().map(FaultReport::from).collect(),
            restarts: outcome.restarts.iter().map(FaultReport::from).collect(),
            holds: outcome.holds.iter().map(HoldReport::from).collect(),
            guards: outcome.guards.iter().map(GuardReport::from).collect(),
            chaos: outcome.chaos.iter().map(ChaosReport::from).collect(),
            session: outcome.plan.session.clone(),
            recording,
            capture: outcome.recording.as_ref().map(CaptureReport::from),
            logs: LogsReport::from(&outcome.log),
            replay: None,
            experiment: outcome.plan.experiment.clone(),
            started: rfc3339(outcome.started_realtime_ns),
            duration_ns: outcome.duration_ns,
            timer: outcome.plan.timer.as_ref().map(|t| TimerReport {
                period_ns: t.period_ns,
                cpu: t.cpu,
                priority: t.priority,
            }),
            rt: RtReport {
                active: outcome.rt.active,
                why: outcome.rt.why.clone(),
            },
            ticks: outcome.ticks.iter().map(TickReport::from).collect(),
            rings: outcome.rings.iter().map(RingReport::from).collect(),
            edges: outcome.edges.iter().map(EdgeReport::from).collect(),
            sources: outcome.sources.iter().map(SourceReport::from).collect(),
            loop_latency: outcome
                .loop_hop
                .as_ref()
                .map(|hop| loop_report(hop, outcome)),
            worst: outcome
                .worst
                .iter()
                .map(|walk| WalkReport::new(walk, Some(outcome.start_ns)))
                .collect(),
            incidents: outcome
                .incidents
                .iter()
                .map(|incident| IncidentReport::new(incident, outcome.start_ns))
                .collect(),
            hops: outcome.hops.iter().map(HopReport::from).collect(),
            stages: outcome
                .stages
                .iter()
                .map(|s| stage_report(s, outcome))
                .collect(),
            rt_watch: Some(RtWatchReport::from(&outcome.rt_watch)),
            told: outcome.told.iter().map(ToldReport::from).collect(),
            budgets: outcome
                .broken_budgets
                .iter()
                .map(BudgetReport::from)
                .collect(),
            ties: outcome.ties.iter().map(TieReport::from).collect(),
            stalls: outcome.stalls.iter().map(StallReport::from).collect(),
            host: host.clone(),
            graph: outcome.plan.resolved_toml.clone(),
        };
        bounds::set(&mut report, &outcome.plan);
        report.why = why::why(&report);
        report
    }

    /// Takes in what came of replaying the capture: decisions that differ fail a run that was sound otherwise.
    pub fn with_replay(mut self, replay: ReplayReport) -> Self {
        if replay.identical == Some(false) && self.verdict != Verdict::Failed {
            self.verdict = Verdict::Failed;
            self.exit_code = self.verdict.exit_code();
            self.why = format!("the capture does not replay: {}", replay.says);
        }
        self.replay = Some(replay);
        self
    }
}

/// Wall-clock instant of `ns` since the epoch.
pub(super) fn instant(ns: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_nanos(ns)
}

/// An instant, ns since the epoch, as RFC 3339 in UTC.
pub fn rfc3339(ns: u64) -> String {
    humantime::format_rfc3339_nanos(instant(ns)).to_string()
}

fn loop_report(hop: &outcome::Hop, outcome: &Outcome) -> LoopReport {
    LoopReport {
        hop: HopReport {
            kind: HopKind::Loop,
            ..HopReport::from(hop)
        },
        curve: figures::curve(&hop.corrected),
        uncorrected_curve: figures::curve(&hop.uncorrected),
        histogram: bins::bins(&hop.corrected, bins::FINE),
        seconds: outcome
            .intervals
            .iter()
            .filter(|i| i.tag == LOOP_TAG)
            .map(|i| Second {
                from_ns: i.from_ns,
                length_ns: i.length_ns,
                figures: Figures::of(&i.histogram),
            })
            .collect(),
    }
}

/// Tag of the loop's intervals.
pub(super) const LOOP_TAG: &str = "loop";

fn stage_report(s: &outcome::StageRecord, outcome: &Outcome) -> StageReport {
    let planned = outcome.plan.stages.iter().find(|p| p.name == s.name);
    StageReport {
        name: s.name.clone(),
        kind: planned.map_or_else(|| s.name.clone(), |p| p.kind.clone()),
        pid: s.pid,
        policy: s.policy.clone(),
        priority: s.priority,
        cpu: s.cpu,
        locked_bytes: s.locked_bytes,
        minor_faults: s.minor_faults,
        major_faults: s.major_faults,
        voluntary_switches: s.voluntary_switches,
        involuntary_switches: s.involuntary_switches,
        allocations_after_start: s.allocations_after_start,
        late_wakes: s.late_wakes,
        long_runs: s.long_runs,
        restarts: s.restarts,
        activations: s.activations,
        spurious_rings: s.spurious_rings,
        helper: s.helper,
        rt_why: s.rt_why.clone(),
    }
}

impl From<&outcome::Stall> for StallReport {
    fn from(stall: &outcome::Stall) -> Self {
        StallReport {
            cpu: stall.cpu,
            at_ns: stall.at_ns,
            length_ns: stall.length_ns,
        }
    }
}

impl From<&outcome::Hop> for HopReport {
    fn from(hop: &outcome::Hop) -> Self {
        HopReport {
            stage: hop.stage.clone(),
            kind: hop.kind,
            complete: hop.missing == 0,
            missing: hop.missing,
            saturated: hop.saturated,
            figures: Figures::of(&hop.corrected),
            uncorrected: Figures::of(&hop.uncorrected),
            bound_ns: None,
        }
    }
}

impl From<&outcome::Fault> for FaultReport {
    fn from(f: &outcome::Fault) -> Self {
        FaultReport {
            at_ns: f.at_ns,
            tick: f.tick,
            who: f.who.clone(),
            what: f.what.clone(),
        }
    }
}

impl From<&outcome::Hold> for HoldReport {
    fn from(h: &outcome::Hold) -> Self {
        HoldReport {
            at_ns: h.at_ns,
            tick: h.tick,
            who: h.who.clone(),
            seen_within_ns: h.seen_within_ns,
            held_ns: h.held_ns,
        }
    }
}

impl From<&outcome::SwitchedOff> for GuardReport {
    fn from(s: &outcome::SwitchedOff) -> Self {
        GuardReport {
            at_ns: s.at_ns,
            tick: s.tick,
            by: s.by.clone(),
            why: s.why.clone(),
            off_within_ns: s.off_within_ns,
            told: s.told,
            failed: s.failed,
        }
    }
}

impl From<&outcome::Struck> for ChaosReport {
    fn from(s: &outcome::Struck) -> Self {
        ChaosReport {
            tick: s.tick,
            who: s.who.clone(),
            what: s.what.clone(),
            struck: s.struck,
            came_to: s.came_to.clone(),
        }
    }
}

impl From<&outcome::TickAccount> for TickReport {
    fn from(a: &outcome::TickAccount) -> Self {
        TickReport {
            who: a.who.clone(),
            due: a.due,
            run: a.run,
            late_wake: a.late_wake,
            long_run: a.long_run,
            no_room: a.no_room,
            dead: a.dead,
            holds: a.holds,
        }
    }
}

impl From<&outcome::RingAccount> for RingReport {
    fn from(a: &outcome::RingAccount) -> Self {
        RingReport {
            stream: a.stream.clone(),
            offered: a.offered,
            published: a.published,
            dropped: a.dropped,
            holds: a.holds,
        }
    }
}

impl From<&outcome::EdgeAccount> for EdgeReport {
    fn from(a: &outcome::EdgeAccount) -> Self {
        EdgeReport {
            stream: a.stream.clone(),
            seat: a.seat.clone(),
            kind: a.kind,
            published: a.published,
            consumed: a.consumed,
            jumped: a.jumped,
            lapped: a.lapped,
            left: a.left,
            gaps: a.gaps,
            lost_frames: a.lost_frames,
            holds: a.holds,
        }
    }
}

impl From<&outcome::SourceAccount> for SourceReport {
    fn from(a: &outcome::SourceAccount) -> Self {
        SourceReport {
            stream: a.stream.clone(),
            counted: a.counted,
            valid: a.valid,
            lost: a.lost,
            holds: a.holds,
        }
    }
}

impl From<&outcome::BrokenBudget> for BudgetReport {
    fn from(b: &outcome::BrokenBudget) -> Self {
        BudgetReport {
            stage: b.stage.clone(),
            budget_ns: b.budget_ns,
            broken: b.broken,
            worst_ns: b.worst_ns,
        }
    }
}

impl From<&outcome::Tie> for TieReport {
    fn from(t: &outcome::Tie) -> Self {
        TieReport {
            monotonic_ns: t.monotonic_ns,
            raw_ns: t.raw_ns,
            realtime_ns: t.realtime_ns,
            frames: t.frames.iter().cloned().collect(),
        }
    }
}

impl From<&outcome::RecordingRecord> for CaptureReport {
    fn from(r: &outcome::RecordingRecord) -> Self {
        CaptureReport {
            path: r.capture.display().to_string(),
            blocks: r.blocks,
            activations: r.activations,
            bytes: r.bytes,
            lost: r.lost.iter().map(CaptureLossReport::from).collect(),
            unwritten_bytes: r.unwritten_bytes,
            sealed: r.sealed,
            why: r.why.clone(),
        }
    }
}

impl From<&outcome::ToldRecord> for ToldReport {
    fn from(told: &outcome::ToldRecord) -> Self {
        ToldReport {
            on: told.on.clone(),
            cause: told.cause.clone(),
            at_ns: told.at_ns,
            command: told.command.clone(),
            how: told.how.clone(),
            exit_code: told.exit_code,
        }
    }
}

impl From<&outcome::RtWatch> for RtWatchReport {
    fn from(watch: &outcome::RtWatch) -> Self {
        let throttling = watch.throttling.clone();
        RtWatchReport {
            processes: watch.processes.iter().map(WatchedReport::from).collect(),
            throttling: ThrottlingReport {
                rt_runtime_us: throttling.rt_runtime_us,
                rt_period_us: throttling.rt_period_us,
                group_throttled: throttling.group_throttled,
                rt_throttled_seen: throttling.rt_throttled_seen,
                not_visible: throttling.not_visible,
            },
            steal: watch.steal.iter().map(StealReport::from).collect(),
        }
    }
}

impl From<&outcome::StealRecord> for StealReport {
    fn from(steal: &outcome::StealRecord) -> Self {
        let worst = steal.worst.iter().map(|second| StolenSecondReport {
            at_ns: second.at_ns,
            over_ns: second.over_ns,
            ns: second.ns,
        });
        StealReport {
            cpu: steal.cpu,
            ns: steal.ns,
            worst: worst.collect(),
        }
    }
}

impl From<&outcome::WatchedProcess> for WatchedReport {
    fn from(w: &outcome::WatchedProcess) -> Self {
        WatchedReport {
            name: w.name.clone(),
            seconds: w.seconds,
            last: w.last.as_ref().map(|l| PlacedReport {
                policy: l.policy.clone(),
                priority: l.priority,
                cpus: l.cpus.clone(),
            }),
            minor_faults: w.minor_faults,
            major_faults: w.major_faults,
            migrations: w.migrations,
            voluntary_switches: w.voluntary_switches,
            involuntary_switches: w.involuntary_switches,
            changes: w
                .changes
                .iter()
                .map(|c| ChangeReport {
                    at_ns: c.at_ns,
                    tick: c.tick,
                    what: c.what.clone(),
                })
                .collect(),
            changes_seen: w.changes_seen,
        }
    }
}

impl From<&outcome::LogRecord> for LogsReport {
    fn from(log: &outcome::LogRecord) -> Self {
        let said = log.said.iter().map(|s| SaidReport {
            stage: s.stage.clone(),
            bytes: s.bytes,
            lines: s.lines,
            kept: s.kept,
            repeated: s.repeated,
            not_kept: s.not_kept,
            cut: s.cut,
        });
        LogsReport {
            path: log.path.as_ref().map(|p| p.display().to_string()),
            said: said.collect(),
            why: log.why.clone(),
        }
    }
}

impl From<&outcome::RecordingLoss> for CaptureLossReport {
    fn from(l: &outcome::RecordingLoss) -> Self {
        CaptureLossReport {
            of: l.of.clone(),
            count: l.count,
            spool_full: l.spool_full,
            off: l.off,
        }
    }
}
