//! `policy.frequency`: the higher the decision, the higher the rung of a table of stimulation frequencies.
//!
//! **Mathematics.** The frequency is that of the highest threshold in `table_hz` that the decision reaches; below the
//! first, or if the decision is not a number, it is 0 (off). A command is given when the frequency differs from the one
//! commanded last; before the first command that is 0, so an input of zeros gives none. Rows that their header calls
//! settling are passed over. A gap or seam does not forget what was commanded, for the stimulator has not.
//!
//! **Shapes and units.** `time x output` of any number format in, of which the first output counts, in its own unit;
//! [`command`](ephapse_engine::records::Command) records out, one block (often empty) for every input block. `code` 1,
//! `values[0]` the frequency in Hz, `target` from the parameter, `tick` that of the activation, `first_frame` and
//! `last_frame` those of the row ([`rows`](crate::rows)); `age` is 0 until the command is handed on.
//!
//! **Errors** (at `describe`): a table that is empty, not ascending, or holds a frequency that is negative or not
//! finite; an input that is not `time x output` of numbers.

use crate::numbers::Numbers;
use crate::rows::window_of_row;
use ephapse_engine::records::Command;
use ephapse_engine::stage::{
    Ctx, Described, Inputs, Next, Outputs, Ports, Role, Stage, StageError,
};
use ephapse_rtconfig::stream_type::{StreamType, command_layout};
use schemars::JsonSchema;
use serde::Deserialize;

/// [`Command::code`] of a stimulation frequency.
const CODE_FREQUENCY: u32 = 1;

/// Parameters of `policy.frequency`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FrequencyParams {
    /// Rungs `[threshold, frequency in Hz]`, thresholds ascending, in the decision's unit. May be changed while it runs.
    #[schemars(extend("x-live" = true))]
    pub table_hz: Vec<[f64; 2]>,
    /// What is stimulated: number of a group or electrode of the device.
    #[serde(default)]
    pub target: u32,
}

/// A checked table of rungs.
#[derive(Clone, Debug)]
pub struct FrequencyTable(Vec<[f64; 2]>);

impl FrequencyTable {
    /// The table of these rungs.
    ///
    /// # Errors
    /// If it is empty, its thresholds do not ascend, or a number in it has no meaning.
    pub fn new(rungs: &[[f64; 2]]) -> Result<Self, StageError> {
        let wrong = |why: String| Err(StageError::parameter("table_hz", why));
        if rungs.is_empty() {
            return wrong("has no rungs: give at least one [threshold, hz]".to_owned());
        }
        for (number, [threshold, hz]) in rungs.iter().enumerate() {
            if !threshold.is_finite() {
                return wrong(format!(
                    "rung {number}: threshold {threshold} is not finite"
                ));
            }
            if !(*hz >= 0.0 && hz.is_finite()) {
                return wrong(format!("rung {number}: {hz} Hz is not a frequency"));
            }
        }
        for (number, pair) in rungs.windows(2).enumerate() {
            if pair[0][0] >= pair[1][0] {
                return wrong(format!(
                    "thresholds must ascend: rung {} ({}) does not lie above rung {number} ({})",
                    number + 1,
                    pair[1][0],
                    pair[0][0]
                ));
            }
        }
        Ok(FrequencyTable(rungs.to_vec()))
    }

    /// Frequency of the highest threshold that `decision` reaches; 0 below the first and for NaN.
    pub fn hz(&self, decision: f64) -> f64 {
        self.0
            .iter()
            .rev()
            .find(|[threshold, _]| decision >= *threshold)
            .map_or(0.0, |[_, hz]| *hz)
    }
}

/// `policy.frequency`.
#[derive(Debug)]
pub struct Frequency {
    numbers: Numbers,
    table: FrequencyTable,
    target: u32,
    converted: Vec<f64>,
}

