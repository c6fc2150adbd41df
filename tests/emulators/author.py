"""A model that writes messages and labels them, behind the OpenAI wire.

Each message ends in ``#`` and the modules that it is going to be labelled with. Words come from a counter, so that no
two messages resemble each other unless they are meant to.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Self

from tests.emulators import openai_wire
from tests.emulators.loopback import Answer, Incoming, Loopback
from tests.emulators.replies import HttpError, Text, Usage

Writes = Callable[["Author", str, int], list[dict[str, Any]]]
"""``(author, module, number of the question)`` to messages."""


class Author:
    """Answers at ``url``. ``faults`` come first, one a request; None is a good answer, text goes out as it is."""

    def __init__(self, writes: Writes | None = None) -> None:
        self.faults: deque[HttpError | str | Callable[[], None] | None] = deque()
        self.questions: list[Mapping[str, Any]] = []
        self._writes = writes or plain
        self._words = 0
        self._server = Loopback(self._respond)

    @property
    def url(self) -> str:
        return self._server.url

    @property
    def written_for(self) -> list[str]:
        """The modules of the questions for messages, in order."""
        return [module for module in map(_module, self.questions) if module]

    def words(self, count: int = 5) -> str:
        """Words that were never said before."""
        said = []
        for _ in range(count):
            self._words += 1
            said.append("".join(chr(ord("a") + int(digit)) for digit in f"{self._words:05}"))
        return " ".join(said)

    def __enter__(self) -> Self:
        self._server.listen()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.close()

    def _respond(self, incoming: Incoming) -> Answer:
        body = json.loads(incoming.body)
        self.questions.append(body)
        fault = self.faults.popleft() if self.faults else None
        usage = Usage(uncached_input_tokens=1_000, output_tokens=200)
        if isinstance(fault, HttpError):
            return openai_wire.answer(body, fault, usage)
        if isinstance(fault, str):
            return openai_wire.answer(body, Text(text=fault), usage)
        if fault is not None:
            fault()
        module = _module(body)
        if module:
            answer: dict[str, Any] = {"messages": self._writes(self, module, len(self.written_for))}
        else:
            answer = {"labels": _labels(body)}
        return openai_wire.answer(body, Text(text=f"Here you are:\n```json\n{json.dumps(answer)}\n```"), usage)


def plain(author: Author, module: str, number: int) -> list[dict[str, Any]]:
    """Eight good messages."""
    return [{"text": f"{author.words()} #{module}"} for _ in range(8)]


def _user(body: Mapping[str, Any]) -> str:
    return str(body["messages"][-1]["content"])


def _module(body: Mapping[str, Any]) -> str | None:
    found = re.search(r"Each must need the module (\S+) and", _user(body))
    return found[1] if found else None


def _labels(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    asked = json.loads(re.search(r"\n\n(\[.*\])\n\nAnswer", _user(body), re.DOTALL)[1])  # type: ignore[index]
    return [{"number": one["number"], "needs": re.findall(r"#(\S+)", one["text"])} for one in asked]
