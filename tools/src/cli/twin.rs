//! Devices that are there, and twins of those that are not.

use super::values::duration;
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Args)]
pub struct DevicesArgs {
    /// Look at a host's `sys` and `dev` below another folder, as a copy of them
    #[arg(long, value_name = "DIR", default_value = "/")]
    pub root: PathBuf,
    /// JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct TwinArgs {
    #[command(subcommand)]
    pub device: TwinDevice,
}

#[derive(Debug, Subcommand)]
pub enum TwinDevice {
    /// OpenBCI Cyton on a pseudo-terminal: prints its path, and serves it until Ctrl-C
    Cyton(Box<CytonTwinArgs>),
}

#[derive(Debug, Args)]
pub struct CytonTwinArgs {
    /// With a Daisy: 16 channels
    #[arg(long)]
    pub daisy: bool,
    /// Play a text recording of OpenBCI's software (uV), again and again. Default: an EEG that is made up
    #[arg(long, value_name = "FILE")]
    pub play: Option<PathBuf>,
    /// Name that stays the same when the twin is unplugged and comes back: a link to the terminal, removed at the end
    #[arg(long, value_name = "FILE")]
    pub link: Option<PathBuf>,
    /// Lose this part of the packets
    #[arg(long, value_name = "0..1", value_parser = part, default_value = "0")]
    pub drop: f64,
    /// Send this part of the packets twice
    #[arg(long, value_name = "0..1", value_parser = part, default_value = "0")]
    pub duplicate: f64,
    /// Send random bytes behind this part of the packets
    #[arg(long, value_name = "0..1", value_parser = part, default_value = "0")]
    pub garbage: f64,
    /// Send an answer that nobody asked for behind this part of the packets
    #[arg(long, value_name = "0..1", value_parser = part, default_value = "0")]
    pub chatter: f64,
    /// Write at most so many bytes at once, fewer at random
    #[arg(
        long,
        value_name = "BYTES",
        default_value_t = 0,
        hide_default_value = true
    )]
    pub split: usize,
    /// Hand over what there is so often: 16ms as an adapter that nobody has tuned. Default: as it comes
    #[arg(long, value_name = "T", value_parser = duration)]
    pub delivery: Option<Duration>,
    /// The dongle is there, its board is off: every command is answered with `Failure`
    #[arg(long)]
    pub board_off: bool,
    /// Unplug so long after the start, once
    #[arg(long, value_name = "T", value_parser = duration, requires = "link")]
    pub unplug_after: Option<Duration>,
    /// Plug in again so long after that
    #[arg(long, value_name = "T", value_parser = duration, requires = "unplug_after")]
    pub back_after: Option<Duration>,
    /// Fall silent so long after each start of the stream
    #[arg(long, value_name = "T", value_parser = duration)]
    pub silent_after: Option<Duration>,
    /// Of the random faults: the same seed gives the same ones
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

fn part(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(part) if (0.0..=1.0).contains(&part) => Ok(part),
        _ => Err("it must be 0 to 1, e.g. 0.01".into()),
    }
}
