//! Files that cannot be played are refused in one line that names the file and the fault.

use crate::playing::refusal;
use ephapse_drivers::acquire::binary::{Binary, sidecar_path};
use serde_json::json;
use std::path::{Path, PathBuf};

fn file(folder: &Path, name: &str, content: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path
}

#[test]
fn a_missing_file_a_folder_and_an_empty_file_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let format = "i16le,1ch,1000Hz";
    let refused = |path: &Path| refusal::<Binary>(json!({"path": path, "format": format}));
    let missing = refused(&folder.path().join("nowhere/gone.raw"));
    assert!(
        missing.contains("gone.raw: no such file") && missing.contains("its folder"),
        "{missing}"
    );
    assert!(refused(folder.path()).contains("is a directory"));
    assert!(refused(&file(folder.path(), "empty.raw", b"")).contains("empty.raw: is empty"));
    assert!(refusal::<Binary>(json!({"path": "", "format": format})).contains("`path`"));
}

#[test]
fn a_binary_file_that_is_not_a_whole_number_of_frames_is_cut_off_or_described_wrongly() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "cut.raw", &[0; 101]);
    let error = refusal::<Binary>(json!({"path": path, "format": "i16le,4ch,1000Hz"}));
    assert!(
        error.contains("101 bytes") && error.contains("8-byte frames"),
        "{error}"
    );
}

#[test]
fn without_format_and_sidecar_the_error_prints_the_sidecar_to_write() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "bare.raw", &[0; 64]);
    let error = refusal::<Binary>(json!({"path": path}));
    assert!(error.contains("bare.raw.ephapse.json"), "{error}");
    // Copied out of the message, it works.
    let sidecar = &error[error.find('{').unwrap()..];
    std::fs::write(sidecar_path(&path), sidecar).unwrap();
    crate::playing::open::<Binary>(json!({"path": path}));
}

#[test]
fn a_wrong_sidecar_is_named_with_its_fault() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "x.raw", &[0; 64]);
    for (sidecar, fault) in [
        ("not json", "is no sidecar"),
        (
            r#"{"dtype":"i16","channels":0,"rate_hz":1}"#,
            "`channels` is 0",
        ),
        (r#"{"dtype":"i16","channels":1,"rate_hz":-5}"#, "`rate_hz`"),
        (
            r#"{"dtype":"i16","channels":1,"rate_hz":1,"chanels":2}"#,
            "chanels",
        ),
        (
            r#"{"dtype":"i16","channels":1,"rate_hz":1,"layout":"channel_major"}"#,
            "channel_major",
        ),
        (
            r#"{"dtype":"i16","channels":2,"rate_hz":1,"labels":["a"]}"#,
            "1 `labels` for 2",
        ),
    ] {
        std::fs::write(sidecar_path(&path), sidecar).unwrap();
        let error = refusal::<Binary>(json!({"path": path}));
        assert!(
            error.contains("x.raw.ephapse.json") && error.contains(fault),
            "{error}"
        );
    }
}

#[test]
fn parameters_out_of_range_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "x.raw", &[0; 64]);
    for (key, value) in [
        ("block_frames", json!(0)),
        ("speed", json!(0.0)),
        ("speed", json!(-1.0)),
        ("duration_s", json!(0.0)),
        ("start_s", json!(1e6)),
    ] {
        let mut params = json!({"path": path, "format": "i16le,1ch,1000Hz"});
        params[key] = value;
        let error = refusal::<Binary>(params);
        assert!(error.contains(&format!("`{key}`")), "{error}");
    }
}

#[test]
fn a_file_that_shrinks_while_it_plays_is_reported_at_its_frame() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "shrinks.raw", &[0; 20_000]);
    let mut playback =
        crate::playing::open::<Binary>(json!({"path": path, "format": "i16le,1ch,1000Hz"}));
    std::fs::write(&path, [0; 100]).unwrap();
    let mut payload = vec![0; playback.stream_type().block_bytes()];
    let mut cursor = Default::default();
    let error = playback
        .fill(&mut cursor, &mut payload, 20)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("shrinks.raw") && error.contains("frame 0"),
        "{error}"
    );
    assert_eq!(cursor, Default::default(), "nothing was played");
}

