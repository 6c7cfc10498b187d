//! Contiguous pieces of a recording on the file's own clock, the cut that is played, and the order of play.

use ephapse_engine::stage::StageError;
use ephapse_rtconfig::stream_type::Rate;

/// A contiguous piece of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// First frame, as the file counts its stored frames.
    pub first_column: u64,
    /// Stored frames.
    pub frames: u64,
    /// The first frame's number on the file's clock, in frames. Between segments it may jump.
    pub clock_frame: i64,
}

/// A contiguous piece in order of play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// First frame, as the file counts its stored frames (also when played backwards).
    pub first_column: u64,
    /// Frames.
    pub frames: u64,
    /// Frames that the file's clock counted between the piece played before and this one; 0 for the first.
    pub lost_before: u64,
}

/// The segments between `start_s` and `start_s + duration_s`.
///
/// `start_s` is a time on the file's clock, so two streams of one recording that begin at different offsets, cut at
/// the same `start_s`, begin at the same instant. Without it the cut begins with the first stored frame.
///
/// # Errors
/// `Parameter` if nothing is left, with the times that the recording covers.
pub(crate) fn cut(
    segments: &[Segment],
    rate: Rate,
    start_s: Option<f64>,
    duration_s: Option<f64>,
) -> Result<Vec<Segment>, StageError> {
    let hz = rate.as_f64();
    let first = segments.first().map_or(0, |s| s.clock_frame);
    let last = segments
        .last()
        .map_or(0, |s| s.clock_frame + s.frames as i64);
    let from = start_s.map_or(first, |s| (s * hz).round() as i64);
    let until = duration_s.map_or(i64::MAX, |s| from.saturating_add((s * hz).round() as i64));
    let kept: Vec<Segment> = segments
        .iter()
        .filter_map(|segment| {
            let begin = segment.clock_frame.max(from);
            let end = (segment.clock_frame + segment.frames as i64).min(until);
            (begin < end).then(|| Segment {
                first_column: segment.first_column + (begin - segment.clock_frame) as u64,
                frames: (end - begin) as u64,
                clock_frame: begin,
            })
        })
        .collect();
    if kept.is_empty() {
        return Err(StageError::parameter(
            if start_s.is_some() {
                "start_s"
            } else {
                "duration_s"
            },
            format!(
                "the cut leaves no frame: the recording covers {} s to {} s of its own clock",
                first as f64 / hz,
                last as f64 / hz
            ),
        ));
    }
    Ok(kept)
}

/// Pieces in order of play; backwards if `reverse`. A clock that stands still or jumps back between two segments loses
/// no frames, but still separates them.
pub(crate) fn pieces(segments: &[Segment], reverse: bool) -> Vec<Piece> {
    let lost_between: Vec<u64> = segments
        .windows(2)
        .map(|pair| {
            let expected = pair[0].clock_frame + pair[0].frames as i64;
            u64::try_from(pair[1].clock_frame - expected).unwrap_or(0)
        })
        .collect();
    let piece = |segment: &Segment, lost_before: u64| Piece {
        first_column: segment.first_column,
        frames: segment.frames,
        lost_before,
    };
    let count = segments.len();
    (0..count)
        .map(|i| match (reverse, i) {
            (false, 0) => piece(&segments[0], 0),
            (false, i) => piece(&segments[i], lost_between[i - 1]),
            (true, 0) => piece(&segments[count - 1], 0),
            (true, i) => piece(&segments[count - 1 - i], lost_between[count - 1 - i]),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(first_column: u64, frames: u64, clock_frame: i64) -> Segment {
        Segment {
            first_column,
            frames,
            clock_frame,
        }
    }

    fn three() -> Vec<Segment> {
        vec![
            segment(0, 100, 50),
            segment(100, 40, 170),
            segment(140, 60, 200),
        ]
    }

    #[test]
    fn a_jump_of_the_files_clock_is_so_many_lost_frames() {
        let forward = pieces(&three(), false);
        assert_eq!(
            forward.iter().map(|p| p.lost_before).collect::<Vec<_>>(),
            [0, 20, 0]
        );
    }

    #[test]
    fn played_backwards_the_same_frames_are_lost_between_the_same_pieces() {
        let backward = pieces(&three(), true);
        assert_eq!(
            backward.iter().map(|p| p.first_column).collect::<Vec<_>>(),
            [140, 100, 0]
        );
        assert_eq!(
            backward.iter().map(|p| p.lost_before).collect::<Vec<_>>(),
            [0, 0, 20]
        );
    }

    #[test]
    fn a_cut_counts_time_on_the_files_clock() {
        let kept = cut(&three(), Rate::hz(100), Some(1.0), Some(0.9)).unwrap();
        assert_eq!(kept, [segment(50, 50, 100), segment(100, 20, 170)]);
    }

    #[test]
    fn a_cut_without_start_begins_with_the_first_frame() {
        let kept = cut(&three(), Rate::hz(100), None, Some(0.25)).unwrap();
        assert_eq!(kept, [segment(0, 25, 50)]);
    }

    #[test]
    fn a_cut_that_leaves_nothing_says_what_the_recording_covers() {
        let error = cut(&three(), Rate::hz(100), Some(9.0), None)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("`start_s`") && error.contains("0.5 s to 2.6 s"),
            "{error}"
        );
    }
}
