//! Faults that the graph asked for at the tick that is asked about: until when they struck, and what a full disk cost.

use super::asked::{Asked, Lost};
use super::capture::{LATEST_NS, Look};
use super::on_purpose::Ordered;
use super::walk::Walk;
use crate::abi::ActivationRecord;
use crate::capture::layout::{RecordHeader, kind};
use crate::capture::spool::Why;
use crate::capture::{CaptureError, GapOf, Item};
use ephapse_rtconfig::chaos::Fault;

/// The recorder tries again a second after it was refused, and tells what is missing when it has room, ns.
const TOLD_NS: u64 = 2_000_000_000;

/// Who is to burn a CPU may itself be kept waiting so long, ns.
const HOG_LATE_NS: u64 = 100_000_000;

impl Look<'_> {
    /// Faults of that tick.
    fn ordered(&self, tick: u64) -> impl Iterator<Item = &Ordered> {
        let all = self.route.ordered.iter();
        all.filter(move |ordered| ordered.tick == tick)
    }

    /// What was ordered for a tick, and whether a walk was met by it.
    pub(super) fn asked(
        &self,
        tick: u64,
        due_ns: u64,
        walk: &Walk,
    ) -> Result<Vec<Asked>, CaptureError> {
        let all = self.ordered(tick).map(|ordered| {
            Ok(Asked {
                tick,
                who: ordered.who.clone(),
                fault: ordered.fault.clone(),
                met: walk.was_met_by(tick, &ordered.who),
                lost: match ordered.fault {
                    Fault::DiskFull { for_ns } => Some(self.lost(due_ns, for_ns)?),
                    _ => None,
                },
            })
        });
        all.collect()
    }

    /// A walk was met by a fault of that tick.
    pub(super) fn was_met(&self, tick: u64, walk: &Walk) -> bool {
        let mut ordered = self.ordered(tick);
        ordered.any(|ordered| walk.was_met_by(tick, &ordered.who))
    }

    /// When the last of a tick's faults met somebody, if that was later than the tick.
    pub(super) fn struck_until(&self, tick: u64, due_ns: u64) -> Result<u64, CaptureError> {
        let mut until_ns = due_ns;
        for ordered in self.ordered(tick) {
            let at_ns = match (&ordered.fault, ordered.station) {
                (Fault::Hog { for_ns, .. }, _) => {
                    Some(due_ns.saturating_add(*for_ns).saturating_add(HOG_LATE_NS))
                }
                (Fault::Drop { .. }, Some(station)) => {
                    self.first_turn(station, due_ns, |r| r.tick >= tick && r.lost > 0)?
                }
                (_, Some(station)) => self.first_turn(station, due_ns, |r| r.tick >= tick)?,
                (_, None) => None,
            };
            until_ns = until_ns.max(at_ns.unwrap_or(0));
        }
        Ok(until_ns)
    }

    /// When the first turn of a stage that is so was done, at or behind an instant.
    fn first_turn(
        &self,
        station: usize,
        from_ns: u64,
        is_so: impl Fn(&ActivationRecord) -> bool,
    ) -> Result<Option<u64>, CaptureError> {
        let mut cursor = self.capture.items()?;
        cursor.pass_until(from_ns.saturating_sub(LATEST_NS))?;
        let mut over = false;
        while let Some(item) = cursor.next_item_of(|h: &RecordHeader| {
            let of = h.kind == kind::ACTIVATIONS && self.station(h.source) == Some(station);
            over = of && h.at_ns > from_ns.saturating_add(LATEST_NS);
            of
        })? {
            if over {
                break;
            }
            if let Item::Activation { record, .. } = item
                && record.committed_ns != 0
                && is_so(&record)
            {
                return Ok(Some(record.committed_ns));
            }
        }
        Ok(None)
    }

    /// What the capture lacks because the disk was full.
    fn lost(&self, due_ns: u64, for_ns: u64) -> Result<Lost, CaptureError> {
        let until_ns = due_ns.saturating_add(for_ns).saturating_add(TOLD_NS);
        let mut lost = Lost::default();
        let mut cursor = self.capture.items()?;
        cursor.pass_until(due_ns.saturating_sub(LATEST_NS))?;
        while let Some(item) = cursor
            .next_item_of(|h| h.kind == kind::GAP && (due_ns..=until_ns).contains(&h.at_ns))?
        {
            if let Item::Gap(gap) = item
                && gap.why != Why::Off.words()
            {
                match gap.of {
                    GapOf::Stream(_) => lost.blocks += gap.count,
                    GapOf::Activations(_) => lost.records += gap.count,
                }
            }
        }
        Ok(lost)
    }
}
