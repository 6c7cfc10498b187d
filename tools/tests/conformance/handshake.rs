//! A stage attaches to what fits, and to nothing else.

use crate::subjects::{Program, Subject};
use ephapse_driven::{Driven, Ended, Wanted};
use ephapse_engine::launch::segment_name;
use ephapse_engine::sync::Ordering;
use ephapse_rtconfig::stream_type::{Dtype, Rate, StreamType};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, chown};

/// Starts a stage on what `spoil` has made of its session; it must refuse.
#[track_caller]
fn refusal(program: &Program, wanted: &Wanted<'_>, spoil: impl FnOnce(&Driven)) -> Ended {
    let mut stage = Driven::spawn_spoiled(program.command(), wanted, spoil);
    let ended = stage.wait();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
    // Its rings may be shorter than the test has them mapped: they are not looked at.
    let activations = &stage.memory.bank().activations;
    assert_eq!(activations.load(Ordering::Relaxed), 0, "{ended:?}");
    ended
}

/// The file of one of a session's segments.
fn file(stage: &Driven, part: &str) -> String {
    format!("/dev/shm{}", segment_name(&stage.name, part))
}

fn write(stage: &Driven, part: &str, bytes: &[u8], at: u64) {
    let file = File::options().write(true).open(file(stage, part));
    file.unwrap().write_all_at(bytes, at).unwrap();
}

fn root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

pub fn what_does_not_fit_is_refused_in_one_line_that_names_the_segment_both_values_and_the_pid(
    subject: &dyn Subject,
) {
    let Some(program) = subject.passes() else {
        return;
    };
    let made_by = format!("pid {}", std::process::id());
    let other = StreamType::frames(Dtype::F64, 4, 3, Rate::hz(1000), "uV");
    let mut wanted = program.wanted();
    wanted.expects = Some(other);
    let ended = refusal(&program, &wanted, |_| ());
    for told in ["4 x 2 f64", "4 x 3 f64", &made_by] {
        assert!(ended.stderr.contains(told), "{told}: {ended:?}");
    }
    assert_eq!(ended.state, "failed", "{ended:?}");
    assert!(ended.stderr.contains(&ended.reason), "{ended:?}");

    // Damage to one of its rings: each way to spoil it, and what the line must say beside the segment's name.
    type Spoil<'a> = Box<dyn Fn(&Driven) + 'a>;
    let (input, output) = (program.input, program.output);
    let mut spoilt: Vec<(&str, Spoil<'_>, Vec<&str>)> = vec![
        (
            input,
            Box::new(|s| write(s, input, b"NOTHING\0", 0)),
            vec!["magic word"],
        ),
        (
            input,
            Box::new(|s| write(s, input, &[0; 8], 8)),
            vec!["version word is not yet written", &made_by],
        ),
        (
            output,
            Box::new(|s| write(s, output, &(7_u64 << 32 | 3).to_le_bytes(), 8)),
            vec!["ABI 7.3", "speaks 1.", &made_by],
        ),
        (
            input,
            Box::new(|s| write(s, input, &[5], 24)),
            vec!["kind 5", "expected kind 2", &made_by],
        ),
        (
            output,
            // One bit of the geometry.
            Box::new(|s| {
                let mut byte = [0];
                let file = File::open(file(s, output)).unwrap();
                file.read_exact_at(&mut byte, 130).unwrap();
                write(s, output, &[byte[0] ^ 1], 130);
            }),
            vec!["has checksum", "should have", &made_by],
        ),
        (
            input,
            Box::new(|s| {
                let file = File::options().write(true).open(file(s, input)).unwrap();
                file.set_len(8192).unwrap();
            }),
            vec!["is 8192 bytes long but says", "truncated", &made_by],
        ),
        (
            input,
            Box::new(|s| {
                let file = File::options().write(true).open(file(s, input)).unwrap();
                file.set_len(0).unwrap();
            }),
            vec!["is 0 bytes long"],
        ),
        (
            output,
            Box::new(|s| {
                fs::set_permissions(file(s, output), Permissions::from_mode(0o640)).unwrap()
            }),
            vec!["others may open it (mode 640)"],
        ),
        (
            input,
            Box::new(|s| fs::remove_file(file(s, input)).unwrap()),
            vec!["cannot open the segment", "still running"],
        ),
        (
            "stage",
            Box::new(|s| write(s, "stage", b"NOTHING\0", 0)),
            vec!["magic word"],
        ),
        (
            "session",
            Box::new(|s| fs::remove_file(file(s, "session")).unwrap()),
            vec!["cannot open the segment"],
        ),
    ];
    if root() {
        spoilt.push((
            input,
            Box::new(|s| chown(file(s, input), Some(65_534), None).unwrap()),
            vec!["belongs to user 65534, not to 0"],
        ));
    } else {
        eprintln!("SKIPPED: only root can make a segment of another user");
    }
    for (part, spoil, told) in &spoilt {
        expect_refused(&program, part, spoil, told);
    }
}

/// Fails the test unless a stage refuses a segment that was spoilt so, by name and in these words.
#[track_caller]
fn expect_refused(program: &Program, part: &str, spoil: &dyn Fn(&Driven), told: &[&str]) {
    let mut name = String::new();
    let ended = refusal(program, &program.wanted(), |stage| {
        name = segment_name(&stage.name, part);
        spoil(stage);
    });
    for told in told.iter().chain([&name.as_str()]) {
        assert!(ended.stderr.contains(told), "{told}: {ended:?}");
    }
}

pub fn what_an_earlier_session_has_left_is_refused_though_it_is_sound(subject: &dyn Subject) {
    let Some(program) = subject.passes() else {
        return;
    };
    let made_by = format!("made by pid {}", std::process::id());
    let told = ["is of session 0", "expected 0", &made_by, "earlier session"];
    let earlier = Driven::spawn(program.command(), &program.wanted());
    for part in [program.input, program.output, "telemetry", "stage"] {
        let left = fs::read(file(&earlier, part)).unwrap();
        let put = |stage: &Driven| write(stage, part, &left, 0);
        expect_refused(&program, part, &put, &told);
    }
}

pub fn a_role_that_another_process_holds_is_refused_with_its_pid(subject: &dyn Subject) {
    let Some(program) = subject.passes() else {
        return;
    };
    let holder = 1 << 32 | u64::from(std::process::id());
    let pid = format!("pid {}", std::process::id());
    let ended = refusal(&program, &program.wanted(), |s| s.take_seat(0, holder));
    assert!(ended.stderr.contains(&pid), "{ended:?}");
    assert!(ended.stderr.contains("seat 0"), "{ended:?}");
    let ended = refusal(&program, &program.wanted(), |s| s.take_output(0, holder));
    assert!(ended.stderr.contains(&pid), "{ended:?}");
}