impl Stage for Frequency {
    const KIND: &'static str = "policy.frequency";
    const ABOUT: &'static str = "Stimulation frequency from a table of decision thresholds.";
    const ROLE: Role = Role::Process;
    const PORTS: Ports = Ports {
        inputs: &["decision"],
        outputs: &["commands"],
    };
    type Params = FrequencyParams;

    fn describe(
        params: &FrequencyParams,
        inputs: &[(&str, &StreamType)],
    ) -> Result<Described, StageError> {
        let input = inputs[0].1;
        Numbers::stored("decision", input)?;
        FrequencyTable::new(&params.table_hz)?;
        let commands = StreamType::records(command_layout(), input.frames_per_block());
        Ok(Described {
            outputs: vec![("commands".to_owned(), commands)],
            // The frequency commanded last.
            state_bytes: 8,
            parts_per_call: 1,
            ..Described::default()
        })
    }

    fn prepare(
        params: FrequencyParams,
        inputs: &[(&str, &StreamType)],
        _what: &Described,
    ) -> Result<Self, StageError> {
        let input = inputs[0].1;
        let numbers = Numbers::stored("decision", input)?;
        let room = numbers.channels() * input.frames_per_block() as usize;
        Ok(Frequency {
            numbers,
            table: FrequencyTable::new(&params.table_hz)?,
            target: params.target,
            converted: vec![0.0; room],
        })
    }

    fn process(
        &mut self,
        ctx: &mut Ctx<'_>,
        inputs: &Inputs<'_>,
        outputs: &mut Outputs<'_>,
    ) -> Next {
        let block = inputs.pacing();
        let decisions = self.numbers.convert(block.payload, &mut self.converted);
        let commanded_hz: &mut f64 = &mut ctx.state.slice_mut::<f64>()[0];
        let mut output = outputs.block(0);
        let records = output.slice::<Command>();
        let mut given = 0;
        let rows = decisions.chunks_exact(self.numbers.channels());
        for (row, decision) in rows.enumerate().skip(block.header.settling as usize) {
            let hz = self.table.hz(decision[0]);
            if hz == *commanded_hz {
                continue;
            }
            *commanded_hz = hz;
            let (first_frame, last_frame) = window_of_row(block.header, row);
            records[given] = Command {
                tick: ctx.tick,
                target: self.target,
                code: CODE_FREQUENCY,
                first_frame,
                last_frame,
                values: [hz, 0.0, 0.0, 0.0],
                age_ns: 0,
            };
            given += 1;
        }
        output.commit(given);
        Next::Continue
    }

    /// Keeps what was commanded: the stimulator still does it.
    fn reset(&mut self, _state: &mut [u8]) {}

    fn tune(&mut self, live: &FrequencyParams) {
        // A table that `describe` would refuse does not come here; the old one stays if it does.
        if let Ok(table) = FrequencyTable::new(&live.table_hz) {
            self.table = table;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_threshold_reached_decides() {
        let table = FrequencyTable::new(&[[0.5, 10.0], [2.0, 20.0], [8.0, 40.0]]).unwrap();
        let decisions = [-1.0, 0.0, 0.49, 0.5, 1.9, 2.0, 8.0, 1e9, f64::NAN];
        let hz = [0.0, 0.0, 0.0, 10.0, 10.0, 20.0, 40.0, 40.0, 0.0];
        assert_eq!(decisions.map(|d| table.hz(d)), hz);
    }

    #[test]
    fn a_table_that_means_nothing_is_refused() {
        let refused = |rungs: &[[f64; 2]], needle: &str| {
            let error = FrequencyTable::new(rungs).unwrap_err().to_string();
            assert!(
                error.contains("`table_hz`") && error.contains(needle),
                "{error}"
            );
        };
        refused(&[], "no rungs");
        refused(
            &[[1.0, 10.0], [1.0, 20.0]],
            "rung 1 (1) does not lie above rung 0 (1)",
        );
        refused(&[[1.0, -10.0]], "-10 Hz is not a frequency");
        refused(&[[f64::NAN, 10.0]], "threshold NaN");
    }
}
