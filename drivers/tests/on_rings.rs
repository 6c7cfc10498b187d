//! Sources and sinks as stages, between rings: headers, accounts, ends, and no allocation on the FIFO side.

#[cfg(feature = "hdf5")]
#[path = "sources/mcs_file.rs"]
mod mcs_file;

use ephapse_drivers::acquire::binary::{BinaryReader, BinarySource};
use ephapse_drivers::acquire::synthetic::{Generator, Synthetic, SyntheticParams};
use ephapse_drivers::stimulate::{Log, LogWriter, Null, handed_layout};
use ephapse_engine::abi::{SlotHeader, flag};
use ephapse_engine::allocation::{self, CountingAllocator};
use ephapse_engine::records::Command;
use ephapse_engine::stage::{Next, Registry, Rig, Stage, Taken};
use ephapse_rtconfig::describe::{Catalogue, Program};
use ephapse_rtconfig::stream_type::{StreamType, command_layout};
use serde_json::{Value, json};
use std::sync::Mutex;
use zerocopy::IntoBytes;

#[global_allocator]
static COUNTING: CountingAllocator = CountingAllocator;

/// Allocations are counted for the whole process: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> std::sync::MutexGuard<'static, ()> {
    ALONE
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Runs a source until it ends, at most `turns` turns.
fn run_out<S: Stage>(rig: &mut Rig<S>, turns: usize) -> Vec<Taken> {
    let mut blocks = Vec::new();
    for _ in 0..turns {
        let next = rig.run();
        blocks.append(&mut rig.take(0));
        match next {
            Next::Continue => {}
            Next::Done => break,
            other => panic!("{other:?}"),
        }
    }
    blocks
}

/// Plays a file through reader and pacer; returns what each published.
fn through<R: Stage, P: Stage>(params: &Value, turns: usize) -> (Vec<Taken>, Vec<Taken>) {
    let mut reader = Rig::<R>::new(params.clone(), &[]).unwrap();
    let mut pacer = Rig::<P>::new(params.clone(), &[]).unwrap();
    assert_eq!(reader.output_type(0), pacer.output_type(0));
    let fed = run_out(&mut reader, turns);
    let mut paced = Vec::new();
    for block in &fed {
        assert_eq!(pacer.push(0, block.header, &block.payload), Next::Continue);
        paced.append(&mut pacer.take(0));
    }
    for (who, (counted, valid, lost)) in [
        ("reader", reader.source_account(0)),
        ("pacer", pacer.source_account(0)),
    ] {
        assert_eq!(counted, valid + lost, "the account of the {who}");
        assert!(valid > 0);
    }
    (fed, paced)
}

fn rows(blocks: &[Taken]) -> Vec<u8> {
    blocks.iter().flat_map(|b| b.payload.clone()).collect()
}

#[test]
fn a_looped_file_reaches_the_stream_with_its_seams_and_every_sample() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("counting.raw");
    let samples: Vec<u8> = (0..100u16).flat_map(u16::to_le_bytes).collect();
    std::fs::write(&path, &samples).unwrap();
    let params = json!({"path": path, "format": "u16le,2ch,1000Hz", "loop": true});
    let (_, paced) = through::<BinaryReader, BinarySource>(&params, 9);
    assert_eq!(rows(&paced), samples.repeat(3));
    let seams: Vec<u64> = paced
        .iter()
        .filter(|b| b.header.flags & flag::GAP != 0)
        .map(|b| b.header.first_frame)
        .collect();
    assert_eq!(seams, [50, 100]);
    assert!(
        paced
            .iter()
            .all(|b| b.header.flags & flag::REPLAY != 0 && b.header.lost == 0)
    );
}

#[test]
fn a_finite_file_ends() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("short.raw");
    std::fs::write(&path, [7; 90]).unwrap();
    let params = json!({"path": path, "format": "u8,1ch,1000Hz"});
    let mut reader = Rig::<BinaryReader>::new(params, &[]).unwrap();
    assert_eq!(run_out(&mut reader, 100).len(), 5);
    assert_eq!(reader.run(), Next::Done);
}

