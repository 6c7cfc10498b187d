//! Where everything stands in a ring segment: planned by the launcher, checked by everybody who attaches.

use super::type_block;
use crate::abi::{
    LINE, PAGE, PAYLOAD_ALIGN, RING_GEOMETRY_AT, RingGeometry, SEAT_TABLE_AT, SeatEntry,
    SegmentHeader, SlotHeader, TYPE_AT, segment,
};
use crate::shm::{self, Segment, ShmError, pages, read_at, write_at};
use crate::text;
use ephapse_rtconfig::plan::{Full, SeatKind};
use ephapse_rtconfig::stream_type::StreamType;
use std::fs::File;

/// What a ring should be.
#[derive(Clone, Debug)]
pub struct RingSpec {
    /// Type of the stream.
    pub stream_type: StreamType,
    /// Slots; a power of two.
    pub slots: u32,
    /// Full-ring policy.
    pub full: Full,
    /// Seats.
    pub seats: Vec<SeatSpec>,
    /// Spare `lap` seats behind them.
    pub spare_seats: u32,
    /// Index in the graph's stream table.
    pub stream: u32,
    /// Index of its pacing source.
    pub origin: u32,
    /// The producer never sleeps for room ([`Producer::wait_for_room`] then only naps): readers need not look whether it
    /// does, and a release costs no fence.
    ///
    /// [`Producer::wait_for_room`]: super::Producer::wait_for_room
    pub sleepless: bool,
}

/// One seat of a ring.
#[derive(Clone, Debug)]
pub struct SeatSpec {
    /// Kind.
    pub kind: SeatKind,
    /// Stage.
    pub stage: String,
    /// Port.
    pub port: String,
    /// The owner never sleeps on the data bell, for a tick wakes it or it spins (its `wait` then only naps): the producer
    /// need not look whether it does, and if this holds for every seat a publication costs no fence.
    pub sleepless: bool,
}

impl RingSpec {
    fn seats_total(&self) -> usize {
        self.seats.len() + self.spare_seats as usize
    }

    fn tables_at(&self) -> usize {
        SEAT_TABLE_AT + self.seats_total() * size_of::<SeatEntry>()
    }

    /// Bytes of the segment.
    pub fn bytes(&self) -> usize {
        let mut tables = Vec::new();
        type_block::encode(&self.stream_type, &mut tables, self.tables_at());
        self.geometry(tables.len()).1
    }

    /// Geometry and segment length.
    fn geometry(&self, tables_bytes: usize) -> (RingGeometry, usize) {
        let fixed = pages(self.tables_at() + tables_bytes);
        let payload_bytes = self
            .stream_type
            .block_bytes()
            .next_multiple_of(PAYLOAD_ALIGN)
            .max(PAYLOAD_ALIGN);
        let slot_stride = (size_of::<SlotHeader>() + payload_bytes).next_multiple_of(LINE);
        let producer_at = fixed;
        let seats_at = producer_at + PAGE;
        let bells_at = seats_at + self.seats_total() * PAGE;
        let slots_at = bells_at + PAGE;
        let geometry = RingGeometry {
            slots: self.slots,
            seats: self.seats_total() as u32,
            spare_seats: self.spare_seats,
            full: match self.full {
                Full::Wait => 0,
                Full::DropNewest => 1,
                Full::Fault => 2,
            },
            slot_stride: slot_stride as u64,
            payload_bytes: payload_bytes as u64,
            producer_at: producer_at as u64,
            seats_at: seats_at as u64,
            seat_stride: PAGE as u64,
            bells_at: bells_at as u64,
            slots_at: slots_at as u64,
            type_at: TYPE_AT as u64,
            seat_table_at: SEAT_TABLE_AT as u64,
            stream: self.stream,
            origin: self.origin,
            sleepless: self.sleepless.into(),
            reserved0: 0,
            reserved: [0; 3],
        };
        (
            geometry,
            pages(slots_at + slot_stride * self.slots as usize),
        )
    }

    /// Writes everything but header checksum and version word into a zeroed segment; returns the header to publish.
    fn fill(&self, image: &mut [u8], header: SegmentHeader) -> SegmentHeader {
        let mut tables = Vec::new();
        let block = type_block::encode(&self.stream_type, &mut tables, self.tables_at());
        let (geometry, _) = self.geometry(tables.len());
        write_at(image, RING_GEOMETRY_AT, &geometry);
        write_at(image, TYPE_AT, &block);
        let spare = SeatEntry {
            kind: 2,
            spare: 1,
            // What joins a running ring looks again by itself: it must not cost every publication a fence.
            sleepless: 1,
            ..SeatEntry::default()
        };
        let planned = self.seats.iter().map(|seat| SeatEntry {
            kind: match seat.kind {
                SeatKind::Hold => 1,
                SeatKind::Lap => 2,
            },
            spare: 0,
            stage: text::fixed(&seat.stage),
            port: text::fixed(&seat.port),
            sleepless: seat.sleepless.into(),
            reserved: 0,
        });
        for (index, entry) in planned
            .chain(std::iter::repeat_n(spare, self.spare_seats as usize))
            .enumerate()
        {
            write_at(
                image,
                SEAT_TABLE_AT + index * size_of::<SeatEntry>(),
                &entry,
            );
        }
        image[self.tables_at()..self.tables_at() + tables.len()].copy_from_slice(&tables);
        // `end` is all ones while the stream is open: the one word of the live regions that does not start as zero.
        let end_at =
            geometry.producer_at as usize + core::mem::offset_of!(crate::abi::ProducerWords, end);
        image[end_at..end_at + 8].copy_from_slice(&crate::abi::OPEN.to_le_bytes());
        SegmentHeader {
            kind: segment::RING,
            fixed_bytes: geometry.producer_at,
            ..header
        }
    }

