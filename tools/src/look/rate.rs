//! Rates and jitter of a stream, from the headers of its blocks.

use ephapse_engine::abi::SlotHeader;
use ephapse_rtconfig::stream_type::{Kind, StreamType};
use serde::Serialize;

/// What has been seen of a stream since the last report.
#[derive(Default)]
pub struct Window {
    last: Option<SlotHeader>,
    frames: u64,
    lost_frames: u64,
    /// A block was not full: the blocks' rate does not follow from the frames'.
    partly_full: bool,
    intervals_ns: Vec<u64>,
}

/// One report.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rates {
    pub stream: String,
    pub window_s: f64,
    pub blocks: u64,
    pub blocks_per_s: f64,
    /// By the stream's type; `None` if it names no rate, or blocks were not full.
    pub expected_blocks_per_s: Option<f64>,
    pub frames_per_s: f64,
    pub expected_frames_per_s: Option<f64>,
    /// From commit to commit of neighbouring blocks.
    pub interval_p50_ms: Option<f64>,
    pub interval_p99_ms: Option<f64>,
    pub interval_max_ms: Option<f64>,
    pub lost_frames: u64,
    /// Blocks that were published, but overwritten before their headers could be looked at.
    pub missed_blocks: u64,
}

impl Window {
    /// Takes the next header, of a block that can hold `capacity` frames. The first one of all only says where counting begins.
    pub fn add(&mut self, header: SlotHeader, capacity: u32) {
        self.partly_full |= header.valid < capacity;
        if let Some(last) = self.last {
            let (from, to) = (behind(&last), behind(&header));
            self.frames += to.saturating_sub(from).saturating_sub(header.lost);
            self.lost_frames += header.lost;
            if header.position == last.position + 1 {
                self.intervals_ns
                    .push(header.committed_ns.saturating_sub(last.committed_ns));
            }
        }
        self.last = Some(header);
    }

    /// Reports what was seen in `elapsed_ns`, in which `blocks` were published, and begins anew.
    pub fn close(
        &mut self,
        stream: &str,
        stream_type: &StreamType,
        elapsed_ns: u64,
        blocks: u64,
        missed_blocks: u64,
    ) -> Rates {
        let window_s = elapsed_ns as f64 / 1e9;
        let per_s = |count: u64| {
            if elapsed_ns == 0 {
                0.0
            } else {
                count as f64 / window_s
            }
        };
        let rate = stream_type.rate.as_f64();
        let expected = (stream_type.kind == Kind::Frames && rate > 0.0).then_some(rate);
        self.intervals_ns.sort_unstable();
        let quantile = |q: f64| {
            let rank = (q * self.intervals_ns.len() as f64).ceil() as usize;
            let ns = self.intervals_ns.get(rank.max(1) - 1)?;
            Some(*ns as f64 / 1e6)
        };
        let rates = Rates {
            stream: stream.to_owned(),
            window_s,
            blocks,
            blocks_per_s: per_s(blocks),
            expected_blocks_per_s: expected
                .filter(|_| !self.partly_full)
                .map(|rate| rate / f64::from(stream_type.frames_per_block().max(1))),
            frames_per_s: per_s(self.frames),
            expected_frames_per_s: expected,
            interval_p50_ms: quantile(0.5),
            interval_p99_ms: quantile(0.99),
            interval_max_ms: quantile(1.0),
            lost_frames: self.lost_frames,
            missed_blocks,
        };
        self.frames = 0;
        self.lost_frames = 0;
        self.partly_full = false;
        self.intervals_ns.clear();
        rates
    }
}

/// The stream's count behind a block.
fn behind(header: &SlotHeader) -> u64 {
    header.first_frame.saturating_add(header.valid.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ephapse_rtconfig::stream_type::{Dtype, Rate, spike_layout};

    fn header(position: u64, first_frame: u64, lost: u64, at_ms: f64) -> SlotHeader {
        SlotHeader {
            position,
            first_frame,
            valid: 20,
            lost,
            committed_ns: (at_ms * 1e6) as u64,
            ..SlotHeader::default()
        }
    }

    #[test]
    fn rates_intervals_and_losses_are_those_of_the_headers() {
        let raw = StreamType::frames(Dtype::F64, 20, 8, Rate::hz(20_000), "uV");
        let mut window = Window::default();
        window.add(header(9, 180, 0, 100.0), 20);
        for (index, at_ms) in [101.0, 102.0, 103.5].iter().enumerate() {
            window.add(
                header(10 + index as u64, 200 + 20 * index as u64, 0, *at_ms),
                20,
            );
        }
        // Two blocks were not seen and 40 frames lost on the way: neither is an interval, nor are lost frames frames.
        window.add(header(15, 340, 40, 110.0), 20);
        let rates = window.close("raw", &raw, 500_000_000, 6, 2);
        assert_eq!(rates.blocks_per_s, 12.0);
        assert_eq!(rates.frames_per_s, 240.0);
        assert_eq!(rates.lost_frames, 40);
        assert_eq!(rates.expected_blocks_per_s, Some(1000.0));
        assert_eq!(rates.expected_frames_per_s, Some(20_000.0));
        assert_eq!(rates.interval_p50_ms, Some(1.0));
        assert_eq!(rates.interval_max_ms, Some(1.5));
        let next = window.close("raw", &raw, 500_000_000, 0, 0);
        assert_eq!((next.blocks_per_s, next.frames_per_s), (0.0, 0.0));
        assert_eq!(next.interval_p50_ms, None);
        window.add(header(16, 360, 0, 111.0), 30);
        let partly = window.close("raw", &raw, 500_000_000, 1, 0);
        assert_eq!(partly.expected_blocks_per_s, None);
        assert_eq!(partly.expected_frames_per_s, Some(20_000.0));
    }

    #[test]
    fn records_have_no_expected_rate_for_there_may_be_none_in_a_block() {
        let spikes = StreamType {
            rate: Rate::hz(20_000),
            ..StreamType::records(spike_layout("uV"), 256)
        };
        let rates = Window::default().close("spikes", &spikes, 1_000_000_000, 1000, 0);
        assert_eq!(rates.expected_frames_per_s, None);
        assert_eq!(rates.blocks_per_s, 1000.0);
    }
}
