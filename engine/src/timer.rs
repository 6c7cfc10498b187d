//! The timer process: publishes the tick and rings; judges nothing and never resets the phase.

use crate::abi::{ActivationRecord, segment, stage_state};
use crate::doorbell::{self, Announced, DueTicks};
use crate::os::{self, PidFd};
use crate::runner::file::{RingDuty, StageFile, TimerDuty};
use crate::runner::memory::{Accounts, SessionView, StageMemory, cause};
use crate::runner::telemetry::TelemetryWriter;
use crate::shm::{Access, Segment, ShmError};
use crate::sync::Ordering;

/// Waits are bounded by this and then look at the stop word and the lifeline.
const BOUND_NS: u64 = 100_000_000;

/// A stage to be rung.
struct Rung {
    memory: StageMemory,
    announced: Announced,
    owner: u64,
    process: Option<PidFd>,
}

impl Rung {
    fn attach(duty: &RingDuty) -> Result<Self, ShmError> {
        let segment = Segment::open(&duty.stage_segment, segment::STAGE, Access::ReadOnly)?;
        Ok(Rung {
            memory: StageMemory::attach(&segment, Access::ReadOnly)?,
            announced: Announced::new(
                DueTicks {
                    divider: u64::from(duty.divider),
                    phase: u64::from(duty.phase),
                },
                0,
            ),
            owner: 0,
            process: None,
        })
    }

    /// Opens the process behind the owner word anew when its generation has changed.
    fn follow_owner(&mut self) {
        let owner = self.memory.words.owner.load(Ordering::Acquire);
        if owner != self.owner {
            self.owner = owner;
            self.process = PidFd::open((owner & 0xffff_ffff) as u32).ok();
        }
    }
}

impl doorbell::Rung for Rung {
    fn announced(&mut self) -> &mut Announced {
        &mut self.announced
    }

    fn ran(&self) -> u64 {
        self.memory.bank().ran.load(Ordering::Relaxed)
    }

    fn ring(&self) {
        if let Some(process) = &self.process {
            // A dead process gives ESRCH: the supervisor sees the death through its own descriptor.
            let _ = process.signal(os::pacing_signal());
        }
    }
}

/// The timer between `ready` and its end. The caller has attached, placed the process and reported ready.
pub(crate) struct Timer {
    session: SessionView,
    memory: StageMemory,
    telemetry: TelemetryWriter,
    rings: Vec<Rung>,
    accounts: Accounts,
    spin_ns: u64,
    lifeline_fd: i32,
}

impl Timer {
    /// Attaches to the session, its own segments and those of the stages it rings.
    pub fn attach(file: &StageFile, duty: &TimerDuty) -> Result<Self, ShmError> {
        let session = Segment::open(&file.session_segment, segment::SESSION, Access::ReadWrite)?;
        let stage = session.open_beside(&file.stage_segment, segment::STAGE)?;
        let telemetry = session.open_beside(&file.telemetry_segment, segment::TELEMETRY)?;
        Ok(Timer {
            session: SessionView::attach(&session, Access::ReadWrite)?,
            memory: StageMemory::attach(&stage, Access::ReadWrite)?,
            telemetry: TelemetryWriter::attach(&telemetry)?,
            rings: duty
                .rings
                .iter()
                .map(Rung::attach)
                .collect::<Result<_, _>>()?,
            accounts: Accounts::default(),
            spin_ns: duty.spin_ns,
            lifeline_fd: file.lifeline_fd,
        })
    }

    /// Its own segment.
    pub fn memory(&self) -> &StageMemory {
        &self.memory
    }

    /// The session.
    pub fn session(&self) -> &SessionView {
        &self.session
    }

    /// Touches every page.
    pub fn touch(&self) {
        self.memory.touch();
        self.telemetry.touch();
    }