    /// Makes the ring's segment.
    ///
    /// # Errors
    /// As [`shm::Owned::create`].
    pub fn create(&self, name: &str, header: SegmentHeader) -> Result<shm::Owned, ShmError> {
        let mut owned = shm::Owned::create(name, self.bytes())?;
        let header = self.fill(owned.bytes_mut(), header);
        owned.publish(header);
        Ok(owned)
    }

    /// Makes the ring in an unnamed segment, for use inside one process and its children.
    ///
    /// # Errors
    /// What the system said.
    pub fn create_anonymous(&self) -> std::io::Result<File> {
        let file = shm::anonymous(self.bytes())?;
        let mut image = vec![0; self.bytes()];
        let header = self.fill(
            &mut image,
            SegmentHeader {
                launcher_pid: std::process::id(),
                ..SegmentHeader::default()
            },
        );
        shm::publish_anonymous(&file, image, header)?;
        Ok(file)
    }
}

/// What an attached end knows of the ring: copied from the fixed region once and never read again.
#[derive(Clone, Debug)]
pub struct SlotLayout {
    /// Slots.
    pub slots: u64,
    /// `slots - 1`.
    pub mask: u64,
    /// Bytes from slot to slot.
    pub stride: usize,
    /// Payload capacity.
    pub payload_bytes: usize,
    /// Bytes of a row.
    pub row_bytes: usize,
    /// Rows a block can hold.
    pub rows: u32,
}

/// Geometry of an attached ring, checked.
pub(super) struct Attached {
    pub layout: SlotLayout,
    pub geometry: RingGeometry,
    pub stream_type: StreamType,
    pub seats: Vec<SeatEntry>,
}

/// Checks a ring's fixed region: every number in range, every region inside the segment and on its page.
pub(super) fn attach(segment: &Segment) -> Result<Attached, ShmError> {
    let refuse = |why: &str| {
        ShmError::refused(
            segment.name(),
            format!("{why} (made by pid {})", segment.header().launcher_pid),
        )
    };
    let fixed = segment.fixed();
    let geometry: RingGeometry =
        read_at(fixed, RING_GEOMETRY_AT).ok_or_else(|| refuse("its fixed region is too short"))?;
    let stream_type =
        type_block::decode(fixed).ok_or_else(|| refuse("its stream type is damaged"))?;
    let seats_bytes = (geometry.seats as usize).saturating_mul(size_of::<SeatEntry>());
    let region = |at: u64, bytes: u64| {
        at.is_multiple_of(PAGE as u64)
            && at
                .checked_add(bytes)
                .is_some_and(|end| end <= segment.bytes() as u64)
    };
    let sound = geometry.slots.is_power_of_two()
        && geometry.full <= 2
        && geometry.spare_seats <= geometry.seats
        && geometry.slot_stride.is_multiple_of(LINE as u64)
        && geometry.payload_bytes.is_multiple_of(PAYLOAD_ALIGN as u64)
        && geometry.payload_bytes >= stream_type.block_bytes() as u64
        && geometry.slot_stride
            >= geometry
                .payload_bytes
                .saturating_add(size_of::<SlotHeader>() as u64)
        && geometry.seat_stride == PAGE as u64
        && geometry.type_at == TYPE_AT as u64
        && geometry.seat_table_at == SEAT_TABLE_AT as u64
        && SEAT_TABLE_AT.saturating_add(seats_bytes) <= fixed.len()
        && geometry.producer_at >= fixed.len() as u64
        && geometry.seats_at >= geometry.producer_at.saturating_add(PAGE as u64)
        && geometry.bells_at
            >= geometry
                .seats_at
                .saturating_add(u64::from(geometry.seats).saturating_mul(PAGE as u64))
        && geometry.slots_at >= geometry.bells_at.saturating_add(PAGE as u64)
        && region(geometry.producer_at, PAGE as u64)
        && region(
            geometry.seats_at,
            u64::from(geometry.seats).saturating_mul(PAGE as u64),
        )
        && region(geometry.bells_at, PAGE as u64)
        && region(
            geometry.slots_at,
            geometry
                .slot_stride
                .saturating_mul(u64::from(geometry.slots)),
        );
    if !sound {
        return Err(refuse("its geometry is damaged"));
    }
    let seats = (0..geometry.seats as usize)
        .filter_map(|index| read_at(fixed, SEAT_TABLE_AT + index * size_of::<SeatEntry>()))
        .collect();
    let layout = SlotLayout {
        slots: u64::from(geometry.slots),
        mask: u64::from(geometry.slots) - 1,
        stride: geometry.slot_stride as usize,
        payload_bytes: geometry.payload_bytes as usize,
        row_bytes: stream_type.row_bytes(),
        rows: stream_type.frames_per_block(),
    };
    Ok(Attached {
        layout,
        geometry,
        stream_type,
        seats,
    })
}
