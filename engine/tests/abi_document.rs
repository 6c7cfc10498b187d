//! `ABI.md` against `src/abi/`: what the document says of a byte is what the code does with it.

use core::mem::{offset_of, size_of};
use ephapse_engine::abi::{self, *};
use std::collections::BTreeMap;

const DOCUMENT: &str = include_str!("../ABI.md");

/// All of `src/abi/`, whatever files it has.
fn source() -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/abi");
    let files = std::fs::read_dir(folder).unwrap();
    let texts = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
    texts.collect()
}

/// Where a field stands: name, first byte, bytes.
type Field = (String, usize, usize);

/// A struct: its bytes and its fields.
#[derive(Debug, Default)]
struct Layout {
    bytes: usize,
    fields: Vec<Field>,
}

fn bytes_of<T, F>(_: impl Fn(&T) -> &F) -> usize {
    size_of::<F>()
}

macro_rules! layouts {
    ($($name:ident { $($field:ident)* })*) => {
        BTreeMap::from([$((
            stringify!($name).to_owned(),
            Layout {
                bytes: size_of::<$name>(),
                fields: vec![$((
                    stringify!($field).to_owned(),
                    offset_of!($name, $field),
                    bytes_of(|s: &$name| &s.$field),
                )),*],
            },
        )),*])
    };
}

/// Every public field of every struct, as the compiler lays it out.
fn in_code() -> BTreeMap<String, Layout> {
    layouts! {
        SegmentHeader {
            magic version byte_order kind crc segment_bytes fixed_bytes session_id machine_id launcher_pid reserved0
            reserved
        }
        RingGeometry {
            slots seats spare_seats full slot_stride payload_bytes producer_at seats_at seat_stride bells_at slots_at
            type_at seat_table_at stream origin sleepless reserved0 reserved
        }
        TypeBlock {
            kind dtype rank memory_order frames_per_block fields record_bytes reserved0 row_stride rate_numerator
            rate_denominator unit si_unit record_name scale_at offset_at positions_at fields_at scales offsets positions
            reserved1 axes reserved
        }
        AxisEntry { length labels name unit labels_at labels_bytes reserved }
        FieldEntry { name dtype count offset reserved unit }
        SeatEntry { kind spare stage port sleepless reserved }
        ProducerWords { owner start_time published end end_reason end_lost waiting }
        SeatWords { owner start_time closed position joined waiting }
        BellWords { data room }
        SlotHeader {
            position tick first_frame origin_stream flags origin_first origin_frame cause part parts valid lost settling
            epoch sampled_ns arrived_ns committed_ns user reserved
        }
        SessionWords { state start_ns start_tick stop_tick stop run_ns period_ns off held }
        TimerWords { tick tick_ns }
        StageWords {
            owner state asks_stop heartbeat_ns flip policy priority cpu locked_bytes allocations minor_faults
            major_faults voluntary involuntary spurious over_budget worst_ns epoch injected injected_ns reason rt_why
        }
        StageOrders { start_time generation epoch poison }
        StageGeometry {
            words_at orders_at params_at params_bytes banks_at bank_stride state_bytes append_at append_bytes
            layout_hash reserved
        }
        Bank {
            ran records run late_wake long_run no_room dead settle_left append_used started activations inputs outputs
        }
        InputAccount { position consumed jumped lapped gaps lost_frames faults reserved }
        OutputAccount { published offered dropped next_frame counted valid lost owed }
        TelemetryWords { published }
        CollectorWords { taken }
        RecorderWords { kept }
        ActivationRecord {
            tick since_ns woke_ns committed_ns sampled_ns arrived_ns origin_frame now_ns consumed produced epoch skipped
            usage cpu frames lost ports marks circumstances blocks reserved
        }
        EventEntry { number at_ns tick who what }
    }
}

macro_rules! constants {
    ($($($part:ident)::+ )*) => {
        BTreeMap::from([$((
            stringify!($($part)::+).replace(' ', ""),
            u64::try_from(abi::$($part)::+).unwrap(),
        )),*])
    };
}

