//! Standard output that may be closed: `ephapse list | head` is no reason to panic, least of all while a session runs.

/// `println!` to a stdout that may be closed: then nobody is left to tell.
macro_rules! sayln {
    ($($part:tt)*) => {{
        let _ = std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("{}\n", format_args!($($part)*)));
    }};
}

pub(crate) use sayln;