#[cfg(feature = "hdf5")]
mod hdf5_files {
    use super::{file, refusal};
    use crate::mcs_file::{McsFile, Stream};
    use ephapse_drivers::acquire::crepe_h5::CrepeH5;
    use ephapse_drivers::acquire::mcs_h5::McsH5;
    use serde_json::json;
    use std::path::Path;

    #[test]
    fn what_is_not_hdf5_is_said_to_be_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = file(folder.path(), "text.h5", b"TimeStamp [us],47 (ID=0) [pV]");
        for error in [
            refusal::<McsH5>(json!({"path": path})),
            refusal::<CrepeH5>(json!({"path": path})),
        ] {
            assert!(error.contains("text.h5: is not an HDF5 file"), "{error}");
        }
        let missing = refusal::<McsH5>(json!({"path": folder.path().join("gone.h5")}));
        assert!(missing.contains("no such file"), "{missing}");
        assert!(refusal::<McsH5>(json!({"path": folder.path()})).contains("directory"));
    }

    #[test]
    fn a_cut_off_hdf5_file_is_refused_or_reported_but_never_played_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let whole = folder.path().join("whole.h5");
        McsFile::new(&whole).stream(
            0,
            Stream {
                samples: 20_000,
                ..Stream::default()
            },
        );
        let bytes = std::fs::read(&whole).unwrap();
        for part in [1, 2, 3] {
            let path = file(folder.path(), "cut.h5", &bytes[..bytes.len() * part / 4]);
            let error = refusal::<McsH5>(json!({"path": path}));
            assert!(error.contains("damaged or cut off"), "{error}");
        }
    }

    #[test]
    fn a_file_that_is_still_being_written_is_not_called_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("growing.h5");
        let writer = std::fs::File::create(&path).unwrap();
        drop(hdf5::File::create(&path).unwrap());
        writer.lock().unwrap();
        let error = refusal::<McsH5>(json!({"path": path}));
        assert!(
            error.contains("being written by another program"),
            "{error}"
        );
    }

    #[test]
    fn a_damaged_piece_of_data_is_reported_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("damaged.h5");
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
        let mut playback = crate::playing::open::<McsH5>(json!({"path": path}));
        let mut payload = vec![0; playback.stream_type().block_bytes()];
        let mut cursor = Default::default();
        let error = loop {
            match playback.fill(&mut cursor, &mut payload, 20) {
                Ok(Some(_)) => {}
                Ok(None) => panic!("the damage was not noticed"),
                Err(error) => break error.to_string(),
            }
        };
        assert!(
            error.contains("damaged.h5") && error.contains("ChannelData"),
            "{error}"
        );
        assert!(!error.contains('\n'));
    }

    fn wrong(change: impl FnOnce(&mut Stream), fault: &str) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wrong.h5");
        let mut stream = Stream::default();
        change(&mut stream);
        McsFile::new(&path).stream(0, stream);
        let error = refusal::<McsH5>(json!({"path": path}));
        assert!(
            error.contains("wrong.h5") && error.contains(fault),
            "{error}"
        );
    }

    #[test]
    fn streams_that_contradict_themselves_are_refused_with_the_contradiction() {
        wrong(|s| s.channels = 0, "0 channels");
        wrong(|s| s.samples = 0, "0 samples");
        wrong(|s| s.rows = Some(vec![0, 1, 7]), "row 7");
        wrong(|s| s.ticks_us = Some(vec![50, 50, 40]), "differ in rate");
        wrong(|s| s.ticks_us = Some(vec![0, 0, 0]), "tick of 0 us");
        wrong(
            |s| s.pieces = vec![[0, 0, 99], [9000, 100, 5000]],
            "100 to 5000",
        );
        wrong(|s| s.info_channel = false, "InfoChannel");
    }

    #[test]
    fn hdf5_of_another_kind_says_what_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let path: &Path = &folder.path().join("other.h5");
        hdf5::File::create(path)
            .unwrap()
            .create_group("something")
            .unwrap();
        let error = refusal::<McsH5>(json!({"path": path}));
        assert!(error.contains("AnalogStream"), "{error}");
        let error = refusal::<CrepeH5>(json!({"path": path}));
        assert!(error.contains("`data`"), "{error}");
    }
}
