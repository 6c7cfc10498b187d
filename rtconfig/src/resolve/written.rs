//! The graph as resolved, written as a graph again.

use super::Decided;
use super::placement::word;
use crate::chaos::{Fault, Injection};
use crate::describe::Program;
use crate::graph::{FeedbackType, Graph, InputTable, OverrunWord};
use crate::plan::{Adapter, Full, OnDeath, Plan, Policy, Read, SeatKind, StagePlan, WaitKind};
use serde_json::Value as Json;
use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, Value};

/// Every decision written out, so that a reader of the recording needs no defaults of this version. Valid input again;
/// helpers are not in it, because their stages bring them.
pub fn write(graph: &Graph, plan: &Plan, decided: &Decided<'_>) -> String {
    let mut document = DocumentMut::new();
    document.insert("name", text(&plan.session));
    document.insert("record", Item::Value(Value::InlineTable(record(plan))));
    if !plan.chaos.is_empty() {
        let mut inject = ArrayOfTables::new();
        plan.chaos
            .iter()
            .for_each(|i| inject.push(injection(plan, i)));
        let mut chaos = Table::new();
        chaos.set_implicit(true);
        chaos.insert("inject", Item::ArrayOfTables(inject));
        document.insert("chaos", Item::Table(chaos));
    }
    if !plan.experiment.is_empty() {
        let mut experiment = Table::new();
        for (name, words) in &plan.experiment {
            experiment.insert(name, text(words));
        }
        document.insert("experiment", Item::Table(experiment));
    }
    if !plan.on.is_empty() {
        let mut on = Table::new();
        for (key, command) in plan.on.named() {
            if !command.is_empty() {
                let words: Array = command.iter().map(String::as_str).collect();
                on.insert(key, toml_edit::value(words));
            }
        }
        document.insert("on", Item::Table(on));
    }
    let folders = module_folders(plan);
    if !folders.is_empty() {
        let mut modules = Table::new();
        modules.insert("path", toml_edit::value(folders));
        document.insert("modules", Item::Table(modules));
    }
    if let Some(timer) = &plan.timer {
        let mut table = Table::new();
        table.insert("period_ns", whole(timer.period_ns));
        table.insert("cpu", whole(timer.cpu));
        table.insert("priority", whole(timer.priority));
        table.insert("spin_ns", whole(timer.spin_ns));
        document.insert("timer", Item::Table(table));
    }
    let mut stages = Table::new();
    stages.set_implicit(true);
    let own = plan.stages.iter().filter(|stage| stage.helper_of.is_none());
    for (stage, wired) in own.zip(&decided.wiring.stages) {
        let inputs = &wired.keys.inputs;
        let table = stage_table(plan, stage, |port| inputs.get(port).map(|input| &input.0));
        stages.insert(&stage.name, Item::Table(table));
    }
    document.insert("stage", Item::Table(stages));
    let mut streams = Table::new();
    streams.set_implicit(true);
    // Rings of helpers have a dot in their name and come from their stages.
    for stream in plan
        .streams
        .iter()
        .filter(|stream| !stream.name.contains('.'))
    {
        let mut table = Table::new();
        table.insert("slots", whole(stream.slots));
        table.insert(
            "full",
            text(match stream.full {
                Full::Wait => "wait",
                Full::DropNewest => "drop_newest",
                Full::Fault => "fault",
            }),
        );
        table.insert("spare_seats", whole(stream.spare_seats));
        streams.insert(&stream.name, Item::Table(table));
    }
    document.insert("stream", Item::Table(streams));
    let source = graph.path().map_or_else(String::new, |path| {
        format!(
            "# Resolved from {}\n",
            path.display().to_string().escape_debug()
        )
    });
    format!("{source}{document}")
}

