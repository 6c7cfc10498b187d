"""Blocks: as a stage sees them (views onto slots), and copied out of a ring."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, Union

import numpy as np

from ._native import Activation, Header
from .types import StreamType

GAP = 1 << 0
"""Flag: frames were lost, or the signal is discontinuous, before this block."""
LATE = 1 << 1
"""Flag: the block was made later than its time."""
SYNTHETIC = 1 << 2
"""Flag: the data were made by a generator, not by a device."""
RESET = 1 << 3
"""Flag: the maker started over without its state and has not yet settled."""
REPLAY = 1 << 4
"""Flag: the data come from a recording."""
CLOCK_MASK = 0b11 << 5
"""Mask of two flag bits, how ``sampled_ns`` was found: 0 nominal, 1 estimated, 2 measured, 3 unknown (shifted by 5)."""


class _Word:
    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"ephapse.{self._name}"


AGAIN = _Word("AGAIN")
"""What ``process`` of a source returns if it has nothing to give at the moment; nothing is published."""
DONE = _Word("DONE")
"""What ``process`` returns to end its streams: a finite source has come to its end."""


class Stop:
    """What ``process`` returns to ask the session to stop, with the reason, one line."""

    def __init__(self, why: str) -> None:
        self.why = why


Next = Union[None, _Word, Stop]
_Kind = TypeVar("_Kind")


def _field(name: str, settable: bool) -> property:
    def get(self: Any) -> int:
        return getattr(self.header, name)

    def set_(self: Any, value: int) -> None:
        self._set(name, int(value))

    return property(get, set_ if settable else None, doc=getattr(Header, name).__doc__)


_FIELDS = [name for name, member in vars(Header).items() if not name.startswith("_") and member.__doc__]
_SETTABLE = ("first_frame", "flags", "origin_first", "origin_frame", "lost", "settling", "sampled_ns", "arrived_ns", "user")


def _with_header_fields(kind: type[_Kind]) -> type[_Kind]:
    """Gives a class that has ``header`` (and perhaps ``_set``) the header's fields as properties."""
    for name in _FIELDS:
        setattr(kind, name, _field(name, hasattr(kind, "_set") and name in _SETTABLE))
    return kind


class _HeaderFields:
    """The header's fields, for type checkers; `_with_header_fields` makes them."""

    if not TYPE_CHECKING:  # a checker would take the fields for attributes that no slot has room for
        __slots__ = ()
    position: int
    tick: int
    first_frame: int
    origin_stream: int
    flags: int
    origin_first: int
    origin_frame: int
    cause: int
    part: int
    parts: int
    valid: int
    lost: int
    settling: int
    epoch: int
    sampled_ns: int
    arrived_ns: int
    committed_ns: int
    user: int


@_with_header_fields
class Block(_HeaderFields):
    """A block of an input, good until the activation is over. The header's fields are its attributes (see `Header`)."""

    __slots__ = ("_activation", "_port", "_index", "_array", "header", "type")

    def __init__(self, activation: Activation, port: int, index: int, stream_type: StreamType) -> None:
        self._activation, self._port, self._index = activation, port, index
        self._array: np.ndarray | None = None
        self.header: Header = activation.header(port, index)
        """Copy of the block's header."""
        self.type = stream_type
        """Type of the stream."""

    @property
    def array(self) -> np.ndarray:
        """Read-only view onto the slot, shape ``(valid, *type.frame_shape)``, unit ``type.unit``.

        For records a structured array of shape ``(valid,)``; for bytes u8; for bits see `StreamType.unpack`. Keeping it, or a
        slice of it, beyond the activation ends the stage with an error: copy what you need.
        """
        if self._array is None:
            self._array = self.type.view(self._activation.payload(self._port, self._index))
        return self._array

    def __len__(self) -> int:
        """Valid frames (records, bytes)."""
        return self.header.valid

    def _forget(self) -> None:
        self._array = None


