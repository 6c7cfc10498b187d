"""A ring between two scripts, without a graph: one creates it, the other opens it; one writes, the other reads."""

from __future__ import annotations

import atexit
import json
import re
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ._native import EphapseError, Header, OneRingSession, RingProducer, RingReader
from .block import Span, _copy, _span
from .session import _lives, attach
from .types import StreamType

_LOOK_S = 0.1
_RESERVED = ("session", "events", "timer")


class Claimed:
    """A block of a `Ring` being written in place: ``array``, and ``frames``, how many of them count (all, unless set)."""

    def __init__(self, array: np.ndarray, producer: RingProducer) -> None:
        self.array = array
        """Writable view onto the slot, shape ``(frames_per_block, *type.frame_shape)``."""
        self.frames = len(array)
        """Frames (records, bytes) that will be published."""
        self._producer = producer

    def set(self, **fields: int) -> None:
        """Sets fields of the block's header: ``lost``, ``flags``, ``sampled_ns``, ... (see `Header`)."""
        for name, value in fields.items():
            self._producer.set(name, value)


class Peeked:
    """A block of a `Ring` being read in place."""

    def __init__(self, array: np.ndarray, header: Header) -> None:
        self.array = array
        """Read-only view onto the slot, shape ``(valid, *type.frame_shape)``."""
        self.header = header
        """Copy of the block's header."""


