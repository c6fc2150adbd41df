"""Asks a model's process how it is, and how long a short message takes; for people who wait."""

from __future__ import annotations

import socket
import struct
import time
from dataclasses import dataclass

from litellm_prompt_router.local_embedding.framing import (
    Answered,
    NotAFrameError,
    Question,
    ServerState,
    parsed,
    question_frame,
)
from litellm_prompt_router.local_embedding.server_place import ServerPlace

SECONDS = 5.0
SHORT_MESSAGE = "Clean up in/orders.csv and plot revenue by month"
"""19 tokens of multilingual-e5-small, its prefix included; 15 of all-MiniLM-L6-v2."""
TIMES = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbedServer:
    """``milliseconds``: of a short message, the best of a few; None while the model isn't ready."""

    state: ServerState
    milliseconds: float | None


def probe(place: ServerPlace) -> ProbedServer | None:
    """How the process is; None where none listens or it doesn't answer."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(SECONDS)
            connection.connect(str(place.socket))
            state = _received(connection)
            if not isinstance(state, ServerState):
                return None
            spans = [_span(connection, number) for number in range(TIMES)] if state.stage == "ready" else []
            known = [span for span in spans if span is not None]
            return ProbedServer(state=state, milliseconds=round(min(known) * 1_000, 1) if known else None)
    except (OSError, NotAFrameError, struct.error):
        return None


def _span(connection: socket.socket, number: int) -> float | None:
    started = time.perf_counter()
    connection.sendall(question_frame(number, SECONDS, [SHORT_MESSAGE]))
    answer = _received(connection)
    return time.perf_counter() - started if isinstance(answer, Answered) and answer.packed else None


def _received(connection: socket.socket) -> Question | Answered | ServerState:
    (length,) = struct.unpack(">I", _exactly(connection, 4))
    return parsed(_exactly(connection, length))


def _exactly(connection: socket.socket, size: int) -> bytes:
    raw = b""
    while len(raw) < size:
        part = connection.recv(size - len(raw))
        if not part:
            raise ConnectionResetError
        raw += part
    return raw