class Inputs:
    """The blocks of one activation: ``inputs.frames`` is the array, ``inputs["frames"]`` the `Block` of port ``frames``.

    A port with ``read = "newest"`` that has no block yet gives ``None``; one with ``read = "all"`` gives its newest block
    here and all of them by `all`. A port of the name ``all`` or ``pacing`` is reached by ``inputs["all"]`` alone.
    """

    def __init__(self, activation: Activation, types: dict[str, StreamType]) -> None:
        self._activation, self._types = activation, types
        self._ports = {name: port for port, name in enumerate(types)}
        self._blocks: dict[tuple[int, int], Block] = {}

    def __getitem__(self, name: str) -> Block | None:
        """The newest block of a port, or ``None``. KeyError: there is no such port."""
        if name not in self._ports:
            raise KeyError(f"{name}: the inputs are {', '.join(self._ports) or 'none'}")
        blocks = self._activation.blocks(self._ports[name])
        return self._block(name, blocks - 1) if blocks else None

    def __getattr__(self, name: str) -> np.ndarray | None:
        """The array of the newest block of a port, or ``None``. AttributeError: there is no such port."""
        try:
            block = self[name]
        except KeyError as error:
            raise AttributeError(error.args[0]) from None
        return None if block is None else block.array

    def all(self, name: str) -> list[Block]:
        """The blocks of a port, oldest first: several only for ``read = "all"``. KeyError: there is no such port."""
        return [self._block(name, index) for index in range(self._activation.blocks(self._ports[name]))]

    @property
    def pacing(self) -> Block:
        """The block this activation is about. RuntimeError: a source has none."""
        port = self._activation.pacing
        if port is None:
            raise RuntimeError("a source has no pacing block")
        return self._block(list(self._ports)[port], 0)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._ports]

    def _block(self, name: str, index: int) -> Block:
        key = (self._ports[name], index)
        if key not in self._blocks:
            self._blocks[key] = Block(self._activation, *key, self._types[name])
        return self._blocks[key]

    def _forget(self) -> None:
        for block in self._blocks.values():
            block._forget()
        self._blocks.clear()


@_with_header_fields
class OutBlock(_HeaderFields):
    """A block being written, good until it is committed. The header's fields are its attributes (see `Header`).

    They are preset from the pacing block; a stage may set ``first_frame``, ``lost``, ``flags``, ``origin_first``,
    ``origin_frame``, ``settling``, ``sampled_ns``, ``arrived_ns`` and ``user``.
    """

    __slots__ = ("_outputs", "_port", "_name", "_rows", "_array", "_open", "room", "type")

    def __init__(self, outputs: Outputs, name: str) -> None:
        activation, port = outputs._activation, outputs._ports[name]
        slot = activation.begin(port)
        self._outputs, self._port, self._name, self._open = outputs, port, name, True
        self.room: int = activation.room(port)
        """Most frames (records, bytes) that may be committed."""
        self.type: StreamType = outputs._types[name]
        """Type of the stream."""
        self._rows = self.room
        pacing = activation.pacing
        if name in outputs._as_pacing and pacing is not None and activation.blocks(pacing):
            self._rows = min(self.room, activation.header(pacing, 0).valid)
        self._array: np.ndarray | None = self.type.view(slot)[: self._rows]

    @property
    def array(self) -> np.ndarray:
        """Writable view onto the slot, shape ``(frames, *type.frame_shape)``, unit ``type.unit``.

        As many frames as the pacing block has, if this stream's are its one for one; else `room`. It holds what an earlier
        block has left there. RuntimeError: it has been committed.
        """
        if self._array is None:
            raise RuntimeError(f"outputs.{self._name}: the block has been committed: ask `outputs` for the next one")
        return self._array

    def commit(self, frames: int | None = None) -> None:
        """Keeps the block with that many frames (records, bytes); it is published when ``process`` has returned.

        Without a number: all of `array`, for frames. Records and bytes need it, 0 included: "nothing happened".
        ValueError: no number, or more than `room`. After it ``outputs[name]`` is the next block.
        """
        if frames is None:
            if self.type.kind != "frames":
                raise ValueError(f"outputs.{self._name}: {self.type.kind} need a number: commit(n), 0 if there are none")
            frames = self._rows
        self._outputs._activation.commit(self._port, frames)
        self._over()

    def write(self, values: Any) -> None:
        """Copies ``values`` (frames or records, in order) into the slot and commits as many. ValueError: too many."""
        values = np.asarray(values, dtype=self.type.numpy_dtype)
        if len(values) > self.room:
            raise ValueError(f"outputs.{self._name}: {len(values)} do not fit in a block of {self.room}")
        _copy(self.array[: len(values)], values)
        self.commit(len(values))

    def abort(self) -> None:
        """Gives the block up: nothing of it is published."""
        self._outputs._activation.abort(self._port)
        self._over()

    @property
    def header(self) -> Header:
        """Copy of the header as it stands."""
        return self._outputs._activation.begun_header(self._port)

    def _set(self, name: str, value: int) -> None:
        self._outputs._activation.set(self._port, name, value)

    def _over(self) -> None:
        self._array, self._open = None, False
        self._outputs._blocks.pop(self._name, None)


