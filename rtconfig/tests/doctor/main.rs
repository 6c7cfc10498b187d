//! `ephapse doctor`: what it finds on hosts that are made for it.

mod fixtures;
mod host_files;
mod host_tree;
mod verdicts;

use ephapse_rtconfig::doctor::{
    Facts, Finding, FixKind, Harm, Host, Severity, State, Verdict, check_names, examine,
};
use host_tree::{Recipe, write};
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
        let passes = finding(&fixture.passes.make().host, fixture.check);
        assert_eq!(passes.state, State::Passed, "{passes:#?}");
        assert_eq!((passes.harm, passes.fix), (Harm::None, vec![]));
        let fails = finding(&fixture.fails.make().host, fixture.check);
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
    let empty = Recipe::default().make();
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
        if fixture.passes.facts != Facts::default() {
            continue;
        }
        let tree = fixture.passes.make();
        let all = files(tree.folder.path());
        for nonsense in ["\u{1}\u{fffd} nonsense: 9-x", ""] {
            for file in &all {
                std::fs::write(file, nonsense).unwrap();
            }
            let found = finding(&tree.host, fixture.check);
            assert!(found.state != State::Passed, "{nonsense:?}: {found:#?}");
        }
        for file in &all {
            std::fs::remove_file(file).unwrap();
            std::fs::create_dir(file).unwrap();
        }
        let found = finding(&tree.host, fixture.check);
        assert!(found.state != State::Passed, "folders: {found:#?}");
    }
}

#[test]
fn no_check_passes_without_a_file_that_it_rests_on() {
    // What only adds to another file; an interrupt's thread, which need not be there; how deep a state is that is disabled.
    let optional = [
        "sys/devices/virtual/workqueue/writeback/cpumask",
        "sys/devices/system/cpu/online",
        "proc/irq/24/smp_affinity_list",
        "proc/51/stat",
        "sys/devices/system/cpu/cpu3/cpuidle/state1/latency",
    ];
    for fixture in fixtures::all() {
        for (missing, _) in &fixture.passes.files {
            let mut recipe = fixture.passes.clone();
            recipe.files.retain(|(file, _)| file != missing);
            let found = finding(&recipe.make().host, fixture.check);
            let needed = !optional.contains(missing) && !missing.ends_with("/name");
            assert!(
                !needed || found.state != State::Passed,
                "{missing}: {found:#?}"
            );
        }
    }
}

#[test]
fn what_a_fix_writes_makes_its_check_pass() {
    let mut written = 0;
    for fixture in fixtures::all() {
        let tree = fixture.fails.make();
        let failed = finding(&tree.host, fixture.check);
        for write_this in failed.fix.iter().filter_map(|fix| fix.write.as_ref()) {
            for file in &write_this.files {
                write(tree.folder.path(), file, &write_this.value);
            }
            written += 1;
            let now = finding(&tree.host, fixture.check);
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
    let tree = fixtures::of("governor").fails.make();
    let fix = &finding(&tree.host, "governor").fix[0];
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
    for check in ["irqs", "isolated", "nohz_full", "rcu_nocbs", "workqueues"] {
        let mut tree = fixtures::of(check).fails.make();
        tree.host.asked.cpus = [0, 1, 2, 3].into();
        let found = finding(&tree.host, check);
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
    for check in ["rt_throttling", "fair_server"] {
        let mut tree = fixtures::of(check).fails.make();
        let delay = |ms: u64| Harm::Delay {
            delay_ns: ms * 1_000_000,
        };
        assert_eq!(finding(&tree.host, check).harm, delay(50));
        tree.host.asked.spinning_cpus.clear();
        assert_eq!(finding(&tree.host, check).state, State::Passed);
    }
}

#[test]
fn a_root_with_a_limit_too_low_is_judged_by_its_capabilities() {
    let memlock = fixtures::of("rlimit_memlock");
    let found = finding(&memlock.passes.make().host, "rlimit_memlock");
    assert_eq!(found.what, "CAP_IPC_LOCK needs no limit");
    let found = finding(&memlock.fails.make().host, "rlimit_memlock");
    assert_eq!(
        (found.severity, found.harm),
        (Severity::Critical, Harm::Run)
    );
}

#[test]
fn idle_states_do_not_matter_where_a_run_may_keep_cpus_out_of_them() {
    let mut tree = fixtures::of("c_states").fails.make();
    let harm = finding(&tree.host, "c_states").harm;
    assert_eq!(harm, Harm::Delay { delay_ns: 133_000 });
    tree.host.facts.latency_file = Some(Ok(()));
    assert_eq!(finding(&tree.host, "c_states").state, State::Passed);
}

#[test]
fn a_measurement_too_short_for_what_it_says_is_unknown() {
    for check in ["wake_ups", "spin_gaps"] {
        let mut tree = fixtures::of(check).passes.make();
        for cpu in tree.host.facts.measured.iter_mut().flatten() {
            (cpu.wakes, cpu.spun_ns) = (50, 40_000_000);
        }
        assert_eq!(finding(&tree.host, check).state, State::Unknown);
    }
}

#[test]
fn irqbalance_is_stopped_before_interrupts_are_moved() {
    let tree = fixtures::of("irqs").fails.make();
    write(tree.folder.path(), "proc/77/comm", "irqbalance");
    let fix = finding(&tree.host, "irqs").fix;
    assert_eq!(fix[0].text, "sudo systemctl stop irqbalance");
    assert_eq!(fix[1].write.as_ref().unwrap().value, "0-1");
}
