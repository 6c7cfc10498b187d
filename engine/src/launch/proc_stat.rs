//! `/proc/PID/stat`, and that of a thread.

/// The field of that number in proc_pid_stat(5), 3 (the state) or a later one.
pub(super) fn field(stat: &str, number: usize) -> Option<&str> {
    // The command name before it may hold anything, brackets too: fields are counted from behind its closing one.
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_whitespace();
    fields.nth(number.checked_sub(3)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_behind_a_name_that_holds_brackets_and_blanks() {
        let stat = "77 (a) b (c) S 1 78 79\n";
        let fields = [3, 4, 6, 7].map(|number| field(stat, number));
        assert_eq!(fields, [Some("S"), Some("1"), Some("79"), None]);
        assert_eq!((field("77 (cut", 3), field("77 (cut)", 3)), (None, None));
    }
}