/// Every public number.
fn constants_in_code() -> BTreeMap<String, u64> {
    constants! {
        MAGIC VERSION_MAJOR VERSION_MINOR VERSION BYTE_ORDER PAGE LINE PAYLOAD_ALIGN OPEN MAX_PORTS MAX_AXES
        segment::SESSION segment::RING segment::STAGE segment::TELEMETRY segment::EVENTS segment::SPOOL
        flag::GAP flag::LATE flag::SYNTHETIC flag::RESET flag::REPLAY flag::CLOCK_SHIFT flag::CLOCK_MASK flag::PASSED_ON
        end_reason::NONE end_reason::FINISHED end_reason::STOPPED end_reason::FAULT end_reason::DIED
        circumstance::OFF circumstance::STARTED_OVER circumstance::PASSED_OVER circumstance::FINISH circumstance::DROPPED
        circumstance::WITHHELD circumstance::SCATTERED circumstance::UNRECORDED
        circumstance::INJECTED circumstance::HELD
        RING_GEOMETRY_AT TYPE_AT SEAT_TABLE_AT STAGE_GEOMETRY_AT TELEMETRY_RECORDER_AT TELEMETRY_SLOTS_AT
        session_state::LOADING session_state::VALIDATING session_state::PREPARING session_state::READY
        session_state::RUNNING session_state::DRAINING session_state::CLOSED session_state::FAILED
        stage_state::STARTING stage_state::ATTACHED stage_state::READY stage_state::RUNNING
        stage_state::DRAINING stage_state::DONE stage_state::FAILED stage_state::RESTARTING
    }
}

/// Cells of a table row; `None` for a line that is none.
fn cells(line: &str) -> Option<Vec<&str>> {
    let inner = line.strip_prefix("| ")?.strip_suffix('|')?;
    Some(inner.split(" | ").map(str::trim).collect())
}

fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

/// Every struct table of the document: the line "`Name`, N bytes:" and the rows behind it.
fn in_document() -> BTreeMap<String, Layout> {
    let mut found = BTreeMap::new();
    let mut lines = DOCUMENT.lines();
    while let Some(line) = lines.next() {
        let Some((name, bytes)) = line
            .strip_prefix('`')
            .and_then(|rest| rest.strip_suffix(" bytes:"))
            .and_then(|rest| rest.split_once("`, "))
        else {
            continue;
        };
        let fields = lines
            .by_ref()
            .skip(3)
            .map_while(cells)
            .map(|row| {
                assert_eq!(row.len(), 5, "{name}: a row of five cells: {row:?}");
                let at = |index: usize| number(row[index]).unwrap() as usize;
                (row[2].trim_matches('`').to_owned(), at(0), at(1))
            })
            .collect();
        let layout = Layout {
            bytes: bytes.parse().unwrap(),
            fields,
        };
        assert!(
            found.insert(name.to_owned(), layout).is_none(),
            "{name} stands in the document twice"
        );
    }
    found
}

fn constants_in_document() -> BTreeMap<String, u64> {
    DOCUMENT
        .lines()
        .skip_while(|line| *line != "| constant | value | meaning |")
        .skip(2)
        .map_while(cells)
        .map(|row| {
            (
                row[0].trim_matches('`').to_owned(),
                number(row[1]).unwrap_or_else(|| panic!("not a number: {row:?}")),
            )
        })
        .collect()
}

fn names(layout: &Layout) -> Vec<&str> {
    layout
        .fields
        .iter()
        .map(|(name, ..)| name.as_str())
        .collect()
}

/// Names of all fields, private padding included, as the source has them.
fn fields_in_source() -> BTreeMap<String, Vec<(bool, String)>> {
    let mut found: BTreeMap<String, Vec<(bool, String)>> = BTreeMap::new();
    let mut name = None;
    for line in source().lines() {
        if let Some(rest) = line.strip_prefix("pub struct ") {
            let opened = rest.trim_end_matches(" {").to_owned();
            found.insert(opened.clone(), Vec::new());
            name = Some(opened);
        } else if line == "}" {
            name = None;
        } else if let Some(name) = &name
            && let Some((field, _)) = line.trim().split_once(": ")
            && !line.trim().starts_with("//")
        {
            let public = field.starts_with("pub ");
            let field = field.trim_start_matches("pub ").to_owned();
            found.get_mut(name).unwrap().push((public, field));
        }
    }
    found
}

