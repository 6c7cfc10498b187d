//! Streams of every shape, from Rust through C and Python and back.

use super::compiled::{How, compiled};
use super::own_stages::{command_of, lay_out, lay_out_seen, read_seen, shape_block};
use super::{PACKAGE, interpreter};
use crate::place::Place;
use crate::turns::shared;
use ephapse_rtconfig::stream_type::{
    Axis, Dtype, Field, Kind, Rate, RecordLayout, StreamType, event_layout, spike_layout,
};
use std::fmt::Write;
use std::fs;

const BLOCKS: u64 = 50;

/// Ports of the two sources as their manifests say them, each with the type that all along the way must see.
fn ports() -> [Vec<(&'static str, &'static str, StreamType)>; 2] {
    let frames = |dtype, unit| StreamType::frames(dtype, 4, 3, Rate::hz(1000), unit);
    let axis = |name: &str, length, unit: &str, labels: &[&str]| Axis {
        unit: unit.into(),
        labels: labels.iter().map(|l| (*l).to_owned()).collect(),
        ..Axis::new(name, length)
    };
    let mut labelled = frames(Dtype::I16, "uV");
    labelled.axes[1].labels = ["A1", "B2", "C3"].map(String::from).to_vec();
    let mut spectrum = frames(Dtype::F32, "uV2/Hz");
    spectrum.axes[1].labels = ["A1", "B2", "C3"].map(String::from).to_vec();
    spectrum
        .axes
        .push(axis("frequency", 5, "Hz", &["10", "20", "30", "40", "50"]));
    let mut image = frames(Dtype::U8, "count");
    image.axes = vec![
        Axis::new("time", 4),
        axis("row", 6, "um", &[]),
        axis("column", 7, "um", &[]),
    ];
    let records = |layout, unit: &str| StreamType {
        rate: Rate::hz(1000),
        unit: unit.into(),
        ..StreamType::records(layout, 8)
    };
    let field = |name: &str, dtype, count, offset, unit: &str| Field {
        name: name.into(),
        dtype,
        count,
        offset,
        unit: unit.into(),
    };
    let beat = RecordLayout {
        name: "mylab.beat".into(),
        bytes: 32,
        fields: vec![
            field("at", Dtype::U64, 1, 0, "frame"),
            field("shape", Dtype::I16, 3, 8, "uV"),
            field("strength", Dtype::F64, 2, 16, "mN"),
        ],
    };
    let mut bytes = records(spike_layout(""), "");
    bytes.record = None;
    bytes.kind = Kind::Bytes;
    bytes.axes[0].length = 100;
    [
        vec![
            (
                "i16",
                "dtype = \"i16\"\nunit = \"uV\"\naxes = [{ name = \"time\", length = 4 }, { name = \"channel\", length = 3, labels = [\"A1\", \"B2\", \"C3\"] }]",
                labelled,
            ),
            (
                "f32",
                "dtype = \"f32\"\nunit = \"mV\"\nframes = 4\nchannels = 3",
                frames(Dtype::F32, "mV"),
            ),
            (
                "f64",
                "dtype = \"f64\"\nunit = \"V\"\nframes = 4\nchannels = 3",
                frames(Dtype::F64, "V"),
            ),
            (
                "lines",
                "dtype = \"bits\"\nunit = \"1\"\nframes = 4\nchannels = 3",
                frames(Dtype::Bits, "1"),
            ),
            (
                "spectrum",
                "dtype = \"f32\"\nunit = \"uV2/Hz\"\naxes = [{ name = \"time\", length = 4 }, { name = \"channel\", length = 3, labels = [\"A1\", \"B2\", \"C3\"] }, { name = \"frequency\", length = 5, unit = \"Hz\", labels = [\"10\", \"20\", \"30\", \"40\", \"50\"] }]",
                spectrum,
            ),
            (
                "image",
                "dtype = \"u8\"\nunit = \"count\"\naxes = [{ name = \"time\", length = 4 }, { name = \"row\", length = 6, unit = \"um\" }, { name = \"column\", length = 7, unit = \"um\" }]",
                image,
            ),
        ],
        vec![
            (
                "spikes",
                "record = \"spike\"\nunit = \"uV\"\nframes = 8",
                records(spike_layout("uV"), ""),
            ),
            (
                "events",
                "record = \"event\"\nframes = 8",
                records(event_layout(), ""),
            ),
            (
                "beats",
                "frames = 8\nrecord = { name = \"mylab.beat\", fields = [{ name = \"at\", dtype = \"u64\", unit = \"frame\" }, { name = \"shape\", dtype = \"i16\", count = 3, unit = \"uV\" }, { name = \"strength\", dtype = \"f64\", count = 2, unit = \"mN\" }] }",
                records(beat, ""),
            ),
            ("bytes", "kind = \"bytes\"\nframes = 100", bytes),
        ],
    ]
}

