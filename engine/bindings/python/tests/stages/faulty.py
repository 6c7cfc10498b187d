"""Does wrong what ``params["fault"]`` names, in its second activation."""

import json
import os

import numpy as np

import ephapse

FAULT = json.load(open(os.environ["EPHAPSE_STAGE"]))["duty"]["stage"]["plan"]["params"]["fault"]


class Faulty(ephapse.Stage):
    calls = 0

    def prepare(self, params, inputs, outputs):
        if FAULT == "prepare":
            raise OSError("no such weights: train.npz")

    def reset(self, state):
        if FAULT == "reset":
            raise ZeroDivisionError("in reset")
        if FAULT == "keep_reset":
            self.kept = state

    def process(self, inputs, outputs):
        self.calls += 1
        outputs.out[:] = inputs.frames
        if self.calls == 2:
            return getattr(self, FAULT, lambda inputs, outputs: None)(inputs, outputs)

    def keep_input(self, inputs, outputs):
        self.kept = inputs.frames

    def keep_slice(self, inputs, outputs):
        self.kept = [inputs.frames[:1, 0].reshape(-1)]

    def keep_output(self, inputs, outputs):
        self.kept = outputs.out

    def keep_state(self, inputs, outputs):
        self.kept = self.ctx.state

    def keep_objects(self, inputs, outputs):
        self.kept = inputs, outputs, inputs["frames"], outputs["out"]
        self.keep_objects_next = True

    def cycles(self, inputs, outputs):
        frames = inputs.frames
        try:
            frames[0] = 1
        except ValueError as error:
            caught = error  # the traceback has this frame, and the frame the traceback
        self.told = len(frames), str(caught)

    def raises(self, inputs, outputs):
        raise ValueError("frames are\nnot what they were")

    def too_many(self, inputs, outputs):
        outputs["out"].commit(5)

    def assigns(self, inputs, outputs):
        outputs.out = inputs.frames

    def no_port(self, inputs, outputs):
        outputs.nowhere[:] = 0

    def returns_array(self, inputs, outputs):
        return np.zeros(3)

    def stops(self, inputs, outputs):
        return ephapse.Stop("the culture is asleep")

    def done(self, inputs, outputs):
        return ephapse.DONE

    def finish(self, outputs):
        if FAULT == "holds":
            outputs.out[:] = 9.0
        if FAULT == "at_end":
            raise KeyError("in finish")


def keeping_loop(ctx):
    kept = []
    while True:
        inputs, outputs = yield
        kept.append(inputs.frames)
        outputs.out[:] = inputs.frames


def raising_loop(ctx):
    while True:
        inputs, outputs = yield
        outputs.out[:] = inputs.frames
        if not ctx.starts_over:
            raise RuntimeError("the loop is broken")


def ending_loop(ctx):
    for _ in range(2):
        inputs, outputs = yield
        outputs.out[:] = inputs.frames


ephapse.run(globals().get(FAULT, Faulty))
