"""Python's multiprocessing.Queue with numpy arrays, as an end of `ephapse bench ring`.

Two processes and a queue between them, as on
https://docs.python.org/3/library/multiprocessing.html#pipes-and-queues: the array is put, a thread of the queue pickles it
into a pipe, the other process gets a new array. Follows the orders of `ephapse_bench::ends`, one JSON line each on stdin,
and answers on stdout. The payload is that of `bench/src/hop/payload.rs`, made and checked by whole-array operations.

The sender sleeps until a block is due where others spin: the interpreter's lock would keep the queue's own thread from
running. That waking up is in no measurement: a block's time begins after it.
"""

import ctypes
import json
import multiprocessing
import os
import signal
import sys
import time

# One thread per process is measured: no pool for linear algebra beside it.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
import numpy as np  # noqa: E402

GIVE_UP_S = 2
PR_SET_PDEATHSIG = 1


def fill(index, position, began_ns):
    """A new block: the queue pickles it some time after `put` has returned."""
    block = index + np.uint64(position)
    block[0] = began_ns
    block[1] = position
    return block


def check(block, index_sum, position):
    """Reads every word; raises if this is not block `position`, whole."""
    behind = len(block) - 2
    total = int(block[2:].sum(dtype=np.uint64))
    if int(block[1]) != position or total != (position * behind + index_sum) % 2**64:
        raise RuntimeError(f"block {position} arrived as block {int(block[1])} with another payload")


def place(cpu, policy):
    """Binds this process to a CPU. True if it runs under SCHED_FIFO now."""
    os.sched_setaffinity(0, {cpu})
    if policy != "other":
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(policy["fifo"]))
        except PermissionError:
            pass
    return os.sched_getscheduler(0) == os.SCHED_FIFO


def die_with_parent(parent):
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit()


def sleep_until(due_ns):
    left_ns = due_ns - time.monotonic_ns()
    if left_ns > 0:
        time.sleep(left_ns / 1e9)


class Receiving:
    """The receiving process: rounds come over a pipe, values go back."""

    def __init__(self, queue, pipe, words):
        self.queue = queue
        self.pipe = pipe
        self.index_sum = sum(range(2, words))
        self.position = 0

    def take(self):
        block = self.queue.get()
        began_ns = int(block[0])
        check(block, self.index_sum, self.position)
        self.position += 1
        return began_ns, time.monotonic_ns()

    def run(self, order):
        values = []
        now_ns = 0
        for _ in range(order["warm_up"]):
            _, now_ns = self.take()
        if order["mode"] == "paced":
            for _ in range(order["blocks"]):
                began_ns, now_ns = self.take()
                values.append(max(0, now_ns - began_ns))
            return values
        batch = order["mode"]["stream"]["batch"]
        last_ns = now_ns
        for _ in range(order["blocks"] // batch):
            for _ in range(batch):
                _, now_ns = self.take()
            values.append(now_ns - last_ns)
            last_ns = now_ns
        for _ in range(order["blocks"] % batch):
            self.take()
        return values


def receiving(queue, pipe, words, cpu, policy, parent):
    die_with_parent(parent)
    place(cpu, policy)
    side = Receiving(queue, pipe, words)
    while True:
        order = pipe.recv()
        try:
            pipe.send((side.run(order), ""))
        except Exception as error:
            pipe.send(([], str(error)))


class Link:
    """The queue and both processes: this one sends."""

    def __init__(self, link, policy):
        if link["wait"] != "sleep":
            raise RuntimeError("multiprocessing.Queue only waits asleep")
        context = multiprocessing.get_context("fork")
        self.words = link["payload"] // 8
        self.index = np.arange(self.words, dtype=np.uint64)
        self.position = 0
        self.queue = context.Queue(maxsize=link["slots"])
        self.pipe, other = context.Pipe()
        self.receiver = context.Process(
            target=receiving,
            args=(self.queue, other, self.words, link["cpus"][1], policy, os.getpid()),
            daemon=True,
        )
        self.receiver.start()
        other.close()

    def send(self, order):
        due_ns = order["start_ns"]
        paced = order["mode"] == "paced"
        sleep_until(due_ns)
        for _ in range(order["warm_up"] + order["blocks"]):
            if paced:
                sleep_until(due_ns)
            began_ns = time.monotonic_ns()
            self.queue.put(fill(self.index, self.position, began_ns), timeout=GIVE_UP_S)
            self.position += 1
            if paced:
                due_ns = time.monotonic_ns() + order["period_ns"]

    def run(self, order):
        self.pipe.send(order)
        self.send(order)
        if not self.pipe.poll(GIVE_UP_S):
            raise RuntimeError("no block for 2 s: the other end is gone")
        values, error = self.pipe.recv()
        if error:
            raise RuntimeError(error)
        return values

    def close(self):
        self.receiver.kill()
        self.receiver.join()
        # What is still in the queue is for nobody.
        self.queue.cancel_join_thread()
        self.queue.close()


class End:
    def __init__(self):
        self.links = {}
        self.policy = "other"

    def follow(self, order):
        answer = {"error": "", "values": [], "fifo": False}
        ((verb, what),) = order.items()
        if verb == "place":
            self.policy = what["class"]
            answer["fifo"] = place(what["cpu"], self.policy)
        elif verb == "open":
            self.links[what["link"]["key"]] = Link(what["link"], self.policy)
        elif verb == "run":
            answer["values"] = self.links[what["round"]["key"]].run(what["round"])
        elif verb == "close":
            self.links.pop(what["key"]).close()
        else:
            raise RuntimeError(f"no order: {verb}")
        return answer


def main():
    # Ctrl-C reaches whoever gives the orders; this ends with its stdin, or with its parent.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent(os.getppid())
    end = End()
    for line in sys.stdin:
        try:
            answer = end.follow(json.loads(line))
        except Exception as error:
            answer = {"error": str(error) or type(error).__name__, "values": [], "fifo": False}
        print(json.dumps(answer), flush=True)
    for link in end.links.values():
        link.close()


if __name__ == "__main__":
    main()
