//! Channels by their place, label, or a pattern of labels.

use crate::adapter::{Fault, labels};
use crate::graph::{Pick, Select};
use crate::problem::suggest;
use crate::stream_type::StreamType;

/// The channels of a selection, in the order written; those of one pattern in the order of the stream.
pub fn channels(select: &Select, before: &StreamType) -> Result<Vec<u32>, Fault> {
    let labels = labels(before);
    let names: Vec<&str> = labels.iter().map(String::as_str).collect();
    let mut chosen: Vec<u32> = Vec::new();
    for pick in &select.0 {
        let (found, written) = match pick {
            Pick::Index(index) => (by_index(*index, names.len())?, format!("{index}")),
            Pick::Name(name) => (by_name(name, &names)?, format!("`{name}`")),
        };
        for channel in found {
            if chosen.contains(&channel) {
                return Err(fault(
                    format!(
                        "channel {channel} (`{}`) is selected twice, the second time by {written}",
                        names[channel as usize]
                    ),
                    "name each channel once".to_owned(),
                ));
            }
            chosen.push(channel);
        }
    }
    if chosen.is_empty() {
        return Err(fault(
            "no channel is selected".to_owned(),
            "name one or more, or remove the key".to_owned(),
        ));
    }
    Ok(chosen)
}

fn fault(what: String, remedy: String) -> Fault {
    ("select", what, remedy)
}

fn by_index(index: u32, there: usize) -> Result<Vec<u32>, Fault> {
    if (index as usize) < there {
        return Ok(vec![index]);
    }
    Err(fault(
        format!("there is no channel {index}"),
        match there {
            0 => "the stream has none".to_owned(),
            there => format!("the stream has {there} channels, 0 to {}", there - 1),
        },
    ))
}

/// A label as it stands comes first: only what is no label is a pattern.
fn by_name(name: &str, labels: &[&str]) -> Result<Vec<u32>, Fault> {
    let find = |fits: &dyn Fn(&str) -> bool| -> Vec<u32> {
        (0_u32..)
            .zip(labels)
            .filter(|(_, label)| fits(label))
            .map(|(channel, _)| channel)
            .collect()
    };
    let exactly = find(&|label| label == name);
    if exactly.len() > 1 {
        return Err(fault(
            format!("{} channels are called `{name}`", exactly.len()),
            format!("select them by number: {}", listed(&exactly)),
        ));
    }
    if !exactly.is_empty() {
        return Ok(exactly);
    }
    let pattern = name.contains(['*', '?']);
    let matching = if pattern {
        find(&|label| fits(name, label))
    } else {
        Vec::new()
    };
    if matching.is_empty() {
        let what = if pattern {
            format!("no label fits `{name}`")
        } else {
            format!("no channel is called `{name}`")
        };
        // A long list helps nobody: an electrode array has hundreds.
        let shown = &labels[..labels.len().min(MOST_SHOWN)];
        let near = suggest(name, labels);
        let remedy = if near.starts_with("did you mean") || labels.len() <= MOST_SHOWN {
            near
        } else {
            format!(
                "labels are `{}` and {} more",
                shown.join("`, `"),
                labels.len() - MOST_SHOWN
            )
        };
        return Err(fault(what, remedy));
    }
    Ok(matching)
}

const MOST_SHOWN: usize = 8;

fn listed(channels: &[u32]) -> String {
    let numbers: Vec<String> = channels.iter().map(u32::to_string).collect();
    numbers.join(", ")
}

/// True if the label fits the pattern: `*` stands for any characters, `?` for one.
fn fits(pattern: &str, label: &str) -> bool {
    let (pattern, label): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), label.chars().collect());
    let (mut at, mut read) = (0, 0);
    // Where to take up again when the characters behind the newest `*` turn out not to fit.
    let mut star: Option<(usize, usize)> = None;
    while read < label.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, read));
                at += 1;
            }
            Some(c) if *c == '?' || *c == label[read] => {
                at += 1;
                read += 1;
            }
            _ => {
                let Some((starred, eaten)) = star else {
                    return false;
                };
                star = Some((starred, eaten + 1));
                (at, read) = (starred + 1, eaten + 1);
            }
        }
    }
    pattern[at..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream_type::{Dtype, Rate};

    fn array(labels: &[&str]) -> StreamType {
        let mut frames = StreamType::frames(
            Dtype::I32,
            20,
            labels.len() as u32,
            Rate::hz(20_000),
            "count",
        );
        frames.axes[1].labels = labels.iter().map(|label| (*label).to_owned()).collect();
        frames
    }

    fn name(text: &str) -> Pick {
        Pick::Name(text.to_owned())
    }

    fn select(picks: &[Pick], labels: &[&str]) -> Result<Vec<u32>, String> {
        channels(&Select(picks.to_vec()), &array(labels))
            .map_err(|(_, what, remedy)| format!("{what}; {remedy}"))
    }

    const LABELS: [&str; 6] = ["A1", "A2", "B1", "B2", "B10", "*"];

    #[test]
    fn numbers_labels_and_patterns_mix_in_the_order_written() {
        let picks = [Pick::Index(3), name("A2"), name("?1"), name("B1?")];
        assert_eq!(select(&picks, &LABELS), Ok(vec![3, 1, 0, 2, 4]));
        assert_eq!(select(&[name("B*")], &LABELS), Ok(vec![2, 3, 4]));
        assert_eq!(select(&[name("*1*")], &LABELS), Ok(vec![0, 2, 4]));
    }

    #[test]
    fn a_label_that_looks_like_a_pattern_is_the_label() {
        assert_eq!(select(&[name("*")], &LABELS), Ok(vec![5]));
        assert_eq!(select(&[name("**")], &LABELS), Ok(vec![0, 1, 2, 3, 4, 5]));
    }

    #[test]
    fn what_is_not_there_is_refused_with_what_is_near() {
        for (pick, words) in [
            (
                Pick::Index(6),
                "there is no channel 6; the stream has 6 channels, 0 to 5",
            ),
            (name("b2"), "no channel is called `b2`; did you mean `B2`?"),
            (name("C?"), "no label fits `C?`"),
        ] {
            let line = select(core::slice::from_ref(&pick), &LABELS).unwrap_err();
            assert!(line.contains(words), "{line}");
        }
        assert!(
            select(&[], &LABELS)
                .unwrap_err()
                .contains("no channel is selected")
        );
    }

    #[test]
    fn no_channel_comes_twice() {
        for picks in [
            vec![Pick::Index(2), name("B1")],
            vec![name("B*"), name("?1")],
            vec![Pick::Index(0), Pick::Index(0)],
        ] {
            let line = select(&picks, &LABELS).unwrap_err();
            assert!(line.contains("selected twice"), "{line}");
        }
        let line = select(&[name("X")], &["X", "Y", "X"]).unwrap_err();
        assert!(line.contains("select them by number: 0, 2"), "{line}");
    }
}
