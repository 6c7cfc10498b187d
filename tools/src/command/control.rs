//! `stop`, `off`, `set`, `graph`, `mark`, `record`, `restart`, and a session's status in detail: through its control socket.

use crate::cli::{
    MarkArgs, OffArgs, RecordArgs, RestartArgs, SessionGraphArgs, SetArgs, StopArgs, Switch,
};
use crate::look::session;
use crate::output::sayln;
use anyhow::{Context, bail};
use ephapse_engine::control::{Command, Request, ask};
use serde_json::Value;
use std::io::Read;
use std::process::ExitCode;
use std::time::Duration;

/// Longest wait for an answer: a stage is started again in that time.
const WITHIN: Duration = Duration::from_secs(45);

/// `ephapse stop`.
pub fn stop(args: &StopArgs) -> anyhow::Result<ExitCode> {
    let session = the_session(args.session.as_deref())?;
    let answer = command(&session, Command::Stop { now: args.now })?;
    let how = if args.now {
        "leaves at once"
    } else {
        "drains and stops"
    };
    say(args.json, &answer, &format!("{session}: {how}"))
}

/// `ephapse off`.
pub fn off(args: &OffArgs) -> anyhow::Result<ExitCode> {
    let session = the_session(args.session.as_deref())?;
    let answer = command(&session, Command::Off {})?;
    let said = format!("{session}: stimulation off, every further command is refused");
    say(args.json, &answer, &said)
}

/// `ephapse set`.
pub fn set(args: &SetArgs) -> anyhow::Result<ExitCode> {
    let mut params = serde_json::Map::new();
    for given in &args.params {
        let (name, value) = given
            .split_once('=')
            .with_context(|| format!("`{given}`: write it PARAMETER=VALUE"))?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.into()));
        params.insert(name.to_owned(), value);
    }
    let session = the_session(args.session.as_deref())?;
    let stage = args.stage.clone();
    let answer = command(&session, Command::Set { stage, params })?;
    let said = format!(
        "{session}: {} has taken {} (epoch {})",
        args.stage,
        args.params.join(", "),
        answer["epoch"]
    );
    say(args.json, &answer, &said)
}

/// `ephapse graph`.
pub fn graph(args: &SessionGraphArgs) -> anyhow::Result<ExitCode> {
    let session = the_session(args.session.as_deref())?;
    let answer = command(&session, Command::Graph {})?;
    let graph = answer["graph"].as_str().context("no graph in the answer")?;
    sayln!("{}", graph.trim_end());
    Ok(ExitCode::SUCCESS)
}

/// `ephapse mark`.
pub fn mark(args: &MarkArgs) -> anyhow::Result<ExitCode> {
    let session = the_session(args.session.as_deref())?;
    let text = args.text.clone();
    let answer = command(&session, Command::Mark { text })?;
    let said = format!("{session}: marked tick {}", answer["tick"]);
    say(args.json, &answer, &said)
}

/// `ephapse record`.
pub fn record(args: &RecordArgs) -> anyhow::Result<ExitCode> {
    let session = the_session(args.session.as_deref())?;
    let on = args.switch == Switch::On;
    let answer = command(&session, Command::Record { on })?;
    let said = if on {
        format!("{session}: is recorded")
    } else {
        format!("{session}: is not recorded until `ephapse record on`; what comes is a gap")
    };
    say(args.json, &answer, &said)
}

/// `ephapse restart`.
pub fn restart(args: &RestartArgs) -> anyhow::Result<ExitCode> {
    let session = the_session(args.session.as_deref())?;
    let stage = args.stage.clone();
    let answer = command(&session, Command::Restart { stage })?;
    let said = format!(
        "{session}: {} runs again (pid {}, start {})",
        args.stage, answer["pid"], answer["generation"]
    );
    say(args.json, &answer, &said)
}

/// State, ticks and processes of a running session, as JSON.
pub fn status(session: &str) -> anyhow::Result<Value> {
    command(session, Command::Status {})
}

fn say(json: bool, answer: &Value, text: &str) -> anyhow::Result<ExitCode> {
    if json {
        sayln!("{answer}");
    } else {
        sayln!("{text}");
    }
    Ok(ExitCode::SUCCESS)
}

/// The running session of that name; without one, the only one that runs.
pub fn the_session(name: Option<&str>) -> anyhow::Result<String> {
    let session = session::choose(name)?;
    if !session.has_launcher() {
        bail!(
            "session `{}` no longer runs, its launcher is gone: `ephapse gc` removes what it left",
            session.name()
        );
    }
    Ok(session.name().to_owned())
}

fn command(session: &str, command: Command) -> anyhow::Result<Value> {
    let request = Request {
        id: random_id()?,
        command,
    };
    let answer = ask(session, &request, WITHIN)?;
    match answer.error {
        Some(why) => bail!("{session}: {why}"),
        None => Ok(answer.answer),
    }
}

fn random_id() -> anyhow::Result<String> {
    let mut bytes = [0; 8];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .context("/dev/urandom")?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}
