"""A routing model asked about many messages at once, for figures: what it said, and what that cost."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal

from litellm_prompt_router.authoring.examples import AskedModel, ModelAnswer, ModelFailedError, PatientModel
from litellm_prompt_router.request.route import RoutingAnswer, RoutingQuestion
from litellm_prompt_router.request.route.routing_question import parse_answer

AT_ONCE = 8
"""Questions that are out at a time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AskedAnswers:
    """``unanswered``: questions whose answers couldn't be read. ``usd`` None: no price is known."""

    calls: int
    unanswered: int
    input_tokens: int
    output_tokens: int
    usd: Decimal | None


def ask_all(
    model: AskedModel,
    questions: Sequence[RoutingQuestion],
    section_ids: Sequence[str],
    keep: Callable[[RoutingQuestion, RoutingAnswer], None],
    advance: Callable[[], None],
    sleep: Callable[[float], None] = time.sleep,
) -> AskedAnswers:
    """Asks every question once. ``keep`` gets each answer as it comes, from this thread.

    Raises ModelFailedError as soon as the model can't be asked; what was answered until then is kept.
    """
    bills: list[ModelAnswer] = []
    patient = PatientModel(model=model, count=bills.append, tell=lambda _problem: None, sleep=sleep)
    unanswered = 0

    def ask(question: RoutingQuestion) -> RoutingAnswer | None:
        return patient.ask(
            system=question.sections, user=question.conversation, parse=lambda text: parse_answer(text, section_ids)
        )

    with ThreadPoolExecutor(AT_ONCE) as threads:
        waiting = [(question, threads.submit(ask, question)) for question in questions]
        try:
            for question, answer in waiting:
                found = answer.result()
                unanswered += found is None
                if found is not None:
                    keep(question, found)
                advance()
        except ModelFailedError:
            threads.shutdown(cancel_futures=True)
            raise
    usd = [bill.usd for bill in bills]
    return AskedAnswers(
        calls=len(bills),
        unanswered=unanswered,
        input_tokens=sum(bill.input_tokens for bill in bills),
        output_tokens=sum(bill.output_tokens for bill in bills),
        usd=None if None in usd else sum((each for each in usd if each is not None), Decimal(0)),
    )
