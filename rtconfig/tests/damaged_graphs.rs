//! Graph files as damage makes them are planned or refused in one line that says where, and nothing panics.
//!
//! For `EPHAPSE_FUZZ_S` seconds (2 if it is not set) from `EPHAPSE_FUZZ_SEED`.

mod kinds;

use ephapse_rtconfig::explain;
use ephapse_rtconfig::graph::Graph;
use ephapse_rtconfig::resolve::resolve;
use std::path::Path;
use std::time::{Duration, Instant};

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    fn of<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

/// What stands in graph files, and what should not.
const WORDS: [&str; 30] = [
    "0",
    "-1",
    "1",
    "63",
    "64",
    "1e300",
    "nan",
    "4294967296",
    "9223372036854775807",
    "true",
    "\"\"",
    "\"raw\"",
    "\"tick\"",
    "\"data\"",
    "\"lap\"",
    "\"newest\"",
    "[]",
    "{}",
    "[[stage]]",
    "[stage.source]",
    "{ n = 0, step = 0 }",
    "=",
    "#",
    "\n",
    "\0",
    "\u{feff}",
    "µV",
    "'''",
    "in = { frames = \"nobody\" }",
    "divider = 9223372036854775807",
];

/// Words, numbers, marks and what stands between them.
fn tokens(text: &str) -> Vec<&str> {
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = match word(first) {
            true => rest.find(|c| !word(c)).unwrap_or(rest.len()),
            false => first.len_utf8(),
        };
        let (token, behind) = rest.split_at(end);
        tokens.push(token);
        rest = behind;
    }
    tokens
}

fn damaged(text: &str, random: &mut Random) -> String {
    let mut tokens = tokens(text);
    for _ in 0..=random.below(3) {
        let at = random.below(tokens.len());
        match random.next() % 6 {
            0 => _ = tokens.remove(at),
            1 => tokens.insert(at, random.of(&WORDS)),
            2 | 3 => {
                // Mostly another word where a word stands: what is then still read goes further.
                let is_word = |token: &&str| token.starts_with(char::is_alphanumeric);
                let words: Vec<usize> =
                    (0..tokens.len()).filter(|i| is_word(&tokens[*i])).collect();
                if !words.is_empty() {
                    tokens[words[random.below(words.len())]] = random.of(&WORDS);
                }
            }
            4 => {
                let other = random.below(tokens.len());
                tokens.swap(at, other);
            }
            // A piece again, somewhere else.
            _ => {
                let end = (at + random.below(40)).min(tokens.len());
                let piece = tokens[at..end].to_vec();
                let to = random.below(tokens.len());
                tokens.splice(to..to, piece);
            }
        }
    }
    tokens.concat()
}

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

#[test]
fn a_damaged_graph_is_planned_or_refused_line_by_line() {
    let graphs = ["demo", "blocks-24kb"].map(|name| {
        let path = format!("graphs/{name}.toml");
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
    });
    let mut whole: Vec<&str> = graphs.iter().map(String::as_str).collect();
    whole.push(kinds::LOOP);
    let seed = setting("EPHAPSE_FUZZ_SEED", 0x0e94_a95e);
    let until = Instant::now() + Duration::from_secs(setting("EPHAPSE_FUZZ_S", 2));
    let mut random = Random(seed.max(1));
    let (catalogue, host) = (kinds::kinds(), kinds::two_cpus());
    let (mut planned, mut unplanned, mut unread) = (0, 0, 0);
    while Instant::now() < until {
        let text = damaged(random.of(&whole), &mut random);
        let located = |line: &str| {
            assert!(
                line.starts_with("g.toml:") && !line.contains('\n'),
                "{line:?} of\n{text}"
            );
        };
        match Graph::from_str(&text, "g.toml") {
            Err(problem) => {
                located(&problem.to_string());
                unread += 1;
            }
            Ok(graph) => match resolve(&graph, &catalogue, &host) {
                Err(problems) => {
                    assert!(!problems.is_empty());
                    problems.iter().for_each(|p| located(&p.to_string()));
                    unplanned += 1;
                }
                Ok(plan) => {
                    assert!(!explain::draw(&plan).is_empty());
                    planned += 1;
                }
            },
        }
    }
    println!("{planned} planned, {unplanned} not planned, {unread} not read; seed {seed}");
    assert!(
        planned > 0 && unplanned > 0 && unread > 0,
        "too much or too little damage"
    );
}
