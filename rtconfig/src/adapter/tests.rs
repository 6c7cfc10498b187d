use super::*;
use crate::stream_type::spike_layout;

fn array() -> StreamType {
    let mut frames = StreamType::frames(Dtype::I32, 20, 4, Rate::hz(20_000), "count");
    frames.axes[1].labels = ["A", "B", "C", "D"].map(str::to_owned).to_vec();
    frames.si_unit = "V".to_owned();
    frames.scale = vec![1e-7, 2e-7, 3e-7, 4e-7];
    frames.offset = vec![0.1, 0.2, 0.3, 0.4];
    frames.positions_um = (0..4).map(|x| [f64::from(x), 0.0, 0.0]).collect();
    frames
}

fn made(adapter: Adapter, before: StreamType) -> StreamType {
    behind(&adapter, before).unwrap_or_else(|(key, what, _)| panic!("{key}: {what}"))
}

fn refused(adapter: Adapter, before: StreamType) -> String {
    match behind(&adapter, before) {
        Ok(made) => panic!("gave {}", made.summary()),
        Err((key, what, remedy)) => format!("{key}: {what}; {remedy}"),
    }
}

#[test]
fn a_selection_carries_labels_scales_offsets_and_positions() {
    let chosen = made(Adapter::Select(vec![2, 0]), array());
    assert_eq!(chosen.channels(), 2);
    assert_eq!(chosen.axes[1].labels, ["C", "A"]);
    assert_eq!(
        (chosen.scale, chosen.offset),
        (vec![3e-7, 1e-7], vec![0.3, 0.1])
    );
    assert_eq!(chosen.positions_um, [[2.0, 0.0, 0.0], [0.0, 0.0, 0.0]]);
}

#[test]
fn a_selection_without_labels_keeps_the_numbers_the_channels_had() {
    let mut bare = array();
    bare.axes[1].labels.clear();
    assert_eq!(
        made(Adapter::Select(vec![3, 1]), bare).axes[1].labels,
        ["4", "2"]
    );
}

#[test]
fn a_scale_gives_the_si_unit_or_one_with_a_prefix_and_the_type_says_which() {
    let volts = made(Adapter::Scale("V".to_owned()), array());
    assert_eq!((volts.dtype, volts.unit.as_str()), (Dtype::F64, "V"));
    assert!(volts.scale.is_empty() && volts.offset.is_empty());
    let micro = made(Adapter::Scale("\u{b5}V".to_owned()), array());
    assert_eq!((micro.unit.as_str(), micro.si_unit.as_str()), ("uV", "V"));
    assert_eq!((micro.scale, micro.offset), (vec![1e-6; 4], vec![]));
}

#[test]
fn a_unit_of_something_else_is_refused_by_name() {
    let line = refused(Adapter::Scale("mA".to_owned()), array());
    assert!(
        line.contains("`mA` is no unit of V; write scale = true"),
        "{line}"
    );
    let mut unknown = array();
    unknown.si_unit.clear();
    let line = refused(Adapter::Scale("V".to_owned()), unknown);
    assert!(
        line.contains("nothing is known of what `count` is"),
        "{line}"
    );
}

#[test]
fn decimated_frames_have_the_rate_as_a_ratio_and_blocks_with_room_for_the_most_that_come() {
    let third = made(Adapter::Decimate(3), array());
    assert_eq!(third.rate, Rate::new(20_000, 3));
    assert_eq!((third.frames_per_block(), third.dtype), (7, Dtype::F64));
    for factor in [0, 1, 101] {
        let line = refused(Adapter::Decimate(factor), array());
        assert!(line.contains("outside 2 to 100"), "{line}");
    }
}

#[test]
fn a_cast_changes_the_dtype_and_keeps_scale_and_offset() {
    let expected = StreamType {
        dtype: Dtype::F64,
        ..array()
    };
    assert_eq!(made(Adapter::Cast(Dtype::F64), array()), expected);
}

#[test]
fn a_window_changes_the_block_and_keeps_the_rate() {
    let window = made(Adapter::Window { n: 256, step: 64 }, array());
    assert_eq!(
        (window.frames_per_block(), window.rate),
        (256, Rate::hz(20_000))
    );
}

#[test]
fn records_and_bits_are_refused() {
    let spikes = StreamType::records(spike_layout("uV"), 8);
    let lines = StreamType::frames(Dtype::Bits, 20, 8, Rate::hz(20_000), "");
    for (adapter, before) in [
        (Adapter::Select(vec![0]), spikes.clone()),
        (Adapter::Scale("V".to_owned()), spikes.clone()),
        (Adapter::Scale("V".to_owned()), lines.clone()),
        (Adapter::Decimate(2), spikes.clone()),
        (Adapter::Decimate(2), lines.clone()),
        (Adapter::Window { n: 8, step: 8 }, spikes.clone()),
        (Adapter::Cast(Dtype::F32), spikes),
        (Adapter::Cast(Dtype::F32), lines.clone()),
        (Adapter::Window { n: 0, step: 1 }, lines),
    ] {
        assert!(behind(&adapter, before).is_err(), "{adapter:?}");
    }
}

fn pair(other: StreamType) -> Adapter {
    Adapter::Merge(vec![
        Merged {
            stream: "left".to_owned(),
            stream_type: array(),
        },
        Merged {
            stream: "right".to_owned(),
            stream_type: other,
        },
    ])
}

#[test]
fn merged_streams_stand_channel_beside_channel() {
    let mut right = made(Adapter::Select(vec![1, 2]), array());
    right.axes[1].labels = ["E", "F"].map(str::to_owned).to_vec();
    right.scale.clear();
    let both = made(pair(right), array());
    assert_eq!(both.axes[1].labels, ["A", "B", "C", "D", "E", "F"]);
    assert_eq!(both.scale, [1e-7, 2e-7, 3e-7, 4e-7, 1.0, 1.0]);
    assert_eq!((both.offset[4], both.positions_um.len()), (0.2, 6));
}

#[test]
fn labels_that_both_streams_have_are_told_apart_by_the_streams_names() {
    let both = made(pair(array()), array());
    assert_eq!(both.axes[1].labels[..2], ["left.A", "left.B"]);
    assert_eq!(both.axes[1].labels[7], "right.D");
}

#[test]
fn streams_that_do_not_fit_together_are_refused_by_name() {
    let changed = |change: fn(&mut StreamType)| {
        let mut other = array();
        change(&mut other);
        refused(pair(other), array())
    };
    for (line, words) in [
        (
            changed(|t| t.rate = Rate::hz(10_000)),
            "20000 Hz and 10000 Hz",
        ),
        (
            changed(|t| t.axes[0].length = 40),
            "blocks of 20 and of 40 frames",
        ),
        (changed(|t| t.dtype = Dtype::F32), "i32 and f32"),
        (changed(|t| t.unit = "uV".to_owned()), "`count` and `uV`"),
        (changed(|t| t.dtype = Dtype::Bits), "digital lines"),
        (changed(|t| t.kind = Kind::Bytes), "only frames"),
    ] {
        assert!(line.contains(words) && line.contains("`right`"), "{line}");
    }
}

#[test]
fn the_most_blocks_that_come_out_count_the_frames_that_are_left() {
    let window = Adapter::Window { n: 8, step: 2 };
    assert_eq!(most_parts(core::slice::from_ref(&window), 20), 11);
    assert_eq!(most_parts(&[Adapter::Decimate(4), window], 20), 3);
    assert_eq!(most_parts(&[Adapter::Decimate(4)], 20), 1);
}
