"""Publishes how often a thread of its own has got its turn, which it can only while the stage waits."""

import threading
import time

import ephapse


class Threaded(ephapse.Stage):
    count = 0

    def prepare(self, params, inputs, outputs):
        threading.Thread(target=self.work, daemon=True).start()

    def work(self):
        while True:
            self.count += 1
            time.sleep(0.001)

    def process(self, inputs, outputs):
        outputs.count[:] = self.count


ephapse.run(Threaded)
