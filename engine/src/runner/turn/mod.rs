//! One turn of a stage: peek, compute, stamp, publish, flip, release, record. No system call but the vDSO clock.

mod chaos;
mod ending;
mod fresh_pages;
mod headers;
mod moment;
mod record;
mod told;

pub(crate) use moment::{Moment, Readiness, Verdict};
pub(crate) use told::Lacks;

use super::file::StageDuty;
use super::input::{Choice, InputPort};
use super::memory::{Accounts, StageMemory, StateParts};
use super::output::OutputPort;
use super::telemetry::TelemetryWriter;
use crate::abi::{SlotHeader, circumstance, flag};
use crate::adapt::{self, breaks};
use crate::os;
use crate::stage::{Beside, Block, Ctx, Inputs, Next, Outputs, Prepared, State};
use crate::sync::Ordering;
use chaos::Chaos;
use ephapse_rtconfig::adapter::most_parts;
use headers::{preset_of, stamp_source};

/// A stage between its rings.
pub(crate) struct Turns<P: Prepared> {
    stage: P,
    pub inputs: Vec<InputPort>,
    pacing: Option<usize>,
    /// Inputs that are merged into the pacing one, in order.
    partners: Vec<usize>,
    pub outputs: Vec<OutputPort>,
    pub memory: StageMemory,
    pub accounts: Accounts,
    /// Absent only where the cost of a turn without it is measured.
    telemetry: Option<TelemetryWriter>,
    /// What a turn sees on its further inputs; as long as it can get from the start, for a turn must not allocate.
    beside: Vec<Beside>,
    /// When the newest turn was done, ns.
    done_ns: u64,
    settle_frames: u64,
    /// Blocks each output must have room for before a turn begins.
    credit: u64,
    origin: u32,
    /// The stage has no inputs but what a helper feeds it: its frames are the origin.
    source: bool,
    /// Started again without the state it had: what it makes carries RESET until it has settled.
    resetting: bool,
    /// What the next record has to say of its turn, see [`circumstance`].
    circumstances: u16,
    /// Blocks of each input in this turn, four bits each, for its record.
    blocks: u32,
    /// Faults on purpose.
    chaos: Chaos,
    /// Parameter epoch in use.
    epoch: u64,
    paced: bool,
    tick_ns: u64,
    budget_ns: Option<u64>,
}

