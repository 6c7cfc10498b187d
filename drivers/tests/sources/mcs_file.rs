//! Writes MCS-like files with whatever oddity a test needs.

use hdf5::types::{FixedAscii, VarLenAscii};
use hdf5::{File, H5Type};
use std::path::Path;

/// A file being written.
pub struct McsFile(File);

/// One analog stream.
pub struct Stream {
    pub label: &'static str,
    pub sub_type: &'static str,
    pub channels: usize,
    pub samples: usize,
    /// Rows of ChannelDataTimeStamps: time in us, first column, last column.
    pub pieces: Vec<[i64; 3]>,
    pub rows: Option<Vec<i32>>,
    pub ticks_us: Option<Vec<i64>>,
    pub unit: &'static str,
    pub conversion_factor: i64,
    pub ad_zero: i32,
    pub info_channel: bool,
    /// Fixed-length texts, unsigned numbers, another order, unknown columns.
    pub odd_columns: bool,
}

impl Default for Stream {
    fn default() -> Self {
        Stream {
            label: "Electrode Raw Data",
            sub_type: "Electrode",
            channels: 3,
            samples: 1000,
            pieces: Vec::new(),
            rows: None,
            ticks_us: None,
            unit: "V",
            conversion_factor: 59_605,
            ad_zero: 0,
            info_channel: true,
            odd_columns: false,
        }
    }
}

#[derive(Clone, H5Type)]
#[repr(C)]
#[allow(non_snake_case, reason = "the file's names")]
struct Usual {
    ChannelID: i32,
    RowIndex: i32,
    Label: VarLenAscii,
    Unit: VarLenAscii,
    Exponent: i32,
    ADZero: i32,
    Tick: i64,
    ConversionFactor: i64,
    ADCBits: i32,
}

#[derive(Clone, H5Type)]
#[repr(C)]
#[allow(non_snake_case, reason = "the file's names")]
struct Odd {
    ElectrodeGroup: u16,
    ConversionFactor: f64,
    Tick: u32,
    Unit: FixedAscii<12>,
    Position: [f32; 3],
    Exponent: i8,
    RowIndex: u16,
    Label: FixedAscii<20>,
}

impl Stream {
    /// Sample stored in `row` at `column`.
    pub fn stored(row: usize, column: usize) -> i32 {
        (row * 1_000_000 + column) as i32
    }

    fn row(&self, channel: usize) -> i32 {
        self.rows
            .as_ref()
            .map_or(channel as i32, |rows| rows[channel])
    }

    fn tick_us(&self, channel: usize) -> i64 {
        self.ticks_us.as_ref().map_or(50, |ticks| ticks[channel])
    }

    /// Where in the bytes of a file its first compressed chunk lies: behind a zlib header of level 1.
    pub fn compressed_data_in(bytes: &[u8]) -> usize {
        bytes
            .windows(2)
            .position(|pair| pair == [0x78, 0x01])
            .unwrap()
            + 2
    }
}

fn text<const N: usize>(text: &str) -> FixedAscii<N> {
    FixedAscii::from_ascii(text).unwrap()
}

fn variable(text: &str) -> VarLenAscii {
    VarLenAscii::from_ascii(text).unwrap()
}

impl McsFile {
    /// Creates the file and one recording.
    pub fn new(path: &Path) -> Self {
        let file = File::create(path).unwrap();
        file.create_group("Data/Recording_0/AnalogStream").unwrap();
        McsFile(file)
    }

    /// Adds the stream `Stream_<number>`.
    pub fn stream(self, number: usize, stream: Stream) -> Self {
        let name = format!("Data/Recording_0/AnalogStream/Stream_{number}");
        let group = self.0.create_group(&name).unwrap();
        let padded = |t: &str| text::<60>(&format!("{t}      \r\n"));
        for (name, value) in [("Label", stream.label), ("DataSubType", stream.sub_type)] {
            let attribute = group.new_attr::<FixedAscii<60>>().create(name).unwrap();
            attribute.write_scalar(&padded(value)).unwrap();
        }
        let shape = (stream.channels, stream.samples);
        let mut data = group.new_dataset::<i32>();
        if stream.channels * stream.samples > 0 {
            data = data
                .chunk((stream.channels, 300.min(stream.samples)))
                .deflate(1);
        }
        let data = data.shape(shape).create("ChannelData").unwrap();
        for row in 0..stream.channels {
            let samples: Vec<i32> = (0..stream.samples)
                .map(|c| Stream::stored(row, c))
                .collect();
            data.write_slice(&samples, (row, ..)).unwrap();
        }
        if !stream.pieces.is_empty() {
            let flat: Vec<i64> = stream.pieces.iter().flatten().copied().collect();
            let stamps = group.new_dataset::<i64>().shape((stream.pieces.len(), 3));
            stamps
                .create("ChannelDataTimeStamps")
                .unwrap()
                .write_raw(&flat)
                .unwrap();
        }
        if stream.info_channel && stream.odd_columns {
            let rows: Vec<Odd> = (0..stream.channels)
                .map(|c| Odd {
                    ElectrodeGroup: 9,
                    ConversionFactor: stream.conversion_factor as f64,
                    Tick: stream.tick_us(c) as u32,
                    Unit: text(&format!("{} \r\n", stream.unit)),
                    Position: [1.0, 2.0, 3.0],
                    Exponent: -12,
                    RowIndex: stream.row(c) as u16,
                    Label: text(&format!("E{c}       \r\n")),
                })
                .collect();
            group
                .new_dataset_builder()
                .with_data(&rows)
                .create("InfoChannel")
                .unwrap();
        } else if stream.info_channel {
            let rows: Vec<Usual> = (0..stream.channels)
                .map(|c| Usual {
                    ChannelID: 10 + c as i32,
                    RowIndex: stream.row(c),
                    Label: variable(&if c == 1 {
                        String::new()
                    } else {
                        format!("E{c}  ")
                    }),
                    Unit: variable(stream.unit),
                    Exponent: -12,
                    ADZero: stream.ad_zero,
                    Tick: stream.tick_us(c),
                    ConversionFactor: stream.conversion_factor,
                    ADCBits: 24,
                })
                .collect();
            group
                .new_dataset_builder()
                .with_data(&rows)
                .create("InfoChannel")
                .unwrap();
        }
        self
    }
}
