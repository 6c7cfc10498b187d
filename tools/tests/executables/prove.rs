//! The instrument's proof with a live session.

use super::turns::alone;
use ephapse_bench::programs::Programs;
use ephapse_bench::prove::{Live, ProveOptions, Setup, prove};
use ephapse_engine::stage::Registry;
use std::path::PathBuf;

/// Where the CPU is never its own for as long as a stall takes, the proof says that and does not fail.
#[test]
fn stalls_put_on_the_timers_cpu_are_found_in_the_report_at_their_length() {
    let _cpus = alone();
    let catalogue = Registry::new(
        ephapse_drivers::describable()
            .into_iter()
            .chain(ephapse_stages::describables()),
    );
    let setup = Setup {
        programs: Programs {
            lean: PathBuf::from(env!("CARGO_BIN_EXE_ephapse-stage")),
            full: (
                PathBuf::from(env!("CARGO_BIN_EXE_ephapse")),
                vec!["helper".to_owned()],
            ),
        },
        catalogue: &catalogue,
        cpus: [0, 1],
    };
    let proof = prove(&ProveOptions::default(), &setup);
    let failed: Vec<_> = proof.checks.iter().filter(|c| !c.held).collect();
    assert!(
        proof.passed(),
        "{}\n{failed:#?}\n{:#?}",
        proof.sentence,
        proof.live
    );
    println!("{}", proof.sentence);
    match &proof.live {
        Live::Ran { injections } => {
            let calm = injections.iter().filter(|i| i.disturbed.is_none());
            let live = proof
                .checks
                .iter()
                .filter(|c| c.what.starts_with("live: the CPU away"));
            assert_eq!(live.count(), calm.count());
        }
        Live::NotPossible { why } => eprintln!("the live part is not possible here: {why}"),
        Live::NotAsked | Live::Failed { .. } => panic!("{:?}", proof.live),
    }
}
