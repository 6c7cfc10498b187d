//! Edge adapters: what stands between a stream and the stage that reads it, and the type behind it.

use crate::graph::InputTable;
use crate::plan::Adapter;
use crate::stream_type::{Dtype, Kind, StreamType};

/// An adapter that cannot work: its key in the graph, what is wrong, what to do.
pub type Fault = (&'static str, String, &'static str);

/// The adapters of an input, in the order they work: numbers first, then blocks.
pub fn of(input: &InputTable) -> Vec<Adapter> {
    let cast = input.cast.map(Adapter::Cast);
    let window = input.window.map(|window| Adapter::Window {
        n: window.n,
        step: window.step.unwrap_or(window.n),
    });
    cast.into_iter().chain(window).collect()
}

/// The type behind one adapter.
pub fn behind(adapter: Adapter, mut before: StreamType) -> Result<StreamType, Fault> {
    match adapter {
        Adapter::Cast(dtype) => {
            if before.kind != Kind::Frames {
                return Err((
                    "cast",
                    format!("{} have no number format to change", before.summary()),
                    "remove the key; only frames can be cast",
                ));
            }
            if dtype == Dtype::Bits || before.dtype == Dtype::Bits {
                return Err((
                    "cast",
                    format!("{} cannot become {}", before.dtype.name(), dtype.name()),
                    "digital lines stay `bits`; remove the key",
                ));
            }
            before.dtype = dtype;
            Ok(before)
        }
        Adapter::Window { n, step } => {
            if before.kind != Kind::Frames {
                return Err((
                    "window",
                    format!("{} cannot be cut into windows", before.summary()),
                    "remove the key; only frames have windows",
                ));
            }
            if n == 0 || step == 0 {
                return Err((
                    "window",
                    format!("a window of {n} frames every {step} frames is none"),
                    "choose n and step of 1 or more",
                ));
            }
            if let Some(time) = before.axes.first_mut() {
                time.length = n;
            }
            Ok(before)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream_type::{Rate, spike_layout};

    #[test]
    fn a_cast_changes_the_dtype_and_keeps_scale_and_offset() {
        let mut counts = StreamType::frames(Dtype::I32, 20, 4, Rate::hz(20_000), "count");
        counts.scale = vec![1e-7; 4];
        let cast = behind(Adapter::Cast(Dtype::F64), counts.clone());
        let expected = StreamType {
            dtype: Dtype::F64,
            ..counts
        };
        assert_eq!(cast, Ok(expected));
    }

    #[test]
    fn a_window_changes_the_block_and_keeps_the_rate() {
        let frames = StreamType::frames(Dtype::F64, 20, 4, Rate::hz(20_000), "uV");
        let window = behind(Adapter::Window { n: 256, step: 64 }, frames)
            .unwrap_or_else(|(_, what, _)| panic!("{what}"));
        assert_eq!(
            (window.frames_per_block(), window.rate),
            (256, Rate::hz(20_000))
        );
    }

    #[test]
    fn records_and_bits_are_refused() {
        let spikes = StreamType::records(spike_layout("uV"), 8);
        let lines = StreamType::frames(Dtype::Bits, 20, 8, Rate::hz(20_000), "");
        for (adapter, before) in [
            (Adapter::Window { n: 8, step: 8 }, spikes.clone()),
            (Adapter::Cast(Dtype::F32), spikes),
            (Adapter::Cast(Dtype::F32), lines.clone()),
            (Adapter::Window { n: 0, step: 1 }, lines),
        ] {
            assert!(behind(adapter, before).is_err());
        }
    }
}
