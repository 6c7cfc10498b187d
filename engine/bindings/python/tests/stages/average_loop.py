"""The example's moving average as a plain loop; its variables hold views while it waits."""

import numpy as np

import ephapse


def channel_average(ctx):
    channels, reach = ctx.inputs["frames"].channels, ctx.params["width"] // 2
    while True:
        inputs, outputs = yield
        frames, mean = inputs.frames, outputs.mean
        for channel in range(channels):
            first, last = max(channel - reach, 0), min(channel + reach, channels - 1)
            mean[:, channel] = 0.0
            for near in range(first, last + 1):
                mean[:, channel] += frames[:, near]
            mean[:, channel] /= last - first + 1


ephapse.run(channel_average)
