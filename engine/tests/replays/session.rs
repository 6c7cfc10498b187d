//! Sessions of the test stages, with what happens to them.

use crate::record::Recorded;
use crate::stages::registry;
use ephapse_engine::control::{Command as Wish, Request, ask};
use ephapse_engine::launch::{Live, Options, launch};
use ephapse_engine::replay::{ParamChange, ProofOptions};
use ephapse_rtconfig::describe::{Catalogue, Described};
use ephapse_rtconfig::graph::Graph;
use ephapse_rtconfig::plan::{Plan, StagePlan};
use ephapse_rtconfig::resolve::{ResolveOptions, resolve};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

const GRAPH: &str = r#"
name = "replays"
record = []
timer = { period_ns = 1_000_000, cpu = 0 }

[defaults]
policy = "other"
on_death = "restart"

[stage.source]
use = "test.source"
pace = "clock"
out = { frames = "raw" }

[stage.walk]
use = "test.walk"
params = { gain = 1.0 }
overrun = "catch_up(2)"
in = { frames = "raw" }
out = { sum = "walked" }

[stage.join]
use = "test.join"
in = { frames = "raw", newest = { from = "walked", read = "newest" }, all = { from = "walked", read = "all" }, back = { from = "decision", feedback = true, read = "newest", type = { dtype = "f64", frames = 4, channels = 1, rate_hz = 4000.0, unit = "uV" } } }
out = { joined = "joined" }

[stage.decide]
use = "test.decide"
params = { from = 1e9 }
pace = "data"
in = { joined = "joined" }
out = { decision = "decision" }

[stage.actor]
use = "test.actor"
pace = "data"
in = { decision = "decision" }

[stream]
raw = { slots = 4096 }
walked = { slots = 4096 }
joined = { slots = 2, full = "drop_newest" }
decision = { slots = 4096 }
"#;

/// Time that passes between two mishaps.
const BETWEEN: Duration = Duration::from_millis(60);

/// A folder and a session name of its own.
pub struct Place {
    folder: TempDir,
    session: String,
}

