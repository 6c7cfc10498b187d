//! Nothing read from shared memory is trusted (I2): damaged segments are refused in one line, or do no harm.
//!
//! Every single bit of what the fixed regions of `tests/abi_v1/*.bin` mean is flipped, as it is and under a checksum that
//! fits again; then bytes are changed at random for a while (`EPHAPSE_FUZZ_S` seconds from `EPHAPSE_FUZZ_SEED`).
//! A crash of whoever attaches is a crash of this test.

use ephapse_engine::abi::{self, PAGE, ProducerWords, SeatWords, SlotHeader, segment};
use ephapse_engine::ring::{HoldSeat, LapSeat, Observer, Producer};
use ephapse_engine::runner::memory::{SessionView, StageMemory};
use ephapse_engine::runner::telemetry::{TelemetryReader, TelemetryWriter};
use ephapse_engine::shm::{self, Access, Segment, ShmError};
use ephapse_engine::sync::Ordering;
use std::fs::{self, File};
use std::mem::offset_of;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// Images: name, kind, bytes of the fixed region that have a meaning.
const IMAGES: [(&str, u32, usize); 6] = [
    ("session", segment::SESSION, 128),
    ("frames", segment::RING, 1400),
    ("spikes", segment::RING, 1100),
    ("stage", segment::STAGE, 256),
    ("telemetry", segment::TELEMETRY, 136),
    ("events", segment::EVENTS, 128),
];

fn image(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/abi_v1/{name}.bin"));
    let mut bytes = fs::read(path).unwrap();
    bytes.resize(number(&bytes, 32) as usize, 0);
    if number(&bytes, 24) as u32 == segment::RING {
        // Nobody owns it any more, and it has not ended.
        let (producer, seats) = (number(&bytes, 160) as usize, number(&bytes, 168) as usize);
        set(&mut bytes, producer + offset_of!(ProducerWords, owner), 0);
        set(
            &mut bytes,
            producer + offset_of!(ProducerWords, end),
            abi::OPEN,
        );
        for seat in 0..(number(&bytes, 128) >> 32) as usize {
            let owner = seats + seat * PAGE + offset_of!(SeatWords, owner);
            set(&mut bytes, owner, 0);
        }
    }
    bytes
}

fn number(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

fn set(bytes: &mut [u8], at: usize, value: u64) {
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

fn refit(bytes: &mut [u8]) {
    let fixed = number(bytes, 40) as usize;
    if (32..=bytes.len()).contains(&fixed) {
        let crc = crc32c::crc32c(&bytes[32..fixed]);
        bytes[28..32].copy_from_slice(&crc.to_le_bytes());
    }
}

fn opened(file: &File, kind: u32) -> Result<Segment, ShmError> {
    let copy = || file.try_clone().unwrap();
    Segment::from_files("image", copy(), Some(copy()), kind)
}

/// Attaches whatever a process would, and works with it for a moment.
fn use_it(file: &File, kind: u32) -> Result<(), ShmError> {
    let segment = opened(file, kind)?;
    match kind {
        segment::SESSION => {
            let view = SessionView::attach(&segment, Access::ReadWrite)?;
            view.timer.tick.store(7, Ordering::Release);
            assert_eq!(view.timer.tick.load(Ordering::Acquire), 7);
            view.words.state.load(Ordering::Acquire);
        }
        segment::RING => pass_blocks(&segment)?,
        segment::STAGE => {
            StageMemory::attach(&segment, Access::ReadOnly)?.bank();
            let mut stage = StageMemory::attach(&segment, Access::ReadWrite)?;
            for _ in 0..2 {
                stage.carry();
                let parts = stage.next_state();
                parts.state.fill(1);
                parts.append.fill(2);
                // Damaged parameters are no JSON, at worst.
                let _ = stage.params();
                stage.flip();
            }
        }
        segment::TELEMETRY => {
            let mut writer = TelemetryWriter::attach(&segment)?;
            let mut reader = TelemetryReader::attach(&segment)?;
            for _ in 0..6 {
                writer.push(&abi::ActivationRecord::default());
                reader.take();
            }
        }
        _ => {
            segment.map(PAGE, PAGE, Access::ReadOnly)?.touch();
        }
    }
    Ok(())
}

fn pass_blocks(segment: &Segment) -> Result<(), ShmError> {
    let observer = Observer::attach(segment)?;
    let found = observer.stream_type().clone();
    let mut producer = Producer::attach(segment, &found, 1 << 32 | 1)?;
    // A seat may be of another kind than it was.
    let mut hold = HoldSeat::attach(segment, 0, &found, 1 << 32 | 2).ok();
    let mut lap = LapSeat::attach(segment, 1, &found, 1 << 32 | 3).ok();
    let mut buffer = [0; 4096];
    for _ in 0..6 {
        if producer.room(1) > 0 {
            let position = producer.published();
            let (header, payload) = producer.slot(0);
            *header = SlotHeader {
                position,
                valid: 1,
                ..SlotHeader::default()
            };
            payload.fill(3);
            producer.publish(1);
            producer.warm();
        }
        observer.copy(observer.oldest(), &mut buffer);
        if let Some(lap) = &mut lap {
            lap.take(&mut buffer);
        }
        if let Some(hold) = &mut hold {
            if let Some(peeked) = hold.peek(0) {
                let sum: u64 = peeked.payload.iter().map(|byte| u64::from(*byte)).sum();
                assert!(!peeked.damaged || sum == 0);
            }
            hold.release(1);
        }
    }
    producer.end(abi::end_reason::FINISHED, 0);
    Ok(())
}

/// An unnamed segment whose bytes are changed again and again.
struct Bench {
    file: File,
    kind: u32,
    refused: u64,
    harmless: u64,
}

impl Bench {
    fn new(bytes: &[u8], kind: u32) -> Self {
        Bench {
            file: shm::anonymous(bytes.len()).unwrap(),
            kind,
            refused: 0,
            harmless: 0,
        }
    }

    fn try_out(&mut self, bytes: &[u8], what: impl Fn() -> String) {
        self.file.write_all_at(bytes, 0).unwrap();
        match use_it(&self.file, self.kind) {
            Ok(()) => self.harmless += 1,
            Err(error) => {
                self.refused += 1;
                let text = error.to_string();
                assert!(text.starts_with("image: "), "{}: {text}", what());
                assert!(!text.contains('\n'), "{}: {text}", what());
            }
        }
    }
}

#[test]
fn every_flipped_bit_of_a_fixed_region_is_refused_or_harmless() {
    for (name, kind, meaning) in IMAGES {
        let clean = image(name);
        let mut bench = Bench::new(&clean, kind);
        bench.try_out(&clean, || name.to_owned());
        assert_eq!(bench.harmless, 1, "{name} as it is");
        for bit in 0..meaning * 8 {
            let mut damaged = clean.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let before = bench.refused;
            bench.try_out(&damaged, || format!("{name}, bit {bit}"));
            // The lower half of the version word is the minor, which may differ.
            let minor = (64..96).contains(&bit);
            assert_eq!(
                bench.refused - before,
                u64::from(!minor),
                "{name}, bit {bit}"
            );
            if !(224..256).contains(&bit) {
                refit(&mut damaged);
                bench.try_out(&damaged, || format!("{name}, bit {bit}, refitted"));
            }
        }
    }
}

#[test]
fn a_flipped_byte_anywhere_in_the_fixed_region_is_refused() {
    for (name, kind, _) in IMAGES {
        let mut bytes = image(name);
        let file = shm::anonymous(bytes.len()).unwrap();
        let fixed = number(&bytes, 40) as usize;
        for at in (0..8).chain(12..fixed) {
            bytes[at] ^= 0xff;
            file.write_all_at(&bytes, 0).unwrap();
            let refused = opened(&file, kind).err().map(|e| e.to_string());
            let text = refused.unwrap_or_else(|| panic!("{name}: byte {at} was not missed"));
            assert!(text.starts_with("image: "), "{name}, byte {at}: {text}");
            bytes[at] ^= 0xff;
        }
    }
}

/// Numbers as damage likes them.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn value(&mut self) -> u64 {
        match self.next() % 8 {
            0 => 0,
            1 => u64::MAX,
            2 => u64::MAX - (self.next() % 8192),
            3 => 1 << (self.next() % 64),
            4 => (1 << (self.next() % 64)) - 1,
            5 => 4096 * (self.next() % 16),
            6 => self.next() % 64,
            _ => self.next(),
        }
    }
}

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