def _copy(to: np.ndarray, values: np.ndarray) -> None:
    """Copies into a slot; records with the bytes between their fields, so that nothing of an earlier block stays there."""
    if to.dtype.names and values.flags.c_contiguous and values.ndim == 1:
        raw = np.dtype((np.void, to.dtype.itemsize))
        to.view(raw)[:] = values.view(raw)
    else:
        to[:] = values


class Outputs:
    """The outputs of one activation: ``outputs.mean[:] = ...`` writes the slot, ``outputs["mean"]`` is the `OutBlock`.

    Asking for a port begins a block; a block begun and not committed is committed in full when ``process`` returns (records
    and bytes must be committed with their number). A port not asked for publishes nothing.
    """

    _activation: Activation
    _types: dict[str, StreamType]
    _as_pacing: set[str]
    _ports: dict[str, int]
    _blocks: dict[str, OutBlock]

    def __init__(self, activation: Activation, types: dict[str, StreamType], as_pacing: set[str]) -> None:
        mine = self.__dict__
        mine["_activation"], mine["_types"], mine["_as_pacing"] = activation, types, as_pacing
        mine["_ports"] = {name: port for port, name in enumerate(types)}
        mine["_blocks"] = {}

    def __getitem__(self, name: str) -> OutBlock:
        """The block being written on a port, begun if need be. KeyError: there is no such port."""
        if name not in self._ports:
            raise KeyError(f"{name}: the outputs are {', '.join(self._ports) or 'none'}")
        if name not in self._blocks:
            self._blocks[name] = OutBlock(self, name)
        return self._blocks[name]

    def __getattr__(self, name: str) -> np.ndarray:
        """The array of the block being written on a port. AttributeError: there is no such port."""
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return self[name].array
        except KeyError as error:
            raise AttributeError(error.args[0]) from None

    def __setattr__(self, name: str, value: Any) -> None:
        """Refuses: a slot is written through its view. AttributeError, but for ``outputs.mean += ...``."""
        block = self._blocks.get(name)
        if block is None or value is not block.array:
            raise AttributeError(f"outputs.{name} is a view onto the slot: write `outputs.{name}[:] = ...`")

    def count_source(self, name: str, frames: int) -> None:
        """Source account: so many more frames were delivered by the device, file or driver for this port."""
        self._activation.count_source(self._ports[name], frames)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._ports]

    def _commit_touched(self) -> None:
        for block in list(self._blocks.values()):
            block.commit()

    def _forget(self) -> None:
        for block in self._blocks.values():
            block._array = None
        self._blocks.clear()


_UNTYPED = StreamType.raw_bytes(0)


class Span(np.ndarray):
    """Frames copied out of a ring: an array of shape ``(frames, *type.frame_shape)`` that says where it comes from."""

    first_frame: int
    """Number of its first frame (record) in the stream."""
    type: StreamType
    """Type of the stream."""
    header: Header | None
    """Header of the newest block in it; ``None`` if it is empty."""

    def __array_finalize__(self, parent: Any) -> None:
        """Views and results of arithmetic say where they come from as their parent does."""
        self.first_frame = getattr(parent, "first_frame", 0)
        self.type = getattr(parent, "type", _UNTYPED)
        self.header = getattr(parent, "header", None)

    @property
    def times_s(self) -> np.ndarray:
        """Time of every frame in seconds from frame 0; of records that name a frame, of that one. ValueError: there is no rate."""
        rate_hz = self.type.rate_hz
        if not rate_hz:
            raise ValueError("this stream has no rate: block.header has the times of its blocks")
        names = self.dtype.names or ()
        for name in ("frame", "time"):
            if name in names:
                return np.asarray(self[name]) / rate_hz
        return (self.first_frame + np.arange(len(self))) / rate_hz


def _span(array: np.ndarray, stream_type: StreamType, first_frame: int, header: Header | None) -> Span:
    span = array.view(Span)
    span.first_frame, span.type, span.header = first_frame, stream_type, header
    return span