    /// Ticks until the stop tick.
    pub fn run(&mut self) {
        let words = &self.session.words;
        let start_ns = words.start_ns.load(Ordering::Acquire);
        let start_tick = words.start_tick.load(Ordering::Relaxed);
        let period_ns = words.period_ns.load(Ordering::Relaxed);
        for rung in &mut self.rings {
            rung.announced.start_at(start_tick);
            rung.follow_owner();
        }
        self.memory
            .words
            .state
            .store(stage_state::RUNNING, Ordering::Release);
        // The first look at the clock maps its page: that fault belongs to the time before the start.
        os::monotonic_ns();
        let at_start = os::usage();
        let allocations = crate::allocation::count();
        let mut before = at_start;
        let mut usage = [0_u8; 4];
        let mut next = start_tick;
        while let Some(woke_ns) = self.sleep(start_ns + next * period_ns) {
            let stop_tick = self.session.words.stop_tick.load(Ordering::Acquire);
            if next >= stop_tick {
                break;
            }
            // Late past further deadlines: the newest due tick is published, the others were skipped by waking late.
            let newest = ((woke_ns - start_ns) / period_ns)
                .max(next)
                .min(stop_tick - 1);
            let skipped = newest - next;
            self.accounts.skipped[cause::LATE_WAKE] += skipped;
            self.accounts.run += 1;
            self.accounts.ran = newest;
            self.session.timer.tick_ns.store(woke_ns, Ordering::Relaxed);
            doorbell::announce(&self.session.timer.tick, newest, &mut self.rings);
            let done_ns = os::monotonic_ns();
            self.record(
                newest,
                start_ns + next * period_ns,
                woke_ns,
                done_ns,
                skipped,
                usage,
            );
            let now = os::usage();
            let small = |n: u64, t: u64| u8::try_from(n - t).unwrap_or(u8::MAX);
            usage = [
                small(now.voluntary, before.voluntary),
                small(now.involuntary, before.involuntary),
                small(now.minor_faults, before.minor_faults),
                small(now.major_faults, before.major_faults),
            ];
            before = now;
            let own = &self.memory.words;
            own.minor_faults
                .store(now.minor_faults - at_start.minor_faults, Ordering::Relaxed);
            own.major_faults
                .store(now.major_faults - at_start.major_faults, Ordering::Relaxed);
            own.voluntary
                .store(now.voluntary - at_start.voluntary, Ordering::Relaxed);
            own.involuntary
                .store(now.involuntary - at_start.involuntary, Ordering::Relaxed);
            own.allocations
                .store(crate::allocation::count() - allocations, Ordering::Relaxed);
            own.heartbeat_ns.store(done_ns, Ordering::Relaxed);
            for rung in &mut self.rings {
                rung.follow_owner();
            }
            next = newest + 1;
        }
    }

    /// Sleeps to a deadline, spinning the last part if told to; `None` if the session leaves or the launcher is gone.
    fn sleep(&self, deadline_ns: u64) -> Option<u64> {
        loop {
            let now_ns = os::monotonic_ns();
            if now_ns >= deadline_ns {
                return Some(now_ns);
            }
            let words = &self.session.words;
            if words.stop.load(Ordering::Acquire) == 2 {
                return None;
            }
            if deadline_ns - now_ns <= self.spin_ns {
                core::hint::spin_loop();
                continue;
            }
            os::sleep_until((deadline_ns - self.spin_ns).min(now_ns + BOUND_NS));
            // One look per tick at most: between ticks the timer has nothing else to do.
            if self.telemetry.count().is_multiple_of(128) && os::lifeline_cut(self.lifeline_fd) {
                return None;
            }
        }
    }

    fn record(
        &mut self,
        tick: u64,
        deadline_ns: u64,
        woke_ns: u64,
        done_ns: u64,
        skipped: u64,
        usage: [u8; 4],
    ) {
        self.accounts.activations += 1;
        self.accounts.records += 1;
        self.accounts.store(self.memory.next_bank());
        self.memory.flip();
        self.telemetry.push(&ActivationRecord {
            tick,
            since_ns: deadline_ns,
            woke_ns,
            committed_ns: done_ns,
            now_ns: woke_ns,
            skipped: [u8::try_from(skipped).unwrap_or(u8::MAX), 0, 0, 0],
            usage,
            cpu: os::current_cpu() as u16,
            marks: 1,
            ..ActivationRecord::default()
        });
    }
}
