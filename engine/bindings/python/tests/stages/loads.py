"""Imports numpy, loads a file and reads a socket to its end, whatever signals come meanwhile, and then copies frames.

Says on stderr how much it got and how often each signal was handled.
"""

import atexit
import signal
import socket
import sys

handled = {signal.SIGALRM: 0, signal.SIGCHLD: 0}


def count(number, frame):
    handled[number] += 1


@atexit.register
def tell():
    print("alarms {}, children {}".format(*handled.values()), file=sys.stderr)


for number in handled:
    signal.signal(number, count)

import numpy as np  # noqa: E402  (the signals are to hit the import)

import ephapse  # noqa: E402


class Loads(ephapse.Stage):
    def prepare(self, params, inputs, outputs):
        loaded = len(np.fromfile(params["file"], dtype=np.uint8))
        received = 0
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(params["socket"])
            while piece := link.recv(256):
                received += len(piece)
        print(f"loaded {loaded}, received {received}", file=sys.stderr)

    def process(self, inputs, outputs):
        outputs.out[:] = getattr(inputs, "in")


ephapse.run(Loads)
