//! `redis-benchmark`, which Redis ships: the adapter's own `XADD`, from one client, nothing pipelined.

use super::{Check, PAYLOAD, link};
use crate::keeper::{Keeper, Lodger, Lodging};
use crate::listing::REDIS_STREAMS;
use crate::redis_server::socket;
use crate::redis_streams::{RedisSender, xadd};
use ephapse_bench::ends::{LinkSpec, Wait};
use ephapse_bench::hop::Sender;
use ephapse_engine::os::monotonic_ns;
use redis::Arg;
use std::process::Command;
use std::rc::Rc;

const PROGRAM: &str = "redis-benchmark";
const REQUESTS: u32 = 5_000;

pub fn check<'a>(keeper: &Keeper) -> Result<Check<'a>, String> {
    // Nobody reads: the sender must not wait for that.
    let link = link(REDIS_STREAMS, 4, 2 * REQUESTS, Wait::Sleep, [0, 0]);
    let lodging = Rc::new(keeper.lodge(&link, true, |_| Lodger::RedisServer)?);
    let (own_lodging, own_link) = (Rc::clone(&lodging), link.clone());
    Ok(Check {
        peer: REDIS_STREAMS,
        pattern: "XADD of 64 B and its reply, one client on any CPU, normal priority",
        own: "redis-benchmark -c 1 -P 1",
        run_own: Box::new(move || own(&own_lodging, &own_link)),
        shipped: None,
        run_adapter: Box::new(move || {
            let mut sender = RedisSender::open(lodging.folder(), &link)?;
            let from_ns = monotonic_ns();
            (0..u64::from(REQUESTS)).try_for_each(|position| sender.send(position))?;
            Ok((monotonic_ns() - from_ns) as f64 / f64::from(REQUESTS))
        }),
    })
}

fn own(lodging: &Lodging, link: &LinkSpec) -> Result<f64, String> {
    let block = [b'x'; PAYLOAD];
    let command = xadd(link.slots, &block);
    let words = command.args_iter().filter_map(|word| match word {
        Arg::Simple(word) => std::str::from_utf8(word).ok(),
        _ => None,
    });
    let told = Command::new(PROGRAM)
        .arg("-s")
        .arg(socket(lodging.folder()))
        .args(["-c", "1", "-P", "1", "--csv", "-n", &REQUESTS.to_string()])
        .args(words)
        .output()
        .map_err(|e| format!("{PROGRAM}: {e}"))?;
    let text = String::from_utf8_lossy(&told.stdout);
    // "command","requests per second","average",...
    let rate = text.lines().last().and_then(|l| l.split("\",\"").nth(1));
    let rate: Option<f64> = rate.and_then(|r| r.parse().ok());
    match rate {
        Some(rate) if told.status.success() && rate > 0.0 => Ok(1e9 / rate),
        _ => Err(format!("{PROGRAM}: no rate in: {}", text.trim())),
    }
}