#[cfg(feature = "hdf5")]
#[test]
fn frames_that_a_recording_lost_are_lost_in_the_stream_and_in_its_account() {
    use ephapse_drivers::acquire::mcs_h5::{McsH5Reader, McsH5Source};
    use mcs_file::{McsFile, Stream};
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pieces.h5");
    let pieces = vec![[0, 0, 99], [7_000, 100, 999]];
    McsFile::new(&path).stream(
        0,
        Stream {
            pieces,
            ..Stream::default()
        },
    );
    let params = json!({"path": path, "block_frames": 60});
    let (fed, paced) = through::<McsH5Reader, McsH5Source>(&params, 100);
    for blocks in [&fed, &paced] {
        let after: &SlotHeader = &blocks[2].header;
        assert_eq!((after.first_frame, after.lost, after.user), (140, 40, 100));
        assert!(after.flags & flag::GAP != 0);
        let mut next = 0;
        for block in blocks {
            assert_eq!(block.header.first_frame, next + block.header.lost);
            next = block.header.first_frame + u64::from(block.header.valid);
        }
        assert_eq!(next, 1040);
    }
    assert_eq!(rows(&fed), rows(&paced));
}

#[cfg(feature = "hdf5")]
#[test]
fn a_file_that_breaks_while_it_plays_stops_the_session_and_names_itself() {
    use ephapse_drivers::acquire::mcs_h5::McsH5Reader;
    use mcs_file::{McsFile, Stream};
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("breaks.h5");
    McsFile::new(&path).stream(
        0,
        Stream {
            samples: 20_000,
            ..Stream::default()
        },
    );
    let mut bytes = std::fs::read(&path).unwrap();
    let data = Stream::compressed_data_in(&bytes);
    bytes[data..data + 64].fill(0xff);
    std::fs::write(&path, bytes).unwrap();
    let mut reader = Rig::<McsH5Reader>::new(json!({"path": path}), &[]).unwrap();
    let why = (0..2000).find_map(|_| {
        let next = reader.run();
        reader.take(0);
        match next {
            Next::Stop(why) => Some(why),
            _ => None,
        }
    });
    assert!(why.unwrap().contains("breaks.h5"), "{why:?}");
}

#[test]
fn the_synthetic_source_publishes_what_its_generator_makes_and_ends() {
    let _alone = alone();
    let mut rig = Rig::<Synthetic>::new(json!({"channels": 4, "duration_s": 0.0125}), &[]).unwrap();
    let blocks = run_out(&mut rig, 100);
    let params = SyntheticParams {
        channels: 4,
        block_frames: 250,
        ..SyntheticParams::default()
    };
    let mut expected = vec![0; 250 * 16];
    Generator::new(&params).unwrap().fill(0, 250, &mut expected);
    assert_eq!(rows(&blocks), expected);
    assert_eq!((blocks.len(), blocks[12].header.valid), (13, 10));
    assert!(blocks.iter().all(|b| b.header.flags & flag::SYNTHETIC != 0));
    assert_eq!(rig.source_account(0), (250, 250, 0));
}

fn command(last_frame: u64) -> Command {
    Command {
        last_frame,
        values: [20.0, 0.0, 0.0, 0.0],
        ..Command::default()
    }
}

fn commands() -> [StreamType; 1] {
    [StreamType::records(command_layout(), 16)]
}

fn handed() -> [StreamType; 1] {
    [StreamType::records(handed_layout(), 32)]
}

/// A block of commands from frames sampled at `sampled_ns`.
fn header(commands: usize, sampled_ns: u64) -> SlotHeader {
    SlotHeader {
        valid: commands as u32,
        sampled_ns,
        ..SlotHeader::default()
    }
}

#[test]
fn commands_reach_the_log_and_empty_blocks_reach_it_as_empty_blocks() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    let params = json!({"path": path});
    let mut log = Rig::<Log>::new(params.clone(), &commands()).unwrap();
    let mut writer = Rig::<LogWriter>::new(params, &handed()).unwrap();
    let blocks = [vec![command(19)], vec![], vec![command(59), command(60)]];
    for (i, block) in blocks.iter().enumerate() {
        log.push(
            0,
            header(block.len(), 1_000_000 * (i as u64 + 1)),
            block.as_bytes(),
        );
        let passed = log.take(0);
        assert_eq!(
            (passed.len(), passed[0].header.valid as usize),
            (1, block.len())
        );
        assert_eq!(
            writer.push(0, passed[0].header, &passed[0].payload),
            Next::Continue
        );
    }
    let text = std::fs::read_to_string(&path).unwrap();
    let frames: Vec<u64> = text
        .lines()
        .map(|l| {
            serde_json::from_str::<Value>(l).unwrap()["last_frame"]
                .as_u64()
                .unwrap()
        })
        .collect();
    assert_eq!(frames, [19, 59, 60]);
}

