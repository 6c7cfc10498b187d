//! Which names a session, a stage and a stream may have: they become parts of shared-memory and file names.

/// Longest name, in bytes: session and stream name together fit a shared-memory name.
const LONGEST: usize = 32;

/// Words that name segments and processes of every session.
const RESERVED: [&str; 5] = ["session", "events", "timer", "recorder", "spool"];

/// What is wrong with a name and what to do, if anything is.
pub fn fault(name: &str) -> Option<(String, String)> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    if name.is_empty() || !name.chars().all(allowed) {
        return Some((
            format!("`{name}` is not a name"),
            "use a-z, 0-9, `_` and `-`".to_owned(),
        ));
    }
    if name.len() > LONGEST {
        return Some((
            format!("the name has {} bytes, at most {LONGEST} fit", name.len()),
            "shorten it".to_owned(),
        ));
    }
    if RESERVED.contains(&name) || name.contains("ephapse") {
        return Some((
            format!("the name `{name}` is reserved"),
            "choose another".to_owned(),
        ));
    }
    None
}
