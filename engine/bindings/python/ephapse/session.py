"""Running sessions at a prompt: what runs, what a stream holds now, and block after block of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import NamedTuple

from ._native import CaptureFile, EphapseError, Observer, capture_of
from ._native import sessions as _sessions
from .block import Span, _span
from .latest import _Latest
from .types import StreamType

_POLL_S = 0.001
_ALIVE_EVERY_S = 0.5
_SLACK_NS = 1_000_000_000


class SessionInfo(NamedTuple):
    """One session as its file tells."""

    name: str
    """Name."""
    state: str
    """``loading``, ``preparing``, ``ready``, ``running``, ``draining``, ``closed``, ``failed``; ``gone``: its launcher is dead."""
    pid: int
    """Process id of the launcher."""
    tick: int
    """Newest tick."""
    streams: tuple[str, ...]
    """Streams, in the order of the graph."""


def sessions() -> list[SessionInfo]:
    """All sessions of this user, by name. Of one whose launcher is gone ``ephapse gc`` removes what is left."""
    found = []
    for name, state, pid, running, streams in _sessions():
        word, tick = state or ("preparing", 0)
        found.append(SessionInfo(name, word if running else "gone", pid, tick, tuple(streams)))
    return found


def attach(name: str) -> Session:
    """A running session. EphapseError: there is none of that name; says which there are."""
    return Session(name)


class Session:
    """A running session: ``session["raw"]`` is a `Stream`. It takes no part in the run and can neither hold nor harm it."""

    def __init__(self, name: str) -> None:
        self.name = name
        """Name."""
        self._streams: dict[str, Stream] = {}
        info = self.info
        if info.state == "gone":
            raise EphapseError(f"session `{name}`: its launcher is gone: `ephapse gc` removes what it left")

    @property
    def info(self) -> SessionInfo:
        """What its file tells now. EphapseError: it is over."""
        found = sessions()
        for info in found:
            if info.name == self.name:
                return info
        others = ", ".join(f"`{info.name}`" for info in found) or "none (start one with `ephapse demo`)"
        raise EphapseError(f"no session `{self.name}`; sessions: {others}")

    @property
    def streams(self) -> tuple[str, ...]:
        """Streams, in the order of the graph. EphapseError: it is over."""
        return self.info.streams

    def __getitem__(self, stream: str) -> Stream:
        """A stream. KeyError: there is none of that name; EphapseError: the session is over."""
        if stream not in self._streams:
            if stream not in self.streams:
                raise KeyError(f"session `{self.name}` has no stream `{stream}`; it has {', '.join(self.streams)}")
            self._streams[stream] = Stream(self.name, stream)
        return self._streams[stream]

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.streams)

    def __repr__(self) -> str:
        return f"Session({self.name!r})"


class Stream:
    """A stream of a running session, observed: everything is copied, and what was overwritten meanwhile is counted."""

    def __init__(self, session: str, name: str) -> None:
        self._session, self.name = session, name
        self._observer = Observer(session, name)
        self.type = StreamType.from_json(self._observer.type_json)
        """Type of the stream."""
        self.missed = 0
        """Blocks that iteration could not give, for they were overwritten before they were read."""

    @property
    def published(self) -> int:
        """Blocks published so far."""
        return self._observer.published

    @property
    def ended(self) -> bool:
        """The stream has ended."""
        return self._observer.end is not None

    def latest(self, seconds: float | None = None) -> Span:
        """What the ring still holds, back to the newest gap: a copy, shape ``(frames, *type.frame_shape)``, unit ``type.unit``.

        With ``seconds`` no more than that (of records, and of a stream without a rate, whole blocks by the time of their commit);
        what the ring does not hold any more comes from the session's capture, if it is recorded. ``.first_frame`` is the
        number of its first frame. Empty if nothing has been published yet. ValueError: not more than 0 seconds.
        """
        observer, latest = self._observer, _Latest(self.type, seconds)
        position = observer.published - 1
        copied = observer.copy(position) if position >= 0 else None
        while copied is not None and latest.add(*copied):
            position -= 1
            copied = observer.copy(position) if position >= observer.oldest else None
        if seconds is not None and copied is None and not latest.enough and position >= 0:
            self._reach_back(latest, position + 1)
        return latest.span()

    def _reach_back(self, latest: _Latest, until: int) -> None:
        path = capture_of(self._session)
        if path is None:
            return
        capture = CaptureFile(path)
        if self.name not in capture.streams:
            return
        for header, payload in reversed(capture.recent(self.name, max(0, latest.since_ns - _SLACK_NS), until)):
            if not latest.add(header, payload):
                return

    def __iter__(self) -> Iterator[Span]:
        """Block after block, from the oldest that the ring holds, until the stream ends; waits for those to come.

        Each is a copy of shape ``(valid, *type.frame_shape)`` with ``.header``. What was overwritten before it could be read
        is counted in `missed`. EphapseError: the session's launcher is gone, so that no end will come.
        """
        observer, position = self._observer, self._observer.oldest
        looked_s = time.monotonic()
        while True:
            if position < observer.published:
                copied = observer.copy(position)
                if copied is None:
                    oldest = max(observer.oldest, position + 1)
                    self.missed += oldest - position
                    position = oldest
                    continue
                position += 1
                header, payload = copied
                yield _span(self.type.view(payload), self.type, header.first_frame, header)
                continue
            end = observer.end
            if end is not None and position >= end:
                return
            if time.monotonic() - looked_s > _ALIVE_EVERY_S:
                looked_s = time.monotonic()
                if end is None and not _lives(self._session):
                    raise EphapseError(f"session `{self._session}`: its launcher is gone: `{self.name}` will not go on")
            time.sleep(_POLL_S)

    def __repr__(self) -> str:
        return f"Stream({self.name!r}: {self.type.summary()})"


def _lives(session: str) -> bool:
    return any(info.name == session and info.state != "gone" for info in sessions())
