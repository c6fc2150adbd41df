"""An embedding model behind the OpenAI wire: the same text has the same vector, texts with common pieces similar ones.

A vector counts the text's runs of a few characters, each hashed to one of its numbers.
"""

from __future__ import annotations

import base64
import json
import math
import struct
import threading
import zlib
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from tests.emulators.loopback import Answer, HangUp, Incoming, Loopback

SIZE = 192
RUNS = (3, 4, 5)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """One answer that isn't as it should be: late, an error, or with ``data`` in the vectors' place."""

    delay_seconds: float = 0.0
    status: int = 200
    data: object = None
    hangs_up: bool = False


class Embedder:
    """``/embeddings`` at ``url``. ``faults`` come first, one a request; None among them is a good answer."""

    def __init__(self) -> None:
        self.faults: deque[Fault | None] = deque()
        self.bodies: list[Mapping[str, Any]] = []
        self._lock = threading.Lock()
        self._server = Loopback(self._respond)

    @property
    def url(self) -> str:
        return self._server.url

    @property
    def batches(self) -> list[list[str]]:
        """The texts of each request so far."""
        with self._lock:
            return [list(body["input"]) for body in self.bodies]

    def clear(self) -> None:
        with self._lock:
            self.bodies.clear()
            self.faults.clear()

    def __enter__(self) -> Self:
        self._server.listen()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.close()

    def _respond(self, incoming: Incoming) -> Answer | HangUp:
        if incoming.method != "POST" or not incoming.route.endswith("/embeddings"):
            return Answer(status=404, body=b"{}")
        body = json.loads(incoming.body)
        with self._lock:
            self.bodies.append(body)
            fault = self.faults.popleft() if self.faults else None
        if fault is not None and fault.hangs_up:
            return HangUp()
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        is_packed = body.get("encoding_format") == "base64"
        data: object = [
            {"object": "embedding", "index": number, "embedding": _packed(text) if is_packed else vector_of(text)}
            for number, text in enumerate(texts)
        ]
        if fault is not None and fault.data is not None:
            data = fault.data
        document: dict[str, object] = {"object": "list", "model": body["model"], "data": data}
        document["usage"] = {"prompt_tokens": 9, "total_tokens": 9}
        if fault is not None and fault.status != 200:
            document = {"error": {"message": "scripted", "type": "server_error", "param": None, "code": None}}
        return Answer(
            status=fault.status if fault is not None else 200,
            headers={"Content-Type": "application/json"},
            body=json.dumps(document).encode(),
            delay_seconds=fault.delay_seconds if fault is not None else 0.0,
        )


def vector_of(text: str) -> list[float]:
    """Of length one; an empty text has one too."""
    counts = [0.0] * SIZE
    edged = f" {text.casefold()} "
    for size in RUNS:
        for at in range(max(1, len(edged) - size + 1)):
            counts[zlib.crc32(edged[at : at + size].encode("utf-8", "replace")) % SIZE] += 1.0
    length = math.sqrt(sum(count * count for count in counts))
    return [count / length for count in counts]


def _packed(text: str) -> str:
    return base64.b64encode(struct.pack(f"<{SIZE}f", *vector_of(text))).decode()
