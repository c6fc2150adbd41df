"""Requests and responses of chosen keys -> a traffic file, secrets masked.

The request comes first, the response when it is known. They are joined here, in the dispatcher's thread; nothing
is kept on the request's side. A request whose response never comes is written without one.
"""

from __future__ import annotations

import json
import os
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from litellm_prompt_router.policy.settings import CaptureSettings
from litellm_prompt_router.process_memory.bounded import register_memory
from litellm_prompt_router.request.types import UnreadableRequestError
from litellm_prompt_router.request.wire import SHAPES, Sender, conversation_of
from litellm_prompt_router.telemetry.line_file import LineFile
from litellm_prompt_router.telemetry.masking import Masker

BACKLOG = 100
MAX_PENDING = 2_000
MAX_PENDING_BYTES = 64_000_000
PENDING_SECONDS = 1_800.0
"""Longer than the longest answers take: LiteLLM's own limit is 600 s an attempt."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CapturedRequest:
    """A request; ``request`` is the client's body as JSON."""

    request_id: str
    at_seconds: float
    key: str
    sender: Sender
    endpoint: str
    request: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class CapturedAnswer:
    """The response to a request; ``response`` is None where none came."""

    request_id: str
    response: Mapping[str, Any] | None


class Capture(LineFile):
    """Writes captured calls. For one thread; ``now`` is a clock's reading in seconds."""

    def __init__(self, settings: CaptureSettings) -> None:
        super().__init__(settings.path or "", backlog=BACKLOG, max_bytes=settings.max_mb * 1_000_000, is_private=True)
        self.masker = Masker()
        self._pending: OrderedDict[str, tuple[float, CapturedRequest]] = OrderedDict()
        self._pending_bytes = 0
        self._owner = os.getpid()
        register_memory(
            self,
            "captured requests",
            MAX_PENDING,
            lambda it: len(it._pending),
            size_bytes=lambda it: it._pending_bytes,
            max_bytes=MAX_PENDING_BYTES,
        )

    def add_request(self, captured: CapturedRequest, now: float) -> None:
        """Keeps a request until its response comes. The oldest are written without, if too many or too old."""
        self._drop_parents_requests()
        self.masker.detector.prepare()
        self._pending[captured.request_id] = (now, captured)
        self._pending_bytes += len(captured.request)
        while self._pending:
            since, oldest = next(iter(self._pending.values()))
            is_crowded = len(self._pending) > MAX_PENDING or self._pending_bytes > MAX_PENDING_BYTES
            if not is_crowded and now - since < PENDING_SECONDS:
                break
            self.add_answer(CapturedAnswer(request_id=oldest.request_id, response=None))

    def add_answer(self, answer: CapturedAnswer) -> None:
        """Writes the request with its response. A request that isn't kept was written before."""
        _, captured = self._pending.pop(answer.request_id, (0.0, None))
        if captured is None:
            return
        self._pending_bytes -= len(captured.request)
        try:
            self.append([self._line(captured, answer.response)])
        except (TypeError, ValueError, RecursionError) as error:
            self.lost += 1
            self.last_error = type(error).__name__

    def close(self) -> None:
        """Writes what still waits for a response, without one."""
        self._drop_parents_requests()
        for request_id in tuple(self._pending):
            self.add_answer(CapturedAnswer(request_id=request_id, response=None))
        super().close()

    def _drop_parents_requests(self) -> None:
        """In a forked child: what waited at the fork is its parent's to write."""
        if self._owner != os.getpid():
            self._owner = os.getpid()
            self._pending.clear()
            self._pending_bytes = 0

    def _line(self, captured: CapturedRequest, response: Mapping[str, Any] | None) -> bytes:
        request = json.loads(captured.request)
        line = {
            "ts": captured.at_seconds,
            "key": captured.key,
            "conversation": _conversation(captured, request),
            "endpoint": captured.endpoint,
            "request": self.masker.masked(request),
        }
        if response is not None:
            line["response"] = self.masker.masked(response)
        return json.dumps(line).encode() + b"\n"


def _conversation(captured: CapturedRequest, request: Mapping[str, Any]) -> str:
    """The id that the call's record has too."""
    try:
        return conversation_of(captured.key, SHAPES[captured.endpoint].read(request), captured.sender)
    except UnreadableRequestError:
        return captured.request_id
