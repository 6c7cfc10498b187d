//! The same turn of a stage, as the runner makes it, with telemetry and without.

use super::cost::{PER_SECOND, TurnPair};
use crate::pass::Pass;
use ephapse_engine::abi::SlotHeader;
use ephapse_engine::runner::telemetry::slots_for;
use ephapse_engine::stage::Rig;
use ephapse_rtconfig::stream_type::{Dtype, Rate, StreamType};

/// Turns between two looks at what came out: as many as a rig's rings have slots.
const TURNS: u64 = 64;

/// Two rigs of a stage that does next to nothing.
pub(super) struct Pair {
    with: Box<dyn FnMut(u64)>,
    without: Box<dyn FnMut(u64)>,
}

impl Pair {
    pub(super) fn as_functions(&mut self) -> TurnPair<'_> {
        TurnPair {
            with_telemetry: &mut self.with,
            without_telemetry: &mut self.without,
        }
    }
}

/// Prepares both. The telemetry ring is that of a stage at 1 kHz, so that its slots are no more in the cache than there.
///
/// # Errors
/// If there is no memory.
pub(super) fn pair() -> Result<Pair, String> {
    Ok(Pair {
        with: turns(Some(slots_for(PER_SECOND)))?,
        without: turns(None)?,
    })
}

fn turns(telemetry_slots: Option<u64>) -> Result<Box<dyn FnMut(u64)>, String> {
    let frames = StreamType::frames(Dtype::F64, 4, 1, Rate::hz(1000), "uV");
    let mut rig = Rig::<Pass>::with_telemetry(
        serde_json::json!({}),
        std::slice::from_ref(&frames),
        telemetry_slots,
    )
    .map_err(|e| e.to_string())?;
    Ok(Box::new(move |times| {
        let mut left = times;
        while left > 0 {
            let now = left.min(TURNS);
            for turn in 0..now {
                let header = SlotHeader {
                    origin_frame: turn,
                    valid: 4,
                    ..SlotHeader::default()
                };
                rig.feed(0, header, &[0; 32]);
            }
            rig.run();
            left -= rig.take(0).len() as u64;
        }
    }))
}