class Ring:
    """One end of a ring between two scripts.

    The script that creates it is the launcher of a session of one ring, ``ring`` by name: ``ephapse.attach(name)["ring"]``
    observes it, ``ephapse status`` lists it. It is removed when that script closes it or ends; what a killed one leaves is
    removed by the next, or by ``ephapse gc``. A full ring makes the writer wait. One thread uses one end.
    """

    _closed = True

    def __init__(self, name: str, writes: bool, session: OneRingSession | None) -> None:
        self.name = name
        """Name of the ring, and of its session."""
        self._session = session
        try:
            self._end: Any = RingProducer(name) if writes else RingReader(name)
        except EphapseError:
            if session is not None:
                session.close()
            raise
        self.writes = writes
        """This end writes; the other reads."""
        self.type = StreamType.from_json(self._end.type_json)
        """Type of the stream."""
        self._closed = False
        _OPEN.add(self)

    @staticmethod
    def create(
        name: str,
        dtype: Any,
        frames: int = 1,
        channels: int | tuple[int, ...] = 1,
        *,
        slots: int = 64,
        rate_hz: float = 0.0,
        unit: str = "",
        writes: bool = True,
    ) -> Ring:
        """Makes a ring and takes one end of it: the writing one, or with ``writes=False`` the reading one.

        ``dtype`` is a number format for blocks of ``frames`` x ``channels``, a structured dtype for at most ``frames`` records
        a block, or a `StreamType` that says all. ``slots``, a power of two, is how many blocks the ring holds.
        ValueError: name, dtype or slots cannot be. EphapseError: the name is taken, or memory cannot be had.
        """
        if not re.fullmatch(r"[a-z0-9_-]{1,32}", name) or name in _RESERVED or "ephapse" in name:
            raise ValueError(f"`{name}` cannot name a ring: use at most 32 of a-z, 0-9, `_` and `-`")
        if slots < 2 or slots & (slots - 1):
            raise ValueError(f"slots = {slots}: must be a power of two, at least 2")
        if isinstance(dtype, StreamType):
            stream_type = dtype
        elif not isinstance(dtype, str) and np.dtype(dtype).names:
            stream_type = StreamType.records(name, dtype, frames)
        else:
            stream_type = StreamType.frames(dtype, frames, channels, rate_hz, unit)
        session = OneRingSession(name, json.dumps(stream_type.to_json()), slots)
        return Ring(name, writes, session)

    @staticmethod
    def open(name: str, *, writes: bool = False, timeout_s: float = 0.0) -> Ring:
        """Takes the other end: the reading one, or with ``writes=True`` the writing one.

        ``timeout_s`` is how long the other script may take to make the ring. EphapseError: no such ring (says what sessions
        there are), or somebody living has that end.
        """
        until_s = time.monotonic() + timeout_s
        while True:
            try:
                attach(name)
                return Ring(name, writes, None)
            except EphapseError:
                if time.monotonic() >= until_s:
                    raise
            time.sleep(_LOOK_S / 10)

    def write(self, values: Any, timeout_s: float | None = None) -> None:
        """Copies at most a block of frames (records, bytes) into the ring; waits for room.

        TimeoutError: none within ``timeout_s``. ValueError: more than a block, or another shape.
        """
        values = np.asarray(values, dtype=self.type.numpy_dtype)
        if len(values) > self.type.frames_per_block:
            raise ValueError(f"{len(values)} frames do not fit in a block of {self.type.frames_per_block}")
        with self.claim(timeout_s) as block:
            _copy(block.array[: len(values)], values)
            block.frames = len(values)

    @contextmanager
    def claim(self, timeout_s: float | None = None) -> Iterator[Claimed]:
        """A block to be written in place; published at the end of the ``with``, unless that ends in an exception.

        TimeoutError: no room within ``timeout_s``. EphapseError: the stream has ended, a view of the block was kept.
        """
        if not self.writes:
            raise EphapseError(f"ring `{self.name}`: this end reads; the other writes")
        self._wait(lambda: self._end.wait(_LOOK_S), timeout_s, "no room")
        slot = self._end.claim()
        try:
            block = Claimed(self.type.view(slot), self._end)
            try:
                yield block
            finally:
                del block.array
            self._end.commit(block.frames)
        finally:
            self._end.forget()

    def read(self, timeout_s: float | None = None) -> Span | None:
        """A copy of the next block, shape ``(valid, *type.frame_shape)``; waits for it. ``None``: the stream has ended.

        TimeoutError: none within ``timeout_s``. EphapseError: the script that made the ring is gone.
        """
        with self.peek(timeout_s) as block:
            if block is None:
                return None
            return _span(block.array.copy(), self.type, block.header.first_frame, block.header)

    @contextmanager
    def peek(self, timeout_s: float | None = None) -> Iterator[Peeked | None]:
        """The next block in place, given back at the end of the ``with``; ``None``: the stream has ended.

        If the ``with`` ends in an exception the block stays unread.

        TimeoutError and EphapseError as `read`; EphapseError also if a view of the block was kept.
        """
        if self.writes:
            raise EphapseError(f"ring `{self.name}`: this end writes; the other reads")
        found = self._end.peek()
        while found is None and not self._end.done():
            self._wait(self._look, timeout_s, "no block")
            found = self._end.peek()
        if found is None:
            yield None
            return
        header, slot = found
        block = Peeked(self.type.view(slot), header)
        try:
            yield block
        finally:
            del block.array
        self._end.release()  # not after an exception, whose traceback may hold views

    def _look(self) -> bool:
        return self._end.wait(_LOOK_S) or self._end.done()

    def _wait(self, ready: Any, timeout_s: float | None, what: str) -> None:
        until_s = None if timeout_s is None else time.monotonic() + timeout_s
        while not ready():
            if until_s is not None and time.monotonic() > until_s:
                raise TimeoutError(f"ring `{self.name}`: {what} within {timeout_s} s: is the other end still there?")
            if self._session is None and not _lives(self.name):
                raise EphapseError(f"ring `{self.name}`: the script that made it is gone")

    def __iter__(self) -> Iterator[Span]:
        """Block after block until the stream ends, each as `read` gives it."""
        while (block := self.read()) is not None:
            yield block

    def close(self) -> None:
        """Leaves this end. A writer ends the stream; the script that made the ring removes it. EphapseError: a view is held."""
        if self._closed:
            return
        self._closed = True
        _OPEN.discard(self)
        try:
            if self.writes:
                self._end.end()
            self._end.close()
        finally:
            if self._session is not None:
                self._session.close()

    def __del__(self) -> None:
        """As `close`."""
        self.close()

    def __enter__(self) -> Ring:
        """Closed at the end of the ``with``."""
        return self

    def __exit__(self, *_: object) -> None:
        """As `close`."""
        self.close()

    def __repr__(self) -> str:
        return f"Ring({self.name!r}: {'writes' if self.writes else 'reads'} {self.type.summary()})"


_OPEN: weakref.WeakSet[Ring] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for ring in list(_OPEN):
        ring.close()
