"""Ephapse from Python: stages, running sessions, and rings between scripts, all as numpy arrays.

A stage is a class with ``process(self, inputs, outputs)`` or a plain loop, given to `run`; its blocks are numpy views onto
the slots of shared-memory rings. At a prompt: `sessions`, `attach`, `open` for captures, and `Ring` for two scripts
without a graph.

Every error is an `EphapseError` that says in one line what is wrong, where, why, and what to do.
"""

from ._native import EphapseError, Header
from .block import (
    AGAIN,
    CLOCK_MASK,
    DONE,
    GAP,
    LATE,
    REPLAY,
    RESET,
    SYNTHETIC,
    Block,
    Inputs,
    OutBlock,
    Outputs,
    Span,
    Stop,
)
from .capture import Capture, CapturedStream, open
from .ring import Claimed, Peeked, Ring
from .session import Session, SessionInfo, Stream, attach, sessions
from .stage import Context, Described, Refused, Stage, run
from .types import Axis, Field, RecordLayout, StreamType

__all__ = [
    "AGAIN", "Axis", "Block", "CLOCK_MASK", "Capture", "CapturedStream", "Claimed", "Context", "DONE", "Described", "EphapseError", "Field", "GAP", "Header",
    "Inputs", "LATE", "OutBlock", "Outputs", "Peeked", "REPLAY", "RESET", "RecordLayout", "Refused", "Ring", "SYNTHETIC", "Session",
    "SessionInfo", "Span", "Stage", "Stop", "Stream", "StreamType", "attach", "open", "run",
    "sessions",
]
