//! Which rows and channels of a stream are shown.

use anyhow::bail;
use ephapse_engine::abi::SlotHeader;
use ephapse_rtconfig::stream_type::{Kind, StreamType};

/// A choice of channels.
#[derive(Debug)]
pub struct Columns {
    /// Elements of a frame, in the order in which they are shown.
    pub elements: Vec<usize>,
    /// Lengths of the axes behind time, of what is shown.
    pub shape: Vec<usize>,
    /// Heads of the columns, one per element.
    pub labels: Vec<String>,
    /// The channels were named, so that none may be left out.
    pub chosen: bool,
}

/// A choice of rows.
#[derive(Debug)]
pub struct Rows {
    every: u64,
    left: Option<u64>,
}

impl Columns {
    /// These channels; all of them if none is named.
    ///
    /// # Errors
    /// A channel that is not there, is named twice, or a stream without channels.
    pub fn new(
        stream: &str,
        stream_type: &StreamType,
        channels: &[String],
    ) -> anyhow::Result<Self> {
        let axes = stream_type.axes.get(1..).unwrap_or_default();
        let axes = if stream_type.kind == Kind::Frames {
            axes
        } else {
            &[]
        };
        let at = axes.iter().position(|a| a.name == "channel").unwrap_or(0);
        let mut picked: Vec<Vec<usize>> = axes
            .iter()
            .map(|axis| (0..axis.length as usize).collect())
            .collect();
        if !channels.is_empty() {
            let Some(axis) = axes.get(at) else {
                bail!(
                    "stream `{stream}` has no channels to choose from: it carries {}",
                    stream_type.summary()
                );
            };
            picked[at].clear();
            for name in channels {
                let by_label = axis.labels.iter().position(|label| label == name);
                let by_number = || {
                    let number: usize = name.parse().ok()?;
                    (number < axis.length as usize).then_some(number)
                };
                let Some(index) = by_label.or_else(by_number) else {
                    bail!(
                        "stream `{stream}` has no channel `{name}`: give a label ({}) or a number from 0 to {}",
                        some_labels(stream_type),
                        axis.length.saturating_sub(1)
                    );
                };
                if picked[at].contains(&index) {
                    bail!("channel `{name}` of stream `{stream}` is chosen twice");
                }
                picked[at].push(index);
            }
        }
        let mut elements = vec![0];
        let mut labels = vec![String::new()];
        for (position, (axis, picked)) in axes.iter().zip(&picked).enumerate() {
            let times = |element: usize| element * axis.length as usize;
            elements = elements
                .iter()
                .flat_map(|e| picked.iter().map(move |p| times(*e) + p))
                .collect();
            let name = |index: usize| match axis.labels.get(index) {
                Some(label) => label.clone(),
                None if position == at => stream_type.channel_label(index),
                None => index.to_string(),
            };
            labels = labels
                .iter()
                .flat_map(|before| {
                    picked.iter().map(move |p| {
                        let join = if before.is_empty() { "" } else { "," };
                        format!("{before}{join}{}", name(*p))
                    })
                })
                .collect();
        }
        Ok(Columns {
            elements,
            shape: picked.iter().map(Vec::len).collect(),
            labels,
            chosen: !channels.is_empty(),
        })
    }
}

impl Rows {
    /// Every `every`-th row, `most` at most.
    pub fn new(every: u64, most: Option<u64>) -> Self {
        Rows {
            every: every.max(1),
            left: most,
        }
    }

    /// The rows of a block that are shown: those whose number in the stream is a multiple of `every`, whatever the blocks'
    /// borders, until the limit is reached.
    pub fn of(&mut self, header: &SlotHeader) -> Vec<usize> {
        let due = (0..u64::from(header.valid))
            .filter(|row| (header.first_frame.wrapping_add(*row)).is_multiple_of(self.every));
        let limit = self.left.unwrap_or(u64::MAX);
        let rows: Vec<usize> = due
            .take(usize::try_from(limit).unwrap_or(usize::MAX))
            .map(|row| row as usize)
            .collect();
        if let Some(left) = &mut self.left {
            *left -= rows.len() as u64;
        }
        rows
    }

    /// The limit is reached.
    pub fn is_done(&self) -> bool {
        self.left == Some(0)
    }
}

fn some_labels(stream_type: &StreamType) -> String {
    let channels = stream_type.channels();
    let mut labels: Vec<String> = (0..channels.min(4))
        .map(|c| stream_type.channel_label(c))
        .collect();
    if channels > 4 {
        labels.push("...".to_owned());
    }
    labels.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ephapse_rtconfig::stream_type::{Axis, Dtype, Rate, spike_layout};

    fn labelled() -> StreamType {
        let mut raw = StreamType::frames(Dtype::I16, 20, 4, Rate::hz(1000), "uV");
        raw.axes[1].labels = ["A1", "A2", "B1", "0"].map(str::to_owned).to_vec();
        raw
    }

    fn choose(stream_type: &StreamType, channels: &[&str]) -> anyhow::Result<Columns> {
        let channels: Vec<String> = channels.iter().map(|c| (*c).to_owned()).collect();
        Columns::new("raw", stream_type, &channels)
    }

    #[test]
    fn channels_are_meant_by_label_first_and_else_by_number() {
        let chosen = choose(&labelled(), &["B1", "1", "0"]).unwrap();
        assert_eq!(chosen.elements, [2, 1, 3]);
        assert_eq!(chosen.labels, ["B1", "A2", "0"]);
        assert_eq!(chosen.shape, [3]);
        let all = choose(&labelled(), &[]).unwrap();
        assert_eq!(all.elements, [0, 1, 2, 3]);
    }

    #[test]
    fn wrong_channels_are_refused_with_what_there_is() {
        let told = |channels: &[&str]| choose(&labelled(), channels).unwrap_err().to_string();
        assert_eq!(
            told(&["C1"]),
            "stream `raw` has no channel `C1`: give a label (A1, A2, B1, 0) or a number from 0 to 3"
        );
        assert_eq!(
            told(&["A1", "A1"]),
            "channel `A1` of stream `raw` is chosen twice"
        );
        let spikes = StreamType::records(spike_layout("uV"), 256);
        assert_eq!(
            choose(&spikes, &["0"]).unwrap_err().to_string(),
            "stream `raw` has no channels to choose from: it carries spike records, up to 256 a block"
        );
    }

    #[test]
    fn a_channel_of_more_than_one_axis_keeps_the_others_whole() {
        let mut spectrum = StreamType::frames(Dtype::F64, 1, 2, Rate::hz(10), "");
        spectrum.axes.push(Axis::new("frequency", 3));
        let chosen = choose(&spectrum, &["2"]).unwrap();
        assert_eq!(chosen.elements, [3, 4, 5]);
        assert_eq!(chosen.labels, ["2,0", "2,1", "2,2"]);
        assert_eq!(chosen.shape, [1, 3]);
    }

    #[test]
    fn every_nth_frame_is_counted_over_blocks_and_gaps_until_the_limit() {
        let mut chosen = Rows::new(8, Some(4));
        let block = |first_frame| SlotHeader {
            first_frame,
            valid: 20,
            ..SlotHeader::default()
        };
        assert_eq!(chosen.of(&block(0)), [0, 8, 16]);
        assert!(!chosen.is_done());
        assert_eq!(chosen.of(&block(60)), [4]);
        assert!(chosen.is_done());
    }
}