#[test]
fn this_test_knows_every_struct_and_field_of_the_source() {
    let code = in_code();
    let source = fields_in_source();
    assert_eq!(
        code.keys().collect::<Vec<_>>(),
        source.keys().collect::<Vec<_>>()
    );
    for (name, fields) in &source {
        let public: Vec<&str> = fields
            .iter()
            .filter(|(public, _)| *public)
            .map(|(_, field)| field.as_str())
            .collect();
        assert_eq!(names(&code[name]), public, "{name}");
    }
}

#[test]
fn every_struct_of_the_code_stands_in_the_document_and_no_other() {
    assert_eq!(
        in_code().keys().collect::<Vec<_>>(),
        in_document().keys().collect::<Vec<_>>()
    );
}

#[test]
fn the_document_names_every_field_in_the_order_of_the_code_padding_included() {
    let document = in_document();
    for (name, fields) in fields_in_source() {
        let fields: Vec<&str> = fields.iter().map(|(_, field)| field.as_str()).collect();
        assert_eq!(names(&document[&name]), fields, "{name}");
    }
}

#[test]
fn every_field_stands_at_the_byte_and_has_the_size_that_the_document_says() {
    let document = in_document();
    for (name, code) in in_code() {
        let told = &document[&name];
        assert_eq!(told.bytes, code.bytes, "size of {name}");
        for field in &code.fields {
            assert!(
                told.fields.contains(field),
                "{name}: {field:?} (name, offset, bytes) is not what the document says"
            );
        }
    }
}

#[test]
fn the_tables_leave_no_byte_of_a_struct_out() {
    for (name, told) in in_document() {
        let mut next = 0;
        for (field, at, bytes) in &told.fields {
            assert_eq!(
                *at, next,
                "{name}.{field} does not follow what stands before it"
            );
            next = at + bytes;
        }
        assert_eq!(next, told.bytes, "the end of {name}");
    }
}

#[test]
fn constants_have_the_values_that_the_document_says() {
    assert_eq!(constants_in_code(), constants_in_document());
}

#[test]
fn this_test_knows_every_constant_of_the_source() {
    let mut module = String::new();
    let mut found = Vec::new();
    for line in source().lines() {
        if let Some(rest) = line.strip_prefix("pub mod ") {
            module = rest.trim_end_matches('{').trim().to_owned() + "::";
        } else if line == "}" {
            module.clear();
        } else if let Some(rest) = line.trim().strip_prefix("pub const ") {
            let (name, _) = rest.split_once(':').unwrap();
            // Names of states are texts; they are compared below.
            if name != "NAMES" {
                found.push(format!("{module}{name}"));
            }
        }
    }
    found.sort();
    assert_eq!(found, constants_in_code().into_keys().collect::<Vec<_>>());
}

#[test]
fn states_are_named_as_their_constants() {
    for (module, known) in [
        ("session_state", session_state::NAMES),
        ("stage_state", stage_state::NAMES),
    ] {
        let mut states: Vec<(u64, String)> = constants_in_document()
            .into_iter()
            .filter_map(|(name, value)| {
                let state = name.strip_prefix(module)?.strip_prefix("::")?;
                Some((value, state.to_lowercase()))
            })
            .collect();
        states.sort();
        let states: Vec<&str> = states.iter().map(|(_, state)| state.as_str()).collect();
        assert_eq!(states, known, "{module}");
    }
}

#[test]
fn every_order_named_in_the_source_is_explained_in_the_document() {
    for label in ["V", "P", "R", "E", "W", "L", "T", "F", "S"] {
        assert!(
            DOCUMENT
                .lines()
                .any(|line| line.starts_with(&format!("| `[{label}]` |"))),
            "[{label}]"
        );
    }
    for invariant in 1..=15 {
        assert_eq!(
            DOCUMENT.matches(&format!("\n| I{invariant} |")).count(),
            1,
            "I{invariant}"
        );
    }
}
