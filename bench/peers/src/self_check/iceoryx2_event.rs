//! iceoryx2's `benchmark-event`: a notification wakes the other side, which notifies back.
//!
//! It is not published as a program. Its loop is built here from the same calls as in `benchmarks/event/src/main.rs` of
//! <https://github.com/eclipse-iceoryx/iceoryx2>: two event services, two threads on two CPUs, blocking waits, no data. The
//! adapter moves a block with each notification.

use super::iceoryx2::{Home, adapter, failed, trips};
use super::{Check, link, pair};
use crate::iceoryx::Ipc;
use crate::keeper::Keeper;
use crate::listing::ICEORYX2_EVENT;
use ephapse_bench::ends::Wait;
use iceoryx2::port::listener::Listener;
use iceoryx2::port::notifier::Notifier;
use iceoryx2::prelude::*;
use iceoryx2::service::port_factory::event::PortFactory;
use std::rc::Rc;

const GREATEST_EVENT_ID: usize = 128;

pub fn check<'a>(keeper: &Keeper, cpus: [u32; 2]) -> Result<Check<'a>, String> {
    let link = link(ICEORYX2_EVENT, 2, 64, Wait::Sleep, cpus);
    let home = Rc::new(Home::new(keeper, &link)?);
    let own_home = Rc::clone(&home);
    Ok(Check {
        peer: ICEORYX2_EVENT,
        pattern: "ping-pong, asleep in between, half a round trip",
        own: "loop of benchmarks/event, without data",
        run_own: Box::new(move || own(&own_home.config, cpus)),
        shipped: None,
        run_adapter: adapter(home, link),
    })
}

fn service(node: &Node<Ipc>, name: &str) -> Result<PortFactory<Ipc>, String> {
    let named = ServiceName::new(name).map_err(failed)?;
    node.service_builder(&named)
        .event()
        .max_notifiers(1)
        .max_listeners(1)
        .event_id_max_value(GREATEST_EVENT_ID)
        .create()
        .map_err(failed)
}

fn own(config: &Config, cpus: [u32; 2]) -> Result<f64, String> {
    let node = NodeBuilder::new().config(config).create::<Ipc>();
    let node = node.map_err(failed)?;
    let (there, back) = (service(&node, "a2b")?, service(&node, "b2a")?);
    let trips = trips(Wait::Sleep);
    let ns = pair::timed(
        cpus,
        || {
            let bells = Bells::open(&there, &back)?;
            Ok(move || {
                bells.notify()?;
                for _ in 0..trips {
                    bells.wait()?;
                    bells.notify()?;
                }
                Ok(())
            })
        },
        || {
            let bells = Bells::open(&back, &there)?;
            Ok(move || {
                for _ in 0..trips {
                    bells.wait()?;
                    bells.notify()?;
                }
                Ok(())
            })
        },
    )?;
    Ok(ns as f64 / (2 * trips) as f64)
}

struct Bells {
    out: Notifier<Ipc>,
    back: Listener<Ipc>,
}

impl Bells {
    fn open(out: &PortFactory<Ipc>, back: &PortFactory<Ipc>) -> Result<Self, String> {
        Ok(Bells {
            out: out.notifier_builder().create().map_err(failed)?,
            back: back.listener_builder().create().map_err(failed)?,
        })
    }

    fn notify(&self) -> Result<(), String> {
        self.out.notify().map(|_| ()).map_err(failed)
    }

    fn wait(&self) -> Result<(), String> {
        pair::poll("notification", || {
            Ok(self.back.blocking_wait(|_| ()).map_err(failed)? > 0)
        })
    }
}
