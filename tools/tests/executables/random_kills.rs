//! SIGINT or SIGKILL to any process of a session at any instant, its launcher and its timer included: the session ends in time, the
//! cause is named, and nothing is left. (`launcher_kills` kills the launcher at each of its own steps; here instants are random.)
//!
//! 40 runs, or `EPHAPSE_RANDOM_KILLS`; `EPHAPSE_KILL_SEED` chooses others.

use crate::finished::{Finished, Report};
use crate::loop_graph::LOOP;
use crate::place::{Place, Running, signal, wait_until};
use crate::random::Random;
use crate::turns::alone;
use std::time::Duration;

const RUNS: u64 = 40;
/// Runs go on for so long, if nobody ends them; none does.
const DURATION: &str = "60s";
/// From a session's beginning to the signal, at most, ms: while it is prepared, and while it runs.
const LATEST_MS: u64 = 700;
/// The longest way out: an order to stop, 3 s for the drain, 2 s for the exits, and what this machine adds.
const WITHIN_S: u64 = 15;

fn number(variable: &str, usual: u64) -> u64 {
    let said = std::env::var(variable).ok();
    said.and_then(|n| n.parse().ok()).unwrap_or(usual)
}

fn start(place: &Place) -> Running {
    let graph = LOOP.replace("stimulate.null", "stimulate.log");
    place.write("loop.toml", &graph);
    place.start(place.session_command(&["run", "loop.toml", "--duration", DURATION]))
}

/// The launcher was killed: everybody has left after two seconds, the next command names what happened, and the next start
/// of the same name takes away what is left.
fn expect_named_by_the_next(place: &Place) {
    wait_until("everybody has left", 2, || place.processes().is_empty());
    let was = place.segments();
    let told = place.run(&["status"]).expect(0).stdout;
    if !was.is_empty() {
        let gone = format!("{}: its launcher is gone", place.session());
        assert!(told.contains(&gone), "{told}");
    }
    let next = place.session_command(&["run", "loop.toml", "--duration", "50ms"]);
    place.finish(next, 30).expect(0);
}

/// Somebody else was killed, and the launcher has ended the session: it names who.
fn expect_named(place: &Place, ended: &Finished, victim: &str) {
    let words = format!("{}\n{}", ended.stdout, ended.stderr);
    let named = words.lines().any(|line| {
        line.contains(victim) && (line.contains("died") || line.contains("left before"))
    });
    assert!(named, "{victim} is not named:\n{words}");
    if place.report().join("report.json").exists() {
        let report = Report::read(&place.report());
        assert_eq!(
            report.list("faults")[0]["who"],
            victim,
            "{:?}",
            report.list("faults")
        );
    }
}

#[test]
fn whoever_is_signalled_and_whenever_the_session_ends_in_time_and_the_cause_is_named() {
    let _alone = alone();
    let seed = number("EPHAPSE_KILL_SEED", 0x5eed);
    let mut random = Random(seed | 1);
    for run in 0..number("EPHAPSE_RANDOM_KILLS", RUNS) {
        let place = Place::new();
        let running = start(&place);
        std::thread::sleep(Duration::from_millis(random.below(LATEST_MS)));
        let mut all = place.session_processes();
        if all.is_empty() {
            all.push(("launcher".to_owned(), running.pid()));
        }
        // The one that all depend on is meant as often as all others are.
        let among = [1, all.len() as u64][random.below(3).min(1) as usize];
        let (victim, pid) = all[random.below(among) as usize].clone();
        let kind = ["INT", "KILL"][random.below(2) as usize];
        eprintln!(
            "run {run} (seed {seed}): SIG{kind} to {victim} of {}",
            all.len()
        );
        signal(pid, kind);
        match (victim.as_str(), kind) {
            ("launcher", "KILL") => {
                assert_eq!(running.wait(5).code, None);
                expect_named_by_the_next(&place);
            }
            ("launcher", _) => {
                let ended = running.wait(WITHIN_S);
                let before = ended.stderr.contains("interrupted before the start");
                // The signal may come before the launcher listens for it: then it just ends.
                let at_once = ended.code.is_none();
                assert!(
                    before || at_once || ended.code == Some(0),
                    "{:?}\n{}",
                    ended.code,
                    ended.stderr
                );
                if at_once {
                    expect_named_by_the_next(&place);
                }
            }
            ("recorder" | "stimulate.guard", _) => {
                // It is started again in any case, unless nobody runs yet.
                std::thread::sleep(Duration::from_millis(300));
                if running.is_running() {
                    running.signal("INT");
                    running.wait(WITHIN_S).expect(0);
                    let report = Report::read(&place.report());
                    assert_eq!(report.list("restarts")[0]["who"], victim);
                } else {
                    let ended = running.wait(1).expect(1);
                    expect_named(&place, &ended, &victim);
                }
            }
            _ => {
                let ended = running.wait(WITHIN_S).expect(1);
                expect_named(&place, &ended, &victim);
            }
        }
        place.expect_nothing_left();
    }
}
