//! The `[on]` table: what the launcher runs when something has happened.

use schemars::JsonSchema;
use serde::Deserialize;

/// Commands that the launcher runs when something has happened, each as a list of program and arguments, e.g.
/// `fault = ["./mail-report.sh", "lab@example.org"]`. A program with a `/` in it counts from the folder of the file it stands
/// in, any other is looked for in PATH; there is no shell.
///
/// A command finds the report so far on its standard input, as one JSON object: `format` (`ephapse-so-far 1`), `on`, `cause`
/// (one line), `at_ns` after the start, `session`, `state`, `elapsed_ns`, `tick`, `ended_by`, and with the keys of `report.json`:
/// `faults`, `restarts`, `rt`, `ticks`, `rings`, `edges`, `sources`, `budgets`, `experiment`. While the session runs the
/// accounts are read one after another and need not balance yet; at the end they do, and say `holds`. Its environment has
/// `EPHAPSE_ON` (`fault`, `threshold` or `end`), `EPHAPSE_SESSION` and `EPHAPSE_CAUSE`; what it writes stands in the log of the
/// session as that of `on.fault`, `on.threshold` or `on.end`. It runs at normal priority in a process group of its own, beside the session; after 10 s it
/// is killed. How it ended is an event, and stands in the report.
///
/// Each cause is told once, and of one kind at most one command is started per minute: what happens within the minute is told
/// together when it is over, or stands in the report that `end` is given. Nothing is run for a session that does not come to
/// run, or whose launcher is killed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OnKeys {
    /// Run when something went wrong that makes the run `failed`: a process died for good, an account may be broken.
    #[serde(default)]
    pub fault: Option<Vec<String>>,
    /// Run when a stage first breaks its `budget_ns`: the run can no longer end better than with exit code 2.
    #[serde(default)]
    pub threshold: Option<Vec<String>>,
    /// Run once when the session has ended, however that went. The launcher waits for it, at most those 10 s.
    #[serde(default)]
    pub end: Option<Vec<String>>,
}
