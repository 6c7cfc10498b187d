//! Every rival moves blocks between two ends, and loses none.

use super::{CLASS, Peer, available, cpus, link, one_at_a_time, program};
use ephapse_bench::ends::{Ends, Mode};

const PACED: u32 = 40;
const WARM_UP: u32 = 8;
const STREAMED: u32 = 512;
const BATCH: u32 = 64;

fn moves_blocks(peer: &Peer, payload: usize) {
    let mut ends = Ends::start(&program(), cpus(), CLASS).unwrap();
    let link = link(peer, payload);
    ends.open(&link, !peer.two_ends).unwrap();
    let told = format!("{} at {payload} B", peer.link);
    let latencies = ends
        .run(link.key, Mode::Paced, PACED, WARM_UP, 500_000)
        .unwrap();
    assert_eq!(latencies.len(), PACED as usize, "{told}");
    assert!(latencies.iter().all(|ns| *ns > 0), "{told}: {latencies:?}");
    // Sixteen slots, far fewer than blocks: the sender must have waited for room. The last batch is not a full one.
    let batches = ends
        .run(
            link.key,
            Mode::Stream { batch: BATCH },
            STREAMED + BATCH / 2,
            WARM_UP,
            0,
        )
        .unwrap();
    assert_eq!(batches.len(), (STREAMED / BATCH) as usize, "{told}");
    let latencies = ends.run(link.key, Mode::Paced, PACED, 0, 100_000).unwrap();
    assert_eq!(latencies.len(), PACED as usize, "{told}");
    ends.close(link.key).unwrap();
}

#[test]
fn every_rival_that_is_here_moves_every_block_paced_and_streamed() {
    let _turn = one_at_a_time();
    for peer in available() {
        for payload in [64, 240, 24_000, 61_440] {
            moves_blocks(&peer, payload);
        }
    }
}

#[test]
fn two_links_of_one_kind_do_not_get_into_each_other_s_way() {
    let _turn = one_at_a_time();
    for peer in available() {
        let mut ends = Ends::start(&program(), cpus(), CLASS).unwrap();
        let links = [link(&peer, 64), link(&peer, 240)];
        for link in &links {
            ends.open(link, !peer.two_ends).unwrap();
        }
        for _ in 0..2 {
            for link in &links {
                let values = ends.run(link.key, Mode::Paced, 10, 0, 200_000).unwrap();
                assert_eq!(values.len(), 10, "{}", peer.link);
            }
        }
        for link in &links {
            ends.close(link.key).unwrap();
        }
    }
}

#[test]
fn a_link_that_is_not_here_or_cannot_wait_so_is_refused_by_name() {
    let _turn = one_at_a_time();
    let mut ends = Ends::start(&program(), cpus(), CLASS).unwrap();
    let rtrb = Peer {
        link: "rtrb".to_owned(),
        two_ends: false,
        wait: ephapse_bench::ends::Wait::Sleep,
    };
    let error = ends.open(&link(&rtrb, 64), true).unwrap_err().to_string();
    assert!(error.contains("rtrb"), "{error}");
    let other = Peer {
        link: "carrier-pigeon".to_owned(),
        ..rtrb
    };
    let error = ends.open(&link(&other, 64), false).unwrap_err().to_string();
    assert!(error.contains("carrier-pigeon"), "{error}");
}
