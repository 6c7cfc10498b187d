//! Which analog stream of a file is meant.

use crate::acquire::hdf5_file::text_attribute;
use ephapse_engine::stage::StageError;
use hdf5::{File, Group};
use std::path::Path;

/// An analog stream of the file and its names.
pub(super) struct Candidate {
    pub group: Group,
    /// `Recording_0/Stream_1`.
    pub place: String,
    label: String,
    sub_type: String,
}

/// Finds the stream that `wanted` names, or the raw electrode stream.
///
/// A name is compared with labels, group names and data types, without regard to case; if nothing is equal, with parts
/// of labels and data types. A number is the index in the file's order.
///
/// # Errors
/// `Resource` if the file has no analog stream, `Parameter` if none or several fit; both say what there is.
pub(super) fn find(
    file: &File,
    path: &Path,
    wanted: Option<&str>,
) -> Result<Candidate, StageError> {
    let mut all = candidates(file);
    if all.is_empty() {
        return Err(StageError::resource(
            path.display().to_string(),
            "has no /Data/Recording_*/AnalogStream/Stream_*: not a Multi Channel Systems recording, or one without analog data",
        ));
    }
    let picked = match wanted.map(str::trim).filter(|w| !w.is_empty()) {
        None => electrodes(&all).ok_or("none is known as the electrodes"),
        Some(wanted) => match wanted.parse::<usize>() {
            Ok(index) if index < all.len() => Ok(index),
            Ok(_) => Err("no stream has this index"),
            Err(_) => named(&all, wanted),
        },
    };
    let list = listing(&all);
    picked.map(|index| all.swap_remove(index)).map_err(|why| {
        let wanted = wanted.map_or_else(|| "is not given".to_owned(), |w| format!("`{w}`"));
        StageError::parameter(
            "stream",
            format!("{wanted}: {why}; {} has {list}", path.display()),
        )
    })
}

fn candidates(file: &File) -> Vec<Candidate> {
    let mut all = Vec::new();
    let Ok(data) = file.group("Data") else {
        return all;
    };
    for recording in numbered(&data, "Recording_") {
        let Ok(streams) = data.group(&format!("{recording}/AnalogStream")) else {
            continue;
        };
        for stream in numbered(&streams, "Stream_") {
            let Ok(group) = streams.group(&stream) else {
                continue;
            };
            all.push(Candidate {
                place: format!("{recording}/{stream}"),
                label: text_attribute(&group, "Label").unwrap_or_default(),
                sub_type: text_attribute(&group, "DataSubType").unwrap_or_default(),
                group,
            });
        }
    }
    all
}

/// Members `prefix<number>` by number: `Stream_10` stands behind `Stream_9`.
fn numbered(group: &Group, prefix: &str) -> Vec<String> {
    let mut names: Vec<(u64, String)> = group
        .member_names()
        .unwrap_or_default()
        .into_iter()
        .filter_map(|name| Some((name.strip_prefix(prefix)?.parse().ok()?, name)))
        .collect();
    names.sort();
    names.into_iter().map(|(_, name)| name).collect()
}

fn electrodes(all: &[Candidate]) -> Option<usize> {
    let holding = |what: &str| {
        all.iter()
            .position(|c| c.label.contains(what) || c.sub_type.contains(what))
    };
    holding("Electrode Raw Data")
        .or_else(|| holding("Electrode"))
        .or((all.len() == 1).then_some(0))
}

fn named(all: &[Candidate], wanted: &str) -> Result<usize, &'static str> {
    let wanted = wanted.to_lowercase();
    let stream = |c: &Candidate| {
        c.place
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .to_lowercase()
    };
    let tests: [&dyn Fn(&Candidate) -> bool; 6] = [
        &|c| c.label.to_lowercase() == wanted,
        &|c| c.place.to_lowercase() == wanted,
        &|c| stream(c) == wanted,
        &|c| c.sub_type.to_lowercase() == wanted,
        &|c| c.label.to_lowercase().contains(&wanted),
        &|c| c.sub_type.to_lowercase().contains(&wanted),
    ];
    for test in tests {
        let hits: Vec<usize> = (0..all.len()).filter(|&i| test(&all[i])).collect();
        match hits.as_slice() {
            [] => {}
            [index] => return Ok(*index),
            _ => return Err("several fit"),
        }
    }
    Err("none has this label, data type or group name")
}

/// `0: Recording_0/Stream_0 "Electrode Raw Data" (Electrode), 1: ...`.
fn listing(all: &[Candidate]) -> String {
    all.iter()
        .enumerate()
        .map(|(i, c)| format!("{i}: {} \"{}\" ({})", c.place, c.label, c.sub_type))
        .collect::<Vec<_>>()
        .join(", ")
}
