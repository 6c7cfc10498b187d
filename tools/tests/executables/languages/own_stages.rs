//! Stages of the tests' own, and where a session finds them. Those in Rust run in this executable, each as a test that only
//! a launcher asks for: what runs is then always what was compiled.

use super::channel_average::ChannelAverage;
use crate::place::Place;
use ephapse_engine::stage::{
    Ctx, Described, Inputs, Next, Outputs, Ports, Role, Stage, StageError, run,
};
use ephapse_rtconfig::stream_type::{Kind, StreamType};
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hasher};
use std::io::Write;
use std::path::Path;

/// Lays a stage out in the module that `place` is: its manifest, and its files.
pub fn lay_out(place: &Place, name: &str, manifest: &str, files: &[(&str, &str)]) {
    let folder = place.path().join("stages").join(name);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("stage.toml"), manifest).unwrap();
    for (file, text) in files {
        fs::write(folder.join(file), text).unwrap();
    }
}

/// The `command` of a manifest whose stage is one of the tests of this executable.
pub fn command_of(test: &str) -> String {
    let own = std::env::current_exe().unwrap();
    format!(
        "command = [{:?}, \"--quiet\", \"--ignored\", \"--exact\", {test:?}]",
        own.display()
    )
}

/// Lays out the sink that writes down what it sees, as `test.seen`.
pub fn lay_out_seen(place: &Place) {
    let command = command_of("languages::own_stages::seen");
    let manifest = format!(
        "name = \"test.seen\"\nabout = \"Writes down what it sees.\"\nrole = \"sink\"\n{command}\n\
         [in.in]\n[params.path]\ntype = \"string\"\n"
    );
    lay_out(place, "seen", &manifest, &[]);
}

/// What such a test does.
pub fn as_stage<S: Stage>() {
    // Whoever runs the ignored tests by hand starts no session.
    if std::env::var_os("EPHAPSE_STAGE").is_some() {
        // How it went stands in its segment.
        let _ = run::<S>();
    }
}

#[test]
#[ignore = "a stage, for the launcher"]
fn channel_average() {
    as_stage::<ChannelAverage>();
}

#[test]
#[ignore = "a stage, for the launcher"]
fn seen() {
    as_stage::<Seen>();
}

#[test]
#[ignore = "a stage, for the launcher"]
fn signals() {
    as_stage::<Shapes<0>>();
}

#[test]
#[ignore = "a stage, for the launcher"]
fn records() {
    as_stage::<Shapes<1>>();
}

/// A number that stands for these bytes.
pub fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

/// Writes the type of its stream to a file, and a line for each block.
struct Seen {
    file: File,
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Where {
    path: String,
}

impl Stage for Seen {
    const KIND: &'static str = "test.seen";
    const ABOUT: &'static str = "Writes down what it sees.";
    const ROLE: Role = Role::Sink;
    const PORTS: Ports = Ports {
        inputs: &["in"],
        outputs: &[],
    };
    type Params = Where;

    fn describe(_: &Where, _: &[(&str, &StreamType)]) -> Result<Described, StageError> {
        Ok(Described::default())
    }

    fn prepare(
        params: Where,
        inputs: &[(&str, &StreamType)],
        _: &Described,
    ) -> Result<Self, StageError> {
        let mut file = File::create(Path::new(&params.path))
            .map_err(|e| StageError::resource(&params.path, e.to_string()))?;
        writeln!(file, "{}", serde_json::to_string(inputs[0].1).unwrap()).unwrap();
        Ok(Seen { file })
    }

    fn process(&mut self, _: &mut Ctx<'_>, inputs: &Inputs<'_>, _: &mut Outputs<'_>) -> Next {
        let block = inputs.pacing();
        let seen = Line {
            first_frame: block.header.first_frame,
            valid: block.header.valid,
            lost: block.header.lost,
            flags: block.header.flags,
            settling: block.header.settling,
            user: block.header.user,
            hash: hash(block.payload),
        };
        writeln!(self.file, "{}", serde_json::to_string(&seen).unwrap()).unwrap();
        Next::Continue
    }

    fn reset(&mut self, _: &mut [u8]) {}
}

/// One block as [`Seen`] saw it.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Line {
    pub first_frame: u64,
    pub valid: u32,
    pub lost: u64,
    pub flags: u32,
    pub settling: u32,
    pub user: u64,
    pub hash: u64,
}

/// What [`Seen`] has written: the stream's type and its blocks. A line that is being written is left out.
pub fn read_seen(path: &Path) -> Option<(StreamType, Vec<Line>)> {
    let text = fs::read_to_string(path).ok()?;
    let mut lines = text
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'));
    let stream_type = serde_json::from_str(lines.next()?).unwrap();
    Some((
        stream_type,
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect(),
    ))
}

/// A source of streams of any types, which its manifest says: [`shape_block`] after [`shape_block`].
struct Shapes<const KIND: usize> {
    types: Vec<StreamType>,
    made: u64,
    blocks: u64,
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Blocks {
    blocks: u64,
}

/// Rows of block `number` of the `port`th stream of a source, and their bytes. Frames are full blocks; of records and bytes
/// there are sometimes none.
pub fn shape_block(stream_type: &StreamType, port: usize, number: u64) -> (usize, Vec<u8>) {
    let most = stream_type.frames_per_block() as usize;
    let rows = match stream_type.kind {
        Kind::Frames => most,
        Kind::Records | Kind::Bytes => number as usize % (most + 1),
    };
    let bytes = 0..rows * stream_type.row_bytes();
    let seed = number.wrapping_mul(31).wrapping_add(port as u64 * 13);
    let byte = |i: usize| (i as u64).wrapping_mul(7).wrapping_add(seed) as u8;
    (rows, bytes.map(byte).collect())
}

impl<const KIND: usize> Stage for Shapes<KIND> {
    const KIND: &'static str = ["test.signals", "test.records"][KIND];
    const ABOUT: &'static str = "Streams of many shapes.";
    const ROLE: Role = Role::Acquire;
    const PORTS: Ports = Ports {
        inputs: &[],
        outputs: &[],
    };
    type Params = Blocks;

    fn describe(_: &Blocks, _: &[(&str, &StreamType)]) -> Result<Described, StageError> {
        Err(StageError::resource("types", "are in the manifest"))
    }

    fn prepare(
        params: Blocks,
        _: &[(&str, &StreamType)],
        what: &Described,
    ) -> Result<Self, StageError> {
        Ok(Shapes {
            types: what.outputs.iter().map(|(_, t)| t.clone()).collect(),
            made: 0,
            blocks: params.blocks,
        })
    }

    fn process(&mut self, _: &mut Ctx<'_>, _: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Next {
        if self.made == self.blocks {
            return Next::Done;
        }
        for (port, stream_type) in self.types.iter().enumerate() {
            let (rows, bytes) = shape_block(stream_type, port, self.made);
            outputs.count_source(port, rows as u64);
            let mut block = outputs.block(port);
            block.payload()[..bytes.len()].copy_from_slice(&bytes);
            block.header().user = self.made;
            block.commit(rows);
        }
        self.made += 1;
        Next::Continue
    }

    fn reset(&mut self, _: &mut [u8]) {}
}
