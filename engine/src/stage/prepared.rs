//! What the runner needs of a stage that is ready to process, whatever language it is written in.

use super::{Ctx, Inputs, Next, Outputs, Stage};
use serde_json::Value;

/// A stage after its `prepare`. Every [`Stage`] is one; the bindings for other languages make theirs by hand and give it to
/// [`crate::runner::run_prepared`]. The same rules hold: no allocation, lock, log or system call in `process`, unless the
/// graph gives the stage policy `other`.
pub trait Prepared {
    /// As [`Stage::process`].
    fn process(
        &mut self,
        ctx: &mut Ctx<'_>,
        inputs: &Inputs<'_>,
        outputs: &mut Outputs<'_>,
    ) -> Next;

    /// As [`Stage::reset`].
    fn reset(&mut self, state: &mut [u8]);

    /// New parameters, all of them, between activations.
    ///
    /// # Errors
    /// Says which value cannot be; the stage goes on with the old ones.
    fn tune(&mut self, params: &Value) -> Result<(), String>;

    /// As [`Stage::finish`].
    fn finish(&mut self, ctx: &mut Ctx<'_>, outputs: &mut Outputs<'_>);

    /// As [`Stage::leave`].
    fn leave(&mut self) {}
}

impl<S: Stage> Prepared for S {
    fn process(
        &mut self,
        ctx: &mut Ctx<'_>,
        inputs: &Inputs<'_>,
        outputs: &mut Outputs<'_>,
    ) -> Next {
        Stage::process(self, ctx, inputs, outputs)
    }

    fn reset(&mut self, state: &mut [u8]) {
        Stage::reset(self, state);
    }

    fn tune(&mut self, params: &Value) -> Result<(), String> {
        let params: S::Params =
            serde_json::from_value(params.clone()).map_err(|e| e.to_string())?;
        Stage::tune(self, &params);
        Ok(())
    }

    fn finish(&mut self, ctx: &mut Ctx<'_>, outputs: &mut Outputs<'_>) {
        Stage::finish(self, ctx, outputs);
    }

    fn leave(&mut self) {
        Stage::leave(self);
    }
}