impl<P: Prepared> Turns<P> {
    #[allow(
        clippy::too_many_arguments,
        reason = "one constructor, called from two places"
    )]
    pub fn new(
        stage: P,
        duty: &StageDuty,
        inputs: Vec<InputPort>,
        outputs: Vec<OutputPort>,
        mut memory: StageMemory,
        telemetry: Option<TelemetryWriter>,
        generation: u32,
        paced: bool,
        tick_ns: u64,
    ) -> Self {
        let described = &duty.plan.described;
        let pacing = duty.plan.pacing;
        let pacing_type = pacing.map(|p| &duty.inputs[p].stream_type);
        let parts = pacing.map_or(1, |p| {
            let adapters = &duty.plan.inputs[p].adapters;
            most_parts(adapters, duty.inputs[p].stream_type.frames_per_block())
        });
        memory.divide(described, adapt::space(&duty.plan, pacing_type));
        let partners = (0..inputs.len())
            .filter(|index| pacing.is_some() && duty.plan.merged_into(*index) == pacing)
            .collect();
        let further = inputs.iter().enumerate();
        let further = further.filter(|(index, _)| Some(*index) != pacing);
        let most_beside = further.map(|(_, input)| input.most_blocks()).sum();
        // Written once, so that its pages are there.
        let mut beside = vec![Beside::default(); most_beside];
        beside.clear();
        let chaos = Chaos::new(&duty.chaos, memory.words.injected.load(Ordering::Relaxed));
        let memory_epoch = memory.words.epoch.load(Ordering::Relaxed);
        let mut turns = Turns {
            stage,
            source: duty.plan.role == crate::stage::Role::Acquire,
            inputs,
            pacing,
            partners,
            outputs,
            accounts: Accounts::load(memory.bank()),
            memory,
            telemetry,
            beside,
            done_ns: 0,
            settle_frames: described.settle_frames,
            credit: u64::from(parts) * u64::from(described.parts_per_call.max(1)),
            origin: duty.origin,
            resetting: false,
            circumstances: 0,
            blocks: 0,
            chaos,
            epoch: memory_epoch,
            paced,
            tick_ns,
            budget_ns: duty.plan.budget_ns,
        };
        if generation > 1 && described.state_bytes == 0 && !described.memoryless {
            turns.start_over();
        }
        let bank = turns.memory.bank();
        let poison = turns.memory.orders.poison.load(Ordering::Relaxed);
        for (index, (input, account)) in turns.inputs.iter_mut().zip(&bank.inputs).enumerate() {
            input.load(account, if Some(index) == pacing { poison } else { 0 });
        }
        for (output, account) in turns.outputs.iter_mut().zip(&bank.outputs) {
            output.load(account);
        }
        if generation > 1 {
            turns.record_for_predecessor();
        }
        turns
    }

    /// Without the state that a predecessor had: what is made carries RESET until it has settled.
    fn start_over(&mut self) {
        self.resetting = true;
        self.accounts.started = false;
        self.circumstances |= circumstance::STARTED_OVER;
    }

    /// The pacing input.
    pub fn pacing(&self) -> Option<usize> {
        self.pacing
    }

    /// The output that may have to wait for room, and how many blocks it needs room for.
    pub fn output_without_credit(&mut self) -> Option<(&mut OutputPort, u64)> {
        let credit = self.credit;
        self.outputs.iter_mut().find_map(|o| {
            if o.has_credit(credit) {
                None
            } else {
                Some((o, credit))
            }
        })
    }

    /// May a turn begin now? Chooses the blocks it will see.
    pub fn ready(&mut self) -> Readiness {
        if let Some(pacing) = self.pacing {
            let Some(header) = self.inputs[pacing].choose_next() else {
                return if self.inputs[pacing].done() {
                    Readiness::Ended
                } else {
                    Readiness::NoBlock(pacing)
                };
            };
            for (index, input) in self.inputs.iter_mut().enumerate() {
                let choice = if index == pacing {
                    Choice::Ready
                } else if self.partners.contains(&index) {
                    input.choose_partner(&header)
                } else {
                    input.choose_beside(header.origin_frame, !self.paced)
                };
                if choice == Choice::NotYet {
                    return Readiness::NoBlock(index);
                }
            }
        }
        if self.output_without_credit().is_some() {
            Readiness::NoRoom
        } else {
            Readiness::Go
        }
    }

    /// Header of the pacing block chosen by [`Turns::ready`].
    pub fn pacing_header(&self) -> Option<SlotHeader> {
        self.pacing
            .and_then(|p| self.inputs[p].block(0))
            .map(|(header, _)| header)
    }

    /// One turn. [`Turns::ready`] said `Go`.
    pub fn turn(&mut self, mut moment: Moment) -> Verdict {
        self.suffer(moment.tick);
        let raw = self.pacing_header();
        let logical_ns = raw
            .filter(|_| !self.source)
            .map_or(moment.sampled_ns, |h| h.sampled_ns);
        if !self.paced {
            moment.tick = logical_ns / self.tick_ns.max(1);
        }
        let now_ns = if self.paced {
            moment.woke_ns
        } else {
            logical_ns
        };
        self.beside.clear();
        for (port, input) in self.inputs.iter_mut().enumerate() {
            input.count_headers();
            if Some(port) != self.pacing && !self.partners.contains(&port) {
                input.adapt();
                for index in 0..input.chosen() {
                    if let Some((header, _)) = input.block(index) {
                        self.beside.push(Beside {
                            port,
                            index,
                            header,
                        });
                    }
                }
            }
        }
        self.memory.carry();
        let (settle_frames, source, origin, paced) =
            (self.settle_frames, self.source, self.origin, self.paced);
        let reset_flag = if self.resetting { flag::RESET } else { 0 };
        let epoch = self.epoch as u32;
        let mut next = Next::Continue;
        match (self.pacing, raw) {
            (Some(pacing), Some(raw)) => {
                // The pacing input's adapters are taken out of it for the loop, for the blocks they give are borrowed
                // from them while the stage works on the rest.
                let mut chains = core::mem::take(&mut self.inputs[pacing].chains);
                let Turns {
                    stage,
                    inputs,
                    partners,
                    outputs,
                    memory,
                    accounts,
                    beside,
                    ..
                } = &mut *self;
                let StateParts {
                    state,
                    append,
                    mut kept,
                } = memory.next_state();
                let chain = &mut chains[0];
                let payload = inputs[pacing]
                    .block(0)
                    .map_or(&[][..], |(_, payload)| payload);
                let others = partners.iter().map(|p| inputs[*p].block(0));
                let whole = chain.join(&raw, payload, others);
                if let Some(header) = whole {
                    chain.feed(&mut kept, &header, payload);
                }
                while next == Next::Continue
                    && whole.is_some()
                    && let Some(part) = chain.next(&mut kept, payload)
                {
                    let broken = breaks(&part.header) || !accounts.started;
                    if broken {
                        stage.reset(state);
                        accounts.started = true;
                        accounts.settle_left = settle_frames;
                    }
                    let mut preset = preset_of(&moment, &part.header);
                    preset.flags |= reset_flag;
                    preset.settling =
                        accounts.settle(part.header.settling, part.header.valid, settle_frames);
                    if source {
                        stamp_source(&mut preset, &moment, origin, paced);
                    }
                    for output in outputs.iter_mut() {
                        output.preset(preset, part.header.lost, moment.limit);
                    }
                    let seen = Inputs {
                        ports: inputs,
                        pacing: Some((
                            pacing,
                            Block {
                                header: &part.header,
                                payload: part.payload,
                                stream_type: &inputs[pacing].stream_type,
                            },
                        )),
                        beside,
                    };
                    next = call(
                        stage,
                        &seen,
                        outputs,
                        (state, append),
                        &moment,
                        now_ns,
                        epoch,
                    );
                }
                if whole.is_none() {
                    inputs[pacing].count_unmerged(raw.valid);
                }
                self.inputs[pacing].chains = chains;
            }
            _ => {
                let Turns {
                    stage,
                    inputs,
                    outputs,
                    memory,
                    accounts,
                    beside,
                    ..
                } = &mut *self;
                let StateParts { state, append, .. } = memory.next_state();
                if !accounts.started {
                    stage.reset(state);
                    accounts.started = true;
                }
                let mut preset = SlotHeader {
                    tick: moment.tick,
                    flags: reset_flag,
                    ..SlotHeader::default()
                };
                stamp_source(&mut preset, &moment, origin, paced);
                for output in outputs.iter_mut() {
                    output.preset(preset, 0, moment.limit);
                }
                let seen = Inputs {
                    ports: inputs,
                    pacing: None,
                    beside,
                };
                next = call(
                    stage,
                    &seen,
                    outputs,
                    (state, append),
                    &moment,
                    now_ns,
                    epoch,
                );
            }
        }
        if next == Next::Again && self.outputs.iter().all(|o| o.pending() == 0) {
            return Verdict::Nothing;
        }
        self.resetting &= self.accounts.settle_left > 0;
        self.close(&moment, now_ns, raw);
        match next {
            Next::Continue | Next::Again => Verdict::Went,
            Next::Done => Verdict::Ends,
            Next::Stop(why) => Verdict::Stop(why),
        }
    }

    /// Stamp, publish, flip, release, record.
    fn close(&mut self, moment: &Moment, now_ns: u64, raw: Option<SlotHeader>) {
        let done_ns = moment.committed_ns.unwrap_or_else(os::monotonic_ns);
        self.done_ns = done_ns;
        let committed_ns = if self.paced { done_ns } else { now_ns };
        let cause = match self.pacing {
            Some(pacing) if !self.source => self.inputs[pacing].position() + 1,
            _ => moment.tick,
        };
        for output in &mut self.outputs {
            output.seal(cause, self.epoch as u32, committed_ns);
        }
        let made = self.outputs.first_mut().and_then(|o| o.staged_header());
        self.outputs.iter_mut().for_each(OutputPort::publish);
        self.accounts.activations += 1;
        self.accounts.records += 1;
        let mut blocks = 0;
        for (index, input) in self.inputs.iter_mut().enumerate() {
            input.settle_positions(Some(index) == self.pacing);
            blocks |= (input.chosen() as u32) << (4 * index);
            if input.scattered {
                self.circumstances |= circumstance::SCATTERED;
            }
            if input.passes_over() {
                self.circumstances |= circumstance::PASSED_OVER;
            }
        }
        self.blocks = blocks;
        self.flip();
        for (index, input) in self.inputs.iter_mut().enumerate() {
            input.release(Some(index) == self.pacing);
        }
        if let Some(budget_ns) = self.budget_ns {
            let run_ns = done_ns.saturating_sub(moment.woke_ns);
            if run_ns > budget_ns {
                let words = &self.memory.words;
                words.over_budget.store(
                    words.over_budget.load(Ordering::Relaxed) + 1,
                    Ordering::Relaxed,
                );
                words.worst_ns.fetch_max(run_ns, Ordering::Relaxed);
            }
        }
        let about = if self.source { made } else { raw };
        self.record(moment, done_ns, now_ns, about.as_ref());
    }

    /// Writes accounts into the next bank and makes it current.
    pub fn flip(&mut self) {
        let bank = self.memory.next_bank();
        self.accounts.store(bank);
        for (input, account) in self.inputs.iter().zip(&bank.inputs) {
            input.store(account);
        }
        for (output, account) in self.outputs.iter().zip(&bank.outputs) {
            output.store(account);
        }
        self.memory.flip();
    }

    /// Records an activation that found nothing to process.
    pub fn idle(&mut self, moment: &Moment) {
        self.memory.carry();
        self.accounts.activations += 1;
        self.accounts.records += 1;
        self.flip();
        self.blocks = 0;
        self.record(moment, 0, moment.woke_ns, None);
    }

    /// Rings the bells of everything this activation published or released: last of all, for a reader of higher priority
    /// on this CPU runs before the ringing returns.
    pub fn ring_bells(&self) {
        for output in &self.outputs {
            output.ring_readers();
        }
        for input in &self.inputs {
            input.ring_producer();
        }
    }

    /// Makes the next slot of every output ready to be written. After the bells, when there is nothing else to do.
    pub fn warm_outputs(&mut self) {
        self.outputs.iter_mut().for_each(OutputPort::warm);
    }

    /// The same for outputs that nobody reads now, so that nobody is disturbed: a stage that spins has the time to wait.
    pub fn warm_read_outputs(&mut self) {
        self.outputs.iter_mut().for_each(OutputPort::warm_if_read);
    }

    /// Gives the stage new parameters, if the launcher has written any.
    pub fn tune(&mut self) {
        let epoch = self.memory.orders.epoch.load(Ordering::Acquire);
        if epoch == self.epoch {
            return;
        }
        match self.memory.params() {
            Ok((epoch, params)) => {
                // The launcher has checked them against the schema; what the stage still refuses it says where it says
                // everything, and goes on with the old ones.
                if let Err(why) = self.stage.tune(&params) {
                    self.memory.say(&format!("parameters not taken: {why}"));
                }
                self.epoch = epoch;
            }
            Err(why) => self.memory.say(&why),
        }
        self.memory.words.epoch.store(epoch, Ordering::Release);
    }

    /// When the newest turn that came to something was done, ns.
    pub fn done_ns(&self) -> u64 {
        self.done_ns
    }

    /// The collector has left room for a record.
    pub fn collector_has_room(&self) -> bool {
        self.telemetry
            .as_ref()
            .is_none_or(TelemetryWriter::has_room)
    }

    /// A stream whose policy is `fault` had no room.
    pub fn faulted(&self) -> bool {
        self.outputs.iter().any(|o| o.faulted)
    }

    /// Touches every page this stage will use.
    pub fn touch(&mut self) {
        self.chaos.let_go();
        self.memory.touch();
        self.telemetry.iter().for_each(TelemetryWriter::touch);
        self.inputs.iter().for_each(InputPort::touch);
        self.outputs.iter().for_each(OutputPort::touch);
    }
}

fn call<P: Prepared>(
    stage: &mut P,
    inputs: &Inputs<'_>,
    outputs: &mut [OutputPort],
    (state, append): (&mut [u8], &mut [u8]),
    moment: &Moment,
    now_ns: u64,
    epoch: u32,
) -> Next {
    let mut ctx = Ctx {
        tick: moment.tick,
        now_ns,
        epoch,
        off: moment.off,
        held: moment.held,
        state: State::new(state, append),
    };
    stage.process(&mut ctx, inputs, &mut Outputs { ports: outputs })
}
