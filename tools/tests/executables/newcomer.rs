//! What `new-stage` and `new-graph` write is built, tested, checked and run; and the path of the README is walked.

use crate::finished::Finished;
use crate::languages::{compiled, interpreter};
use crate::place::{EPHAPSE, Place};
use crate::turns::{alone, shared};
use std::fs;
use std::path::Path;
use std::process::Command;

/// The template as it stands in the tree: compiled, linted, its test among these.
#[path = "../../templates/rust/src/main.rs"]
#[allow(dead_code, reason = "its `main` is not for here")]
mod rust_template;

/// A Rust stage of that template as a process of its own.
#[test]
#[ignore = "a stage, for the launcher"]
fn rust_stage() {
    crate::languages::own_stages::as_stage::<rust_template::AverageReference>();
}

/// The folder of Ephapse's source.
const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Runs lines of a shell, which ends at the first that fails, in a folder of the place; `ephapse` is the one under test.
fn shell(place: &Place, folder: &str, script: &str) -> Finished {
    let programs = Path::new(EPHAPSE).parent().unwrap().display();
    let mut shell = Command::new("sh");
    shell
        .args(["-euc", &format!("PATH='{programs}':\"$PATH\"\n{script}")])
        .env("XDG_RUNTIME_DIR", place.path().join("run"))
        .current_dir(place.path().join(folder));
    if interpreter::is_there() {
        interpreter::give_to(&mut shell);
    }
    place.finish(shell, 900)
}

/// Writes a stage in this language, of the session's name, so that no two tests have one; shows that its test finds a change
/// of the arithmetic. `build` and `test` are run in the stage's folder, where `arithmetic` is.
fn written_built_and_tested(language: &str, build: &str, test: &str, arithmetic: &str) -> Place {
    let place = Place::new();
    let name = place.session().to_owned();
    let new_stage = ["new-stage", "--lang", language, &name];
    let told = place.run(&new_stage).expect(0).stdout;
    assert!(
        told.contains(&format!("cd {name}\n")) && told.contains(&format!(" check graphs/{name}")),
        "{told}"
    );
    let again = place.run(&new_stage).expect(1);
    assert!(again.only_line().contains("nothing is written over"));

    let folder = format!("{name}/stages/{name}");
    shell(&place, &folder, build).expect(0);
    shell(&place, &folder, test).expect(0);
    let source = place.path().join(&folder).join(arithmetic);
    let right = fs::read_to_string(&source).unwrap();
    let is_arithmetic = |line: &&str| line.contains(" - ") && line.contains(" * ");
    let line = right.lines().find(is_arithmetic).unwrap();
    for (from, to) in [(" - ", " + "), (" * ", " / ")] {
        fs::write(&source, right.replace(line, &line.replacen(from, to, 1))).unwrap();
        let ended = shell(&place, &folder, test);
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert!(ended.code != Some(0), "{language}, `{from}`: {said}");
        // Not because it does not compile.
        assert!(said.contains("FAILED"), "{said}");
    }
    fs::write(&source, right).unwrap();
    shell(&place, &folder, test).expect(0);
    checked_and_run(&place, &name);
    place
}

/// Checks and runs the graph of the stage in this folder.
fn checked_and_run(place: &Place, name: &str) {
    let graph = format!("graphs/{name}.toml");
    let checked = shell(place, name, &format!("ephapse check {graph}"));
    assert!(checked.expect(0).stdout.contains("sound"));
    let session = place.session();
    let run = format!(
        "ephapse run {graph} --unpaced --duration 2s --set name={session:?} --report report"
    );
    shell(place, name, &run).expect(0);
    place.expect_nothing_left();
    let log = place.path().join(name).join("report/stimulation.jsonl");
    assert!(fs::read_to_string(log).unwrap().lines().count() > 0);
}

#[test]
fn a_new_stage_in_python_passes_its_test_which_finds_a_wrong_sign_and_runs() {
    let _turn = alone();
    if interpreter::command().is_none() {
        return;
    }
    written_built_and_tested("python", "true", "python3 -m unittest", "stage.py");
}

#[test]
fn a_new_stage_in_c_is_built_passes_its_test_which_finds_a_wrong_sign_and_runs() {
    let _turn = alone();
    // The library of this build in the place of the one that the user's first `make` builds.
    let Some(library) = compiled::library() else {
        return;
    };
    if Command::new("make").arg("-v").output().is_err() {
        eprintln!("SKIPPED: no `make` here");
        return;
    }
    let library = format!("LIBRARY={}", library.display());
    written_built_and_tested("c", &format!("make {library}"), "make test", "arithmetic.h");
}

