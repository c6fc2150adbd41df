"""A routing model behind the OpenAI wire: it names sections by the words of the message it is asked about."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Self

from tests.emulators import openai_wire
from tests.emulators.loopback import Answer, Incoming, Loopback
from tests.emulators.replies import HttpError, Text, Usage

Lists = tuple[Sequence[str], Sequence[str]]
"""Needed, and perhaps needed."""


class Chooser:
    """Answers at ``url``. ``knows``: the lists by a word of the message; other messages need nothing."""

    def __init__(self, knows: Mapping[str, Lists]) -> None:
        self.questions: list[dict[str, Any]] = []
        self.fault: HttpError | str | None = None
        self._knows = knows
        self._server = Loopback(self._respond)

    @property
    def url(self) -> str:
        return self._server.url

    @property
    def messages(self) -> list[str]:
        """What it was asked about."""
        return [json.loads(each["messages"][1]["content"])["message"] for each in self.questions]

    def __enter__(self) -> Self:
        self._server.listen()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.close()

    def _respond(self, incoming: Incoming) -> Answer:
        body = json.loads(incoming.body)
        self.questions.append(body)
        usage = Usage(uncached_input_tokens=600, output_tokens=20)
        if isinstance(self.fault, HttpError):
            return openai_wire.answer(body, self.fault, usage)
        if self.fault is not None:
            return openai_wire.answer(body, Text(text=self.fault), usage)
        needed, perhaps = next((lists for word, lists in self._knows.items() if word in self.messages[-1]), ((), ()))
        said = json.dumps({"needed": [*needed], "perhaps": [*perhaps]})
        return openai_wire.answer(body, Text(text=said), usage)
