"""A source of ``params["blocks"]`` blocks: their frames count up, the last is one frame short."""

import numpy as np

import ephapse


class Source(ephapse.Stage):
    made = 0
    asked = 0

    def process(self, inputs, outputs):
        self.asked += 1
        if self.asked % 3 == 0:
            return ephapse.AGAIN
        if self.made == self.ctx.params["blocks"]:
            return ephapse.DONE
        self.made += 1
        block = outputs["raw"]
        frames = block.room - (self.made == self.ctx.params["blocks"])
        block.array[:frames] = np.arange(block.first_frame, block.first_frame + frames)[:, None]
        outputs.count_source("raw", frames)
        block.commit(frames)


ephapse.run(Source)