/// One fault with the tick that was drawn for it.
fn injection(plan: &Plan, injection: &Injection) -> Table {
    let mut table = Table::new();
    let (fault, length) = match &injection.fault {
        Fault::Stall { for_ns, .. } => ("stall", Some(for_ns)),
        Fault::Delay { for_ns, .. } => ("delay", Some(for_ns)),
        Fault::Kill { .. } => ("kill", None),
        Fault::Drop { .. } => ("drop", None),
        Fault::PageFaults { .. } => ("page_faults", None),
        Fault::Hog { for_ns, .. } => ("hog", Some(for_ns)),
        Fault::DiskFull { for_ns } => ("disk_full", Some(for_ns)),
    };
    table.insert("fault", text(fault));
    if let Some(stage) = injection.fault.stage() {
        table.insert("stage", text(&plan.stages[stage].name));
    }
    table.insert("tick", whole(injection.tick));
    match &injection.fault {
        Fault::Drop { blocks, .. } => table.insert("blocks", whole(*blocks)),
        Fault::PageFaults { pages, .. } => table.insert("pages", whole(*pages)),
        Fault::Hog { cpu, .. } => table.insert("cpu", whole(*cpu)),
        _ => None,
    };
    if let Some(ns) = length {
        table.insert("for_ms", toml_edit::value(*ns as f64 / 1e6));
    }
    table
}

/// What is recorded, in full.
fn record(plan: &Plan) -> InlineTable {
    let mut table = InlineTable::new();
    let Some(recorder) = &plan.recorder else {
        table.insert("streams", Value::Array(Array::new()));
        return table;
    };
    let names = recorder.streams.iter();
    let names = names.map(|recorded| plan.streams[recorded.stream].name.as_str());
    table.insert("streams", Value::Array(names.collect()));
    table.insert("spool_s", recorder.spool_s.into());
    table.insert("sync_s", recorder.sync_s.into());
    if let Some(bytes) = recorder.roll_bytes {
        table.insert(
            "roll_bytes",
            i64::try_from(bytes).unwrap_or(i64::MAX).into(),
        );
    }
    if let Some(roll_s) = recorder.roll_s {
        table.insert("roll_s", roll_s.into());
    }
    if let Some(path) = &recorder.path {
        table.insert("path", path.to_string_lossy().as_ref().into());
    }
    table
}

/// Where the plan's external stages come from, whether the graph or the environment named the folder; absolute, because
/// the resolved graph lies elsewhere.
fn module_folders(plan: &Plan) -> Array {
    let mut folders: Vec<String> = Vec::new();
    for stage in &plan.stages {
        // FOLDER/stages/NAME/stage.toml
        if let Program::External { folder, .. } = &stage.program
            && let Some(module) = folder.ancestors().nth(2)
        {
            let module = module.to_string_lossy().into_owned();
            if !folders.contains(&module) {
                folders.push(module);
            }
        }
    }
    folders.into_iter().collect()
}

fn stage_table<'a>(
    plan: &Plan,
    stage: &StagePlan,
    written: impl Fn(&str) -> Option<&'a InputTable>,
) -> Table {
    let mut table = Table::new();
    table.insert("use", text(&stage.kind));
    let mut inputs = InlineTable::new();
    for input in stage.ports() {
        // An input that the graph does not name is fed by a helper.
        let Some(keys) = written(&input.port) else {
            continue;
        };
        let mut edge = InlineTable::new();
        match &keys.merge {
            Some(streams) => edge.insert("merge", Value::Array(streams.iter().collect())),
            None => edge.insert("from", plan.streams[input.stream].name.as_str().into()),
        };
        edge.insert(
            "seat",
            match input.seat_kind {
                SeatKind::Hold => "hold",
                SeatKind::Lap => "lap",
            }
            .into(),
        );
        edge.insert(
            "read",
            match input.read {
                Read::Same => "same",
                Read::Newest => "newest",
                Read::All => "all",
            }
            .into(),
        );
        if input.feedback {
            edge.insert("feedback", true.into());
        }
        if let Some(declared) = &keys.feedback_type {
            edge.insert("type", feedback_type(declared));
        }
        for adapter in &input.adapters {
            match adapter {
                // Stands where the stream's name would.
                Adapter::Merge(_) => {}
                Adapter::Select(channels) => {
                    let channels = channels.iter().map(|c| i64::from(*c));
                    edge.insert("select", Value::Array(channels.collect()));
                }
                Adapter::Scale(unit) => {
                    let mut scale = InlineTable::new();
                    scale.insert("unit", unit.as_str().into());
                    edge.insert("scale", Value::InlineTable(scale));
                }
                Adapter::Decimate(factor) => {
                    edge.insert("decimate", i64::from(*factor).into());
                }
                Adapter::Cast(dtype) => {
                    edge.insert("cast", dtype.name().into());
                }
                Adapter::Window { n, step } => {
                    let mut window = InlineTable::new();
                    window.insert("n", i64::from(*n).into());
                    window.insert("step", i64::from(*step).into());
                    edge.insert("window", Value::InlineTable(window));
                }
            }
        }
        inputs.insert(&input.port, Value::InlineTable(edge));
    }
    if !inputs.is_empty() {
        table.insert("in", Item::Value(Value::InlineTable(inputs)));
    }
    let mut outputs = InlineTable::new();
    for output in &stage.outputs {
        let name = &plan.streams[output.stream].name;
        if !name.contains('.') {
            outputs.insert(&output.port, name.as_str().into());
        }
    }
    if !outputs.is_empty() {
        table.insert("out", Item::Value(Value::InlineTable(outputs)));
    }
    engine_keys(&mut table, stage);
    if let Json::Object(params) = &stage.params
        && !params.is_empty()
    {
        let mut parameters = Table::new();
        for (name, value) in params {
            if let Some(value) = toml(value) {
                parameters.insert(name, Item::Value(value));
            }
        }
        table.insert("params", Item::Table(parameters));
    }
    table
}

