//! iceoryx2's `benchmark-publish-subscribe`: a sample goes from a to b and another comes back, both sides polling.
//!
//! It is not published as a program. Its loop is built here from the same calls as in `benchmarks/publish-subscribe/src/main.rs`
//! of <https://github.com/eclipse-iceoryx/iceoryx2>: two services with a buffer of one sample and safe overflow, two threads
//! on two CPUs, each side loans its next sample before it waits. As shipped nobody touches the payload; judged is the same
//! loop with what every contestant here does with a block: clock, write, read, clock.
#![allow(unsafe_code, reason = "a loaned sample is sent as it is")]

use super::{Check, OneRound, PAYLOAD, link, pair};
use crate::iceoryx::{self, IceoryxReceiver, IceoryxSender, Ipc, Services};
use crate::keeper::{Keeper, Lodger, Lodging};
use crate::listing::ICEORYX2;
use ephapse_bench::ends::{LinkSpec, Wait};
use ephapse_bench::hop::payload;
use ephapse_engine::os::monotonic_ns;
use iceoryx2::prelude::*;
use iceoryx2::sample_mut::SampleMut;
use iceoryx2::service::port_factory::publish_subscribe::PortFactory;
use std::fmt::Debug;
use std::rc::Rc;

const TRIPS: u64 = 20_000;

/// Where one check's services live; `config` says so to iceoryx2.
pub struct Home {
    /// Folder and prefix.
    pub config: Config,
    _lodging: Lodging,
}

impl Home {
    /// Of the link `key` of this process.
    pub fn new(keeper: &Keeper, link: &LinkSpec) -> Result<Self, String> {
        let mut prefix = String::new();
        let lodging = keeper.lodge(link, true, |id| {
            prefix = iceoryx::prefix(id);
            Lodger::Iceoryx {
                prefix: prefix.clone(),
            }
        })?;
        Ok(Home {
            config: iceoryx::config(lodging.folder(), &prefix)?,
            _lodging: lodging,
        })
    }
}

pub fn check<'a>(keeper: &Keeper, cpus: [u32; 2]) -> Result<Check<'a>, String> {
    let link = link(ICEORYX2, 1, 64, Wait::Spin, cpus);
    let home = Rc::new(Home::new(keeper, &link)?);
    let [own_home, shipped_home] = [Rc::clone(&home), Rc::clone(&home)];
    Ok(Check {
        peer: ICEORYX2,
        pattern: "ping-pong of 64 B, half a round trip",
        own: "loop of benchmarks/publish-subscribe, every word written and read, two looks at the clock",
        run_own: Box::new(move || own(&own_home.config, cpus, true)),
        shipped: Some((
            "payload never touched, no clock",
            Box::new(move || own(&shipped_home.config, cpus, false)),
        )),
        run_adapter: adapter(home, link),
    })
}

/// The adapter's ping-pong over the services of `link`.
pub fn adapter<'a>(home: Rc<Home>, link: LinkSpec) -> OneRound<'a> {
    Box::new(move || {
        let there = Services::open(&home.config, "adapter a2b", &link)?;
        let back = Services::open(&home.config, "adapter b2a", &link)?;
        let trips = trips(link.wait);
        let side = |out: &Services, back: &Services, first| {
            let sender = IceoryxSender::open(out, &link)?;
            let receiver = IceoryxReceiver::open(back, &link)?;
            Ok(pair::ping_pong(sender, receiver, first, trips))
        };
        let ns = pair::timed(
            link.cpus,
            || side(&there, &back, true),
            || side(&back, &there, false),
        )?;
        Ok(ns as f64 / (2 * trips) as f64)
    })
}

/// Round trips of one round: a tenth if each wakes a sleeper.
pub fn trips(wait: Wait) -> u64 {
    match wait {
        Wait::Spin => TRIPS,
        Wait::Sleep => TRIPS / 10,
    }
}

pub fn failed(error: impl Debug) -> String {
    format!("iceoryx2's own benchmark: {error:?}")
}

type Blocks = PortFactory<Ipc, [u8], ()>;

fn service(node: &Node<Ipc>, name: &str) -> Result<Blocks, String> {
    let named = ServiceName::new(name).map_err(failed)?;
    node.service_builder(&named)
        .publish_subscribe::<[u8]>()
        .max_publishers(1)
        .max_subscribers(1)
        .history_size(0)
        .subscriber_max_buffer_size(1)
        .enable_safe_overflow(true)
        .create()
        .map_err(failed)
}

/// With or without the work of a contestant.
fn own(config: &Config, cpus: [u32; 2], works: bool) -> Result<f64, String> {
    let node = NodeBuilder::new().config(config).create::<Ipc>();
    let node = node.map_err(failed)?;
    let (there, back) = (service(&node, "a2b")?, service(&node, "b2a")?);
    let trips = trips(Wait::Spin);
    let ns = pair::timed(
        cpus,
        || {
            let ports = Ports::open(&there, &back)?;
            Ok(move || {
                let mut sample = ports.loan()?;
                for position in 0..trips {
                    send(sample, position, works)?;
                    sample = ports.loan()?;
                    ports.wait(position, works)?;
                }
                Ok(())
            })
        },
        || {
            let ports = Ports::open(&back, &there)?;
            Ok(move || {
                for position in 0..trips {
                    let sample = ports.loan()?;
                    ports.wait(position, works)?;
                    send(sample, position, works)?;
                }
                Ok(())
            })
        },
    )?;
    Ok(ns as f64 / (2 * trips) as f64)
}

fn send(mut sample: Sample, position: u64, works: bool) -> Result<(), String> {
    if works {
        let began_ns = monotonic_ns();
        payload::fill(sample.payload_mut(), position, began_ns);
    }
    sample.send().map(|_| ()).map_err(failed)
}

type Sample = SampleMut<Ipc, [u8], ()>;

struct Ports {
    publisher: iceoryx2::port::publisher::Publisher<Ipc, [u8], ()>,
    subscriber: iceoryx2::port::subscriber::Subscriber<Ipc, [u8], ()>,
}

impl Ports {
    fn open(out: &Blocks, back: &Blocks) -> Result<Self, String> {
        let publisher = out
            .publisher_builder()
            .initial_max_slice_len(PAYLOAD)
            .create();
        Ok(Ports {
            publisher: publisher.map_err(failed)?,
            subscriber: back.subscriber_builder().create().map_err(failed)?,
        })
    }

    fn loan(&self) -> Result<Sample, String> {
        let sample = self.publisher.loan_slice_uninit(PAYLOAD).map_err(failed)?;
        // SAFETY: a chunk lies in shared memory, which the system hands out filled with zeros, and any byte is a valid u8.
        Ok(unsafe { sample.assume_init() })
    }

    fn wait(&self, position: u64, works: bool) -> Result<(), String> {
        pair::poll("sample", || {
            let Some(sample) = self.subscriber.receive().map_err(failed)? else {
                return Ok(false);
            };
            if works {
                let seen = payload::read(sample.payload());
                core::hint::black_box(monotonic_ns());
                seen.check(position)?;
            }
            Ok(true)
        })
    }
}