impl Place {
    pub fn new(name: &str) -> Self {
        Place {
            folder: tempfile::tempdir().unwrap(),
            session: format!("{name}-{}", std::process::id()),
        }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// What happens to a running session.
#[derive(Clone, Debug)]
pub enum Mishap {
    /// A process is stopped for 20 ms.
    Stall(&'static str),
    /// A process is killed.
    Kill(&'static str),
    /// Live parameters.
    Set(&'static str, Value),
    /// Stimulation is switched off.
    Off,
}

fn plan(place: &Place, paced: bool) -> Plan {
    let mut graph = Graph::from_str(GRAPH, "replays.toml").unwrap();
    graph
        .apply_set(&format!("name={:?}", place.session))
        .unwrap();
    if !paced {
        graph.apply_set("stage.source.pace=\"none\"").unwrap();
    }
    resolve(&graph, &registry(), &ResolveOptions::default())
        .unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn describe(stage: &StagePlan, params: &Value) -> Result<Described, String> {
    let inputs: Vec<_> = stage
        .ports()
        .map(|i| (i.port.as_str(), &i.stream_type))
        .collect();
    registry()
        .describe(&stage.kind, params, &inputs)
        .map_err(|e| e.to_string())
}

fn own_program() -> PathBuf {
    std::env::current_exe().unwrap()
}

/// Runs the graph for a while, lets everything happen, and keeps what its segments held at the end.
pub fn run(place: &Place, paced: bool, mishaps: &[Mishap]) -> Recorded {
    let plan = plan(place, paced);
    let params = Arc::new(Mutex::new(Vec::new()));
    let happening = {
        let (session, mishaps, params) = (place.session.clone(), mishaps.to_vec(), params.clone());
        let plan = plan.clone();
        std::thread::spawn(move || happen(&plan, &session, &mishaps, &params))
    };
    let mut recorded = None;
    let outcome = launch(
        &plan,
        &mut Options {
            duration: Some(if paced {
                Duration::from_millis(1800)
            } else {
                Duration::from_millis(1500)
            }),
            require_rt: false,
            hold_cpu_latency: false,
            lean_program: own_program(),
            full_program: (own_program(), Vec::new()),
            capture_folder: PathBuf::new(),
            log: None,
            interrupts: Arc::new(AtomicU32::new(0)),
            live: &mut |_: &Live| {},
            redescribe: &describe,
            live_params: &|stage| {
                if stage.name == "walk" {
                    vec!["gain".into()]
                } else {
                    Vec::new()
                }
            },
            before_check: &mut |processes| recorded = Some(Recorded::of(&plan, processes)),
        },
    );
    let outcome = outcome.unwrap_or_else(|error| panic!("{error}"));
    assert!(outcome.faults.is_empty(), "{:?}", outcome.faults);
    happening.join().unwrap();
    let mut recorded = recorded.unwrap();
    recorded.params = core::mem::take(&mut params.lock().unwrap());
    recorded
}

fn wish(session: &str, id: &str, command: Wish) -> Result<Value, String> {
    let request = Request {
        id: id.into(),
        command,
    };
    let answer = ask(session, &request, Duration::from_secs(5)).map_err(|e| e.to_string())?;
    if answer.ok {
        Ok(answer.answer)
    } else {
        Err(answer.error.unwrap_or_default())
    }
}

fn pid_of(status: &Value, stage: &str) -> u32 {
    let processes = status["stages"].as_array().unwrap();
    let of = processes.iter().find(|p| p["name"] == stage);
    of.unwrap_or_else(|| panic!("{status}"))["pid"]
        .as_u64()
        .unwrap() as u32
}

fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill")
        .args(["-s", name, &pid.to_string()])
        .status()
        .unwrap();
    assert!(sent.success(), "kill -s {name} {pid}");
}

fn happen(
    plan: &Plan,
    session: &str,
    mishaps: &[Mishap],
    params: &Mutex<Vec<(String, u64, Value)>>,
) {
    let mut number = 0;
    let mut next = || {
        number += 1;
        number.to_string()
    };
    let asked = AtomicU32::new(0);
    let running = || {
        let begun = std::time::Instant::now();
        loop {
            let id = format!("status-{}", asked.fetch_add(1, Ordering::Relaxed));
            match wish(session, &id, Wish::Status {}) {
                Ok(status) if status["state"] == "running" => return status,
                other => {
                    assert!(
                        begun.elapsed() < Duration::from_secs(30),
                        "not running: {other:?}"
                    );
                    std::thread::sleep(Duration::from_millis(2));
                }
            }
        }
    };
    if !mishaps.is_empty() {
        running();
    }
    for mishap in mishaps {
        std::thread::sleep(if plan.timer.is_some() {
            BETWEEN
        } else {
            Duration::ZERO
        });
        match mishap {
            Mishap::Stall(stage) => {
                let pid = pid_of(&running(), stage);
                signal(pid, "STOP");
                std::thread::sleep(Duration::from_millis(20));
                signal(pid, "CONT");
            }
            Mishap::Kill(stage) => signal(pid_of(&running(), stage), "KILL"),
            Mishap::Set(stage, changed) => {
                let changed = changed.as_object().unwrap().clone();
                let of = plan.stages.iter().find(|s| s.name == *stage).unwrap();
                let mut all = of.params.clone();
                for (key, value) in &changed {
                    all[key] = value.clone();
                }
                let answer = wish(
                    session,
                    &next(),
                    Wish::Set {
                        stage: (*stage).into(),
                        params: changed,
                    },
                );
                let epoch = answer.unwrap()["epoch"].as_u64().unwrap();
                params.lock().unwrap().push(((*stage).into(), epoch, all));
            }
            Mishap::Off => {
                wish(session, &next(), Wish::Off {}).unwrap();
            }
        }
    }
}

/// A replay with this executable's stages.
pub fn proof_options(changes: Vec<ParamChange>) -> ProofOptions<'static> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    ProofOptions {
        speed: None,
        changes,
        findings: std::env::temp_dir().join(format!(
            "ephapse-replay-test.{}.{number}",
            std::process::id()
        )),
        lean_program: own_program(),
        full_program: (own_program(), Vec::new()),
        interrupts: Arc::new(AtomicU32::new(0)),
        live: Box::leak(Box::new(|_: &Live| {})),
        describe: &describe,
    }
}
