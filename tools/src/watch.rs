//! Looks into a running session's rings, as an observer: what the screen shows of spikes and commands.

use crate::screen::View;
use ephapse_engine::abi::segment;
use ephapse_engine::launch::{Live, segment_name};
use ephapse_engine::records::{Command, Spike};
use ephapse_engine::ring::Observer;
use ephapse_engine::shm::{Access, Segment};
use ephapse_rtconfig::plan::Plan;
use std::collections::VecDeque;
use zerocopy::FromBytes;

/// Spikes are counted over so long.
const COUNTED_NS: u64 = 500_000_000;
/// Loop latencies shown in the sparkline.
const RECENT: usize = 60;

/// A ring being watched.
struct Watched {
    observer: Observer,
    next: u64,
    buffer: Vec<u8>,
}

/// The watcher of one session.
pub struct Watch {
    plan: Plan,
    spikes: Option<Watched>,
    commands: Option<Watched>,
    opened: bool,
    counted: VecDeque<(u64, u32)>,
    view: View,
}

impl Watched {
    fn open(plan: &Plan, layout: &str) -> Option<Self> {
        let of_layout = |t: &ephapse_rtconfig::stream_type::StreamType| {
            t.record.as_ref().is_some_and(|r| r.name == layout)
        };
        let stream = plan.streams.iter().find(|s| of_layout(&s.stream_type))?;
        let segment = Segment::open(
            &segment_name(&plan.session, &stream.name),
            segment::RING,
            Access::ReadOnly,
        )
        .ok()?;
        let observer = Observer::attach(&segment).ok()?;
        let buffer = vec![0; observer.stream_type().block_bytes()];
        Some(Watched {
            observer,
            next: 0,
            buffer,
        })
    }

    /// Calls `each` with every record that is still there and has not been seen.
    fn follow<T: FromBytes>(&mut self, mut each: impl FnMut(T)) {
        self.next = self.next.max(self.observer.oldest());
        while self.next < self.observer.published() {
            if let Some(header) = self.observer.copy(self.next, &mut self.buffer) {
                let records = self
                    .buffer
                    .chunks_exact(size_of::<T>())
                    .take(header.valid as usize);
                records
                    .filter_map(|bytes| T::read_from_bytes(bytes).ok())
                    .for_each(&mut each);
            }
            self.next += 1;
        }
    }
}

impl Watch {
    /// Of a plan about to run.
    pub fn new(plan: &Plan) -> Self {
        let source = plan
            .streams
            .iter()
            .find(|s| s.stream_type.rate.numerator > 0);
        let channels = source.map_or(0, |s| s.stream_type.channels());
        let labels = source.map_or(Vec::new(), |s| {
            (0..channels)
                .map(|c| s.stream_type.channel_label(c))
                .collect()
        });
        Watch {
            view: View {
                session: plan.session.clone(),
                period_ns: plan.timer.as_ref().map_or(0, |t| t.period_ns),
                channels,
                labels,
                grid: vec![0.0; channels],
                ..View::default()
            },
            plan: plan.clone(),
            spikes: None,
            commands: None,
            opened: false,
            counted: VecDeque::new(),
        }
    }

    /// What the screen shows now.
    pub fn look(&mut self, live: &Live) -> &View {
        if !self.opened {
            self.opened = true;
            self.spikes = Watched::open(&self.plan, "spike");
            self.commands = Watched::open(&self.plan, "command");
        }
        let now_ns = live.elapsed_ns;
        if let Some(spikes) = &mut self.spikes {
            spikes.follow(|spike: Spike| self.counted.push_back((now_ns, spike.channel)));
        }
        while self
            .counted
            .front()
            .is_some_and(|(at, _)| at + COUNTED_NS < now_ns)
        {
            self.counted.pop_front();
        }
        self.view.grid.fill(0.0);
        for (_, channel) in &self.counted {
            if let Some(cell) = self.view.grid.get_mut(*channel as usize) {
                *cell += 1e9 / COUNTED_NS as f64;
            }
        }
        if let Some(commands) = &mut self.commands {
            commands.follow(|command: Command| {
                let what = if command.values[0] == 0.0 {
                    "off".to_owned()
                } else {
                    format!("{} Hz", command.values[0])
                };
                self.view.last_command = Some(format!(
                    "target {}: {what}, from frame {}",
                    command.target, command.last_frame
                ));
            });
        }
        let now = &live.loop_now;
        let known = |ns: u64| (now.decisions > 0).then_some(ns);
        self.view.state = live.state.to_owned();
        self.view.elapsed_ns = now_ns;
        self.view.tick = live.tick;
        self.view.loop_p50_ns = known(now.p50_ns);
        self.view.loop_p99_ns = known(now.p99_ns);
        self.view.loop_max_ns = known(now.max_ns);
        if now.latest_ns > 0 {
            self.view.recent.push(now.latest_ns);
            let excess = self.view.recent.len().saturating_sub(RECENT);
            self.view.recent.drain(..excess);
        }
        self.view.skipped = live.skipped;
        self.view.lost_frames = live.lost_frames;
        self.view.rt_active = live.rt_active;
        &self.view
    }
}
