"""Asks a model until there is an answer that can be read, a few times at most."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol, TypeVar

TRIES = 3
FIRST_WAIT_SECONDS = 2.0
"""Before the second try; it doubles from there."""

Parsed = TypeVar("Parsed")


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelAnswer:
    """What a model said. ``usd`` is None where nobody knows the price."""

    text: str
    input_tokens: int
    output_tokens: int
    usd: Decimal | None


class ModelFailedError(Exception):
    """The model didn't answer. ``is_final``: asking again can't help."""

    def __init__(self, problem: str, *, is_final: bool = False) -> None:
        super().__init__(problem)
        self.is_final = is_final


class AskedModel(Protocol):
    """A language model. Raises ModelFailedError."""

    def __call__(self, *, system: str, user: str) -> ModelAnswer: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class PatientModel:
    """A model that is asked again when it fails or its answer can't be read.

    ``count`` gets every answer, readable or not; ``tell`` what went wrong.
    """

    model: AskedModel
    count: Callable[[ModelAnswer], None]
    tell: Callable[[str], None]
    sleep: Callable[[float], None]

    def ask(self, *, system: str, user: str, parse: Callable[[str], Parsed | None]) -> Parsed | None:
        """The parsed answer; None when the last one couldn't be read either.

        Raises ModelFailedError when there is no answer at all.
        """
        for attempt in range(1, TRIES + 1):
            if attempt > 1:
                self.sleep(FIRST_WAIT_SECONDS * 2 ** (attempt - 2))
            try:
                answer = self.model(system=system, user=user)
            except ModelFailedError as error:
                if error.is_final or attempt == TRIES:
                    raise
                self.tell(f"try {attempt} of {TRIES} failed: {error}")
                continue
            self.count(answer)
            parsed = parse(answer.text)
            if parsed is not None:
                return parsed
            self.tell(f"try {attempt} of {TRIES}: the answer is not the JSON that was asked for")
        return None
