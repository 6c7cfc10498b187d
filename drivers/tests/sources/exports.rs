//! What is exported comes back as it was.

use crate::playing::{Played, open, play, shared};
use ephapse_drivers::acquire::crepe_h5::CrepeH5;
use ephapse_drivers::acquire::mcs_h5::McsH5;
use ephapse_drivers::acquire::playback::{Cursor, Playback};
use ephapse_drivers::export::mcs_h5::{McsFile, McsHeader};
use ephapse_drivers::export::{Continuity, PlainFile, Stretch};
use ephapse_engine::abi::SlotHeader;
use ephapse_rtconfig::stream_type::{Axis, Dtype, Rate, StreamType, command_layout};
use serde_json::json;
use std::path::Path;
use zerocopy::IntoBytes;

/// Feeds every block of a playback, with what lies before it.
fn feed(playback: &mut Playback, mut take: impl FnMut(&Stretch<'_>)) {
    let stream_type = playback.stream_type().clone();
    let mut payload = vec![0; stream_type.block_bytes()];
    let mut continuity = Continuity::default();
    let mut cursor = Cursor::default();
    let room = stream_type.frames_per_block() as usize;
    while let Some(filled) = playback.fill(&mut cursor, &mut payload, room).unwrap() {
        let mut header = SlotHeader {
            first_frame: filled.first_frame,
            valid: filled.valid,
            ..SlotHeader::default()
        };
        filled.describe_in(&mut header);
        let gap = continuity.block(&header);
        take(&Stretch {
            first_frame: header.first_frame,
            rows: &payload[..header.valid as usize * stream_type.row_bytes()],
            gap: gap.as_ref(),
        });
    }
}

/// Exports every block of a playback.
pub fn to_mcs(playback: &mut Playback, path: &Path) {
    let stream_type = playback.stream_type().clone();
    let mut file = McsFile::create(path, &McsHeader::default()).unwrap();
    let stream = file.add("raw", "raw", &stream_type).unwrap();
    feed(playback, |stretch| file.stretch(stream, stretch).unwrap());
    file.finish().unwrap();
}

#[test]
fn an_mcs_recording_exported_in_its_layout_is_the_same_samples_scales_and_pieces() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("in.h5");
    let pieces = vec![[0, 0, 299], [40_000, 300, 799], [65_000, 800, 999]];
    crate::mcs_file::McsFile::new(&path).stream(
        0,
        crate::mcs_file::Stream {
            pieces,
            ad_zero: 7,
            ..Default::default()
        },
    );
    let mut files = vec![path];
    files.extend(shared(crate::mcs_h5::W8));
    for (number, path) in files.iter().enumerate() {
        let out = folder.path().join(format!("out{number}.h5"));
        let asked = json!({"path": path, "block_frames": 37});
        to_mcs(&mut open::<McsH5>(asked.clone()), &out);
        let (mut of, mut again) = (
            open::<McsH5>(asked),
            open::<McsH5>(json!({"path": out, "block_frames": 37})),
        );
        assert_eq!(of.stream_type(), again.stream_type(), "{}", path.display());
        let played: Played<i32> = play(&mut of, usize::MAX);
        assert!(played.samples.len() > 1000);
        assert_eq!(played, play(&mut again, usize::MAX), "{}", path.display());
    }
}

#[test]
fn the_plain_layout_gives_the_same_numbers_to_its_own_source() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plain.h5");
    let raw = StreamType::frames(Dtype::I16, 50, 3, Rate::hz(30_000), "count");
    let samples: Vec<i16> = (0..3 * 5000).map(|n: i32| (n * 7919) as i16).collect();
    let mut file = PlainFile::create(&path, "raw", &raw).unwrap();
    for (block, rows) in samples.as_bytes().chunks(50 * 6).enumerate() {
        let stretch = Stretch {
            first_frame: block as u64 * 50,
            rows,
            gap: None,
        };
        file.stretch(&stretch).unwrap();
    }
    assert_eq!(file.finish().unwrap(), 5000);
    let mut playback = open::<CrepeH5>(json!({"path": path}));
    assert_eq!(playback.stream_type().rate, Rate::hz(30_000));
    assert_eq!(play::<i16>(&mut playback, usize::MAX).samples, samples);
}