#[test]
fn a_run_without_a_block_leaves_an_empty_log() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    std::fs::write(&path, "old\n").unwrap();
    let mut writer = Rig::<LogWriter>::new(json!({"path": path}), &handed()).unwrap();
    writer.finish();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "");
}

/// Allocations while `work` runs: the fewest of several rounds, for the count is the whole process's, and the test harness
/// starts and ends other tests meanwhile. What a stage allocates it allocates in every round.
fn allocations(mut work: impl FnMut()) -> u64 {
    let rounds = (0..4).map(|_| {
        let before = allocation::count();
        work();
        allocation::count() - before
    });
    rounds.min().unwrap()
}

#[test]
fn no_stage_that_may_run_under_fifo_allocates_in_a_turn() {
    let _alone = alone();
    let mut synthetic = Rig::<Synthetic>::new(json!({}), &[]).unwrap();
    synthetic.run();
    assert_eq!(
        allocations(|| (0..10).for_each(|_| {
            synthetic.run();
        })),
        0,
        "acquire.synthetic"
    );

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("zeros.raw");
    std::fs::write(&path, [0; 4000]).unwrap();
    let params = json!({"path": path, "format": "i16le,2ch,1000Hz"});
    let mut pacer = Rig::<BinarySource>::new(params, &[]).unwrap();
    let block = SlotHeader {
        valid: 20,
        ..SlotHeader::default()
    };
    pacer.push(0, block, &[0; 80]);
    assert_eq!(
        allocations(|| (0..10).for_each(|_| {
            pacer.push(0, block, &[0; 80]);
        })),
        0,
        "pacer"
    );

    let path = folder.path().join("log.jsonl");
    let mut log = Rig::<Log>::new(json!({"path": path}), &commands()).unwrap();
    let mut null = Rig::<Null>::new(json!({}), &commands()).unwrap();
    let two = [command(1), command(2)];
    log.push(0, header(2, 1), two.as_bytes());
    null.push(0, header(2, 1), two.as_bytes());
    assert_eq!(
        allocations(|| (0..10).for_each(|_| {
            log.push(0, header(2, 1), two.as_bytes());
        })),
        0,
        "stimulate.log"
    );
    assert_eq!(
        allocations(|| (0..10).for_each(|_| {
            null.push(0, header(2, 1), two.as_bytes());
        })),
        0,
        "stimulate.null"
    );
}

#[test]
fn every_kind_can_be_described_and_run_by_its_executable_and_documents_every_parameter() {
    let registry = Registry::new(ephapse_drivers::describable());
    let runnable = |list: Vec<ephapse_engine::stage::Runnable>| -> Vec<&str> {
        list.iter().map(|r| r.kind).collect()
    };
    let (lean, helpers) = (
        runnable(ephapse_drivers::lean()),
        runnable(ephapse_drivers::helpers()),
    );
    assert_eq!(registry.kinds().len(), lean.len() + helpers.len());
    for kind in registry.kinds() {
        let list = if kind.program == Program::Lean {
            &lean
        } else {
            &helpers
        };
        assert!(list.contains(&kind.kind.as_str()), "{}", kind.kind);
        // A helper may do what no real-time stage may; a guard is in real time itself.
        let guards = kind.kind.ends_with(".guard");
        assert_eq!(
            kind.helper,
            guards || kind.program == Program::Full,
            "{}",
            kind.kind
        );
        let properties = kind
            .params_schema
            .get("properties")
            .and_then(Value::as_object);
        for (key, property) in properties.into_iter().flatten() {
            let about = property.get("description").and_then(Value::as_str);
            assert!(
                about.is_some_and(|a| a.len() > 5),
                "{}: {key} has no description",
                kind.kind
            );
        }
    }
}
