"""Running sessions observed: a small graph of generated cultures, started by the test."""

import json
import os
import signal
import subprocess
import time
import unittest
from pathlib import Path

import numpy as np

import ephapse

GRAPH = """
name = "{name}"
timer = {{ period_ns = 1_000_000, cpu = 0 }}

[stage.source]
use = "acquire.synthetic"
cpu = 0
params = {{ channels = 8 }}
out = {{ frames = "raw" }}

[stage.band]
use = "filter.bandpass"
cpu = 0
params = {{ low_hz = 300.0, high_hz = 3000.0 }}
in = {{ frames = "raw" }}
out = {{ frames = "filtered" }}

[stage.detect]
use = "detect.threshold"
cpu = 0
params = {{ calibrate_s = 0.1 }}
in = {{ frames = "filtered" }}
out = {{ spikes = "spikes" }}

[stage.rate]
use = "feature.rate"
cpu = 0
params = {{ bin_ms = 10.0, bins = 10 }}
in = {{ spikes = "spikes" }}
out = {{ rates = "rates" }}
"""


def until(holds, within_s=60):
    deadline = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s} s")
        time.sleep(0.005)


@unittest.skipUnless(os.environ.get("EPHAPSE"), "EPHAPSE does not name the command line")
class Sessions(unittest.TestCase):
    def start(self):
        """An endless session, that of this test."""
        self.name = f"observed-{os.getpid()}"
        graph = Path(f"{self.name}.toml")
        graph.write_text(GRAPH.format(name=self.name))
        command = [os.environ["EPHAPSE"], "run", str(graph), "--report", self.name, "--json"]
        with open(f"{self.name}.log", "w") as log:
            running = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.addCleanup(running.wait)
        self.addCleanup(running.terminate)
        until(lambda: running.poll() is not None or any(i.name == self.name and i.state == "running" for i in ephapse.sessions()))
        self.assertIsNone(running.poll(), Path(f"{self.name}.log").read_text())
        return running

    def test_a_live_session_is_listed_observed_and_iterated_to_its_end(self):
        running = self.start()
        (info,) = [info for info in ephapse.sessions() if info.name == self.name]
        self.assertEqual((info.state, info.pid), ("running", running.pid))
        self.assertEqual(info.streams, ("raw", "filtered", "spikes", "rates"))
        session = ephapse.attach(self.name)
        self.assertEqual(session.streams, info.streams)
        with self.assertRaisesRegex(KeyError, "has no stream `nothing`; it has raw, filtered"):
            session["nothing"]
        with self.assertRaisesRegex(ephapse.EphapseError, f"no session `other`; sessions:.*`{self.name}`"):
            ephapse.attach("other")

        raw = session["raw"]
        until(lambda: raw.published > 200)
        latest = raw.latest()
        self.assertIsInstance(latest, ephapse.Span)
        self.assertEqual(latest.shape[1:], (8,))
        self.assertEqual(latest.dtype, raw.type.numpy_dtype)
        self.assertEqual(latest.type.labels, raw.type.labels)
        self.assertEqual(latest.header.first_frame + latest.header.valid, latest.first_frame + len(latest))
        self.assertGreater(len(latest), raw.type.frames_per_block)
        # A copy: what the ring holds later is another matter.
        before = latest.copy()
        until(lambda: raw.latest().first_frame > latest.first_frame + len(latest))
        self.assertTrue((np.asarray(latest) == np.asarray(before)).all())
        spikes = session["spikes"]
        until(lambda: len(spikes.latest()) > 0)
        self.assertEqual(spikes.latest().dtype.names, ("frame", "channel", "width", "amplitude"))
        self.assertTrue((spikes.latest()["channel"] < 8).all())

        rates, expected, blocks = session["rates"], None, 0
        for block in rates:
            if expected is not None and not rates.missed:
                self.assertEqual(block.header.position, expected)
            expected, blocks = block.header.position + 1, blocks + 1
            if blocks == 50:
                running.send_signal(signal.SIGINT)
            self.assertEqual(block.shape[1:], (8,))
        self.assertTrue(rates.ended)
        self.assertGreaterEqual(blocks, 50)
        self.assertEqual(expected, rates.published)
        self.assertLessEqual(blocks + rates.missed, rates.published)
        # The stream has ended: what the ring holds can still be looked at, though the session is going.
        self.assertEqual(len(rates.latest().shape), 2)
        running.wait(60)
        until(lambda: self.name not in [info.name for info in ephapse.sessions()])

    def test_the_last_second_reaches_back_into_the_capture(self):
        self.start()
        raw = ephapse.attach(self.name)["raw"]
        numerator, denominator = raw.type.rate
        rate = numerator // denominator
        until(lambda: raw.published * raw.type.frames_per_block > 2 * rate)
        ring, second = raw.latest(), raw.latest(1.0)
        self.assertEqual(len(second), rate)
        self.assertLess(len(ring), rate)
        # What both have is the same.
        first = max(ring.first_frame, second.first_frame)
        last = min(ring.first_frame + len(ring), second.first_frame + len(second))
        self.assertGreater(last, first)
        ours, theirs = (np.asarray(span)[first - span.first_frame : last - span.first_frame] for span in (second, ring))
        self.assertTrue((ours == theirs).all())

    def test_a_slow_loop_counts_what_it_missed(self):
        running = self.start()
        raw, seen, first = ephapse.attach(self.name)["raw"], 0, None
        for block in raw:
            first = block.header.position if first is None else first
            seen += 1
            time.sleep(0.05)
            if raw.missed and running.poll() is None:
                running.send_signal(signal.SIGINT)
                running.wait(60)
        self.assertGreater(raw.missed, 0)
        self.assertEqual(seen + raw.missed, raw.published - first)

    def test_the_notebook_runs(self):
        notebook = Path(__file__).parents[1] / "examples" / "at_a_prompt.ipynb"
        self.start()
        cells = json.loads(notebook.read_text())["cells"]
        code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        self.assertGreaterEqual(len(code), 5)
        said = []
        names = {"print": lambda *what: said.append(" ".join(map(str, what)))}
        for number, cell in enumerate(code):
            cell = cell.replace('"demo"', repr(self.name))
            with self.subTest(cell=number):
                exec(compile(cell, f"cell {number}", "exec"), names)
        self.assertTrue(said)
