"""Captures: what a session was, with the calls of a running one."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from ._native import CaptureFile
from .block import Span, _span
from .latest import _Latest
from .types import StreamType

_SLACK_NS = 1_000_000_000


def open(path: str | os.PathLike[str]) -> Capture:
    """A capture, by any of its files; it may still be written. EphapseError: it is none, or cannot be read."""
    return Capture(path)


class Capture:
    """A capture: ``capture["raw"]`` is a `CapturedStream`. Nothing is written; what is damaged is passed over and counted."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._file = CaptureFile(os.fspath(path))
        self.path = self._file.path
        """Its first file."""
        self.streams: tuple[str, ...] = tuple(self._file.streams)
        """Recorded streams, in the order of the graph."""
        self._streams: dict[str, CapturedStream] = {}

    @cached_property
    def _meta(self) -> dict[str, Any]:
        return json.loads(self._file.meta_json)

    @property
    def name(self) -> str:
        """Name of the session."""
        return self._meta["plan"]["session"]

    @property
    def started(self) -> datetime:
        """When recording began, UTC."""
        return datetime.fromtimestamp(self._meta["created_realtime_ns"] / 1e9, UTC)

    @property
    def experiment(self) -> dict[str, str]:
        """The graph's ``[experiment]`` table."""
        return dict(self._meta["plan"]["experiment"])

    @property
    def graph(self) -> str:
        """The resolved graph, TOML."""
        return self._meta["plan"]["resolved_toml"]

    @property
    def info(self) -> dict[str, Any]:
        """What there is: ``duration_ns``, ``sealed``, ``bytes``, and of each of the ``streams`` blocks, frames and what is missing."""
        return json.loads(self._file.summary_json())

    @property
    def events(self) -> list[dict[str, Any]]:
        """What happened in the session: ``at_ns`` (CLOCK_MONOTONIC), ``tick``, ``who``, ``what``."""
        return json.loads(self._file.notes_json())["events"]

    @property
    def marks(self) -> list[dict[str, Any]]:
        """Remarks made while it ran: ``text``, ``tick``, ``monotonic_ns``, ``realtime_ns``."""
        return json.loads(self._file.notes_json())["marks"]

    @property
    def gaps(self) -> list[dict[str, Any]]:
        """What the recorder knows to be missing: ``of``, ``from``, ``count``, ``why``."""
        return json.loads(self._file.notes_json())["gaps"]

    def __getitem__(self, stream: str) -> CapturedStream:
        """A stream. KeyError: none of that name was recorded."""
        if stream not in self._streams:
            if stream not in self.streams:
                raise KeyError(f"`{self.path}` has no stream `{stream}`; it has {', '.join(self.streams)}")
            self._streams[stream] = CapturedStream(self._file, stream)
        return self._streams[stream]

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.streams)

    def __repr__(self) -> str:
        return f"Capture({str(self.path)!r})"


class CapturedStream:
    """A recorded stream. Arrays of single blocks are read-only views of what was read."""

    def __init__(self, file: CaptureFile, name: str) -> None:
        self._file, self.name = file, name
        self.type = StreamType.from_json(file.type_json(name))
        """Type of the stream."""
        self.missed = 0
        """Blocks that iteration could not give, for they are not in the capture."""

    @property
    def published(self) -> int:
        """Blocks published, as far as the capture knows."""
        newest = self._file.newest(self.name)
        return 0 if newest is None else newest.position + 1

    @property
    def ended(self) -> bool:
        """Nothing will be added: a capture is as long as it is."""
        return True

    def latest(self, seconds: float | None = None) -> Span:
        """The last ``seconds`` (default 1), back to the newest gap: shape ``(frames, *type.frame_shape)``, unit ``type.unit``.

        Seconds of the stream's rate; of records, and of a stream without one, whole blocks by the time of their commit.
        ValueError: not more than 0 seconds.
        """
        seconds = 1.0 if seconds is None else seconds
        latest = _Latest(self.type, seconds)
        newest = self._file.newest(self.name)
        if newest is not None:
            since_ns = max(0, newest.committed_ns - int(seconds * 1e9) - _SLACK_NS)
            for header, payload in reversed(self._file.recent(self.name, since_ns, newest.position + 1)):
                if not latest.add(header, payload):
                    break
        return latest.span()

    def __iter__(self) -> Iterator[Span]:
        """Block after block, from the first to the last that was recorded.

        Each is a read-only array of shape ``(valid, *type.frame_shape)`` with ``.header``. What is missing is counted in
        `missed`, from 0 in each iteration.
        """
        blocks = self._file.blocks(self.name)
        self.missed = 0
        while (found := blocks.next()) is not None:
            block, missing = found
            self.missed += missing
            if block is not None:
                header, payload = block
                yield _span(self.type.view(payload), self.type, header.first_frame, header)

    def __repr__(self) -> str:
        return f"CapturedStream({self.name!r}: {self.type.summary()})"
