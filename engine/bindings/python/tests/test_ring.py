"""A ring between two scripts: each test that needs a second one starts it."""

import gc
import os
import signal
import subprocess
import sys
import time
import unittest

import numpy as np

import ephapse


def script(text, *arguments):
    """A second Python that runs ``text``; what it says on stdout can be read."""
    return subprocess.Popen([sys.executable, "-c", "import ephapse, sys, time\n" + text, *arguments], stdout=subprocess.PIPE, text=True)


def segments(name):
    return [entry for entry in os.listdir("/dev/shm") if f".{name}." in entry]


class Rings(unittest.TestCase):
    def setUp(self):
        self.name = f"ring-{os.getpid()}-{self._testMethodName[-12:].lower()}"

    def tearDown(self):
        gc.collect()
        self.assertEqual(segments(self.name), [])
        self.assertNotIn(self.name, [info.name for info in ephapse.sessions()])

    def test_two_scripts_pass_blocks_in_order_and_the_reader_ends_with_the_writer(self):
        reads = f"ring = ephapse.Ring.open({self.name!r})\nprint(ring.type.summary(), flush=True)\n"
        reads += "for block in ring: print(block.first_frame, block.sum(), flush=True)"
        with ephapse.Ring.create(self.name, "f64", 4, 3, slots=8, rate_hz=1000, unit="uV") as ring:
            other = script(reads)
            self.assertEqual(other.stdout.readline(), "4 x 3 f64, 1000 Hz, uV\n")
            for block in range(100):
                ring.write(np.full((4, 3), block), timeout_s=30)
            ring.write([[1, 2, 3]], timeout_s=30)
            with ring.claim(timeout_s=30) as block:
                block.array[0] = 5
                block.frames = 1
                block.set(user=7)
            while ephapse.attach(self.name)["ring"].published < 102:
                time.sleep(0.001)
            # What the reader has not read when the ring is closed it still gets: its mapping stays.
        said = other.communicate(timeout=30)[0].splitlines()
        self.assertEqual(other.returncode, 0)
        self.assertEqual(said, [f"{4 * b} {12.0 * b}" for b in range(100)] + ["400 6.0", "401 15.0"])

    def test_the_creating_script_may_be_the_reader(self):
        with ephapse.Ring.create(self.name, ephapse.StreamType.spikes(8, "uV"), writes=False) as ring:
            other = script(
                f"ring = ephapse.Ring.open({self.name!r}, writes=True)\n"
                "import numpy as np\n"
                "ring.write(np.array([(7, 3, 2, -61.5), (9, 1, 2, 40.0)], ring.type.numpy_dtype))\n"
                "ring.write(np.zeros(0, ring.type.numpy_dtype))"
            )
            spikes = ring.read(timeout_s=30)
            self.assertEqual(spikes["channel"].tolist(), [3, 1])
            self.assertEqual(spikes["amplitude"].tolist(), [-61.5, 40.0])
            self.assertEqual((spikes.first_frame, spikes.header.valid), (0, 2))
            nothing = ring.read(timeout_s=30)
            self.assertEqual((len(nothing), nothing.first_frame), (0, 2))
            self.assertIsNone(ring.read(timeout_s=30))
            other.communicate(timeout=30)
            self.assertEqual(other.returncode, 0)

    def test_blocks_are_views_in_place_read_only_for_the_reader_and_must_be_let_go(self):
        with ephapse.Ring.create(self.name, "i16", 4, 2) as writer, ephapse.Ring.open(self.name) as reader:
            with writer.claim() as block:
                block.array[:] = 3
            with reader.peek() as block:
                self.assertEqual(block.array.tolist(), [[3, 3]] * 4)
                self.assertFalse(block.array.flags.writeable)
                with self.assertRaises(ValueError):
                    block.array[0] = 1
            with self.assertRaisesRegex(ephapse.EphapseError, "a view of a block was kept: copy it"):
                with writer.claim() as block:
                    kept = block.array[1:]
            self.assertEqual(ephapse.attach(self.name)["ring"].published, 1)
            with self.assertRaisesRegex(ephapse.EphapseError, "given up is still held"):
                writer.write([[1, 1]])
            del kept
            with self.assertRaises(ZeroDivisionError), writer.claim() as block:
                1 / 0
            writer.write([[1, 1]])
            with self.assertRaises(ZeroDivisionError), reader.peek() as block:
                1 / 0
            self.assertEqual(reader.read().tolist(), [[1, 1]])

    def test_the_reader_may_be_started_first(self):
        other = script(f"ring = ephapse.Ring.open({self.name!r}, timeout_s=60)\nfor block in ring: print(block[0, 0], flush=True)")
        time.sleep(0.2)
        with ephapse.Ring.create(self.name, "u8") as ring:
            ring.write([[9]])
            self.assertEqual(other.stdout.readline(), "9\n")
        other.communicate(timeout=30)
        self.assertEqual(other.returncode, 0)

    def test_a_full_ring_makes_the_writer_wait_and_an_empty_one_the_reader(self):
        with ephapse.Ring.create(self.name, "u8", 1, 1, slots=2) as writer, ephapse.Ring.open(self.name) as reader:
            with self.assertRaisesRegex(TimeoutError, "no block within 0.05 s"):
                reader.read(timeout_s=0.05)
            writer.write([[1]])
            writer.write([[2]])
            with self.assertRaisesRegex(TimeoutError, "no room within 0.05 s"):
                writer.write([[3]], timeout_s=0.05)
            self.assertEqual(reader.read()[0, 0], 1)
            writer.write([[3]], timeout_s=1)
            with self.assertRaisesRegex(ephapse.EphapseError, "this end reads"):
                reader.write([[1]])
            with self.assertRaisesRegex(ephapse.EphapseError, "this end writes"):
                writer.read()
            with self.assertRaisesRegex(ValueError, "do not fit in a block of 1"):
                writer.write([[1], [2]])

    def test_what_cannot_be_is_refused_in_one_line(self):
        with ephapse.Ring.create(self.name, "u8"):
            with self.assertRaisesRegex(ephapse.EphapseError, f"`{self.name}` is running already"):
                ephapse.Ring.create(self.name, "u8")
            with ephapse.Ring.open(self.name):
                with self.assertRaisesRegex(ephapse.EphapseError, "its seat 0 is pid"):
                    ephapse.Ring.open(self.name)
            ephapse.Ring.open(self.name).close()
        with self.assertRaisesRegex(ephapse.EphapseError, f"no session `{self.name}`"):
            ephapse.Ring.open(self.name)
        for name in ("", "Ring", "a/b", "session", "x" * 33):
            with self.assertRaisesRegex(ValueError, "cannot name a ring"):
                ephapse.Ring.create(name, "u8")
        with self.assertRaisesRegex(ValueError, "power of two"):
            ephapse.Ring.create(self.name, "u8", slots=6)
        with self.assertRaisesRegex(ValueError, "a stream has one of"):
            ephapse.Ring.create(self.name, "f2")

    def test_a_killed_reader_leaves_its_seat_to_the_next(self):
        with ephapse.Ring.create(self.name, "u8", 1, 1) as writer:
            other = script(f"ring = ephapse.Ring.open({self.name!r})\nprint(ring.read()[0, 0], flush=True)\ntime.sleep(60)")
            writer.write([[5]])
            self.assertEqual(other.stdout.readline(), "5\n")
            other.kill()
            other.communicate()
            writer.write([[6]])
            with ephapse.Ring.open(self.name) as reader:
                self.assertEqual(reader.read(timeout_s=30)[0, 0], 6)

    def test_what_a_killed_creator_leaves_is_named_and_removed(self):
        other = script(f"ring = ephapse.Ring.create({self.name!r}, 'u8')\nring.write([[1]])\nprint('made', flush=True)\ntime.sleep(60)")
        self.assertEqual(other.stdout.readline(), "made\n")
        with ephapse.Ring.open(self.name) as reader:
            stream = ephapse.attach(self.name)["ring"]
            reader.read(timeout_s=30)
            os.kill(other.pid, signal.SIGKILL)
            other.communicate()
            with self.assertRaisesRegex(ephapse.EphapseError, "the script that made it is gone"):
                reader.read(timeout_s=30)
            with self.assertRaisesRegex(ephapse.EphapseError, "its launcher is gone"):
                list(stream)
        with self.assertRaisesRegex(ephapse.EphapseError, "its launcher is gone: `ephapse gc`"):
            ephapse.attach(self.name)
        self.assertEqual(len(segments(self.name)), 2)
        if "EPHAPSE" in os.environ:
            self.assertIn(f"{self.name}: its launcher is gone", self.told("status"))
            self.assertIn(f"{self.name}: 2 segments removed", self.told("gc"))
        else:
            ephapse.Ring.create(self.name, "u8").close()

    @unittest.skipUnless("EPHAPSE" in os.environ, "EPHAPSE does not name the command line")
    def test_the_command_line_lists_it(self):
        with ephapse.Ring.create(self.name, "u8"):
            self.assertRegex(self.told("status"), f"{self.name}: running, .* launcher pid {os.getpid()}")

    def told(self, command):
        return subprocess.run([os.environ["EPHAPSE"], command], capture_output=True, text=True, check=True).stdout

    def test_a_script_that_ends_without_closing_leaves_nothing(self):
        other = script(f"ring = ephapse.Ring.create({self.name!r}, 'u8')\nring.write([[1]])\nprint('made', flush=True)")
        self.assertEqual(other.communicate(timeout=30)[0], "made\n")
        self.assertEqual(other.returncode, 0)
