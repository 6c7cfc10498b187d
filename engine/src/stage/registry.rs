//! The stages an executable has, by kind: those it can run, and those it can describe.
//!
//! The two are apart on purpose. A lean executable lists only [`Runnable`]s, so that what a `describe` needs (a file
//! format's library) is not linked into it.

use super::{Described, Stage, StageError};
use crate::guard::{GuardState, OffSwitch};
use crate::runner::file::{StageDuty, StageFile};
use crate::runner::{ProcessError, run_guard, run_stage};
use ephapse_rtconfig::describe::{Catalogue, KindInfo, Program, Role};
use ephapse_rtconfig::stream_type::StreamType;
use serde_json::Value;

/// A kind that this executable can run.
#[derive(Clone, Copy)]
pub struct Runnable {
    /// The graph's `use`.
    pub kind: &'static str,
    /// Runs it in this process until the session ends.
    pub run: fn(&StageFile, &StageDuty) -> Result<(), ProcessError>,
}

impl Runnable {
    /// Stage `S`.
    pub fn of<S: Stage>() -> Self {
        Runnable {
            kind: S::KIND,
            run: run_stage::<S>,
        }
    }

    /// The guard that has switch `G`.
    pub fn guard<G: OffSwitch>() -> Self {
        Runnable {
            kind: G::KIND,
            run: run_guard::<G>,
        }
    }
}

/// What a stage's `describe` looks like once its parameters are JSON.
type Describe = fn(&Value, &[(&str, &StreamType)]) -> Result<Described, StageError>;

/// A kind that this executable can describe.
pub struct Describable {
    info: KindInfo,
    describe: Describe,
}

impl Describable {
    /// Stage `S`.
    pub fn of<S: Stage>() -> Self {
        let names = |ports: &[&str]| ports.iter().map(|p| (*p).to_owned()).collect();
        Describable {
            info: KindInfo {
                kind: S::KIND.to_owned(),
                about: S::ABOUT.to_owned(),
                role: S::ROLE,
                inputs: names(S::PORTS.inputs),
                outputs: names(S::PORTS.outputs),
                program: S::PROGRAM,
                helper: S::HELPER,
                params_schema: schemars::schema_for!(S::Params).to_value(),
            },
            describe: |params, inputs| {
                let params: S::Params = serde_json::from_value(params.clone())
                    .map_err(|e| StageError::parameter("", e.to_string()))?;
                S::describe(&params, inputs)
            },
        }
    }

    /// The guard that has switch `G`.
    pub fn guard<G: OffSwitch>() -> Self {
        Describable {
            info: KindInfo {
                kind: G::KIND.to_owned(),
                about: G::ABOUT.to_owned(),
                role: Role::Stimulate,
                inputs: Vec::new(),
                outputs: Vec::new(),
                program: Program::Lean,
                helper: true,
                params_schema: schemars::schema_for!(G::Params).to_value(),
            },
            describe: |_, _| {
                Ok(Described {
                    state_bytes: size_of::<GuardState>(),
                    ..Described::default()
                })
            },
        }
    }
}

/// All describable kinds, for `rtconfig`.
pub struct Registry {
    kinds: Vec<KindInfo>,
    describe: Vec<(String, Describe)>,
}

impl Registry {
    /// From the lists of the crates that have stages.
    pub fn new(entries: impl IntoIterator<Item = Describable>) -> Self {
        let mut entries: Vec<Describable> = entries.into_iter().collect();
        entries.sort_by(|a, b| a.info.kind.cmp(&b.info.kind));
        Registry {
            describe: entries
                .iter()
                .map(|e| (e.info.kind.clone(), e.describe))
                .collect(),
            kinds: entries.into_iter().map(|e| e.info).collect(),
        }
    }
}

impl Catalogue for Registry {
    fn kinds(&self) -> &[KindInfo] {
        &self.kinds
    }

    fn describe(
        &self,
        kind: &str,
        params: &Value,
        inputs: &[(&str, &StreamType)],
    ) -> Result<Described, StageError> {
        let found = self.describe.iter().find(|(name, _)| name == kind);
        let (_, describe) =
            found.ok_or_else(|| StageError::resource(kind, "no such kind of stage"))?;
        describe(params, inputs)
    }
}
