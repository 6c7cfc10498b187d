//! The sidecar: a JSON file beside a plain binary recording that says what is in it.

use super::format::parse_rate;
use super::layout::{ByteOrder, Layout};
use ephapse_engine::stage::StageError;
use ephapse_rtconfig::stream_type::{Dtype, Rate};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What stands in `<file>.ephapse.json`. Unknown keys are refused.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sidecar {
    /// `i8` to `i64`, `u8` to `u64`, `f32`, `f64`.
    pub dtype: Dtype,
    /// Channels, at least 1.
    pub channels: u32,
    /// Frames per second.
    pub rate_hz: RateHz,
    /// Order of the samples.
    #[serde(default)]
    pub layout: SidecarLayout,
    /// SI value per stored unit; one for all channels or one each. Default: unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale_to_si: Option<PerChannel>,
    /// SI value of a stored zero; one for all channels or one each. Default: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<PerChannel>,
    /// SI unit of `stored * scale_to_si + offset`. Default: `V` with a scale, else none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub si_unit: Option<String>,
    /// Unit of the stored numbers.
    #[serde(default = "count")]
    pub unit: String,
    /// One label per channel. Default: their numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Byte order of a number.
    #[serde(default)]
    pub byte_order: ByteOrder,
}

/// A rate in Hz: a number, or a ratio in a string (`"30000/1"`).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RateHz {
    /// Frames per second.
    Number(f64),
    /// `numerator/denominator`.
    Ratio(String),
}

/// Order of the samples in the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SidecarLayout {
    /// All channels of the first frame, then all of the second.
    #[default]
    FrameMajor,
}

/// One value for all channels, or one each.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PerChannel {
    /// The same for all.
    All(f64),
    /// In order of the channels.
    Each(Vec<f64>),
}

fn count() -> String {
    "count".to_owned()
}

/// Path of the sidecar of `recording`: its own name with `.ephapse.json` added.
pub fn sidecar_path(recording: &Path) -> PathBuf {
    let mut path = recording.as_os_str().to_owned();
    path.push(".ephapse.json");
    PathBuf::from(path)
}

/// A sidecar to copy and correct, in one line.
const EXAMPLE: &str = r#"{"dtype":"i16","channels":32,"rate_hz":30000,"layout":"frame_major","scale_to_si":1.95e-7,"offset":0.0,"si_unit":"V","unit":"count","byte_order":"little"}"#;

/// Reads the sidecar of `recording`.
///
/// # Errors
/// `Resource`: no sidecar (says which one to write), not JSON, an unknown key, a value out of range.
pub(super) fn read_beside(recording: &Path) -> Result<Layout, StageError> {
    let path = sidecar_path(recording);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            // A missing recording is the better complaint.
            crate::acquire::file::open_regular(recording)?;
            return Err(StageError::resource(
                recording.display().to_string(),
                format!(
                    "nothing says what is in it; give `format = \"i16le,32ch,30000Hz,0.195uV\"`, or write {} like {EXAMPLE}",
                    path.display()
                ),
            ));
        }
        Err(error) => {
            return Err(StageError::resource(
                path.display().to_string(),
                format!("cannot be read ({error})"),
            ));
        }
    };
    let refuse = |why: String| StageError::resource(path.display().to_string(), why);
    let sidecar: Sidecar = serde_json::from_str(&text)
        .map_err(|error| refuse(format!("is no sidecar ({error}); write it like {EXAMPLE}")))?;
    sidecar.layout().map_err(refuse)
}

impl Sidecar {
    /// What the sidecar says, checked.
    fn layout(self) -> Result<Layout, String> {
        if self.dtype == Dtype::Bits {
            return Err("`dtype` bits is not a sample format; use u8".to_owned());
        }
        if self.channels == 0 {
            return Err("`channels` is 0; it must be at least 1".to_owned());
        }
        let channels = self.channels as usize;
        let rate = match &self.rate_hz {
            RateHz::Number(hz) => Rate::from_f64(*hz).filter(|r| r.numerator > 0),
            RateHz::Ratio(text) => parse_rate(text),
        }
        .ok_or("`rate_hz` must be a number greater than 0, or a ratio like \"30000/1\"")?;
        if !(self.labels.is_empty() || self.labels.len() == channels) {
            return Err(format!(
                "{} `labels` for {channels} channels",
                self.labels.len()
            ));
        }
        let scale = spread(self.scale_to_si, channels, "scale_to_si")?;
        let offset = spread(self.offset, channels, "offset")?;
        let si_unit = self.si_unit.unwrap_or_else(|| {
            if scale.is_empty() {
                String::new()
            } else {
                "V".to_owned()
            }
        });
        if self.unit.len() > 15 || si_unit.len() > 15 {
            return Err("`unit` and `si_unit` have at most 15 bytes".to_owned());
        }
        Ok(Layout {
            dtype: self.dtype,
            byte_order: self.byte_order,
            channels: self.channels,
            rate,
            unit: self.unit,
            si_unit,
            scale,
            offset,
            labels: self.labels,
        })
    }
}

/// One finite value per channel, or none at all.
fn spread(values: Option<PerChannel>, channels: usize, key: &str) -> Result<Vec<f64>, String> {
    let values = match values {
        None => return Ok(Vec::new()),
        Some(PerChannel::All(value)) => vec![value; channels],
        Some(PerChannel::Each(values)) => values,
    };
    if values.len() != channels {
        return Err(format!(
            "{} values of `{key}` for {channels} channels",
            values.len()
        ));
    }
    if values.iter().any(|v| !v.is_finite()) {
        return Err(format!("`{key}` must be finite"));
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sidecar_that_the_error_prints_is_a_valid_one() {
        let sidecar: Sidecar = serde_json::from_str(EXAMPLE).unwrap();
        let layout = sidecar.layout().unwrap();
        assert_eq!(
            (layout.dtype, layout.channels, layout.rate),
            (Dtype::I16, 32, Rate::hz(30_000))
        );
        assert_eq!(layout.scale, [1.95e-7; 32]);
    }

    #[test]
    fn scale_may_differ_from_channel_to_channel_but_not_in_number() {
        let of = |text: &str| serde_json::from_str::<Sidecar>(text).unwrap().layout();
        let each = of(
            r#"{"dtype":"u16","channels":2,"rate_hz":"1000/3","scale_to_si":[1e-6,2e-6],"labels":["a","b"]}"#,
        );
        let each = each.unwrap();
        assert_eq!(
            (each.scale, each.rate, each.si_unit.as_str()),
            (vec![1e-6, 2e-6], Rate::new(1000, 3), "V")
        );
        let wrong = of(r#"{"dtype":"u16","channels":3,"rate_hz":1000,"scale_to_si":[1e-6,2e-6]}"#);
        assert!(
            wrong
                .unwrap_err()
                .contains("2 values of `scale_to_si` for 3 channels")
        );
    }
}
