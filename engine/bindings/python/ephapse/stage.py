"""Stages in Python: a class with ``process``, or a plain loop, given to `run`."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import _native
from ._native import Activation, EphapseError
from .block import AGAIN, DONE, Inputs, Next, Outputs, Stop
from .types import StreamType


@dataclass
class Described:
    """Answer of `Stage.describe`: what a stage makes of its input types and parameters.

    ``outputs`` are port and type, in the order of the manifest. ``state_bytes`` survive a restart of the stage (0: none),
    ``append_bytes`` are append-only state; ``memoryless``: each block is made from its blocks alone, so that without state
    bytes, too, nothing behind a restart need be marked RESET. ``group_delay_frames`` and ``settle_frames`` count frames of the pacing input.
    ``parts_per_call`` is the most blocks one call of ``process`` commits on one output.
    """

    outputs: dict[str, StreamType] = field(default_factory=dict)
    state_bytes: int = 0
    append_bytes: int = 0
    memoryless: bool = False
    group_delay_frames: float = 0.0
    settle_frames: int = 0
    parts_per_call: int = 1

    def to_json(self) -> dict[str, Any]:
        """For the launcher, as what ``json.dumps`` takes."""
        return vars(self) | {"outputs": [[port, type_.to_json()] for port, type_ in self.outputs.items()]}


class Refused(Exception):
    """Raised in `Stage.describe`: these parameters or inputs cannot be. One line that says why and what would be right."""

    def __init__(self, answer: dict[str, Any], text: str) -> None:
        super().__init__(text)
        self._answer = answer

    @staticmethod
    def parameter(key: str, why: str) -> Refused:
        """A parameter has a wrong value."""
        return Refused({"parameter": {"key": key, "why": why}}, f"parameter `{key}`: {why}")

    @staticmethod
    def input(port: str, why: str) -> Refused:
        """An input has a type that the stage cannot use."""
        return Refused({"input": {"port": port, "why": why}}, f"input `{port}`: {why}")


class Context:
    """What a stage may know of the world."""

    def __init__(self, activation: Activation, told: dict[str, Any], state_dtype: Any) -> None:
        self._activation, self._state_dtype = activation, np.dtype(state_dtype)
        self.name: str = told["name"]
        """Name of the stage in the graph."""
        self.params: dict[str, Any] = told["params"]
        """Parameters; units in their names."""
        self.inputs = {p["port"]: StreamType.from_json(p["type"]) for p in told["inputs"]}
        """Type of each input, behind its adapters."""
        self.outputs = {p["port"]: StreamType.from_json(p["type"]) for p in told["outputs"]}
        """Type of each output."""
        self.starts_over = True
        """The activation is the first, or follows a gap, a seam, a RESET: what was remembered no longer holds."""

    @property
    def tick(self) -> int:
        """Tick (logical tick in an unpaced run)."""
        return self._activation.tick

    @property
    def now_ns(self) -> int:
        """The only clock: CLOCK_MONOTONIC ns at the start of the activation, or logical time in an unpaced run."""
        return self._activation.now_ns

    @property
    def epoch(self) -> int:
        """Parameter epoch."""
        return self._activation.epoch

    @property
    def off(self) -> bool:
        """Stimulation has been switched off: a stage that stimulates must refuse whatever it is told."""
        return self._activation.off

    @property
    def state(self) -> np.ndarray:
        """State that survives a restart: ``state_bytes`` as a writable 1-D array of ``state_dtype``, a view.

        RuntimeError: outside an activation.
        """
        return _viewed(self._activation.state(), self._state_dtype)

    @property
    def append(self) -> np.ndarray:
        """Append-only state: ``append_bytes`` as a writable 1-D array of u8, a view. RuntimeError: outside an activation."""
        return _viewed(self._activation.append(), np.dtype("u1"))


def _viewed(slot: Any, dtype: np.dtype) -> np.ndarray:
    return np.frombuffer(slot, dtype) if len(slot) else np.empty(0, dtype)


class Stage:
    """A stage: one process. Write `process`, and of the rest what you need.

    An exception ends the stage: its last line becomes the reason that the launcher reports, the traceback goes to stderr.
    """

    state_dtype: Any = "u1"
    """Numpy dtype of ``ctx.state``."""
    ctx: Context
    """Tick, clock, parameters, types, state."""

    @classmethod
    def describe(cls, params: dict[str, Any], inputs: dict[str, StreamType]) -> Described:
        """From parameters and input types to output types, for ``--ephapse-describe``. Not needed if the manifest says them.

        Raise `Refused` for parameters or inputs that cannot be.
        """
        raise EphapseError(f"{cls.__name__} has no `describe`: write one, or say the outputs' types in stage.toml")

    def prepare(self, params: dict[str, Any], inputs: dict[str, StreamType], outputs: dict[str, StreamType]) -> None:
        """Before ``ready``: the last place to open, plan or allocate."""

    def process(self, inputs: Inputs, outputs: Outputs) -> Next:
        """One activation: one pacing block (for a source: one block to make). Returns None, `AGAIN`, `DONE` or `Stop`."""
        raise NotImplementedError(f"{type(self).__name__} has no `process`")

    def reset(self, state: np.ndarray) -> None:
        """At the start and before the block that follows a gap, a seam or a RESET: write the initial state."""

    def tune(self, params: dict[str, Any]) -> None:
        """New parameters, all of them, between activations. Raise to refuse them: the stage goes on with the old ones."""

    def finish(self, outputs: Outputs) -> None:
        """Inputs have ended: publish what is held."""


Loop = Callable[[Context], Generator[Next, tuple[Inputs, Outputs], None]]


class _Runtime:
    """What the native half calls: the user's stage, class or loop, with its inputs and outputs."""

    def __init__(self, stage: type[Stage] | Loop, activation: Activation, told: str) -> None:
        parsed = json.loads(told)
        self.patient = not isinstance(stage, type)
        self._ctx = Context(activation, parsed, getattr(stage, "state_dtype", "u1"))
        as_pacing = {p["port"] for p in parsed["outputs"] if p["as_pacing"]}
        self._inputs = Inputs(activation, self._ctx.inputs)
        self._outputs = Outputs(activation, self._ctx.outputs, as_pacing)
        if isinstance(stage, type):
            self._stage = stage()
            self._stage.ctx = self._ctx
            self._stage.prepare(self._ctx.params, self._ctx.inputs, self._ctx.outputs)
        else:
            self._loop = stage(self._ctx)
            next(self._loop)

    def process(self) -> int | str:
        try:
            if self.patient:
                try:
                    said = self._loop.send((self._inputs, self._outputs))
                except StopIteration:
                    said = DONE
            else:
                said = self._stage.process(self._inputs, self._outputs)
            if said is not AGAIN:
                self._outputs._commit_touched()
        finally:
            self._forget()
        self._ctx.starts_over = False
        if isinstance(said, Stop):
            return said.why
        for number, known in enumerate((None, AGAIN, DONE)):
            if said is known:
                return number
        raise TypeError(f"process returned {type(said).__name__}: return None, ephapse.AGAIN, ephapse.DONE or ephapse.Stop(why)")

    def reset(self, slot: Any) -> None:
        self._ctx.starts_over = True
        if not self.patient:
            self._stage.reset(_viewed(slot, self._ctx._state_dtype))

    def tune(self, params: str) -> None:
        new = json.loads(params)
        if not self.patient:
            self._stage.tune(new)
        self._ctx.params = new

    def finish(self) -> int:
        try:
            if self.patient:
                self._loop.close()
            else:
                self._stage.finish(self._outputs)
                self._outputs._commit_touched()
        finally:
            self._forget()
        return 0

    def close(self) -> None:
        if self.patient:
            self._loop.close()

    def _forget(self) -> None:
        self._inputs._forget()
        self._outputs._forget()


