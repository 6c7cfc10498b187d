//! How much room a producer has: pure arithmetic on positions.

/// Free slots of a ring of `slots` whose producer stands at `published` and whose slowest reader at `released`.
///
/// A `released` ahead of `published`, or more than a ring behind it, is a fault of that reader and gives no room.
#[inline]
pub fn room_behind(published: u64, released: u64, slots: u64) -> u64 {
    match published.checked_sub(released) {
        Some(used) if used <= slots => slots - used,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::room_behind;

    #[test]
    fn a_reader_that_claims_the_future_or_a_lapped_past_gives_no_room() {
        assert_eq!(room_behind(10, 10, 8), 8);
        assert_eq!(room_behind(10, 4, 8), 2);
        assert_eq!(room_behind(10, 2, 8), 0);
        assert_eq!(room_behind(10, 11, 8), 0);
        assert_eq!(room_behind(10, 1, 8), 0);
    }
}
