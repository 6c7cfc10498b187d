//! iceoryx2: publish-subscribe between two processes, polled, or with an event that wakes the subscriber.
//!
//! Blocks are loaned, written in place, sent, received and read in place, as on
//! <https://docs.rs/iceoryx2/0.10.0/iceoryx2/port/publisher/index.html>; the event is rung after each send and waited for as
//! on <https://docs.rs/iceoryx2/0.10.0/iceoryx2/port/listener/index.html>. Settings are those of iceoryx2's own
//! `benchmarks/publish-subscribe` (`ipc::Service`, not its variant for many threads; one publisher, one subscriber, no
//! history) but for the queue, which holds `slots` blocks and does not overflow: no block may be lost here. Like that
//! benchmark the publisher loans its next chunk as soon as it has sent one, when nobody waits for it; a hop of 64 B takes
//! 0.75 of the time of one that loans first (measured). It owns `slots + 2` chunks and loans the one that came back last: of
//! blocks that are read before the next is written, two chunks carry all, whatever the depth of the queue.
#![allow(
    unsafe_code,
    reason = "a loaned chunk is written without being zeroed first"
)]

use ephapse_bench::ends::{LinkSpec, Wait};
use ephapse_bench::hop::payload::{self, Seen};
use ephapse_bench::hop::{Receiver, Sender, sleep_until, spin_until};
use ephapse_engine::os::monotonic_ns;
use iceoryx2::node::NodeView;
use iceoryx2::port::BackpressureAction;
use iceoryx2::port::listener::Listener;
use iceoryx2::port::notifier::Notifier;
use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::*;
use iceoryx2::sample_mut::SampleMut;
use iceoryx2::service::port_factory::{event, publish_subscribe};
use std::fmt::Debug;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

/// The kind of service that moves data between processes.
pub type Ipc = ipc::Service;

/// Sleeps are bounded by this and look again.
const BOUND: Duration = Duration::from_millis(100);
/// A queue that stays full for so long has no reader any more.
const GIVE_UP: Duration = Duration::from_secs(2);
/// A killed end is given so long to be seen dead.
const SWEEP: Duration = Duration::from_secs(2);
const SHARED_MEMORY: &str = "/dev/shm";

/// First letters of all names of the link `id` in shared memory.
pub fn prefix(id: &str) -> String {
    format!("eph.{id}.")
}

/// Everything of one link lives in `folder`, and in shared memory under `prefix`.
///
/// # Errors
/// If the folder's path is too long for iceoryx2.
pub fn config(folder: &std::path::Path, prefix: &str) -> Result<Config, String> {
    let mut config = Config::default();
    let root = Path::new(folder.as_os_str().as_bytes())
        .map_err(|e| format!("{}: {e:?}", folder.display()))?;
    config.global.set_root_path(&root);
    config.global.prefix =
        FileName::new(prefix.as_bytes()).map_err(|e| format!("{prefix}: {e:?}"))?;
    Ok(config)
}

fn failed(error: impl Debug) -> String {
    format!("iceoryx2: {error:?}")
}

/// Services of one direction.
pub struct Services {
    blocks: publish_subscribe::PortFactory<Ipc, [u8], ()>,
    bell: Option<event::PortFactory<Ipc>>,
}

impl Services {
    /// Opens them, or makes them if this end is the first; `name` says which direction.
    ///
    /// # Errors
    /// What iceoryx2 said.
    pub fn open(config: &Config, name: &str, link: &LinkSpec) -> Result<Self, String> {
        let node = NodeBuilder::new().config(config).create::<Ipc>();
        let node = node.map_err(failed)?;
        let named = ServiceName::new(name).map_err(failed)?;
        let blocks = node
            .service_builder(&named)
            .publish_subscribe::<[u8]>()
            // Like the engine's payloads.
            .payload_alignment(Alignment::new(64).ok_or("64 is no alignment")?)
            .max_publishers(1)
            .max_subscribers(1)
            .max_nodes(2)
            .history_size(0)
            .subscriber_max_buffer_size(link.slots as usize)
            .subscriber_max_borrowed_samples(1)
            .enable_safe_overflow(false)
            .open_or_create()
            .map_err(failed)?;
        let bell = match link.wait {
            Wait::Spin => None,
            Wait::Sleep => Some(
                node.service_builder(&named)
                    .event()
                    .max_notifiers(1)
                    .max_listeners(1)
                    .max_nodes(2)
                    .open_or_create()
                    .map_err(failed)?,
            ),
        };
        Ok(Services { blocks, bell })
    }
}

/// A publisher, and its notifier if the subscriber sleeps.
pub struct IceoryxSender {
    publisher: Publisher<Ipc, [u8], ()>,
    bell: Option<Notifier<Ipc>>,
    payload: usize,
    /// Loaned beforehand.
    next: Option<Loaned>,
}

type Loaned = SampleMut<Ipc, [u8], ()>;

