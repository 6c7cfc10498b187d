"""SciPy's side of a comparison: filters (and detects) the same recording, and says how fast.

In: a line of JSON (the job), the recording as float64 `time x channel`, then orders, one a line:
`measure WAY SECONDS`. Out: a line of JSON, the filtered recording as float64 `time x channel`; then a line of JSON for
each order. Ends when its input does.
"""

import gc
import json
import platform
import sys
import time


def say(what):
    sys.stdout.buffer.write(json.dumps(what).encode() + b"\n")
    sys.stdout.buffer.flush()


try:
    import numpy as np
    import scipy
    from scipy.signal import sosfilt
except ImportError as error:
    say({"missing": str(error)})
    sys.exit(0)


class Way:
    """One way to run through the recording: which axis is contiguous, and how many frames at a time."""

    def __init__(self, job, recording, time_first, block_frames):
        self.sos = np.array(job["sos"])
        self.dead = job["dead_frames"]
        self.block_frames = block_frames
        self.axis = 0 if time_first else 1
        frames, self.channels = recording.shape
        # Copied beforehand, so that no time is lost on views that are not contiguous.
        blocks = [recording[i : i + block_frames] for i in range(0, frames, block_frames)]
        self.blocks = [np.ascontiguousarray(b if time_first else b.T) for b in blocks]
        self.floor = None
        if job["thresholds"] is not None:
            floor = -np.array(job["thresholds"])
            self.floor = floor[np.newaxis, :] if time_first else floor[:, np.newaxis]
            longer = (1 + block_frames, self.channels)
            self.below = np.empty(longer if time_first else longer[::-1], dtype=bool)
        self.rest()

    def rest(self):
        """The state of silence; the first sample cannot cross."""
        shape = (2, self.channels) if self.axis == 0 else (self.channels, 2)
        self.zi = np.zeros((len(self.sos), *shape))
        self.next = 0
        if self.floor is not None:
            self.accepted = [-self.dead] * self.channels
            self.below.fill(True)

    def step(self):
        """The next block: filtered, and its spikes."""
        block = self.blocks[self.next % len(self.blocks)]
        first_frame = self.next * self.block_frames
        self.next += 1
        y, self.zi = sosfilt(self.sos, block, axis=self.axis, zi=self.zi)
        return y, self.detect(y, first_frame) if self.floor is not None else []

    def detect(self, y, first_frame):
        below = self.below
        if self.axis == 0:
            now, before, newest, last = below[1:], below[:-1], below[-1], below[0]
        else:
            now, before, newest, last = below[:, 1:], below[:, :-1], below[:, -1], below[:, 0]
        np.less(y, self.floor, out=now)
        hits = np.flatnonzero(now > before)
        np.copyto(last, newest)
        spikes = []
        if hits.size:
            if self.axis == 0:
                rows, columns = np.divmod(hits, self.channels)
            else:
                columns, rows = np.divmod(hits, self.block_frames)
            for row, channel in sorted(zip(rows.tolist(), columns.tolist())):
                frame = first_frame + row
                if frame - self.accepted[channel] >= self.dead:
                    self.accepted[channel] = frame
                    spikes.append((frame, channel))
        return spikes

    def turn(self):
        """The whole recording from rest, `time x channel`, and its spikes."""
        self.rest()
        steps = [self.step() for _ in self.blocks]
        y = np.concatenate([y if self.axis == 0 else y.T for y, _ in steps])
        return y, [spike for _, spikes in steps for spike in spikes]

    def measure(self, seconds):
        """Frames per second, over at least so many seconds."""
        blocks = 0
        began = time.perf_counter()
        while True:
            self.step()
            blocks += 1
            elapsed = time.perf_counter() - began
            if elapsed >= seconds:
                return blocks * self.block_frames / elapsed


def main():
    gc.disable()
    source = sys.stdin.buffer
    job = json.loads(source.readline())
    frames, channels = job["frames"], job["channels"]
    data = source.read(frames * channels * 8)
    recording = np.frombuffer(data, dtype="<f8").reshape(frames, channels)
    ways = [Way(job, recording, way["time_first"], way["block_frames"]) for way in job["ways"]]
    reference, spikes = ways[0].turn()
    apart = 0.0
    for way in ways[1:]:
        y, found = way.turn()
        apart = max(apart, float(np.max(np.abs(y - reference))))
        if found != spikes:
            raise SystemExit("the ways of using SciPy find different spikes")
    say(
        {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scipy": scipy.__version__,
            "apart": apart,
            "spikes": spikes,
        }
    )
    sys.stdout.buffer.write(np.ascontiguousarray(reference, dtype="<f8").tobytes())
    sys.stdout.buffer.flush()
    for line in source:
        order, way, seconds = line.split()
        if order != b"measure":
            raise SystemExit(f"an order that is none: {line!r}")
        say({"frames_per_s": ways[int(way)].measure(float(seconds))})


main()
