//! `ephapse doctor`: what it finds on hosts that are made for it.

mod fixtures;
mod host_files;
mod host_tree;

use ephapse_rtconfig::doctor::{
    Facts, Finding, FixKind, Harm, Host, Severity, State, Verdict, check_names, examine,
};
use host_tree::{HostTree, write};
use std::path::Path;

fn finding(host: &Host, check: &str) -> Finding {
    let mut findings = examine(host).into_iter();
    findings.find(|finding| finding.check == check).unwrap()
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

#[test]
fn every_check_has_a_tree_that_passes_and_one_that_fails() {
    let fixtures = fixtures::all();
    let mut with_fixtures: Vec<&str> = fixtures.iter().map(|f| f.check).collect();
    let mut checks = check_names();
    with_fixtures.sort_unstable();
    checks.sort_unstable();
    assert_eq!(with_fixtures, checks, "each check exactly once");
    for fixture in &fixtures {
        let passes = finding(&fixture.passes.host, fixture.check);
        assert_eq!(passes.state, State::Passed, "{passes:#?}");
        assert_eq!((passes.harm, passes.fix), (Harm::None, vec![]));
        let fails = finding(&fixture.fails.host, fixture.check);
        assert_eq!(fails.state, State::Failed, "{fails:#?}");
        let critical = fails.severity == Severity::Critical;
        assert!(critical || fails.harm != Harm::Run, "{fails:#?}");
        assert!(
            !fails.what.is_empty() && !fails.why.is_empty(),
            "{fails:#?}"
        );
        assert!(
            !fails.read.is_empty() && !fails.fix.is_empty(),
            "{fails:#?}"
        );
    }
}

#[test]
fn what_cannot_be_read_is_unknown_and_never_counts_as_passed() {
    let empty = HostTree::new(&[], Facts::default());
    let findings = examine(&empty.host);
    for finding in &findings {
        assert_eq!(finding.state, State::Unknown, "{finding:#?}");
        assert!(!finding.what.is_empty());
    }
    let verdict = Verdict::of(&findings, &[1_000_000]);
    assert!(!verdict.real_time);
    let count = findings.len();
    assert_eq!(
        verdict.sentence,
        format!("Nothing is known: none of {count} checks could be read")
    );
}

#[test]
fn files_full_of_nonsense_pass_nothing() {
    for fixture in fixtures::all() {
        let root = fixture.passes.folder.path();
        let all = files(root);
        if fixture.passes.host.facts != Facts::default() {
            continue;
        }
        for nonsense in ["\u{1}\u{fffd} nonsense: 9-x", ""] {
            for file in &all {
                std::fs::write(file, nonsense).unwrap();
            }
            let found = finding(&fixture.passes.host, fixture.check);
            assert!(found.state != State::Passed, "{nonsense:?}: {found:#?}");
        }
        for file in &all {
            std::fs::remove_file(file).unwrap();
            std::fs::create_dir(file).unwrap();
        }
        let found = finding(&fixture.passes.host, fixture.check);
        assert!(found.state != State::Passed, "folders: {found:#?}");
    }
}

#[test]
fn what_a_fix_writes_makes_its_check_pass() {
    let mut written = 0;
    for fixture in fixtures::all() {
        let failed = finding(&fixture.fails.host, fixture.check);
        for write_this in failed.fix.iter().filter_map(|fix| fix.write.as_ref()) {
            for file in &write_this.files {
                write(fixture.fails.folder.path(), file, &write_this.value);
            }
            written += 1;
            let now = finding(&fixture.fails.host, fixture.check);
            assert_eq!(now.state, State::Passed, "{now:#?}");
        }
    }
    assert!(
        written >= 10,
        "only {written} checks can be put right by writing"
    );
}

#[test]
fn a_command_writes_what_apply_writes() {
    let fixtures = fixtures::all();
    let governor = fixtures.iter().find(|f| f.check == "governor").unwrap();
    let fix = &finding(&governor.fails.host, "governor").fix[0];
    let file = "/sys/devices/system/cpu/cpu3/cpufreq/scaling_governor";
    assert_eq!(fix.kind, FixKind::Command);
    assert_eq!(
        fix.text,
        format!("echo performance | sudo tee {file} > /dev/null")
    );
    assert_eq!(fix.write.as_ref().unwrap().files, [file]);
}

#[test]
fn without_a_free_cpu_nothing_can_be_moved_and_the_fix_says_so() {
    let fixtures = fixtures::all();
    for check in ["irqs", "isolated", "nohz_full", "rcu_nocbs", "workqueues"] {
        let mut host = fixtures
            .iter()
            .find(|f| f.check == check)
            .unwrap()
            .fails
            .host
            .clone();
        host.asked.cpus = [0, 1, 2, 3].into();
        let found = finding(&host, check);
        assert_eq!(found.state, State::Failed);
        assert!(
            found.fix.iter().all(|fix| fix.kind == FixKind::Advice),
            "{found:#?}"
        );
        assert!(found.fix[0].text.contains("every CPU has stages"));
    }
}

#[test]
fn throttling_is_a_matter_for_those_who_spin() {
    let fixtures = fixtures::all();
    for check in ["rt_throttling", "fair_server"] {
        let fixture = fixtures.iter().find(|f| f.check == check).unwrap();
        let mut host = fixture.fails.host.clone();
        let delay = |ms: u64| Harm::Delay {
            delay_ns: ms * 1_000_000,
        };
        assert_eq!(finding(&host, check).harm, delay(50));
        host.asked.spinning_cpus.clear();
        assert_eq!(finding(&host, check).state, State::Passed);
    }
}

#[test]
fn a_root_with_a_limit_too_low_is_judged_by_its_capabilities() {
    let fixtures = fixtures::all();
    let memlock = fixtures
        .iter()
        .find(|f| f.check == "rlimit_memlock")
        .unwrap();
    let found = finding(&memlock.passes.host, "rlimit_memlock");
    assert_eq!(found.what, "CAP_IPC_LOCK needs no limit");
    let found = finding(&memlock.fails.host, "rlimit_memlock");
    assert_eq!(
        (found.severity, found.harm),
        (Severity::Critical, Harm::Run)
    );
}

#[test]
fn idle_states_do_not_matter_where_a_run_may_keep_cpus_out_of_them() {
    let fixtures = fixtures::all();
    let fixture = fixtures.iter().find(|f| f.check == "c_states").unwrap();
    let mut host = fixture.fails.host.clone();
    let harm = finding(&host, "c_states").harm;
    assert_eq!(harm, Harm::Delay { delay_ns: 133_000 });
    host.facts.latency_file = Some(Ok(()));
    assert_eq!(finding(&host, "c_states").state, State::Passed);
}

#[test]
fn irqbalance_is_stopped_before_interrupts_are_moved() {
    let fixtures = fixtures::all();
    let irqs = fixtures.iter().find(|f| f.check == "irqs").unwrap();
    write(irqs.fails.folder.path(), "proc/77/comm", "irqbalance");
    let fix = finding(&irqs.fails.host, "irqs").fix;
    assert_eq!(fix[0].text, "sudo systemctl stop irqbalance");
    assert_eq!(fix[1].write.as_ref().unwrap().value, "0-1");
}

/// Findings of a host on which exactly these checks fail.
fn failing(checks: &[&str]) -> Vec<Finding> {
    fixtures::all()
        .iter()
        .map(|fixture| {
            let side = if checks.contains(&fixture.check) {
                &fixture.fails
            } else {
                &fixture.passes
            };
            finding(&side.host, fixture.check)
        })
        .collect()
}

fn sentence(findings: &[Finding]) -> String {
    Verdict::of(findings, &[10_000_000, 1_000_000]).sentence
}

#[test]
fn the_verdict_is_a_sentence_that_says_what_is_good_what_to_do_and_what_is_not_promised() {
    assert_eq!(
        sentence(&failing(&[])),
        "Good for 10 ms and 1 ms ticks as it is"
    );
    assert_eq!(
        sentence(&failing(&["governor", "thp", "preempt_rt", "smt"])),
        "Good for 10 ms ticks as it is; for 1 ms: two commands, printed here; no PREEMPT_RT, so no promise above p99.9"
    );
    assert_eq!(
        sentence(&failing(&["fifo", "rlimit_rtprio", "rlimit_memlock"])),
        "Not fit for real time as it is (fifo, rlimit_rtprio, rlimit_memlock): one command, printed here; then good for 10 ms and 1 ms ticks"
    );
    assert_eq!(
        sentence(&failing(&["rt_throttling", "spin_gaps", "hypervisor"])),
        "For 10 ms and 1 ms ticks: one command, printed here, the advice at spin_gaps; under a hypervisor, so no promise of any maximum"
    );
}

#[test]
fn a_verdict_names_the_critical_checks_that_could_not_be_read() {
    let mut findings = failing(&[]);
    for finding in &mut findings {
        if ["shm", "boost", "disk"].contains(&finding.check) {
            finding.state = State::Unknown;
        }
    }
    let verdict = Verdict::of(&findings, &[1_000_000]);
    assert_eq!(verdict.critical, ["shm"]);
    assert!(!verdict.real_time);
    assert_eq!(
        verdict.sentence,
        "Nothing that could be read stands in the way of 1 ms ticks; not known: shm; two checks could not be read"
    );
}
