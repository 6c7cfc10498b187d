"""Common average reference: each channel less the mean of all channels, times a gain."""

import ephapse


def average_reference(frames, gain, referenced):
    """Writes what becomes of ``frames`` (frames x channels) into ``referenced``, of the same shape."""
    referenced[:] = (frames - frames.mean(axis=1, keepdims=True)) * gain


class AverageReference(ephapse.Stage):
    def prepare(self, params, inputs, outputs):
        self.gain = params["gain"]

    def process(self, inputs, outputs):
        # Views onto the slots of the rings: nothing is copied, and none may be kept.
        average_reference(inputs.frames, self.gain, outputs.referenced)


if __name__ == "__main__":
    ephapse.run(AverageReference)
