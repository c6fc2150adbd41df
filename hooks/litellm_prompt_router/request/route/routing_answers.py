"""What a routing model is asked about a message, and what it answered.

No model is asked here. Answers are passed in, and a message without one is routed by its words and meaning.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class RoutingQuestion(NamedTuple):
    """One question, as a chat model is given it."""

    sections: str
    """The system message: the profile's modules, the same in all of its questions."""
    conversation: str
    """The user message: the conversation up to the message in question, as quoted data."""


class RoutingAnswer(NamedTuple):
    """The modules that the model names, by id: as needed, and as perhaps needed. Neither holds unknown ids."""

    needed: tuple[str, ...]
    perhaps: tuple[str, ...]


AnswerLookup = Callable[[str, RoutingQuestion], RoutingAnswer | None]
"""``(model, question)`` to the answer that is known; None: routed without it."""


def no_answers(_model: str, _question: RoutingQuestion) -> RoutingAnswer | None:
    """For those who have no routing model at hand."""
    return None