#[test]
fn lengths_whose_sum_is_beyond_64_bits_are_refused_or_harmless() {
    let beyond = [
        u64::MAX,
        u64::MAX - 63,
        u64::MAX - 127,
        u64::MAX - 4095,
        1 << 63,
    ];
    for (name, kind, meaning) in &IMAGES {
        let clean = image(name);
        let mut bench = Bench::new(&clean, *kind);
        for at in (128..*meaning - 8).step_by(8) {
            for value in beyond {
                let mut damaged = clean.clone();
                set(&mut damaged, at, value);
                refit(&mut damaged);
                bench.try_out(&damaged, || format!("{name}: {value:#x} at {at}"));
            }
        }
        // The others hold no lengths beyond their header.
        assert!(bench.refused > 0 || *kind != segment::RING, "{name}");
    }
}

#[test]
fn bytes_changed_at_random_under_a_checksum_that_fits_are_refused_or_harmless() {
    let seed = setting("EPHAPSE_FUZZ_SEED", 0x0e94_a95e);
    let until = Instant::now() + Duration::from_secs(setting("EPHAPSE_FUZZ_S", 3));
    let mut random = Random(seed.max(1));
    let mut benches: Vec<(Vec<u8>, Bench, usize)> = IMAGES
        .iter()
        .map(|(name, kind, meaning)| {
            let clean = image(name);
            let bench = Bench::new(&clean, *kind);
            (clean, bench, *meaning)
        })
        .collect();
    let mut round = 0_u64;
    while Instant::now() < until {
        round += 1;
        let which = random.below(benches.len());
        let (clean, bench, meaning) = &mut benches[which];
        let mut damaged = clean.clone();
        for _ in 0..=random.below(4) {
            // Mostly what is believed after the checksum; sometimes what is alive; the header's own words seldom.
            let at = match random.next() % 8 {
                0 => random.below(clean.len() - 8),
                // Where the live words stand in their pages.
                2 | 3 => {
                    PAGE * random.below(clean.len() / PAGE)
                        + [0, 128, 256, 264, 384][random.below(5)]
                }
                1 => 8 * random.below(16),
                _ => 128 + 4 * random.below((*meaning - 128).max(8) / 4),
            };
            let value = random.value();
            match random.next() % 3 {
                0 => damaged[at] = value as u8,
                1 => damaged[at..at + 4].copy_from_slice(&(value as u32).to_le_bytes()),
                _ => set(&mut damaged, at, value),
            }
        }
        refit(&mut damaged);
        bench.try_out(&damaged, || format!("seed {seed}, round {round}"));
    }
    for ((name, ..), (_, bench, _)) in IMAGES.iter().zip(&benches) {
        assert!(
            bench.refused > 0 && bench.harmless > 0,
            "{name}: {} refused, {} harmless in {round} rounds",
            bench.refused,
            bench.harmless
        );
    }
}
