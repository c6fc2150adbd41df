"""Recorded answers of a routing model: JSON Lines, so that its figures can be had again without asking it.

``text``, and ``history`` where there were earlier user messages, as in labelled messages; ``needed`` and ``perhaps``,
the ids that it named. A line that a command recorded also has ``question``, a digest of all that was asked: it answers
that very question and no other, so that another description of a section is asked about anew. A line without it
answers for its message however the sections are described.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from litellm_prompt_router.documents.parsing import parse_json_lines
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.route import RoutingAnswer, RoutingQuestion
from litellm_prompt_router.request.route.routing_question import AskedWords, asked_words, words_in

DIGEST_CHARS = 24


class RecordedAnswer(BaseModel):
    """One line."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str
    history: tuple[str, ...] = ()
    """Earlier user messages."""
    question: str | None = None
    needed: tuple[str, ...]
    perhaps: tuple[str, ...] = ()


class RecordedAnswers:
    """Answers by what was asked. As a lookup it answers for whatever model is named."""

    def __init__(self, recorded: Iterable[RecordedAnswer] = ()) -> None:
        self._by_question: dict[str, RoutingAnswer] = {}
        self._by_words: dict[AskedWords, RoutingAnswer] = {}
        for each in recorded:
            answer = RoutingAnswer(each.needed, each.perhaps)
            if each.question is not None:
                self._by_question[each.question] = answer
            else:
                self._by_words[asked_words(each.text, each.history)] = answer

    def __call__(self, _model: str, question: RoutingQuestion) -> RoutingAnswer | None:
        exact = self._by_question.get(digest_of_question(question)) if self._by_question else None
        return exact if exact is not None or not self._by_words else self._by_words.get(words_in(question))

    def add(self, question: RoutingQuestion, answer: RoutingAnswer) -> None:
        self._by_question[digest_of_question(question)] = answer


def parse_answers(text: str, where: str, profile: Profile) -> RecordedAnswers:
    """The answers in JSON Lines. Raises ConfigurationError with every problem."""
    lines = parse_json_lines(
        text, where, RecordedAnswer, what="answer", problems_of=lambda line: _unknown(line, profile)
    )
    return RecordedAnswers(line for _, line in lines)


def line_for(question: RoutingQuestion, answer: RoutingAnswer) -> str:
    """An answer as a line of such a file."""
    words = words_in(question)
    entry = {
        "text": words.message,
        "history": words.earlier,
        "question": digest_of_question(question),
        "needed": answer.needed,
        "perhaps": answer.perhaps,
    }
    return json.dumps(entry, ensure_ascii=False) + "\n"


def digest_of_question(question: RoutingQuestion) -> str:
    return hashlib.sha256("\0".join(question).encode()).hexdigest()[:DIGEST_CHARS]


def _unknown(line: RecordedAnswer, profile: Profile) -> Iterable[str]:
    for name in ("needed", "perhaps"):
        for index, module in enumerate(getattr(line, name)):
            if module not in profile.order:
                yield f"{name}[{index}]: unknown module {module!r}; `prompt-router check {profile.name}` lists them"