#[test]
fn every_number_format_and_digital_lines_come_back_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    fn back<T: zerocopy::FromBytes + Copy + PartialEq + core::fmt::Debug>(
        folder: &Path,
        dtype: Dtype,
        rows: &[u8],
        expected: &[T],
    ) {
        let path = folder.join(format!("{}.h5", dtype.name()));
        let mut raw = StreamType::frames(dtype, 4, 2, Rate::hz(1000), "uV");
        if dtype == Dtype::Bits {
            raw.axes[1] = Axis::new("channel", 10);
        }
        let mut file = McsFile::create(&path, &McsHeader::default()).unwrap();
        let stream = file.add("raw", "raw", &raw).unwrap();
        let stretch = Stretch {
            first_frame: 0,
            rows,
            gap: None,
        };
        file.stretch(stream, &stretch).unwrap();
        file.finish().unwrap();
        let mut playback = open::<McsH5>(json!({"path": path, "stream": "raw"}));
        assert_eq!(
            play::<T>(&mut playback, usize::MAX).samples,
            expected,
            "{dtype:?}"
        );
    }
    let folder = folder.path();
    back(folder, Dtype::I8, &[0x80, 1, 2, 3], &[-128_i32, 1, 2, 3]);
    back(folder, Dtype::U8, &[0x80, 1, 2, 3], &[128_i32, 1, 2, 3]);
    let words = [-32_768_i16, 32_767, 1, 2];
    back(folder, Dtype::I16, words.as_bytes(), &words.map(i32::from));
    let words = [65_535_u16, 0, 1, 2];
    back(folder, Dtype::U16, words.as_bytes(), &words.map(i32::from));
    let words = [u32::MAX, 0];
    back(folder, Dtype::U32, words.as_bytes(), &words);
    let words = [i64::MIN, i64::MAX];
    back(folder, Dtype::I64, words.as_bytes(), &words);
    let words = [u64::MAX, 1];
    back(folder, Dtype::U64, words.as_bytes(), &words);
    let words = [0.1_f32, f32::MIN_POSITIVE / 2.0, f32::INFINITY, -0.0];
    back(folder, Dtype::F32, words.as_bytes(), &words);
    let words = [0.1_f64, -1e300];
    back(folder, Dtype::F64, words.as_bytes(), &words);
    let lines = [0b1000_0001, 0b10, 0, 0b01];
    let expected = [1, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0];
    back::<i32>(folder, Dtype::Bits, &lines, &expected);
}

#[test]
fn what_a_layout_cannot_say_is_refused_by_name_with_what_can() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("refused.h5");
    let refused = |stream_type: &StreamType| {
        let mut file = McsFile::create(&path, &McsHeader::default()).unwrap();
        file.add("raw", "raw", stream_type).unwrap_err().to_string()
    };
    let of_rate = |rate| StreamType::frames(Dtype::I16, 20, 2, rate, "count");
    assert_eq!(
        refused(&of_rate(Rate::hz(30_000))),
        "stream `raw`: it has 30000 Hz, and the MCS layout's Tick is a whole number of microseconds per sample, not 33.3333; \
         export it with --to h5-plain, npy or csv"
    );
    assert!(refused(&of_rate(Rate::NONE)).contains("needs a rate"));
    let mut spectrum = of_rate(Rate::hz(10));
    spectrum.axes.push(Axis::new("frequency", 3));
    assert!(refused(&spectrum).contains("time x channel x frequency"));
    let commands = StreamType::records(command_layout(), 4);
    assert!(refused(&commands).contains("command records"));
    let plain = PlainFile::create(&path, "spikes", &commands);
    let plain = plain.err().unwrap().to_string();
    assert!(plain.contains("one matrix channel x sample"), "{plain}");
    let nowhere = McsFile::create(Path::new("/nowhere/out.h5"), &McsHeader::default());
    let nowhere = nowhere.err().unwrap().to_string();
    assert!(
        nowhere.starts_with("/nowhere/out.h5: cannot be written"),
        "{nowhere}"
    );
}