fn engine_keys(table: &mut Table, stage: &StagePlan) {
    match stage.policy {
        Policy::Fifo => {
            table.insert("policy", text("fifo"));
            table.insert("priority", whole(stage.priority));
        }
        Policy::Other => {
            table.insert("policy", text("other"));
            table.insert("nice", toml_edit::value(i64::from(stage.nice)));
        }
    }
    if let Some(cpu) = stage.cpu {
        table.insert("cpu", whole(cpu));
    }
    table.insert("pace", text(word(stage.pace)));
    if stage.pace == crate::plan::Pace::Data {
        table.insert(
            "wait",
            text(match stage.wait {
                WaitKind::Futex => "futex",
                WaitKind::Spin => "spin",
            }),
        );
    }
    if stage.pace == crate::plan::Pace::Tick {
        table.insert("divider", whole(stage.divider));
        table.insert("phase", whole(stage.phase));
    }
    table.insert("burst", whole(stage.burst));
    table.insert("overrun", text(&OverrunWord(stage.overrun).to_string()));
    table.insert(
        "on_death",
        text(match stage.on_death {
            OnDeath::Restart => "restart",
            OnDeath::Stop => "stop",
            OnDeath::Isolate => "isolate",
        }),
    );
    if stage.spare {
        table.insert("spare", Item::Value(true.into()));
    }
    if let Some(restarts) = stage.restarts_per_minute {
        table.insert("restarts_per_minute", whole(restarts));
    }
    if let Some(budget_ns) = stage.budget_ns {
        table.insert("budget_ns", whole(budget_ns));
    }
    // What a helper feeds is no port of the graph: the helper comes with the stage.
    let fed = |port: &str| stage.described.helpers.iter().any(|h| h.port == port);
    if let Some(input) = stage.pacing.and_then(|pacing| stage.inputs.get(pacing))
        && !fed(&input.port)
    {
        table.insert("pacing", text(&input.port));
    }
}

fn feedback_type(declared: &FeedbackType) -> Value {
    match declared {
        FeedbackType::Records(layout) => layout.as_str().into(),
        FeedbackType::Frames(frames) => {
            let mut table = InlineTable::new();
            table.insert("dtype", frames.dtype.name().into());
            table.insert("frames", i64::from(frames.frames).into());
            table.insert("channels", i64::from(frames.channels).into());
            table.insert("rate_hz", frames.rate_hz.into());
            table.insert("unit", frames.unit.as_str().into());
            Value::InlineTable(table)
        }
    }
}

fn text(words: &str) -> Item {
    toml_edit::value(words)
}

fn whole(number: impl Into<u64>) -> Item {
    // Numbers of a graph come from TOML, whose integers are i64.
    toml_edit::value(i64::try_from(number.into()).unwrap_or(i64::MAX))
}

/// JSON as TOML; nothing for null, which TOML does not have.
fn toml(json: &Json) -> Option<Value> {
    Some(match json {
        Json::Null => return None,
        Json::Bool(truth) => (*truth).into(),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => whole.into(),
            (None, Some(real)) => real.into(),
            (None, None) => return None,
        },
        Json::String(words) => words.as_str().into(),
        Json::Array(items) => Value::Array(items.iter().filter_map(toml).collect::<Array>()),
        Json::Object(entries) => {
            let entries = entries
                .iter()
                .filter_map(|(key, value)| Some((key.as_str(), toml(value)?)));
            Value::InlineTable(entries.collect())
        }
    })
}