impl IceoryxSender {
    /// The publishing port of opened services.
    ///
    /// # Errors
    /// What iceoryx2 said.
    pub fn open(services: &Services, link: &LinkSpec) -> Result<Self, String> {
        let publisher = services
            .blocks
            .publisher_builder()
            .initial_max_slice_len(link.payload)
            .max_loaned_samples(1)
            .backpressure_strategy(BackpressureStrategy::RetryUntilDelivered)
            .set_backpressure_handler(|info| {
                if info.elapsed_time > GIVE_UP {
                    BackpressureAction::DiscardDataAndFail
                } else {
                    BackpressureAction::Retry
                }
            })
            .create()
            .map_err(failed)?;
        let notifier = |bell: &event::PortFactory<Ipc>| bell.notifier_builder().create();
        Ok(IceoryxSender {
            publisher,
            bell: services
                .bell
                .as_ref()
                .map(notifier)
                .transpose()
                .map_err(failed)?,
            payload: link.payload,
            next: None,
        })
    }

    fn loan(&self) -> Result<Loaned, String> {
        let loaned = self.publisher.loan_slice_uninit(self.payload);
        // SAFETY: a chunk lies in shared memory, which the system hands out filled with zeros, and any byte is a valid u8.
        Ok(unsafe { loaned.map_err(failed)?.assume_init() })
    }
}

impl Sender for IceoryxSender {
    fn send(&mut self, position: u64) -> Result<(), String> {
        let began_ns = monotonic_ns();
        let mut sample = match self.next.take() {
            Some(sample) => sample,
            None => self.loan()?,
        };
        payload::fill(sample.payload_mut(), position, began_ns);
        if sample.send().map_err(failed)? != 1 {
            return Err(format!("iceoryx2: block {position} reached nobody"));
        }
        if let Some(bell) = &self.bell {
            bell.notify().map_err(failed)?;
        }
        self.next = Some(self.loan()?);
        Ok(())
    }
}

/// A subscriber, and its listener if it sleeps.
pub struct IceoryxReceiver {
    subscriber: Subscriber<Ipc, [u8], ()>,
    bell: Option<Listener<Ipc>>,
}

impl IceoryxReceiver {
    /// The subscribing port of opened services.
    ///
    /// # Errors
    /// What iceoryx2 said.
    pub fn open(services: &Services, link: &LinkSpec) -> Result<Self, String> {
        let subscriber = services
            .blocks
            .subscriber_builder()
            .buffer_size(link.slots as usize)
            .create()
            .map_err(failed)?;
        let listener = |bell: &event::PortFactory<Ipc>| bell.listener_builder().create();
        Ok(IceoryxReceiver {
            subscriber,
            bell: services
                .bell
                .as_ref()
                .map(listener)
                .transpose()
                .map_err(failed)?,
        })
    }
}

impl Receiver for IceoryxReceiver {
    fn receive(&mut self) -> Result<(Seen, u64), String> {
        let mut received = Ok(None);
        let mut look = || {
            received = self.subscriber.receive();
            !matches!(received, Ok(None))
        };
        match &self.bell {
            None => spin_until("block", look)?,
            Some(bell) => {
                let mut waited = Ok(0);
                sleep_until(
                    "block",
                    &mut look,
                    // An error shows as no block.
                    || waited = bell.timed_wait(|_| (), BOUND),
                )?;
                waited.map_err(failed)?;
            }
        }
        let sample = received.map_err(failed)?.ok_or("iceoryx2: no sample")?;
        let seen = payload::read(sample.payload());
        let now_ns = monotonic_ns();
        // Given back.
        drop(sample);
        Ok((seen, now_ns))
    }
}

/// Removes every name under `prefix`, unless a process other than `end_pid` still lives there. True if it did: then the
/// folder may go, too.
///
/// # Errors
/// What iceoryx2 or the system said.
pub fn sweep(folder: &std::path::Path, prefix: &str, end_pid: u32) -> Result<bool, String> {
    if !folder.exists() {
        return Ok(true);
    }
    let config = config(folder, prefix)?;
    let began = Instant::now();
    loop {
        let (mut own, mut others) = (0, 0);
        let listed = Node::<Ipc>::list(&config, |state| {
            // The dead need nothing any more.
            if let NodeState::Alive(node) = state {
                match pid_of(&node) == Some(end_pid) {
                    true => own += 1,
                    false => others += 1,
                }
            }
            CallbackProgression::Continue
        });
        listed.map_err(failed)?;
        // An end that was killed is alive until the system has taken its files from it.
        if own == 0 || began.elapsed() > SWEEP {
            if others > 0 {
                return Ok(false);
            }
            break;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let names = fs::read_dir(SHARED_MEMORY).map_err(|e| format!("{SHARED_MEMORY}: {e}"))?;
    for name in names.flatten() {
        if name.file_name().as_bytes().starts_with(prefix.as_bytes()) {
            // The other end's keeper may have been faster.
            let _ = fs::remove_file(name.path());
        }
    }
    Ok(true)
}

fn pid_of(node: &impl NodeView) -> Option<u32> {
    let details = node.details().as_ref()?;
    u32::try_from(details.process_id().value()).ok()
}