#[test]
fn a_stream_of_each_shape_comes_through_c_and_python_with_its_values_names_and_units() {
    let _turn = shared();
    let place = Place::new();
    let Some(in_c) = compiled("tests/pass_through.c", How::Static) else {
        return;
    };
    let mut graph = format!(
        "name = \"shapes\"\n[modules]\npath = [{:?}]\n",
        place.path().display()
    );
    let (mut command, sources) = (place.command(&[]), ["signals", "records"]);
    if !interpreter::give_to(&mut command) {
        return;
    }
    lay_out_seen(&place);
    let python = fs::read_to_string(format!("{PACKAGE}/tests/stages/pass_through.py")).unwrap();
    for (language, command) in [
        ("c", format!("[{:?}]", in_c.program.display())),
        ("python", "[\"python3\", \"pass_through.py\"]".into()),
    ] {
        let manifest = format!(
            "name = \"test.{language}\"\nabout = \"Copies.\"\nrole = \"process\"\ncommand = {command}\n\
             [in.in]\n[out.out]\nlike = \"in\"\n"
        );
        lay_out(&place, language, &manifest, &[("pass_through.py", &python)]);
    }
    for (source, ports) in sources.into_iter().zip(ports()) {
        let command = command_of(&format!("languages::own_stages::{source}"));
        let mut manifest = format!(
            "name = \"test.{source}\"\nabout = \"Many shapes.\"\nrole = \"acquire\"\n{command}\n\
             [params.blocks]\ntype = \"i64\"\n"
        );
        let mut outs = Vec::new();
        for (port, keys, _) in &ports {
            writeln!(manifest, "[out.{port}]\nrate_hz = 1000\n{keys}").unwrap();
            outs.push(format!("{port} = \"{port}-rust\""));
            writeln!(
                graph,
                "[stage.c-{port}]\nuse = \"test.c\"\nin = {{ in = \"{port}-rust\" }}\nout = {{ out = \"{port}-c\" }}\n\
                 [stage.python-{port}]\nuse = \"test.python\"\nin = {{ in = \"{port}-c\" }}\nout = {{ out = \"{port}-python\" }}\n\
                 [stage.seen-{port}]\nuse = \"test.seen\"\nin = {{ in = \"{port}-python\" }}\nparams = {{ path = \"seen-{port}\" }}"
            )
            .unwrap();
        }
        writeln!(
            graph,
            "[stage.{source}]\nuse = \"test.{source}\"\nparams = {{ blocks = {BLOCKS} }}\nout = {{ {} }}",
            outs.join(", ")
        )
        .unwrap();
        lay_out(&place, source, &manifest, &[]);
    }
    place.write("shapes.toml", &graph);
    let mut command = place.session_command(&["run", "shapes.toml", "--unpaced"]);
    interpreter::give_to(&mut command);
    place.finish(command, 120).expect(0);
    place.expect_nothing_left();
    for ports in ports() {
        for (number, (port, _, expected)) in ports.into_iter().enumerate() {
            let seen = read_seen(&place.path().join(format!("seen-{port}")));
            let (stream_type, blocks) = seen.unwrap_or_else(|| panic!("{port}: nothing seen"));
            assert_eq!(stream_type, expected, "{port}");
            assert_eq!(blocks.len() as u64, BLOCKS, "{port}");
            let mut first_frame = 0;
            for (made, block) in blocks.iter().enumerate() {
                let (rows, bytes) = shape_block(&expected, number, made as u64);
                let place = format!("{port}, block {made}: {block:?}");
                assert_eq!(block.valid as usize, rows, "{place}");
                assert_eq!(block.first_frame, first_frame, "{place}");
                assert_eq!(block.user, made as u64, "{place}");
                assert_eq!(block.hash, super::own_stages::hash(&bytes), "{place}");
                first_frame += rows as u64;
            }
        }
    }
}
