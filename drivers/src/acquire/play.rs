//! Parameters that every file source has, and what they mean to the player.

use ephapse_engine::stage::StageError;
use std::path::PathBuf;

/// What to play of a file, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Play {
    /// File.
    pub path: PathBuf,
    /// Frames per block, 1..=65536.
    pub block_frames: u32,
    /// Start over at the end.
    pub looped: bool,
    /// First instant, seconds of the file's clock.
    pub start_s: Option<f64>,
    /// Length, seconds.
    pub duration_s: Option<f64>,
    /// Last frame first.
    pub reverse: bool,
    /// Zeros in place of samples.
    pub zero: bool,
}

/// Parameters of a file source.
pub trait FileParams {
    /// The common part, checked.
    ///
    /// # Errors
    /// `Parameter` if a value is out of its range.
    fn play(&self) -> Result<Play, StageError>;
}

impl Play {
    /// Checks the ranges; `speed` is the runner's and only checked here.
    pub(crate) fn checked(self, speed: f64) -> Result<Self, StageError> {
        if self.path.as_os_str().is_empty() {
            return Err(StageError::parameter(
                "path",
                "is empty; give the recording's path",
            ));
        }
        if !(1..=65_536).contains(&self.block_frames) {
            return Err(StageError::parameter(
                "block_frames",
                format!("is {}; it must be 1 to 65536", self.block_frames),
            ));
        }
        if !(speed.is_finite() && speed > 0.0) {
            return Err(StageError::parameter(
                "speed",
                format!("is {speed}; it must be greater than 0 (1 is true time)"),
            ));
        }
        if self.start_s.is_some_and(|s| !s.is_finite()) {
            return Err(StageError::parameter(
                "start_s",
                "must be a finite number of seconds",
            ));
        }
        if self.duration_s.is_some_and(|s| !(s.is_finite() && s > 0.0)) {
            return Err(StageError::parameter(
                "duration_s",
                "must be a number of seconds greater than 0",
            ));
        }
        Ok(self)
    }
}

/// A parameter struct with the keys common to all file sources and those of its own.
///
/// Written out by a macro because `deny_unknown_fields` excludes serde's `flatten`.
macro_rules! file_params {
    ($(#[$outer:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $field_type:ty,)* }) => {
        $(#[$outer])*
        #[derive(Clone, Debug, serde::Deserialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// The recording.
            pub path: std::path::PathBuf,
            $($(#[$field_meta])* pub $field: $field_type,)*
            /// Frames per block, 1 to 65536; independent of how the file is chunked.
            #[serde(default = "crate::acquire::play::default_block_frames")]
            #[schemars(range(min = 1, max = 65536))]
            pub block_frames: u32,
            /// Start over at the end; each seam is a gap of 0 lost frames.
            #[serde(default, rename = "loop")]
            pub looped: bool,
            /// Seconds of the recording per second of a clock-paced run, greater than 0. The stream keeps the file's rate.
            #[serde(default = "crate::acquire::play::default_speed")]
            #[schemars(extend("exclusiveMinimum" = 0.0))]
            pub speed: f64,
            /// Begin here, in seconds of the file's own clock; default: the first stored frame.
            #[serde(default)]
            pub start_s: Option<f64>,
            /// Play so many seconds of the file's clock; default: to the end.
            #[serde(default)]
            #[schemars(extend("exclusiveMinimum" = 0.0))]
            pub duration_s: Option<f64>,
            /// Play backwards in time: a control that shows what depends on the recording.
            #[serde(default)]
            pub reverse: bool,
            /// Replace every sample by a stored zero: the other control.
            #[serde(default)]
            pub zero: bool,
        }

        impl crate::acquire::play::FileParams for $name {
            fn play(
                &self,
            ) -> Result<crate::acquire::play::Play, ephapse_engine::stage::StageError> {
                crate::acquire::play::Play {
                    path: self.path.clone(),
                    block_frames: self.block_frames,
                    looped: self.looped,
                    start_s: self.start_s,
                    duration_s: self.duration_s,
                    reverse: self.reverse,
                    zero: self.zero,
                }
                .checked(self.speed)
            }
        }
    };
}
pub(crate) use file_params;

pub(crate) fn default_block_frames() -> u32 {
    20
}

pub(crate) fn default_speed() -> f64 {
    1.0
}