#[test]
fn a_new_stage_in_rust_runs() {
    let _turn = alone();
    let place = Place::new();
    let name = "template-name";
    place.run(&["new-stage", "--lang", "rust", name]).expect(0);
    // What its folder would be built to is in this executable already.
    let manifest = place
        .path()
        .join("template-name/stages/template-name/stage.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    let command = text
        .lines()
        .find(|line| line.starts_with("command"))
        .unwrap();
    let own = crate::languages::own_stages::command_of("newcomer::rust_stage");
    fs::write(&manifest, text.replace(command, &own)).unwrap();
    checked_and_run(&place, name);
}

/// Compiles the engine for a package of its own: minutes, so `make accept` asks for it.
#[test]
#[ignore = "takes minutes: make accept"]
fn a_new_stage_in_rust_is_built_passes_its_test_which_finds_a_wrong_sign_and_runs() {
    let _turn = alone();
    written_built_and_tested(
        "rust",
        "unset CARGO_TARGET_DIR; cargo build --offline --release",
        "unset CARGO_TARGET_DIR; cargo test --offline",
        "src/main.rs",
    );
}

#[test]
fn a_new_stage_may_say_whose_it_is_and_where_it_is_to_be() {
    let _turn = shared();
    let place = Place::new();
    place
        .run(&[
            "new-stage",
            "--lang",
            "python",
            "otherlab.decoder",
            "here/it-is",
        ])
        .expect(0);
    let drawn = shell(&place, "here/it-is", "ephapse check graphs/decoder.toml");
    if interpreter::command().is_some() {
        drawn.expect(0);
    }
    let listed = place
        .run(&["list", "here/it-is/graphs/decoder.toml"])
        .expect(0);
    assert!(
        listed.stdout.contains("otherlab.decoder"),
        "{}",
        listed.stdout
    );
    for name in ["Decoder", "a/b", "../x", "", "a..b", "timer"] {
        let refused = place.run(&["new-stage", "--lang", "c", name]).expect(1);
        assert!(
            refused.only_line().contains(&format!("`{name}`")),
            "{}",
            refused.stderr
        );
    }
    place.expect_nothing_left();
}

#[test]
fn every_new_graph_passes_check_at_once_and_runs() {
    let _turn = alone();
    let place = Place::new();
    place.write("recording.f32", &"\0\0\0\0".repeat(60_000));
    let mine = [
        "--recording",
        "recording.f32",
        "--format",
        "f32le,4ch,20000Hz",
    ];
    let demo = ["--recording", "demo-recording.h5"];
    for (origin, file, more) in [
        ("demo", "demo.toml", &[][..]),
        ("recording", "recording.toml", &mine[..]),
        ("recording", "mine/again.toml", &demo[..]),
        ("synthetic", "synthetic.toml", &[]),
        ("python", "python.toml", &[]),
    ] {
        let mut arguments = vec!["new-graph", "--from", origin];
        if file != format!("{origin}.toml") {
            arguments.push(file);
        }
        arguments.extend(more);
        place.run(&arguments).expect(0);
        let refused = place.run(&arguments).expect(1);
        assert!(refused.only_line().contains("nothing is written over"));
        if origin == "python" && interpreter::command().is_none() {
            continue;
        }
        shell(&place, "", &format!("ephapse check {file}")).expect(0);
        let session = place.session();
        shell(
            &place,
            "",
            &format!(
                "ephapse run {file} --unpaced --duration 1s --set name={session:?} --report report"
            ),
        )
        .expect(0);
        place.expect_nothing_left();
    }
    let refused = place
        .run(&["new-graph", "--from", "recording", "x.toml"])
        .expect(1);
    assert!(refused.stderr.contains("--recording"), "{}", refused.stderr);
    assert!(!place.path().join("x.toml").exists());
}

/// The commands of the README's path: what is done once, and the path itself. The stage that they name has the session's
/// name, so that no two tests have one.
fn the_path(place: &Place) -> [String; 2] {
    let text = fs::read_to_string(format!("{SOURCE}/README.md")).unwrap();
    let from = text
        .split("\n## A stage of your own in ten minutes\n")
        .nth(1);
    let section = from.unwrap().split("\n## ").next().unwrap();
    let blocks = section.split("```").skip(1).step_by(2);
    let commands = blocks.map(|block| block.split_once('\n').unwrap().1);
    let commands: Vec<String> = commands
        .map(|block| block.replace("reference", place.session()))
        .collect();
    commands.try_into().unwrap()
}

/// Fails the test unless the path has changed its stage.
#[track_caller]
fn expect_changed(place: &Place) {
    let name = place.session();
    let source = place.path().join(format!("{name}/stages/{name}/stage.py"));
    let source = fs::read_to_string(source).unwrap();
    assert!(
        source.contains("gain * 2.0"),
        "the path changed nothing:\n{source}"
    );
}

#[test]
fn every_command_of_the_newcomers_path_in_the_readme_works() {
    let _turn = alone();
    if interpreter::command().is_none() {
        return;
    }
    let place = Place::new();
    let [_, path] = the_path(&place);
    let ended = shell(&place, "", &path).expect(0);
    assert!(ended.stdout.contains("runs again"), "{}", ended.stdout);
    expect_changed(&place);
    place.expect_nothing_left();
}

/// Builds the command line and the Python package as a newcomer does: minutes, so `make accept` asks for it.
#[test]
#[ignore = "takes minutes: make accept"]
fn every_command_of_the_newcomers_path_in_the_readme_works_from_the_first_on() {
    let _turn = alone();
    let place = Place::new();
    let [once, path] = the_path(&place);
    let script = format!("{once}\ncd {}\n{path}", place.path().display());
    let mut shell = Command::new("sh");
    shell
        .args(["-euc", &script])
        .env("XDG_RUNTIME_DIR", place.path().join("run"))
        .env_remove("PYTHONPATH")
        .env_remove("CARGO_TARGET_DIR")
        .current_dir(SOURCE);
    place.finish(shell, 1_800).expect(0);
    expect_changed(&place);
    place.expect_nothing_left();
}
