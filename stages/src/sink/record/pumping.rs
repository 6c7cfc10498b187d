//! The thread that reads the rings.

use super::said;
use ephapse_engine::capture::Pump;
use ephapse_engine::os;
use ephapse_engine::runner::Attendant;
use ephapse_engine::runner::file::RecorderDuty;

/// Without a pace the makers wait for this thread: it looks again at once, so often, before it sleeps.
const LOOKS_AWAKE: u32 = 100;
/// And then sleeps for so long, ns.
const NAP_NS: u64 = 100_000;
/// From the order to finish to giving up what the spool has no room for: then the disk takes nothing, ns.
const FINISH_NS: u64 = 5_000_000_000;
/// From one look for the launcher (a system call) to the next, ns.
const LAUNCHER_NS: u64 = 100_000_000;

/// Pumps until it is told to finish, and there is nothing left. Returns what is to be said to the writer.
pub fn pump(pump: &mut Pump, attendant: &mut Attendant, duty: &RecorderDuty) -> u32 {
    let paced = duty.priority.is_some();
    let mut asked_ns = 0;
    let mut idle = 0;
    let mut ordered_ns = None;
    loop {
        // Read first: what was published before the order came is taken after it.
        let finish = pump.told_to_finish();
        let took = pump.round(finish);
        let now_ns = os::monotonic_ns();
        attendant.beat(now_ns, took);
        if finish {
            let since_ns = *ordered_ns.get_or_insert(now_ns);
            let in_vain = now_ns - since_ns > FINISH_NS;
            if in_vain || (!took && pump.took_all()) {
                return said::FINISH;
            }
        }
        if now_ns >= asked_ns {
            asked_ns = now_ns + LAUNCHER_NS;
            if attendant.launcher_gone() {
                return said::LEAVE;
            }
        }
        idle = if took { 0 } else { idle + 1 };
        if paced {
            os::sleep_until(now_ns + duty.look_ns);
        } else if idle > LOOKS_AWAKE {
            os::sleep_until(now_ns + NAP_NS);
        } else {
            std::thread::yield_now();
        }
    }
}
