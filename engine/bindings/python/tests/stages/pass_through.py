"""Copies any stream from ``in`` to ``out``, block for block, headers included."""

import ephapse


class PassThrough(ephapse.Stage):
    @classmethod
    def describe(cls, params, inputs):
        if params.get("refuse"):
            raise ephapse.Refused.parameter("refuse", "is set; leave it out")
        return ephapse.Described(outputs={"out": inputs["in"]}, settle_frames=3)

    def process(self, inputs, outputs):
        block, out = inputs["in"], outputs["out"]
        for field in ("first_frame", "lost", "flags", "user"):
            setattr(out, field, getattr(block, field))
        out.write(block.array)


ephapse.run(PassThrough)
