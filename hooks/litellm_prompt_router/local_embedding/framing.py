"""What goes over the socket: frames of a length, a kind and a body.

A worker asks (``QUESTION``: JSON with ``id``, ``seconds`` that it waits, ``texts``); the process answers each text as
soon as it has its vector (``VECTOR``: question, text's number, half floats; none where there will be no vector), and
says how it is (``STATE``: JSON) when somebody connects and when that changes.
"""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

PROTOCOL = 1
MAX_FRAME_BYTES = 2_000_000
MAX_TEXTS = 256
"""In one question."""
QUESTION, VECTOR, STATE = b"Q", b"V", b"S"
_LENGTH = struct.Struct(">I")
_ANSWER = struct.Struct(">IH")

Stage = Literal["starting", "ready", "failed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerState:
    """How the process is. ``problem``: why it failed; ``pid``: its number."""

    stage: Stage
    pid: int
    problem: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    number: int
    seconds: float
    texts: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """``packed``: empty where there is no vector."""

    question: int
    text: int
    packed: bytes


class NotAFrameError(Exception):
    """What came is none of ours; the connection can't go on."""


def question_frame(number: int, seconds: float, texts: Sequence[str]) -> bytes:
    """Raises NotAFrameError for more than a frame takes."""
    return _frame(QUESTION, json.dumps({"id": number, "seconds": seconds, "texts": list(texts)}).encode())


def answer_frame(question: int, text: int, packed: bytes) -> bytes:
    return _frame(VECTOR, _ANSWER.pack(question, text) + packed)


def state_frame(state: ServerState) -> bytes:
    return _frame(STATE, json.dumps({"stage": state.stage, "pid": state.pid, "problem": state.problem}).encode())


def _frame(kind: bytes, body: bytes) -> bytes:
    if len(body) >= MAX_FRAME_BYTES:
        raise NotAFrameError("too large")
    return _LENGTH.pack(len(body) + 1) + kind + body


async def read_frame(reader: asyncio.StreamReader) -> Question | Answered | ServerState | None:
    """The next frame; None at the end. Raises NotAFrameError, and OSError of a connection that breaks otherwise."""
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        if not 1 <= length <= MAX_FRAME_BYTES:
            raise NotAFrameError("of no length that frames have")
        return parsed(await reader.readexactly(length))
    except (asyncio.IncompleteReadError, ConnectionResetError):
        return None


def parsed(frame: bytes) -> Question | Answered | ServerState:
    """A frame without its length. Raises NotAFrameError."""
    kind, body = frame[:1], frame[1:]
    try:
        if kind == VECTOR:
            question, text = _ANSWER.unpack_from(body)
            return Answered(question=question, text=text, packed=body[_ANSWER.size :])
        stated: Any = json.loads(body)
        if kind == STATE:
            stage = cast(Stage, str(stated["stage"]))
            return ServerState(stage=stage, pid=int(stated["pid"]), problem=str(stated["problem"]))
        if kind == QUESTION:
            texts = tuple(stated["texts"])
            if all(isinstance(text, str) for text in texts) and len(texts) <= MAX_TEXTS:
                return Question(number=int(stated["id"]), seconds=float(stated["seconds"]), texts=texts)
    except (struct.error, ValueError, KeyError, TypeError):
        pass
    raise NotAFrameError("of no kind that we know")
