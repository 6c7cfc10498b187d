"""Captures opened: one that the engine's own appender made, named by EPHAPSE_CAPTURE."""

import os
import tempfile
import unittest
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

import ephapse


class NoCapture(unittest.TestCase):
    def test_what_is_no_capture_is_one_line(self):
        with self.assertRaisesRegex(ephapse.EphapseError, "nowhere.cap.*No such file"):
            ephapse.open("nowhere.cap")
        with tempfile.NamedTemporaryFile(suffix=".cap") as file:
            with self.assertRaisesRegex(ephapse.EphapseError, "too short for a capture"):
                ephapse.open(Path(file.name))


@unittest.skipUnless(os.environ.get("EPHAPSE_CAPTURE"), "EPHAPSE_CAPTURE does not name a capture")
class Captures(unittest.TestCase):
    def setUp(self):
        self.capture = ephapse.open(os.environ["EPHAPSE_CAPTURE"])

    def test_it_says_what_was_recorded(self):
        capture = self.capture
        self.assertEqual(capture.streams, ("raw", "spikes", "fast", "commands", "marks"))
        self.assertEqual((capture.name, capture.started), ("made", datetime(2026, 1, 1, tzinfo=UTC)))
        self.assertEqual(capture.experiment["culture_id"], "culture 7")
        self.assertEqual(capture.graph, 'name = "made"')
        self.assertEqual(capture.marks[0]["text"], "the culture was fed")
        self.assertEqual((capture.gaps[0]["from"], capture.gaps[0]["count"]), (70, 3))
        self.assertEqual(capture.events[0]["tick"], 3)
        self.assertTrue(capture.info["sealed"])
        with self.assertRaisesRegex(KeyError, "has no stream `nothing`; it has raw, spikes"):
            capture["nothing"]

    def test_every_block_comes_read_only_with_its_place_and_time(self):
        raw, frames = self.capture["raw"], 0
        self.assertEqual(raw.type.labels, ("A1", "A2", "B1"))
        for block in raw:
            self.assertFalse(block.flags.writeable)
            numbers = block.first_frame + np.arange(len(block))
            expected = (numbers[:, None] * 7919 + np.arange(3) * 31).astype(np.int16)
            self.assertTrue((np.asarray(block) == expected).all())
            self.assertTrue(np.allclose(block.times_s, numbers / 20_000))
            frames += len(block)
        self.assertEqual((frames, raw.missed, raw.published), (97 * 20, 3, 100))
        spikes = [spike for block in self.capture["spikes"] for spike in block["frame"]]
        self.assertEqual(spikes[:2], [3, 43])

    def test_the_latest_goes_back_so_far_and_to_no_gap(self):
        raw = self.capture["raw"]
        latest = raw.latest(0.005)
        self.assertEqual(latest.shape, (100, 3))
        self.assertEqual(latest.first_frame + len(latest), 100 * 20 + 40)
        self.assertEqual(len(raw.latest(1.0)), 27 * 20)
        spikes = self.capture["spikes"].latest(0.010)
        self.assertEqual(spikes.dtype.names, ("frame", "channel", "width", "amplitude"))
        self.assertTrue(np.allclose(spikes.times_s, spikes["frame"] / 20_000))
        self.assertEqual(len(spikes), 5)
        with self.assertRaisesRegex(ValueError, "must be more than 0"):
            raw.latest(0)
