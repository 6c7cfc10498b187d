//! What an output port of a manifest makes.

use super::record::RecordKeys;
use crate::stream_type::{Axis, Dtype, Kind, Rate, StreamType};
use schemars::JsonSchema;
use serde::Deserialize;

/// Most channels that are given labels of ours; beyond any array.
const MOST_LABELS: u32 = 65_536;

/// What an output port makes: as an input with some things replaced, or everything said here.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OutputPort {
    /// Input port whose stream's type this is, but for the keys below.
    #[serde(default)]
    pub like: Option<String>,
    /// What the blocks hold: `frames`, `records` or `bytes`; default `like`'s, else records with `record`, else frames.
    #[serde(default)]
    pub kind: Option<Kind>,
    /// Number format of frames.
    #[serde(default)]
    pub dtype: Option<Dtype>,
    /// Frames, records or bytes in a block, at most.
    #[serde(default)]
    pub frames: Option<u32>,
    /// Channels; of records, how many their `channel` fields speak of. Labels are the input's if it has as many, else 1, 2, ...
    #[serde(default)]
    pub channels: Option<u32>,
    /// All axes, time first, instead of `channels`: up to 4.
    #[serde(default)]
    pub axes: Option<Vec<AxisKeys>>,
    /// Frames per second; for records that of the frames they count. Default `like`'s, else none.
    #[serde(default)]
    pub rate_hz: Option<f64>,
    /// Unit of the numbers (of spikes: of their amplitude), at most 15 bytes.
    #[serde(default)]
    pub unit: Option<String>,
    /// Layout of records: a standard one by its name, or { name, fields }.
    #[serde(default)]
    pub record: Option<RecordKeys>,
}

/// One axis of an output.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AxisKeys {
    /// `time`, `channel`, `frequency`, `row`, `column`, or a name of your own; at most 15 bytes.
    pub name: String,
    /// Elements; default those of `like`'s axis of that name, for `time` also `frames`.
    #[serde(default)]
    pub length: Option<u32>,
    /// Unit of the axis, at most 15 bytes; default that of `like`'s axis of that name, else none.
    #[serde(default)]
    pub unit: Option<String>,
    /// One label per element; default those of `like`'s axis of that name if it is as long, else none.
    #[serde(default)]
    pub labels: Option<Vec<String>>,
}

