//! What an input port of a manifest lets pass.

use super::record::RecordKeys;
use super::words::{AnyOf, either};
use crate::stream_type::{Dtype, Kind, Rate, StreamType};
use schemars::JsonSchema;
use serde::Deserialize;

/// What the streams on an input port must be. What is not said is not checked.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InputPort {
    /// What the blocks hold: `frames`, `records` or `bytes`.
    #[serde(default)]
    pub kind: Option<Kind>,
    /// Number format of frames: one, or a list of those that will do.
    #[serde(default)]
    pub dtype: Option<AnyOf<Dtype>>,
    /// Number of axes, time included: 1 to 4.
    #[serde(default)]
    pub rank: Option<u32>,
    /// Names of the axes, time first, as `["time", "channel", "frequency"]`.
    #[serde(default)]
    pub axes: Option<Vec<String>>,
    /// Frames in a block.
    #[serde(default)]
    pub frames: Option<u32>,
    /// Channels.
    #[serde(default)]
    pub channels: Option<u32>,
    /// Frames per second, within a millionth.
    #[serde(default)]
    pub rate_hz: Option<f64>,
    /// Unit of the numbers (of spikes: of their amplitude): one, or a list of those that will do. `""` is no unit.
    #[serde(default)]
    pub unit: Option<AnyOf<String>>,
    /// Layout of records: a standard one by its name, or { name, fields }.
    #[serde(default)]
    pub record: Option<RecordKeys>,
}

impl InputPort {
    /// Key, what is wrong, and what to do, if the keys contradict themselves.
    pub fn fault(&self) -> Option<(&'static str, String, &'static str)> {
        if let Some(record) = &self.record {
            if let Some((what, remedy)) = record.fault() {
                return Some(("record", what, remedy));
            }
            if self.kind.is_some_and(|kind| kind != Kind::Records) {
                return Some((
                    "kind",
                    "only records have a record layout".to_owned(),
                    "write kind = \"records\"",
                ));
            }
        }
        if self.kind().is_some_and(|kind| kind != Kind::Frames) {
            let given = [
                ("dtype", self.dtype.is_some()),
                ("rank", self.rank.is_some()),
                ("axes", self.axes.is_some()),
            ];
            if let Some((key, _)) = given.into_iter().find(|(_, given)| *given) {
                return Some((
                    key,
                    "records and bytes have no number format and no shape".to_owned(),
                    "remove the key",
                ));
            }
        }
        if let Some(rank) = self.rank.filter(|rank| !(1..=4).contains(rank)) {
            return Some(("rank", format!("there is no rank {rank}"), "choose 1 to 4"));
        }
        if let Some(axes) = &self.axes {
            if axes.first().is_none_or(|first| first != "time") || axes.len() > 4 {
                return Some((
                    "axes",
                    "a stream has 1 to 4 axes, `time` first".to_owned(),
                    "write them as [\"time\", \"channel\"]",
                ));
            }
            if self.rank.is_some_and(|rank| rank as usize != axes.len()) {
                return Some((
                    "rank",
                    format!("there are {} axes", axes.len()),
                    "remove the key",
                ));
            }
        }
        let rate = self.rate_hz.filter(|rate| Rate::from_f64(*rate).is_none());
        rate.map(|rate| {
            (
                "rate_hz",
                format!("{rate} is not a rate"),
                "write frames per second, above 0",
            )
        })
    }

    fn kind(&self) -> Option<Kind> {
        self.kind.or(self.record.as_ref().map(|_| Kind::Records))
    }

    /// Why a stream cannot be read here, and what can be done in the graph.
    pub fn refusal(&self, stream: &StreamType) -> Option<String> {
        let is = stream.summary();
        let needs =
            |what: String, remedy: &str| Some(format!("{is}, but the port needs {what}; {remedy}"));
        if let Some(kind) = self.kind().filter(|kind| *kind != stream.kind) {
            let kind = match kind {
                Kind::Frames => "frames",
                Kind::Records => "records",
                Kind::Bytes => "bytes",
            };
            return needs(kind.to_owned(), "connect another stream");
        }
        if let Some(record) = &self.record
            && !stream
                .record
                .as_ref()
                .is_some_and(|made| record.accepts(made))
        {
            let name = record.layout("").name;
            return needs(format!("`{name}` records"), "connect another stream");
        }
        if let Some(dtype) = &self.dtype
            && !dtype.has(&stream.dtype)
        {
            let names: Vec<&str> = dtype.0.iter().map(|dtype| dtype.name()).collect();
            let remedy = format!(
                "add cast = \"{}\" to the input",
                names.last().unwrap_or(&"")
            );
            return needs(either(&names), &remedy);
        }
        if let Some(rank) = self.rank.filter(|rank| *rank as usize != stream.axes.len()) {
            return needs(format!("{rank} axes"), "connect another stream");
        }
        if let Some(axes) = &self.axes
            && !axes.iter().eq(stream.axes.iter().map(|axis| &axis.name))
        {
            return needs(axes.join(" x "), "connect another stream");
        }
        if let Some(frames) = self.frames.filter(|n| *n != stream.frames_per_block()) {
            let remedy = match stream.kind {
                Kind::Frames => format!("add window = {{ n = {frames} }} to the input"),
                Kind::Records | Kind::Bytes => "connect another stream".to_owned(),
            };
            return needs(format!("blocks of {frames}"), &remedy);
        }
        if let Some(channels) = self.channels.filter(|n| *n as usize != stream.channels()) {
            return needs(format!("{channels} channels"), "connect another stream");
        }
        let far = |rate: &f64| (stream.rate.as_f64() - rate).abs() > rate * 1e-6;
        if let Some(rate) = self.rate_hz.filter(far) {
            return needs(format!("{rate} Hz"), "connect another stream");
        }
        let made = unit_of(stream);
        if let Some(unit) = &self.unit
            && !unit.has(&made)
        {
            let names: Vec<&str> = unit.0.iter().map(String::as_str).collect();
            let remedy = "connect a stream of that unit (filters make uV of volts)";
            return Some(format!(
                "{is}, in `{made}`, but the port needs the unit {}; {remedy}",
                either(&names)
            ));
        }
        None
    }
}

/// Unit of the numbers a reader looks at: a spike's amplitude has one in its field.
fn unit_of(stream: &StreamType) -> String {
    let amplitude = stream
        .record
        .as_ref()
        .and_then(|record| record.fields.iter().find(|field| field.name == "amplitude"));
    amplitude.map_or_else(|| stream.unit.clone(), |field| field.unit.clone())
}
