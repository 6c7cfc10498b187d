"""Stream types: what goes to the engine and comes back, and what numpy makes of it."""

import json
import unittest

import numpy as np

from ephapse import Axis, StreamType


class Types(unittest.TestCase):
    def test_every_type_comes_back_from_json_as_it_was(self):
        own = np.dtype([("at", "<i8"), ("shape", "<i2", (3,))])
        for stream_type in (
            StreamType.frames("f32", 10, 60, 20_000.0, "uV"),
            StreamType.frames(np.int16, 10, (4, 5), 1 / 3),
            StreamType.frames("bits", 8, 11),
            StreamType.records("beat", own, 16, {"at": "ns"}),
            StreamType.spikes(8, "uV"),
            StreamType.events(8),
            StreamType.commands(8),
            StreamType.marks(8),
            StreamType.raw_bytes(100),
        ):
            with self.subTest(stream_type.summary()):
                self.assertEqual(StreamType.from_json(json.dumps(stream_type.to_json())), stream_type)

    def test_records_become_structured_dtypes_with_the_layouts_offsets(self):
        dtype = StreamType.spikes(8).numpy_dtype
        self.assertEqual(dtype.itemsize, 24)
        self.assertEqual({name: dtype.fields[name][1] for name in dtype.names}, {"frame": 0, "channel": 8, "width": 12, "amplitude": 16})
        self.assertEqual(StreamType.commands(1).numpy_dtype["values"].shape, (4,))
        self.assertEqual(StreamType.commands(1).numpy_dtype.itemsize, 72)
        self.assertEqual(StreamType.marks(1).numpy_dtype.itemsize, 80)
        odd = StreamType.records("odd", [("a", "u1"), ("b", "u1")], 1)
        self.assertEqual(odd.numpy_dtype.itemsize, 8)

    def test_frames_are_viewed_without_a_copy_and_read_only_if_their_buffer_is(self):
        stream_type = StreamType.frames("f32", 4, (2, 3))
        buffer = bytearray(2 * 6 * 4)
        array = stream_type.view(buffer)
        self.assertEqual((array.shape, array.dtype), ((2, 2, 3), np.dtype("<f4")))
        array[1, 1, 2] = 1.5
        self.assertEqual(buffer[-4:], np.float32(1.5).tobytes())
        self.assertFalse(stream_type.view(bytes(buffer)).flags.writeable)
        self.assertEqual(stream_type.view(b"").shape, (0, 2, 3))

    def test_bits_are_packed_from_the_least_significant_bit(self):
        lines = StreamType.frames("bits", 8, 11)
        values = np.zeros((2, 11), bool)
        values[0, [0, 9]] = values[1, 10] = True
        packed = lines.pack(values)
        self.assertEqual(packed.tolist(), [[0b1, 0b10], [0, 0b100]])
        self.assertTrue((lines.unpack(packed) == values).all())
        self.assertEqual(lines.frame_shape, (2,))

    def test_what_is_no_type_is_refused_by_name(self):
        with self.assertRaisesRegex(ValueError, "'f16'.*i8, i16"):
            StreamType.frames("f16", 1, 1)
        with self.assertRaisesRegex(ValueError, "complex64"):
            StreamType.frames("complex64", 1, 1)
        with self.assertRaisesRegex(ValueError, "no fields"):
            StreamType.records("beat", "f8", 1)

    def test_a_changed_unit_drops_what_spoke_of_the_old_one(self):
        volts = StreamType("frames", "i16", (Axis("time", 1), Axis("channel", 1)), (1, 1), "count", "V", (1e-6,), (0.0,))
        changed = volts.like("f64", "uV")
        self.assertEqual((changed.dtype, changed.unit, changed.scale, changed.si_unit), ("f64", "uV", (), ""))
        self.assertEqual(changed.rate_hz, 1.0)