impl OutputPort {
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
        let records = self.record.is_some() || self.kind.is_some_and(|kind| kind != Kind::Frames);
        for (key, given) in [
            ("dtype", self.dtype.is_some()),
            ("axes", self.axes.is_some()),
        ] {
            if records && given {
                return Some((
                    key,
                    "records and bytes have no number format and no shape".to_owned(),
                    "remove the key",
                ));
            }
        }
        if self.axes.is_some() && self.channels.is_some() {
            return Some((
                "channels",
                "`axes` says it already".to_owned(),
                "remove one of the two",
            ));
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

    /// The type, from that of the input it is like. Whether it keeps the rules of all types is not judged here.
    ///
    /// # Errors
    /// The key that is missing, and why.
    pub fn stream_type(
        &self,
        like: Option<&StreamType>,
    ) -> Result<StreamType, (&'static str, String)> {
        let kind = self
            .kind
            .or(self.record.as_ref().map(|_| Kind::Records))
            .or(like.map(|like| like.kind))
            .unwrap_or(Kind::Frames);
        let mut made = match like {
            Some(like) if like.kind == kind => like.clone(),
            other => reshaped(kind, other),
        };
        if kind == Kind::Frames {
            match (self.dtype, like) {
                (Some(dtype), _) => made.dtype = dtype,
                (None, Some(like)) if like.kind == kind => {}
                _ => return Err(("dtype", "frames have a number format".to_owned())),
            }
        }
        if let Some(axes) = &self.axes {
            made.axes = axes
                .iter()
                .map(|axis| axis.axis(like, self.frames))
                .collect::<Result<_, _>>()?;
        }
        if let Some(frames) = self.frames
            && let Some(time) = made.axes.first_mut()
        {
            time.length = frames;
        }
        if made.frames_per_block() == 0 && self.frames.is_none() && self.axes.is_none() {
            return Err(("frames", "nothing says how many fit in a block".to_owned()));
        }
        if let Some(channels) = self.channels {
            set_channels(&mut made, channels);
        } else if kind == Kind::Frames && self.axes.is_none() && made.axes.len() < 2 {
            return Err(("channels", "nothing says how many there are".to_owned()));
        }
        forget_lost_channels(&mut made);
        if let Some(rate) = self.rate_hz {
            made.rate = Rate::from_f64(rate).unwrap_or(Rate::NONE);
        }
        let unit = self.unit.as_deref();
        if let Some(unit) = unit.filter(|unit| kind == Kind::Frames && *unit != made.unit) {
            // Scale and offset lead from the old unit to SI, not from this one.
            unit.clone_into(&mut made.unit);
            made.si_unit.clear();
            made.scale.clear();
            made.offset.clear();
        }
        if kind == Kind::Records {
            let inherited = like.map_or("", |like| like.unit.as_str());
            if let Some(record) = &self.record {
                made.record = Some(record.layout(unit.unwrap_or(inherited)));
            }
            if made.record.is_none() {
                return Err(("record", "records have a layout".to_owned()));
            }
        }
        Ok(made)
    }
}

impl AxisKeys {
    fn axis(
        &self,
        like: Option<&StreamType>,
        frames: Option<u32>,
    ) -> Result<Axis, (&'static str, String)> {
        let same = like.and_then(|like| like.axes.iter().find(|axis| axis.name == self.name));
        let own = self.length.or(frames.filter(|_| self.name == "time"));
        let length = own.or(same.map(|axis| axis.length)).ok_or_else(|| {
            (
                "axes",
                format!("nothing says how long the axis `{}` is", self.name),
            )
        })?;
        let labels = match (&self.labels, same) {
            (Some(labels), _) => labels.clone(),
            (None, Some(same)) if same.length == length => same.labels.clone(),
            (None, _) => Vec::new(),
        };
        let inherited = same.map(|axis| axis.unit.clone()).unwrap_or_default();
        Ok(Axis {
            name: self.name.clone(),
            length,
            unit: self.unit.clone().unwrap_or(inherited),
            labels,
        })
    }
}

/// A type of another kind on the same time base and, if there are any, of the same channels.
fn reshaped(kind: Kind, like: Option<&StreamType>) -> StreamType {
    let mut axes = vec![Axis::new(
        "time",
        like.map_or(0, StreamType::frames_per_block),
    )];
    let channel =
        like.and_then(|like| like.axes.iter().skip(1).find(|axis| axis.name == "channel"));
    axes.extend(channel.cloned());
    StreamType {
        kind,
        dtype: Dtype::U8,
        axes,
        rate: like.map_or(Rate::NONE, |like| like.rate),
        unit: String::new(),
        si_unit: String::new(),
        scale: Vec::new(),
        offset: Vec::new(),
        record: None,
        positions_um: like.map_or_else(Vec::new, |like| like.positions_um.clone()),
    }
}

fn set_channels(made: &mut StreamType, channels: u32) {
    let at = made
        .axes
        .iter()
        .skip(1)
        .position(|axis| axis.name == "channel");
    let axis = match at {
        Some(at) => &mut made.axes[at + 1],
        None => {
            // Other axes stay behind it: `time x frequency` becomes `time x channel x frequency`.
            made.axes.insert(1, Axis::new("channel", 0));
            &mut made.axes[1]
        }
    };
    if axis.length != channels {
        axis.length = channels;
        // A number that no array has is refused later, by its size; labels are not made for it.
        axis.labels = if channels <= MOST_LABELS {
            (1..=channels).map(|channel| channel.to_string()).collect()
        } else {
            Vec::new()
        };
    }
}

/// Tables per channel end with the channels they were about.
fn forget_lost_channels(made: &mut StreamType) {
    let channels = made.channels();
    if made.scale.len() != channels {
        made.scale.clear();
    }
    if made.offset.len() != channels {
        made.offset.clear();
    }
    if made.positions_um.len() != channels {
        made.positions_um.clear();
    }
}
