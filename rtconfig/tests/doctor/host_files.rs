//! The files in `rtconfig/host/` give what the doctor asks for.

use crate::{finding, fixtures};
use ephapse_rtconfig::doctor::{Asked, FixKind, check_names};

const LIMITS: &str = include_str!("../../host/90-ephapse-limits.conf");
const RULES: &str = include_str!("../../host/90-ephapse.rules");
const SERVICE: &str = include_str!("../../host/ephapse@.service");
const TUNED: &str = include_str!("../../host/tuned/ephapse/tuned.conf");
const README: &str = include_str!("../../host/README.md");

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
}

/// Value behind `KEY=`.
fn value<'a>(text: &'a str, key: &str) -> &'a str {
    lines(text)
        .filter_map(|line| line.split_once('='))
        .find(|(name, _)| *name == key)
        .unwrap_or_else(|| panic!("no {key}"))
        .1
}

#[test]
fn limits_and_service_permit_what_the_highest_priority_and_locked_memory_need() {
    let highest = Asked::usual([0].into()).highest_priority.to_string();
    let granted: Vec<Vec<&str>> = lines(LIMITS)
        .map(|line| line.split_whitespace().collect())
        .collect();
    for (item, wanted) in [("rtprio", highest.as_str()), ("memlock", "unlimited")] {
        assert!(
            granted.contains(&vec!["@ephapse", "-", item, wanted]),
            "{item}: {granted:?}"
        );
    }
    assert_eq!(value(SERVICE, "LimitRTPRIO"), highest);
    assert_eq!(value(SERVICE, "LimitMEMLOCK"), "infinity");
    assert!(value(SERVICE, "ExecStart").contains(" run "));
}

#[test]
fn the_rules_name_the_files_that_the_checks_read() {
    let tree = fixtures::of("ftdi_latency").fails.make();
    let ftdi = finding(&tree.host, "ftdi_latency");
    let write = ftdi.fix[0].write.as_ref().unwrap();
    assert!(write.files[0].ends_with("/latency_timer"));
    assert!(RULES.contains(&format!("ATTR{{latency_timer}}=\"{}\"", write.value)));
    assert!(RULES.contains("KERNEL==\"cpu_dma_latency\", GROUP=\"ephapse\""));
}

#[test]
fn the_tuned_profile_boots_with_every_parameter_that_a_fix_names() {
    let command_line = value(TUNED, "cmdline_ephapse");
    let mut parameters = 0;
    for fixture in fixtures::all() {
        let found = finding(&fixture.fails.make().host, fixture.check);
        for fix in found.fix.iter().filter(|f| f.kind == FixKind::Boot) {
            let wanted = fix.text.replace("2-3", "${stage_cpus}");
            assert!(command_line.contains(&wanted), "{wanted} in {command_line}");
            parameters += 1;
        }
    }
    assert_eq!(parameters, 3, "isolcpus, nohz_full, rcu_nocbs");
}

#[test]
fn the_readme_names_checks_that_there_are() {
    let checks = check_names();
    let rows = README.lines().filter(|line| line.starts_with("| `"));
    let named: Vec<&str> = rows
        .filter_map(|row| row.split('|').nth(3))
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect();
    assert!(named.len() > 10, "{named:?}");
    for check in named {
        assert!(checks.contains(&check), "{check}");
    }
}
