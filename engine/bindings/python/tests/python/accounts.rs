//! A ticked stage in Python: however late it is, every tick is accounted for.

use crate::launched::Wanted;
use ephapse_engine::abi::{PAGE, SessionWords, SlotHeader};
use ephapse_engine::os;
use ephapse_engine::sync::{AtomicU64, Ordering};
use ephapse_rtconfig::plan::Pace;
use ephapse_rtconfig::stream_type::{Dtype, Rate, StreamType};

/// Ticks of the test; `EPHAPSE_TICKS=60000` is the minute that acceptance asks for.
fn ticks() -> u64 {
    let ticks = std::env::var("EPHAPSE_TICKS").ok();
    ticks.map_or(2_000, |t| t.parse().unwrap())
}

#[test]
fn every_tick_that_the_moving_average_of_60_x_10_f32_at_1_khz_skips_has_its_cause() {
    let frames = StreamType::frames(Dtype::F32, 10, 60, Rate::hz(10_000), "uV");
    let mean = StreamType {
        dtype: Dtype::F64,
        ..frames.clone()
    };
    let script = "examples/channel_average/channel_average.py";
    let wanted = Wanted {
        pace: Pace::Tick,
        ..Wanted::channel_average(script, &frames, mean)
    };
    let Some(mut stage) = wanted.start() else {
        return;
    };
    let ring = os::PidFd::open(stage.pid()).unwrap();
    let payload: Vec<u8> = (0..600).flat_map(|i| (i as f32).to_le_bytes()).collect();
    let (ticks, mut fed, mut taken) = (ticks(), 0_u64, 0_u64);
    for tick in 1..=ticks {
        os::sleep_until(stage.deadline_ns(tick));
        let header = SlotHeader {
            first_frame: fed * 10,
            valid: 10,
            ..SlotHeader::default()
        };
        // A stage that is late leaves no room: a source would drop the block.
        fed += u64::from(stage.offer(0, header, &payload));
        stage.tick(tick, &ring);
        while stage.take_now(0).is_some() {
            taken += 1;
        }
    }
    stage
        .session
        .words::<SessionWords>(PAGE)
        .stop_tick
        .store(ticks + 1, Ordering::Release);
    // It may be waiting for a tick that will not come; what it still publishes is taken so that it has room.
    while stage.child().try_wait().unwrap().is_none() {
        ring.signal(os::pacing_signal()).ok();
        taken += u64::from(stage.take_now(0).is_some());
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    while stage.take_now(0).is_some() {
        taken += 1;
    }
    let ended = stage.wait();
    assert_eq!(
        (ended.code, ended.state),
        (Some(0), "done"),
        "{}",
        ended.stderr
    );
    let bank = stage.memory.bank();
    let get = |word: &AtomicU64| word.load(Ordering::Relaxed);
    let (run, late_wake, long_run, no_room) = (
        get(&bank.run),
        get(&bank.late_wake),
        get(&bank.long_run),
        get(&bank.no_room),
    );
    println!(
        "{ticks} due = {run} run + {late_wake} late_wake + {long_run} long_run + {no_room} no_room; {taken} of {fed} blocks"
    );
    assert_eq!(ticks, run + late_wake + long_run + no_room);
    assert!(run > 0);
    assert_eq!(get(&bank.inputs[0].consumed), taken);
    assert_eq!(get(&bank.outputs[0].published), taken);
}