def run(stage: type[Stage] | Loop) -> None:
    """Runs a stage as this process's whole purpose; does not return.

    ``stage`` is a class of `Stage`, or a plain loop: a generator function that takes the `Context` and waits for the next
    activation with ``inputs, outputs = yield``. A loop's variables hold their views while it waits: each must be gone one
    activation later, which it is when the loop assigns it anew. When its inputs have ended a loop is closed at its
    ``yield``.

    Exits with 0, or with 1 and a line on stderr: not started by ``ephapse run``, an exception, a view kept too long.
    """
    if not (isinstance(stage, type) and issubclass(stage, Stage)) and not inspect.isgeneratorfunction(stage):
        raise TypeError(f"{stage!r} is no stage: give a class of ephapse.Stage, or a function that yields")
    name = stage.__name__
    if _native.DESCRIBE in sys.argv[1:]:
        _native.answer(lambda question: _describe(stage, json.loads(question)))
        sys.exit(0)
    try:
        failure = _native.run(lambda activation, told: _Runtime(stage, activation, told))
    except EphapseError as error:
        failure = str(error)
    if failure is not None:
        print(f"{name}: {failure}", file=sys.stderr)
    sys.exit(0 if failure is None else 1)


def _describe(stage: type[Stage] | Loop, question: dict[str, Any]) -> tuple[str | None, str | None]:
    """Answer and refusal, as JSON; one of the two."""
    if not (isinstance(stage, type) and issubclass(stage, Stage)):
        raise EphapseError(f"{stage.__name__} is a plain loop: say the outputs' types in stage.toml")
    inputs = {i["port"]: StreamType.from_json(i["type"]) for i in question["inputs"]}
    try:
        return json.dumps(stage.describe(question["params"], inputs).to_json()), None
    except Refused as refused:
        return None, json.dumps(refused._answer)
