//! From the keys of an input to its edge adapters, in the order in which they work.

mod select;

use crate::adapter::{Fault, behind};
use crate::graph::InputTable;
use crate::plan::{Adapter, Merged};
use crate::stream_type::StreamType;

/// The adapters of an input whose streams have these types, and the type behind them. A stream whose type is not known
/// (offline) leaves the type behind unknown, and out what depends on it.
pub fn of(
    input: &InputTable,
    types: &[Option<StreamType>],
) -> Result<(Vec<Adapter>, Option<StreamType>), Fault> {
    let mut behind_all = types.first().cloned().flatten();
    let mut adapters = Vec::new();
    let mut add = |adapter: Adapter, before: &mut Option<StreamType>| -> Result<(), Fault> {
        *before = before.take().map(|t| behind(&adapter, t)).transpose()?;
        adapters.push(adapter);
        Ok(())
    };
    if let Some(names) = &input.merge {
        let merged: Option<Vec<Merged>> = names
            .iter()
            .zip(types)
            .map(|(stream, stream_type)| {
                Some(Merged {
                    stream: stream.clone(),
                    stream_type: stream_type.clone()?,
                })
            })
            .collect();
        match merged {
            Some(merged) => add(Adapter::Merge(merged), &mut behind_all)?,
            None => behind_all = None,
        }
    }
    if let (Some(picks), Some(before)) = (&input.select, &behind_all) {
        // What is not frames is refused before its channels are looked for.
        behind(&Adapter::Select(Vec::new()), before.clone())?;
        let channels = select::channels(picks, before)?;
        add(Adapter::Select(channels), &mut behind_all)?;
    }
    if let (Some(scale), Some(before)) = (&input.scale, &behind_all) {
        let unit = scale.unit.clone().unwrap_or_else(|| before.si_unit.clone());
        add(Adapter::Scale(unit), &mut behind_all)?;
    }
    if let Some(factor) = input.decimate {
        add(Adapter::Decimate(factor), &mut behind_all)?;
    }
    if let Some(dtype) = input.cast {
        add(Adapter::Cast(dtype), &mut behind_all)?;
    }
    if let Some(window) = input.window {
        let step = window.step.unwrap_or(window.n);
        add(Adapter::Window { n: window.n, step }, &mut behind_all)?;
    }
    Ok((adapters, behind_all))
}

/// Keys of adapters that keep something from block to block: they follow the pacing input alone.
pub fn keeping(input: &InputTable) -> impl Iterator<Item = &'static str> {
    [
        ("merge", input.merge.is_some()),
        ("decimate", input.decimate.is_some()),
        ("window", input.window.is_some()),
    ]
    .into_iter()
    .filter_map(|(key, there)| there.then_some(key))
}
