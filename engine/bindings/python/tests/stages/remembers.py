"""Counts frames in its state block, publishes a spike record per multiple of three, two blocks a call, and one at the end."""

import ephapse


class Remembers(ephapse.Stage):
    state_dtype = "<u8"

    def reset(self, state):
        state[:] = 100

    def process(self, inputs, outputs):
        for block in inputs.all("frames"):
            self.ctx.state[0] += len(block)
            self.ctx.append[0] += 1
        late = inputs.all("late")
        out = outputs["spikes"]
        out.array["frame"][: len(late)] = [block.first_frame for block in late]
        out.array["amplitude"][: len(late)] = self.ctx.state[0]
        out.user = self.ctx.append[0]
        out.commit(len(late))
        outputs["spikes"].commit(0)

    def finish(self, outputs):
        out = outputs["spikes"]
        out.array["channel"][0] = 77
        out.array["amplitude"][0] = self.ctx.state[0]
        out.commit(1)


ephapse.run(Remembers)
