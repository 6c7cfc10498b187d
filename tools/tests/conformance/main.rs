//! What every stage does, whatever it is written in: one list of checks, run on a built-in stage, on one in C and on one in
//! Python, each a process of its own, driven as the launcher drives it. A further language joins as a `Subject`.

mod file_reader;
mod handshake;
mod lifecycle;
mod storm;
mod streams;
mod subjects;

/// Each check with each subject, as a test of that name.
macro_rules! suite {
    ($($module:ident :: $check:ident,)*) => {
        suite!(@ built_in, BuiltIn, $($module::$check,)*);
        suite!(@ in_c, InC, $($module::$check,)*);
        suite!(@ in_python, InPython, $($module::$check,)*);
    };
    (@ $language:ident, $subject:ident, $($module:ident :: $check:ident,)*) => {
        mod $language {
            $(#[test]
            fn $check() {
                crate::$module::$check(&crate::subjects::$subject);
            })*
        }
    };
}

suite! {
    handshake::what_does_not_fit_is_refused_in_one_line_that_names_the_segment_both_values_and_the_pid,
    handshake::what_an_earlier_session_has_left_is_refused_though_it_is_sound,
    handshake::a_role_that_another_process_holds_is_refused_with_its_pid,
    streams::blocks_come_out_in_order_and_as_often_as_they_went_in,
    streams::a_gap_is_seen_in_its_place_and_in_the_account,
    streams::a_ring_that_waits_holds_the_stage_and_loses_nothing,
    streams::a_ring_that_drops_the_newest_holds_nobody_and_says_what_is_lost,
    streams::a_full_ring_that_is_a_fault_asks_the_session_to_stop,
    lifecycle::a_stream_ends_once_and_nothing_is_committed_behind_its_end,
    lifecycle::a_successor_goes_on_at_the_released_position,
    lifecycle::a_stage_that_is_told_to_stop_leaves_cleanly_within_its_deadline,
    lifecycle::a_stage_whose_launcher_is_gone_leaves_within_its_deadline,
    storm::signals_break_no_call_and_begin_no_tick_early,
}
