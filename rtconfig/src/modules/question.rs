//! What `command... --ephapse-describe` is asked and answers, as JSON on its stdin and stdout.

use crate::describe::{DescribeError, Described};
use crate::stream_type::StreamType;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Last argument of a command that is asked to describe itself.
pub const DESCRIBE_ARGUMENT: &str = "--ephapse-describe";

/// What it is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Question {
    /// Parameters, defaults filled in.
    pub params: Value,
    /// Types of the connected inputs, behind their adapters, in port order.
    pub inputs: Vec<QuestionInput>,
}

/// One input of a [`Question`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QuestionInput {
    /// Port.
    pub port: String,
    /// Type of its stream.
    #[serde(rename = "type")]
    pub stream_type: StreamType,
}

/// What it answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Answer {
    /// It cannot work with these.
    Refused {
        /// Which parameter or input, and why.
        error: DescribeError,
    },
    /// What it is.
    Described(Described),
}
