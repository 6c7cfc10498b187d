//! A TimeStampStream (spikes) or an EventStream (events, marks): the times of records, an entity per channel, line or code.

use super::{describe, info, stream_group};
use crate::export::Stretch;
use ephapse_rtconfig::stream_type::{Dtype, StreamType};
use hdf5::{Dataset, Extent, Group};
use ndarray::ArrayView2;
use std::collections::BTreeMap;

/// Times kept before they are written.
const HELD: usize = 1 << 16;
/// Times in a chunk of an entity.
const CHUNK: usize = 1024;
/// More entities are a stream whose codes are no names.
const MOST_ENTITIES: usize = 4096;

/// What a record means here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// An entity per channel.
    Spike,
    /// An entity per line.
    Event,
    /// An entity per code.
    Mark,
}

impl Layout {
    /// That of a stream; `None` if its records are none of these.
    pub(super) fn of(stream_type: &StreamType) -> Option<Self> {
        let record = stream_type.record.as_ref()?;
        let (layout, time, entity) = match record.name.as_str() {
            "spike" => (Layout::Spike, "frame", "channel"),
            "event" => (Layout::Event, "time", "line"),
            "mark" => (Layout::Mark, "time", "code"),
            _ => return None,
        };
        let has = |name: &str, dtype, offset| {
            let mut fields = record.fields.iter();
            fields.any(|f| f.name == name && f.dtype == dtype && f.offset == offset)
        };
        (has(time, Dtype::U64, 0) && has(entity, Dtype::U32, 8)).then_some(layout)
    }
}

struct Entity {
    dataset: Dataset,
    written: usize,
    held: Vec<i64>,
}

pub(super) struct Times {
    group: Group,
    layout: Layout,
    labels: Vec<String>,
    record_bytes: usize,
    tick_us: i64,
    entities: BTreeMap<u32, Entity>,
    held: usize,
    records: u64,
}

impl Times {
    pub(super) fn create(
        recording: &Group,
        number: usize,
        label: &str,
        guid: &str,
        stream_type: &StreamType,
        tick_us: i64,
    ) -> hdf5::Result<Self> {
        let layout = Layout::of(stream_type)
            .ok_or_else(|| hdf5::Error::from("these records have no place in the layout"))?;
        let (kind, sub_type) = match layout {
            Layout::Spike => ("TimeStampStream", "SpikeTimeStamp"),
            Layout::Event => ("EventStream", "DigitalInput"),
            Layout::Mark => ("EventStream", "UserData"),
        };
        let group = stream_group(recording, kind, number)?;
        describe(
            &group,
            label,
            kind.trim_end_matches("Stream"),
            sub_type,
            guid,
        )?;
        let labels = stream_type.axes.iter().find(|a| a.name == "channel");
        let labels: Vec<String> = match labels {
            Some(axis) => (0..axis.length as usize)
                .map(|channel| stream_type.channel_label(channel))
                .collect(),
            None => Vec::new(),
        };
        let mut times = Times {
            group,
            layout,
            record_bytes: stream_type.row_bytes(),
            tick_us,
            entities: BTreeMap::new(),
            held: 0,
            records: 0,
            labels,
        };
        // A channel that stays silent is a channel all the same.
        for channel in 0..times.labels.len().min(MOST_ENTITIES) {
            times.entity(channel as u32)?;
        }
        Ok(times)
    }

    pub(super) fn is_like(&self, layout: Option<Layout>) -> bool {
        (self.layout == Layout::Spike) == (layout == Some(Layout::Spike))
    }

    fn entity(&mut self, id: u32) -> hdf5::Result<&mut Entity> {
        if !self.entities.contains_key(&id) {
            if self.entities.len() == MOST_ENTITIES {
                return Err(hdf5::Error::from(format!(
                    "its records have more than {MOST_ENTITIES} channels, lines or codes"
                )));
            }
            let (name, rows) = match self.layout {
                Layout::Spike => (format!("TimeStampEntity_{id}"), 1),
                Layout::Event | Layout::Mark => (format!("EventEntity_{id}"), 2),
            };
            let dataset = self
                .group
                .new_dataset::<i64>()
                .chunk((rows, CHUNK))
                .shape((Extent::fixed(rows), Extent::resizable(0)))
                .create(name.as_str())?;
            let entity = Entity {
                dataset,
                written: 0,
                held: Vec::new(),
            };
            self.entities.insert(id, entity);
        }
        let entity = self.entities.get_mut(&id);
        entity.ok_or_else(|| hdf5::Error::from(format!("entity {id} was not made")))
    }

    /// Appends records; returns the time of the last, us.
    pub(super) fn push(&mut self, stretch: &Stretch<'_>) -> hdf5::Result<i64> {
        let mut last_us = 0;
        for record in stretch.rows.chunks_exact(self.record_bytes.max(1)) {
            let Some((frame, rest)) = record.split_first_chunk::<8>() else {
                continue;
            };
            let Some(id) = rest.first_chunk::<4>() else {
                continue;
            };
            let frame = i64::try_from(u64::from_le_bytes(*frame)).ok();
            let time_us = frame.and_then(|frame| frame.checked_mul(self.tick_us));
            let time_us = time_us.ok_or_else(|| {
                hdf5::Error::from("a time does not fit in 64 bits of microseconds")
            })?;
            self.entity(u32::from_le_bytes(*id))?.held.push(time_us);
            last_us = last_us.max(time_us);
            self.held += 1;
            self.records += 1;
        }
        if self.held >= HELD {
            self.write()?;
        }
        Ok(last_us)
    }

    fn write(&mut self) -> hdf5::Result<()> {
        for entity in self.entities.values_mut().filter(|e| !e.held.is_empty()) {
            let new = entity.held.len();
            let until = entity.written + new;
            let rows = entity.dataset.shape().first().copied().unwrap_or(1);
            entity.dataset.resize((rows, until))?;
            // The second row of events is how long they last: these are instants.
            entity.held.resize(rows * new, 0);
            let view = ArrayView2::from_shape((rows, new), &entity.held)
                .map_err(|error| hdf5::Error::from(error.to_string()))?;
            entity
                .dataset
                .write_slice(view, (.., entity.written..until))?;
            entity.written = until;
            entity.held.clear();
        }
        self.held = 0;
        Ok(())
    }

    /// Writes what is left; returns the records.
    pub(super) fn finish(&mut self) -> hdf5::Result<u64> {
        self.write()?;
        let label = |id: u32| match (self.layout, self.labels.get(id as usize)) {
            (Layout::Spike, Some(label)) => label.clone(),
            (Layout::Spike, None) => (u64::from(id) + 1).to_string(),
            (Layout::Event, _) => format!("line {id}"),
            (Layout::Mark, _) => format!("code {id}"),
        };
        let rows: Vec<(u32, String)> = self.entities.keys().map(|id| (*id, label(*id))).collect();
        match self.layout {
            Layout::Spike => info::time_stamps(&self.group, &rows)?,
            Layout::Event | Layout::Mark => info::events(&self.group, &rows)?,
        }
        Ok(self.records)
    }
}
