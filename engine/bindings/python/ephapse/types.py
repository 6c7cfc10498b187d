"""The type of a stream: what a block holds, how it is laid out, what its numbers mean, and its numpy dtype."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

_NUMPY = {
    "i8": "<i1", "i16": "<i2", "i32": "<i4", "i64": "<i8",
    "u8": "<u1", "u16": "<u2", "u32": "<u4", "u64": "<u8",
    "f32": "<f4", "f64": "<f8", "bits": "<u1",
}  # fmt: skip
_NAMES = {np.dtype(numpy): name for name, numpy in _NUMPY.items() if name != "bits"}


def _name_of(dtype: Any) -> str:
    """``i16``, ``f64``, ``bits`` of such a name or of anything numpy takes for a dtype."""
    if isinstance(dtype, str) and dtype in _NUMPY:
        return dtype
    try:
        return _NAMES[np.dtype(dtype)]
    except (KeyError, TypeError):
        raise ValueError(f"dtype {dtype!r}: a stream has one of {', '.join(_NUMPY)}") from None


@dataclass(frozen=True)
class Axis:
    """One axis of a frames stream; the first is time.

    ``length`` is the number of elements (for time: frames per block), ``unit`` the axis' unit or empty, ``labels`` one text
    per element or none.
    """

    name: str
    length: int
    unit: str = ""
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Field:
    """One field of a record: ``count`` elements of ``dtype`` at byte ``offset``, in ``unit`` (empty: none)."""

    name: str
    dtype: str
    count: int
    offset: int
    unit: str = ""


@dataclass(frozen=True)
class RecordLayout:
    """Layout of one record of ``bytes`` bytes: ``spike``, ``event``, ``command``, ``mark``, or a stage's own."""

    name: str
    bytes: int
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class StreamType:
    """The type of a stream.

    ``kind`` is ``frames`` (arrays of equal shape, time first), ``records`` (structured) or ``bytes``. ``dtype`` is the number
    format (``i8`` to ``i64``, ``u8`` to ``u64``, ``f32``, ``f64``, ``bits``). ``axes`` stand time first; the time axis'
    length is the most frames (records, bytes) of a block. ``rate`` is frames per second as ``(numerator, denominator)``,
    ``(0, 0)`` for none. Stored numbers are in ``unit``; ``stored * scale + offset`` per channel is in ``si_unit``.
    ``positions_um`` are electrode positions (x, y, z) in micrometres.
    """

    kind: str
    dtype: str
    axes: tuple[Axis, ...]
    rate: tuple[int, int] = (0, 0)
    unit: str = ""
    si_unit: str = ""
    scale: tuple[float, ...] = ()
    offset: tuple[float, ...] = ()
    record: RecordLayout | None = None
    positions_um: tuple[tuple[float, float, float], ...] = ()

    @staticmethod
    def frames(
        dtype: Any, frames: int, shape: int | tuple[int, ...], rate_hz: float = 0.0, unit: str = "", labels: tuple[str, ...] = ()
    ) -> StreamType:
        """Blocks of at most ``frames`` frames. ``shape`` is the number of channels, or the lengths of up to three axes.

        ``rate_hz`` is frames per second, exact to a microhertz, 0 for none. ``labels`` name the channels (default 1, 2, ...).
        """
        lengths = (shape,) if isinstance(shape, int) else tuple(shape)
        names = {1: ("channel",), 2: ("row", "column"), 3: ("channel", "row", "column")}
        if len(lengths) not in names:
            raise ValueError(f"shape {shape!r}: a frame has one to three axes")
        axes = [Axis("time", frames), *(Axis(name, length) for name, length in zip(names[len(lengths)], lengths))]
        if axes[1].name == "channel":
            axes[1] = replace(axes[1], labels=tuple(labels) or tuple(str(c + 1) for c in range(lengths[0])))
        rate = Fraction(round(rate_hz * 1_000_000), 1_000_000)
        ratio = (rate.numerator, rate.denominator) if rate else (0, 0)
        return StreamType("frames", _name_of(dtype), tuple(axes), ratio, unit)

    @staticmethod
    def records(name: str, dtype: Any, capacity: int, units: dict[str, str] | None = None) -> StreamType:
        """Blocks of at most ``capacity`` records. ``dtype`` is a numpy structured dtype; its size is rounded up to 8 bytes.

        ``units`` gives fields their units.
        """
        dtype = np.dtype(dtype)
        if dtype.names is None:
            raise ValueError(f"records {name}: dtype {dtype} has no fields")
        fields = []
        for field in dtype.names:
            kind, offset = dtype.fields[field][:2]
            base, shape = kind.subdtype or (kind, ())
            count = int(np.prod(shape, dtype=int))
            fields.append(Field(field, _name_of(base), count, offset, (units or {}).get(field, "")))
        layout = RecordLayout(name, -(-dtype.itemsize // 8) * 8, tuple(sorted(fields, key=lambda f: f.offset)))
        return StreamType("records", "u8", (Axis("time", capacity),), record=layout)

    @staticmethod
    def spikes(capacity: int, amplitude_unit: str = "") -> StreamType:
        """Standard spike records: frame u64, channel u32, width u32 (frames), amplitude f64."""
        return _standard("spike", "frame u64, channel u32, width u32 frame, amplitude f64 " + amplitude_unit, capacity)

    @staticmethod
    def events(capacity: int) -> StreamType:
        """Standard event records: time u64 (frame), line u32, code u32, value f64."""
        return _standard("event", "time u64 frame, line u32, code u32, value f64", capacity)

    @staticmethod
    def commands(capacity: int) -> StreamType:
        """Standard command records: tick, target, code, first_frame, last_frame, four values f64, age i64 (ns)."""
        fields = "tick u64, target u32, code u32, first_frame u64, last_frame u64, values f64*4, age i64 ns"
        return _standard("command", fields, capacity)

    @staticmethod
    def marks(capacity: int) -> StreamType:
        """Standard mark records: time u64 (frame), code u32, length u32 (bytes of text), text 64 bytes UTF-8."""
        return _standard("mark", "time u64 frame, code u32, length u32, text u8*64", capacity)

    @staticmethod
    def raw_bytes(capacity: int) -> StreamType:
        """Blocks of at most ``capacity`` bytes."""
        return StreamType("bytes", "u8", (Axis("time", capacity),))

    @staticmethod
    def from_json(value: str | dict[str, Any]) -> StreamType:
        """The type that the engine's JSON says."""
        told = json.loads(value) if isinstance(value, str) else value
        record = told.get("record")
        if record is not None:
            fields = tuple(Field(**field) for field in record["fields"])
            record = RecordLayout(record["name"], record["bytes"], fields)
        axes = tuple(Axis(a["name"], a["length"], a.get("unit", ""), tuple(a.get("labels", ()))) for a in told["axes"])
        return StreamType(
            told["kind"],
            told["dtype"],
            axes,
            (told["rate"]["numerator"], told["rate"]["denominator"]),
            told["unit"],
            told.get("si_unit", ""),
            tuple(told.get("scale", ())),
            tuple(told.get("offset", ())),
            record,
            tuple(tuple(p) for p in told.get("positions_um", ())),
        )

    def to_json(self) -> dict[str, Any]:
        """The same for the engine, as what ``json.dumps`` takes."""
        return asdict(self) | {"rate": {"numerator": self.rate[0], "denominator": self.rate[1]}}

    @property
    def rate_hz(self) -> float:
        """Frames per second; 0 without a rate."""
        return self.rate[0] / self.rate[1] if self.rate[1] else 0.0

    @property
    def frames_per_block(self) -> int:
        """Most frames (records, bytes) of a block."""
        return self.axes[0].length

    @property
    def channels(self) -> int:
        """Length of the axis ``channel``, else of the second axis, else 1."""
        named = [axis.length for axis in self.axes[1:] if axis.name == "channel"]
        return (named or [axis.length for axis in self.axes[1:2]] or [1])[0]

    @property
    def labels(self) -> tuple[str, ...]:
        """Channel labels, or their numbers from 1."""
        for axis in self.axes[1:]:
            if axis.name == "channel" and axis.labels:
                return axis.labels
        return tuple(str(c + 1) for c in range(self.channels))

    @property
    def numpy_dtype(self) -> np.dtype:
        """Dtype of a block's array: a number, a structured dtype for records, u8 for bytes and for packed bits."""
        if self.kind != "records" or self.record is None:
            return np.dtype(_NUMPY[self.dtype] if self.kind == "frames" else "<u1")
        formats = []
        for field in self.record.fields:
            base = np.dtype(_NUMPY[field.dtype])
            count = -(-field.count // 8) if field.dtype == "bits" else field.count
            formats.append(base if count == 1 else (base, (count,)))
        return np.dtype(
            {
                "names": [f.name for f in self.record.fields],
                "formats": formats,
                "offsets": [f.offset for f in self.record.fields],
                "itemsize": self.record.bytes,
            }
        )

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """Shape of one frame: all axes but time; ``()`` for records and bytes; for ``bits`` ``(bytes of a row,)``."""
        if self.kind != "frames":
            return ()
        lengths = tuple(axis.length for axis in self.axes[1:])
        if self.dtype == "bits":
            return (-(-int(np.prod(lengths, dtype=int)) // 8),)
        return lengths

    def view(self, buffer: Any) -> np.ndarray:
        """A buffer of whole frames as an array of shape ``(frames, *frame_shape)``, without a copy; read-only if it is."""
        size = memoryview(buffer).nbytes if not hasattr(buffer, "__len__") else len(buffer)
        if size == 0:
            empty = np.empty((0, *self.frame_shape), self.numpy_dtype)
            empty.flags.writeable = False
            return empty
        return np.frombuffer(buffer, self.numpy_dtype).reshape((-1, *self.frame_shape))

    def unpack(self, bits: np.ndarray) -> np.ndarray:
        """Packed rows of a ``bits`` stream, shape ``(frames, bytes)``, as booleans of shape ``(frames, *axes)``."""
        lengths = tuple(axis.length for axis in self.axes[1:])
        flat = np.unpackbits(bits, axis=1, count=int(np.prod(lengths, dtype=int)), bitorder="little")
        return flat.astype(bool).reshape((-1, *lengths))

    def pack(self, lines: np.ndarray) -> np.ndarray:
        """Booleans of shape ``(frames, *axes)`` as packed rows of a ``bits`` stream, shape ``(frames, bytes)``."""
        return np.packbits(np.reshape(lines, (len(lines), -1)).astype(bool), axis=1, bitorder="little")

    def like(self, dtype: Any = None, unit: str | None = None) -> StreamType:
        """The same with another number format or unit; scale and offset to SI, which spoke of the old unit, go with it."""
        changed = self if dtype is None else replace(self, dtype=_name_of(dtype))
        return changed if unit is None else replace(changed, unit=unit, si_unit="", scale=(), offset=())

    def summary(self) -> str:
        """One line: ``20 x 60 i32, 20000 Hz, count``."""
        if self.kind == "records" and self.record is not None:
            return f"{self.record.name} records, up to {self.frames_per_block} a block"
        if self.kind == "bytes":
            return f"up to {self.frames_per_block} bytes a block"
        shape = " x ".join(str(axis.length) for axis in self.axes)
        return f"{shape} {self.dtype}, {self.rate_hz:g} Hz, {self.unit or 'no unit'}"


def _standard(name: str, described: str, capacity: int) -> StreamType:
    """A standard layout from ``field dtype[*count] [unit]``, fields one behind the other."""
    fields, offset = [], 0
    for part in described.split(", "):
        words = part.split()
        dtype, _, count = words[1].partition("*")
        fields.append(Field(words[0], dtype, int(count or 1), offset, words[2] if len(words) > 2 else ""))
        offset += np.dtype(_NUMPY[dtype]).itemsize * int(count or 1)
    return StreamType("records", "u8", (Axis("time", capacity),), record=RecordLayout(name, offset, tuple(fields)))
