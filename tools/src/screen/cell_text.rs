//! Foreign text that must not leave its place on the screen.

/// `text` on one line of at most `width` columns: what is cut shows as an ellipsis, control characters as a question mark.
pub(super) fn fitted(text: &str, width: usize) -> String {
    let clean = text.chars().map(|c| if c.is_control() { '?' } else { c });
    if text.chars().count() <= width {
        return clean.collect();
    }
    clean.take(width.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::fitted;

    #[test]
    fn escape_sequences_in_a_label_do_not_reach_the_terminal() {
        assert_eq!(fitted("a\x1b[2Jb\n", 20), "a?[2Jb?");
    }

    #[test]
    fn long_text_is_cut_to_its_place() {
        assert_eq!(fitted("stimulation", 5), "stim…");
        assert_eq!(fitted("stim", 4), "stim");
    }
}
