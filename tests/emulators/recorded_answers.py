"""A routing model behind the OpenAI wire that answers what was recorded for the message that a question quotes.

Which message that is, it finds by itself: of the recorded ones whose text and earlier messages all stand in the
question, the one with the most text. So it needs to know nothing of how a question is worded, only that it quotes.
"""

from __future__ import annotations

import json
import re
import threading
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from litellm_prompt_router.profile.tokens import token_counter
from tests.emulators import openai_wire
from tests.emulators.loopback import Answer, HangUp, Incoming, Loopback
from tests.emulators.replies import HttpError, Text, Usage

QUOTED_CHARS = 150
"""Of a long message so much of its beginning or its end has to be quoted."""
LATEST_MESSAGES = 4
"""Of a long conversation the first message and so many of the last before the message itself have to be quoted."""
REFUSAL = "I'm sorry, but I can't help with that."
CANNOT_SAY: Mapping[str, tuple[str, ...]] = {"needed": (), "perhaps": ()}
NOTHING = Usage(uncached_input_tokens=0, output_tokens=0)

_COUNT = token_counter()
_ESCAPES = re.compile(r"\\(?:u[0-9a-fA-F]{4}|.)", re.DOTALL)


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordedMessage:
    """What the model says of this message behind these earlier ones."""

    text: str
    history: tuple[str, ...] = ()
    needed: tuple[str, ...]
    perhaps: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Misbehaviour:
    """One answer that isn't as it should be.

    ``text`` goes out in its place, garbage or unknown ids; ``refuses`` as OpenAI's models refuse; ``status`` is an
    HTTP error; ``hangs_up`` ends the connection.
    """

    delay_seconds: float = 0.0
    text: str | None = None
    refuses: bool = False
    status: int = 200
    hangs_up: bool = False


class RecordedAnswerer:
    """``/chat/completions`` at ``url``.

    ``faults`` come first, one a question; None among them is a good answer. ``always`` holds for every question that
    has no fault of its own. Messages that weren't recorded get ``default``.
    """

    def __init__(
        self, recorded: Iterable[RecordedMessage] = (), *, default: Mapping[str, Iterable[str]] = CANNOT_SAY
    ) -> None:
        self.faults: deque[Misbehaviour | None] = deque()
        self.always: Misbehaviour | None = None
        self.default = default
        self.questions: list[Mapping[str, Any]] = []
        self.unknown = 0
        """Questions that quoted no recorded message."""
        self._usage = NOTHING
        self._recorded = [(message, [*map(_letters, _quoted_texts(message))]) for message in recorded]
        self._lock = threading.Lock()
        self._server = Loopback(self._respond)

    @property
    def url(self) -> str:
        return self._server.url

    @property
    def usage(self) -> Usage:
        """Tokens of all questions and answers so far."""
        with self._lock:
            return self._usage

    def clear(self) -> None:
        """Forget the questions, their tokens and all faults."""
        with self._lock:
            self.questions.clear()
            self.faults.clear()
            self.always = None
            self.unknown = 0
            self._usage = NOTHING

    def asked_of(self) -> Counter[str]:
        """How often each model was asked."""
        with self._lock:
            return Counter(str(body.get("model")) for body in self.questions)

    def __enter__(self) -> Self:
        self._server.listen()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.close()

    def answer_for(self, question: str) -> RecordedMessage | None:
        """The recorded message that the question quotes."""
        said = _letters(question)
        quoted = [
            (sum(map(len, texts)), number)
            for number, (_, texts) in enumerate(self._recorded)
            if all(_is_quoted(text, said) for text in texts)
        ]
        return self._recorded[max(quoted)[1]][0] if quoted else None

    def _respond(self, incoming: Incoming) -> Answer | HangUp:
        if incoming.method != "POST" or not incoming.route.endswith("/chat/completions"):
            return Answer(status=404, body=b"{}")
        body = json.loads(incoming.body)
        question = "\n".join(_said_in(message) for message in body["messages"])
        with self._lock:
            self.questions.append(body)
            fault = self.faults.popleft() if self.faults else self.always
        fault = fault or Misbehaviour()
        if fault.hangs_up:
            return HangUp()
        if fault.status != 200:
            error = HttpError(status=fault.status, delay_seconds=fault.delay_seconds)
            return openai_wire.answer(body, error, Usage())
        text = fault.text if fault.text is not None else self._answer(body)
        usage = Usage(uncached_input_tokens=_COUNT(question), output_tokens=_COUNT(text))
        with self._lock:
            self._usage = replace(
                self._usage,
                uncached_input_tokens=self._usage.uncached_input_tokens + usage.uncached_input_tokens,
                output_tokens=self._usage.output_tokens + usage.output_tokens,
            )
        answer = openai_wire.answer(body, Text(text=text, delay_seconds=fault.delay_seconds), usage)
        return _refusing(answer) if fault.refuses else answer

    def _answer(self, body: Mapping[str, Any]) -> str:
        # The index stands in the system message and may quote examples.
        asked = [message for message in body["messages"] if message["role"] != "system"] or body["messages"]
        found = self.answer_for("\n".join(map(_said_in, asked)))
        if found is None:
            with self._lock:
                self.unknown += 1
            return json.dumps({name: list(ids) for name, ids in self.default.items()})
        return json.dumps({"needed": found.needed, "perhaps": found.perhaps})


def recorded_in(messages: Path, answers: Path) -> tuple[RecordedMessage, ...]:
    """Of two files in JSON Lines, each line with ``conversation`` and ``turn``.

    Messages have ``text`` and ``history``; the answers for some of them ``need`` and ``maybe``.
    """
    texts = {(row["conversation"], row["turn"]): row for row in _rows(messages)}
    return tuple(
        RecordedMessage(
            text=texts[row["conversation"], row["turn"]]["text"],
            history=tuple(texts[row["conversation"], row["turn"]]["history"]),
            needed=tuple(row["need"]),
            perhaps=tuple(row["maybe"]),
        )
        for row in _rows(answers)
    )


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def _quoted_texts(message: RecordedMessage) -> tuple[str, ...]:
    """What of a conversation a question quotes at least."""
    return (*message.history[:1], *message.history[1:][-LATEST_MESSAGES:], message.text)


def _said_in(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content or ""


def _letters(text: str) -> str:
    """Letters and figures alone, however the text was quoted."""
    if "\\" in text:
        text = _ESCAPES.sub(_unescaped, text)
    return "".join(sign for sign in text.casefold() if sign.isalnum())


def _unescaped(escape: re.Match[str]) -> str:
    found = escape[0]
    return chr(int(found[2:], 16)) if len(found) == 6 else " "


def _is_quoted(text: str, said: str) -> bool:
    return text[:QUOTED_CHARS] in said or (len(text) > QUOTED_CHARS and text[-QUOTED_CHARS:] in said)


def _refusing(answer: Answer) -> Answer:
    document = json.loads(answer.body)
    document["choices"][0]["message"] |= {"content": None, "refusal": REFUSAL}
    return replace(answer, body=json.dumps(document).encode())
