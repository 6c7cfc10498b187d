//! What `/proc` says of a thread. All of it can be read without privileges.

use crate::launch::proc_stat::field;
use std::path::Path;

/// A thread as the kernel has it now; counts are since it began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ThreadNow {
    /// Thread id; that of the first thread is the process's.
    pub tid: u32,
    /// SCHED_FIFO.
    pub fifo: bool,
    /// The number of another policy than SCHED_FIFO and SCHED_OTHER.
    pub other_policy: Option<u32>,
    /// Real-time priority; 0 of a thread of normal priority.
    pub priority: u32,
    /// CPUs it may run on, as the kernel lists them: `0-1,3`.
    pub cpus: String,
    /// Page faults without and with the disk.
    pub minor_faults: u64,
    /// See `minor_faults`.
    pub major_faults: u64,
    /// Context switches of its own will and against it.
    pub voluntary: u64,
    /// See `voluntary`.
    pub involuntary: u64,
    /// How often it was moved to another CPU; `None`: this kernel does not say.
    pub migrations: Option<u64>,
}

impl ThreadNow {
    /// Its policy in a word.
    pub fn policy(&self) -> &'static str {
        match (self.fifo, self.other_policy) {
            (true, _) => "fifo",
            (false, None) => "other",
            (false, Some(2)) => "rr",
            (false, Some(3)) => "batch",
            (false, Some(5)) => "idle",
            (false, Some(6)) => "deadline",
            (false, Some(_)) => "unknown",
        }
    }
}

/// The threads of a process; none if it is gone.
pub(super) fn threads(pid: u32) -> Vec<ThreadNow> {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    let found = tasks.flatten().filter_map(|task| {
        let tid = task.file_name().to_str()?.parse().ok()?;
        thread(&task.path(), tid)
    });
    found.collect()
}

fn thread(folder: &Path, tid: u32) -> Option<ThreadNow> {
    let read = |file: &str| std::fs::read_to_string(folder.join(file));
    let sched = read("sched").unwrap_or_default();
    parse(tid, &read("stat").ok()?, &read("status").ok()?, &sched)
}

fn parse(tid: u32, stat: &str, status: &str, sched: &str) -> Option<ThreadNow> {
    let field = |number| field(stat, number)?.parse::<u64>().ok();
    let line = |name: &str| {
        let found = status.lines().find_map(|l| l.strip_prefix(name));
        found.map(str::trim)
    };
    let migrations = sched
        .lines()
        .find_map(|l| l.strip_prefix("se.nr_migrations"))
        .and_then(|rest| rest.trim_start_matches([' ', ':']).trim().parse().ok());
    let policy = field(41)?;
    Some(ThreadNow {
        tid,
        fifo: policy == 1,
        other_policy: (policy > 1).then_some(policy as u32),
        priority: field(40)? as u32,
        cpus: line("Cpus_allowed_list:")?.to_owned(),
        minor_faults: field(10)?,
        major_faults: field(12)?,
        voluntary: line("voluntary_ctxt_switches:")?.parse().ok()?,
        involuntary: line("nonvoluntary_ctxt_switches:")?.parse().ok()?,
        migrations,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_read_whatever_its_name_is() {
        let stat = "77 (a) b (c) S 1 77 77 0 -1 4194560 120 0 3 0 5 6 0 0 -41 0 1 0 9 1 1 2 3 4 5 6 7 8 9 0 1 2 3 4 17 1 40 1 0 0 0\n";
        let status = "Name:\ta) b\nCpus_allowed:\t2\nCpus_allowed_list:\t1\nvoluntary_ctxt_switches:\t12\nnonvoluntary_ctxt_switches:\t34\n";
        let sched = "a (77, #threads: 1)\nse.nr_migrations                             :                   56\n";
        let thread = parse(77, stat, status, sched).unwrap();
        assert_eq!(
            thread,
            ThreadNow {
                tid: 77,
                fifo: true,
                other_policy: None,
                priority: 40,
                cpus: "1".into(),
                minor_faults: 120,
                major_faults: 3,
                voluntary: 12,
                involuntary: 34,
                migrations: Some(56),
            }
        );
        assert_eq!(parse(77, stat, status, "").unwrap().migrations, None);
        assert_eq!(parse(77, "77 (cut", status, sched), None);
    }

    #[test]
    fn this_thread_is_among_those_of_its_process() {
        let own = threads(std::process::id());
        let first = own.iter().find(|t| t.tid == std::process::id()).unwrap();
        assert_eq!(first.policy(), "other");
        assert!(!first.cpus.is_empty());
        assert!(own.len() > 1, "the test runs in a thread of its own");
    }
}
