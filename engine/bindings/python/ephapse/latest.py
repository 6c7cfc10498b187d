"""The newest part of a stream, put together from the newest block backwards."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._native import Header
from .block import Span, _span
from .types import StreamType


class _Latest:
    """Gathers blocks, newest first, back to the newest gap, and no more than so many seconds."""

    def __init__(self, stream_type: StreamType, seconds: float | None) -> None:
        if seconds is not None and not seconds > 0:
            raise ValueError(f"{seconds} seconds: must be more than 0")
        self._type, self._seconds = stream_type, seconds
        self._held: list[tuple[Header, np.ndarray]] = []
        by_rows = seconds is not None and stream_type.kind == "frames" and stream_type.rate_hz > 0
        self._most = round(seconds * stream_type.rate_hz) if by_rows and seconds is not None else None
        self._rows = 0

    def add(self, header: Header, payload: Any) -> bool:
        """Takes the block before the last one taken. False: it does not belong to it, or enough is there."""
        if self._held:
            after = self._held[-1][0]
            if after.lost or header.first_frame + header.valid != after.first_frame:
                return False
        if self._seconds is not None and self._most is None and header.committed_ns < self.since_ns:
            return False
        self._held.append((header, self._type.view(payload)))
        self._rows += header.valid
        return not self.enough

    @property
    def enough(self) -> bool:
        """No older block is wanted: there are as many frames as were asked for, or a gap lies before them."""
        if self._most is not None and self._rows >= self._most:
            return True
        return bool(self._held) and bool(self._held[-1][0].lost)

    @property
    def since_ns(self) -> int:
        """When the oldest wanted block was committed, at the earliest."""
        if not self._held or self._seconds is None:
            return 0
        return max(0, self._held[0][0].committed_ns - int(self._seconds * 1e9))

    def span(self) -> Span:
        """What was gathered, in order."""
        if not self._held:
            empty = np.empty((0, *self._type.frame_shape), self._type.numpy_dtype)
            return _span(empty, self._type, 0, None)
        rows = np.concatenate([rows for _, rows in reversed(self._held)])
        too_many = 0 if self._most is None else max(0, len(rows) - self._most)
        return _span(rows[too_many:], self._type, self._held[-1][0].first_frame + too_many, self._held[0][0])
