//! Parameters of `acquire.cyton`.

use super::frames::MOST_CHANNELS;
use super::packet::PACKET_CHANNELS;
use ephapse_engine::stage::StageError;
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::PathBuf;

/// Parameters of `acquire.cyton`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CytonParams {
    /// Serial port of the dongle, e.g. `/dev/ttyUSB0`; a name in `/dev/serial/by-id` stays the same when it is plugged in again.
    /// `ephapse devices` lists what there is.
    pub port: PathBuf,
    /// With a Daisy: 16 channels, 125 frames per second. The board must have one.
    #[serde(default)]
    pub daisy: bool,
    /// What the board sends beside its channels.
    #[serde(default)]
    pub board_mode: BoardMode,
    /// Ask for the board's clock with every packet; packets then bring one byte of the accelerometer, or two raw bytes.
    #[serde(default)]
    pub board_times: bool,
    /// Channels with settings of their own; the others have the board's defaults: on, gain 24, normal input, bias, SRB2.
    #[serde(default)]
    pub channels: Vec<ChannelSettings>,
    /// Frames per block, 1 to 250. A block is passed on when its last frame has come, or with fewer before a gap.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 250))]
    pub block_frames: u32,
}

fn one() -> u32 {
    1
}

/// What a board sends beside its channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BoardMode {
    /// The accelerometer.
    #[default]
    Accel,
    /// The analog inputs A5, A6 and A7, 10 bits each.
    Analog,
    /// The digital lines D11, D12, D13, D17 and D18.
    Digital,
}

impl BoardMode {
    /// The command that sets it.
    pub(super) fn command(self) -> &'static str {
        match self {
            BoardMode::Accel => "/0",
            BoardMode::Analog => "/2",
            BoardMode::Digital => "/3",
        }
    }
}

/// Settings of one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelSettings {
    /// Channel, 1 to 8, with a Daisy to 16.
    #[schemars(range(min = 1, max = 16))]
    pub channel: u8,
    /// Powered.
    #[serde(default = "yes")]
    pub on: bool,
    /// Gain: 1, 2, 4, 6, 8, 12 or 24.
    #[serde(default = "highest_gain")]
    pub gain: u8,
    /// What is connected to the amplifier.
    #[serde(default)]
    pub input: Input,
    /// Part of the bias drive.
    #[serde(default = "yes")]
    pub bias: bool,
    /// Connected to SRB2, the common reference.
    #[serde(default = "yes")]
    pub srb2: bool,
    /// Connected to SRB1, as all channels of its board then are.
    #[serde(default)]
    pub srb1: bool,
}

fn yes() -> bool {
    true
}

fn highest_gain() -> u8 {
    24
}

/// What is connected to an amplifier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// The electrode.
    #[default]
    Normal,
    /// Nothing: both ends together.
    Shorted,
    /// The bias signal.
    BiasMeasured,
    /// The supply voltage.
    Supply,
    /// The chip's temperature.
    Temperature,
    /// The board's test signal.
    Test,
}

/// Gains in the order of their codes.
const GAINS: [u8; 7] = [1, 2, 4, 6, 8, 12, 24];
/// Channels in commands.
const NAMES: &[u8; MOST_CHANNELS] = b"12345678QWERTYUI";

impl ChannelSettings {
    /// The command `x ... X` that sets it.
    pub(super) fn command(&self) -> String {
        let name = NAMES[usize::from(self.channel) - 1] as char;
        let gain = GAINS
            .iter()
            .position(|gain| *gain == self.gain)
            .unwrap_or(GAINS.len() - 1);
        let input = self.input as u8;
        let bits = [self.bias, self.srb2, self.srb1].map(u8::from);
        let [bias, srb2, srb1] = bits;
        let power = u8::from(!self.on);
        format!("x{name}{power}{gain}{input}{bias}{srb2}{srb1}X")
    }
}

impl CytonParams {
    /// Channels of a frame.
    pub fn channel_count(&self) -> usize {
        if self.daisy {
            MOST_CHANNELS
        } else {
            PACKET_CHANNELS
        }
    }

    /// Gain of every channel.
    pub fn gains(&self) -> Vec<u8> {
        let mut gains = vec![highest_gain(); self.channel_count()];
        for settings in &self.channels {
            gains[usize::from(settings.channel) - 1] = settings.gain;
        }
        gains
    }

    /// Checks what the schema cannot.
    ///
    /// # Errors
    /// `Parameter`: the key, what is wrong, what would be right.
    pub fn check(&self) -> Result<(), StageError> {
        let wrong = |key: &str, why: String| Err(StageError::parameter(key, why));
        if self.port.as_os_str().is_empty() {
            return wrong(
                "port",
                "is empty; give the dongle's serial port (`ephapse devices` lists them)".to_owned(),
            );
        }
        if !(1..=250).contains(&self.block_frames) {
            return wrong(
                "block_frames",
                format!("is {}; it must be 1 to 250", self.block_frames),
            );
        }
        let channels = self.channel_count();
        for (at, settings) in self.channels.iter().enumerate() {
            let channel = settings.channel;
            if !(1..=channels).contains(&usize::from(channel)) {
                return wrong(
                    "channels",
                    format!(
                        "there is no channel {channel}; it must be 1 to {channels}, and more than 8 need `daisy = true`"
                    ),
                );
            }
            if !GAINS.contains(&settings.gain) {
                return wrong(
                    "channels",
                    format!(
                        "channel {channel} has gain {}; possible: 1, 2, 4, 6, 8, 12, 24",
                        settings.gain
                    ),
                );
            }
            if self.channels[..at]
                .iter()
                .any(|other| other.channel == channel)
            {
                return wrong(
                    "channels",
                    format!("channel {channel} is set twice; leave one out"),
                );
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(text: &str) -> CytonParams {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_channel_is_set_with_the_boards_own_codes() {
        let text = r#"{"port": "p", "daisy": true, "channels": [{"channel": 3, "gain": 12},
            {"channel": 9, "on": false, "gain": 1, "input": "shorted", "bias": false, "srb2": false, "srb1": true},
            {"channel": 16, "input": "test"}]}"#;
        let params = params(text);
        params.check().unwrap();
        let commands: Vec<String> = params
            .channels
            .iter()
            .map(ChannelSettings::command)
            .collect();
        assert_eq!(commands, ["x3050110X", "xQ101001X", "xI065110X"]);
        let mut gains = vec![24; 16];
        gains[2] = 12;
        gains[8] = 1;
        assert_eq!(params.gains(), gains);
    }

    #[test]
    fn what_no_board_can_do_is_refused_by_name() {
        let refused = [
            (r#"{"port": ""}"#, "`port`"),
            (r#"{"port": "p", "block_frames": 0}"#, "1 to 250"),
            (
                r#"{"port": "p", "channels": [{"channel": 9}]}"#,
                "daisy = true",
            ),
            (
                r#"{"port": "p", "channels": [{"channel": 0}]}"#,
                "no channel 0",
            ),
            (
                r#"{"port": "p", "channels": [{"channel": 1, "gain": 3}]}"#,
                "gain 3",
            ),
            (
                r#"{"port": "p", "channels": [{"channel": 1}, {"channel": 1}]}"#,
                "twice",
            ),
        ];
        for (text, why) in refused {
            let error = params(text).check().unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
