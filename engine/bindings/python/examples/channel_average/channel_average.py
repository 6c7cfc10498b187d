"""Moving average over channels: each channel becomes the mean of those at most width/2 beside it."""

import numpy as np

import ephapse


class ChannelAverage(ephapse.Stage):
    def prepare(self, params, inputs, outputs):
        stream = inputs["frames"]
        self.channels = stream.channels
        self.reach = min(params["width"] // 2, self.channels - 1)
        self.total = np.zeros((stream.frames_per_block, self.channels))
        channel = np.arange(self.channels)
        first = np.maximum(channel - self.reach, 0)
        last = np.minimum(channel + self.reach, self.channels - 1)
        self.count = last - first + 1.0

    def process(self, inputs, outputs):
        frames = inputs.frames  # a view: frames x channels, read-only
        total = self.total[: len(frames)]
        total[:] = 0.0
        for away in range(-self.reach, self.reach + 1):  # rising: the order of a sum is part of its result
            here = slice(max(-away, 0), self.channels - max(away, 0))
            there = slice(max(away, 0), self.channels - max(-away, 0))
            total[:, here] += frames[:, there]
        outputs.mean[:] = total / self.count


if __name__ == "__main__":
    ephapse.run(ChannelAverage)
