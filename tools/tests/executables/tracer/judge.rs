//! What a trace says: which calls stood between a wake and the last store, and how many each activation made.

use super::{Call, Trace};
use ephapse_engine::abi::ActivationRecord;
use std::fmt;

/// Bit of [`ActivationRecord::marks`].
const FIRST: u8 = 1;

/// The first record of its activation.
pub fn begins(record: &ActivationRecord) -> bool {
    record.marks & FIRST != 0
}

impl Call {
    /// Sleeps until something rings, or until a deadline.
    pub fn waits(&self) -> bool {
        self.number == libc::SYS_rt_sigtimedwait
            || self.number == libc::SYS_clock_nanosleep
            || self.sleeps_on_a_bell()
    }

    pub fn sleeps_on_a_bell(&self) -> bool {
        self.number == libc::SYS_futex && self.futex_operation() == libc::FUTEX_WAIT
    }

    pub fn rings_a_bell(&self) -> bool {
        self.number == libc::SYS_futex && self.futex_operation() == libc::FUTEX_WAKE
    }

    fn futex_operation(&self) -> i32 {
        self.operation as i32 & libc::FUTEX_CMD_MASK
    }

    pub fn reads_usage(&self) -> bool {
        self.number == libc::SYS_getrusage
    }

    /// `poll`, which architectures without one make of `ppoll`.
    pub fn looks_at_the_lifeline(&self) -> bool {
        #[cfg(target_arch = "x86_64")]
        if self.number == libc::SYS_poll {
            return true;
        }
        self.number == libc::SYS_ppoll
    }

    pub fn timed_out(&self) -> bool {
        self.value == -i64::from(libc::ETIMEDOUT)
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            call if call.reads_usage() => "getrusage",
            call if call.sleeps_on_a_bell() => "futex wait",
            call if call.rings_a_bell() => "futex wake",
            call if call.looks_at_the_lifeline() => "poll",
            _ => "another call",
        };
        write!(
            f,
            "{name} (number {}) at {} ns with {} records published",
            self.number, self.entered_ns, self.records_before
        )
    }
}

/// Calls that entered the kernel between a wake and the last store of the activation it led to, each with the reason.
///
/// A wake is known twice: by the return of the wait (whatever follows it, up to the record, belongs to the activation),
/// and by the record's own stamp (which also shows the wake of a stage that spins, or that went on without waiting). The
/// stage stands still while a call is stamped, so its own stamps lie before the call or behind it, never beside.
pub fn out_of_order(trace: &Trace) -> Vec<String> {
    let mut wrong = Vec::new();
    // Records published when the last wait returned, and the calls since then with none more.
    let mut woken: Option<u64> = None;
    let mut since: Vec<&Call> = Vec::new();
    let published = trace.first + trace.records.len() as u64;
    let mut settle = |woken: Option<u64>, since: &mut Vec<&Call>, now: u64| {
        for call in since.drain(..) {
            if woken.is_some_and(|then| then < now) {
                wrong.push(format!("behind the wait, before the record: {call}"));
            }
        }
    };
    for call in &trace.calls {
        if call.waits() {
            settle(woken, &mut since, call.records_before);
            woken = Some(call.records_behind);
        } else if woken == Some(call.records_before) {
            since.push(call);
        }
    }
    settle(woken, &mut since, published);
    for call in trace.calls.iter().filter(|call| !call.waits()) {
        let next = (call.records_before - trace.first) as usize;
        if let Some(record) = trace.records.get(next)
            && record.woke_ns < call.entered_ns
        {
            wrong.push(format!(
                "behind the wake at {} ns, before the record: {call}",
                record.woke_ns
            ));
        }
    }
    wrong
}

/// The calls that belong to one activation: entered behind its last record and before the next activation's first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counted {
    pub usage_reads: usize,
    pub bells_slept_on: usize,
    pub bells_rung: usize,
    /// Neither of these, nor a wait, nor a look at the lifeline.
    pub others: Vec<Call>,
}

/// Counts per activation, but for the first and the last, which the trace may have cut.
pub fn activations(trace: &Trace) -> Vec<Counted> {
    let mut all: Vec<Counted> = Vec::new();
    let mut activation_of = Vec::new();
    for record in &trace.records {
        if begins(record) {
            all.push(Counted::default());
        }
        activation_of.push(all.len().checked_sub(1));
    }
    for call in &trace.calls {
        let last_record = (call.records_before - trace.first - 1) as usize;
        let Some(activation) = activation_of[last_record].and_then(|index| all.get_mut(index))
        else {
            continue;
        };
        if call.reads_usage() {
            activation.usage_reads += 1;
        } else if call.sleeps_on_a_bell() {
            activation.bells_slept_on += usize::from(!call.timed_out());
        } else if call.rings_a_bell() {
            activation.bells_rung += 1;
        } else if !call.waits() && !call.looks_at_the_lifeline() {
            activation.others.push(call.clone());
        }
    }
    all.pop();
    all.into_iter().skip(1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(number: i64, entered_ns: u64, records: [u64; 2]) -> Call {
        Call {
            number,
            operation: 0,
            entered_ns,
            records_before: records[0],
            records_behind: records[1],
            value: 0,
        }
    }

    fn trace(woke_ns: &[u64], calls: &[Call]) -> Trace {
        let record = |woke_ns: &u64| ActivationRecord {
            woke_ns: *woke_ns,
            marks: FIRST,
            ..ActivationRecord::default()
        };
        Trace {
            first: 10,
            records: woke_ns.iter().map(record).collect(),
            calls: calls.to_vec(),
            length_ns: 0,
        }
    }

    const WAIT: i64 = libc::SYS_rt_sigtimedwait;
    const READ: i64 = libc::SYS_getrusage;

    #[test]
    fn calls_behind_the_record_are_in_order_also_without_a_wait_between_two_activations() {
        let calls = [
            call(READ, 15, [11, 11]),
            call(WAIT, 17, [11, 11]),
            call(READ, 25, [12, 12]),
            call(READ, 35, [13, 13]),
            call(WAIT, 37, [13, 13]),
        ];
        let trace = trace(&[10, 20, 30, 40], &calls);
        assert_eq!(out_of_order(&trace), Vec::<String>::new());
        let counted = activations(&trace);
        assert_eq!(counted.len(), 2);
        assert!(counted.iter().all(|c| c.usage_reads == 1), "{counted:?}");
    }

    #[test]
    fn a_call_between_the_wait_and_the_wake_s_stamp_is_found() {
        let calls = [call(WAIT, 17, [11, 11]), call(READ, 19, [11, 11])];
        assert_eq!(out_of_order(&trace(&[10, 20], &calls)).len(), 1);
        // The same call behind a wait that led to nothing is none.
        let calls = [calls.as_slice(), &[call(WAIT, 20, [11, 11])]].concat();
        assert_eq!(
            out_of_order(&trace(&[10, 30], &calls)),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_call_between_the_wake_s_stamp_and_the_record_is_found_without_any_wait() {
        let calls = [call(READ, 15, [11, 11]), call(READ, 22, [11, 11])];
        let wrong = out_of_order(&trace(&[10, 20], &calls));
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        assert!(wrong[0].contains("getrusage"), "{wrong:?}");
        assert!(wrong[0].contains("at 22 ns"), "{wrong:?}");
    }
}
