//! One contestant: a link, how its rounds go, and the series they make.

use crate::ends::{Mode, Wait};
use crate::measured::Series;
use std::time::Duration;

/// One contestant.
pub(super) struct Lane {
    /// Its series, empty.
    pub series: Series,
    /// Which of the contest's pairs of ends.
    pub ends: usize,
    /// Name of the link.
    pub link: String,
    /// Both sides in one process.
    pub in_one_process: bool,
    /// Bytes of a block.
    pub payload: usize,
    /// Slots.
    pub slots: u32,
    /// How the receiver waits.
    pub wait: Wait,
    /// What a round measures.
    pub mode: Mode,
    /// From block to block; zero if blocks are not paced.
    pub period: Duration,
    /// Blocks of a round, if they do not follow from period and time.
    pub blocks: Option<u32>,
}

impl Lane {
    /// One block each period.
    pub fn paced(
        series: Series,
        link: &str,
        payload: usize,
        slots: u32,
        wait: Wait,
        period: Duration,
    ) -> Self {
        Lane {
            series,
            ends: 0,
            link: link.to_owned(),
            in_one_process: false,
            payload,
            slots,
            wait,
            mode: Mode::Paced,
            period,
            blocks: None,
        }
    }

    /// As fast as they are taken, about 60 MB or 50,000 blocks a round.
    pub fn stream(
        series: Series,
        link: &str,
        payload: usize,
        slots: u32,
        wait: Wait,
        batch: u32,
    ) -> Self {
        let blocks = (60_000_000 / payload as u32).clamp(4 * batch, 50_000) / batch * batch;
        Lane {
            mode: Mode::Stream { batch },
            blocks: Some(blocks),
            ..Self::paced(series, link, payload, slots, wait, Duration::ZERO)
        }
    }

    /// So many batches of whatever the link counts by itself.
    pub fn batches(series: Series, link: &str, payload: usize, batches: u32) -> Self {
        Lane {
            mode: Mode::Stream { batch: 1 },
            blocks: Some(batches),
            ..Self::paced(series, link, payload, 64, Wait::Spin, Duration::ZERO)
        }
    }
}
