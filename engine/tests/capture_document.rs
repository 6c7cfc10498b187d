//! CAPTURE.md says what `capture::layout` is.

use core::mem::offset_of;
use ephapse_engine::capture::layout::{
    ALIGNMENT, BLOCK_ALIGNMENT, FileHeader, LONGEST_BODY, RECORDS_AT, RecordHeader, kind,
};

const DOCUMENT: &str = include_str!("../CAPTURE.md");

fn cells(line: &str) -> Option<Vec<&str>> {
    let row = line.strip_prefix('|')?.strip_suffix('|')?;
    Some(row.split('|').map(str::trim).collect())
}

/// Rows of the table under the line that names `title`.
fn table(title: &str) -> Vec<Vec<&'static str>> {
    let behind = DOCUMENT.split_once(title).expect(title).1;
    let rows = behind.lines().skip_while(|line| !line.starts_with('|'));
    let rows = rows.take_while(|line| line.starts_with('|')).skip(2);
    rows.map(|line| cells(line).expect(line)).collect()
}

fn fields(title: &str) -> Vec<(String, usize, usize)> {
    let number = |cell: &str| cell.parse().expect(cell);
    let row = |row: &Vec<&str>| {
        (
            row[2].trim_matches('`').to_owned(),
            number(row[0]),
            number(row[1]),
        )
    };
    table(title).iter().map(row).collect()
}

/// Fields in the order of the code, each as long as it is to the next.
fn in_code(bytes: usize, offsets: &[(&str, usize)]) -> Vec<(String, usize, usize)> {
    let ends = offsets.iter().skip(1).map(|(_, at)| *at).chain([bytes]);
    let fields = offsets.iter().zip(ends);
    fields
        .map(|((name, at), end)| ((*name).to_owned(), *at, end - at))
        .collect()
}

/// Rows of three cells that give a name in capitals a number.
fn numbered(wanted: impl Fn(&str) -> bool) -> Vec<(String, u64)> {
    let rows = DOCUMENT.lines().filter_map(cells);
    let rows = rows.filter(|row| row.len() == 3);
    let named = rows.filter_map(|row| {
        let name = row[0].strip_prefix('`')?.strip_suffix('`')?;
        let capitals = name.chars().all(|c| c.is_ascii_uppercase() || c == '_');
        Some((name.to_lowercase(), row[1].parse().ok()?)).filter(|_| capitals)
    });
    named.filter(|(name, _)| wanted(name)).collect()
}

macro_rules! offsets {
    ($of:ty, $($field:ident),+) => { &[$((stringify!($field), offset_of!($of, $field))),+] };
}

#[test]
fn the_document_says_where_every_field_of_the_headers_stands() {
    let file = offsets!(
        FileHeader,
        magic,
        major,
        minor,
        byte_order,
        capture_id,
        session_id,
        machine_id,
        created_realtime_ns,
        first_sequence,
        number,
        reserved,
        crc
    );
    assert_eq!(
        fields("`FileHeader`, 128 bytes:"),
        in_code(size_of::<FileHeader>(), file)
    );
    let record = offsets!(
        RecordHeader,
        magic,
        kind,
        reserved,
        capture,
        sequence,
        length,
        position,
        at_ns,
        source,
        count,
        body_crc,
        header_crc
    );
    assert_eq!(
        fields("`RecordHeader`, 64 bytes:"),
        in_code(size_of::<RecordHeader>(), record)
    );
}

#[test]
fn constants_have_the_values_that_the_document_says() {
    let said: Vec<(String, u64)> = numbered(|name| !kind::NAMES.contains(&name));
    let is = [
        ("RECORDS_AT", RECORDS_AT),
        ("ALIGNMENT", ALIGNMENT),
        ("LONGEST_BODY", LONGEST_BODY),
        ("BLOCK_ALIGNMENT", BLOCK_ALIGNMENT as u64),
    ];
    let is = is.map(|(name, value)| (name.to_lowercase(), value));
    assert_eq!(said, is);
}

#[test]
fn kinds_are_named_and_numbered_as_in_the_document() {
    let said = numbered(|name| kind::NAMES.contains(&name));
    let is: Vec<(String, u64)> = (1..)
        .zip(&kind::NAMES[1..])
        .map(|(number, name)| ((*name).to_owned(), number))
        .collect();
    assert_eq!(said, is);
}
