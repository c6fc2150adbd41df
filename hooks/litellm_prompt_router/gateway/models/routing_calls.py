"""One question to a routing model, and to its hedge: asked within a time, a budget and a profile's patience.

Every call is accounted for, those whose answer nobody waited for any more included.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from litellm_prompt_router.gateway.models.hourly_budget import HourlyBudget
from litellm_prompt_router.gateway.models.routing_bills import RoutingBills
from litellm_prompt_router.gateway.models.routing_model import ModelReply
from litellm_prompt_router.profile.profile import RoutingModelSettings
from litellm_prompt_router.record.record import RoutingOutcome
from litellm_prompt_router.request.route import AnswerLookup, RoutingAnswer, RoutingQuestion
from litellm_prompt_router.request.route.routing_question import parse_answer

PAUSE_AFTER = 3
"""So many calls in a row without an answer, and for PAUSE_SECONDS nobody waits for the model."""
PAUSE_SECONDS = 10.0
AT_ONCE = frozenset({401, 403, 404})
"""Refusals that the next call would meet as well."""
BILLED_NOTHING = frozenset({400, 401, 403, 404, 405, 413, 422, 429, 500, 502, 503, 529})
"""Answers of providers that did no work, or charge none for it."""
LATE_SECONDS = 10.0
"""How much longer than anybody waits a call may take, so that its bill is known."""
PROBLEM = "Routing model failed"

Ask = Callable[[str, RoutingQuestion, Sequence[str], float, Mapping[str, Any]], Awaitable[ModelReply]]
"""``(model, question, section ids, timeout in seconds, parameters of the caller's)`` to what it said."""
Tell = Callable[[str, Sequence[str]], None]
"""Told of a problem: its title, and lines."""
CallResult = RoutingAnswer | RoutingOutcome
"""A valid answer, or why there is none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asking:
    """Questions of one request, in the conversation's order, and who pays for them."""

    settings: RoutingModelSettings
    profile: str
    section_ids: tuple[str, ...]
    questions: tuple[RoutingQuestion, ...]
    request_id: str
    of_caller: Mapping[str, Any]
    """LiteLLM's parameters of the calls: whose they are, and what of them may be logged."""
    may_change: Callable[[RoutingQuestion, AnswerLookup], bool] = lambda _question, _answers: True
    """Whether an answer to this question or a later one can add something, with these answers to those before it."""


@dataclass(slots=True)
class _Failures:
    in_row: int = 0
    paused_until: float = 0.0


class RoutingCalls:
    """Asks routing models. For one thread, LiteLLM's."""

    def __init__(self, ask: Ask, bills: RoutingBills, tell: Tell, clock: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._bills = bills
        self._tell = tell
        self._clock = clock
        self._failures: dict[str, _Failures] = {}
        self._budgets: dict[str, HourlyBudget] = {}
        self._out: set[asyncio.Task[CallResult]] = set()

    async def answer_to(self, question: RoutingQuestion, asking: Asking, deadline: float) -> CallResult:
        """The first valid answer of the model and its hedge, or why there is none."""
        settings = asking.settings
        models = [each for each in (settings.model, settings.hedge_model) if each is not None]
        models = [each for each in dict.fromkeys(models) if self._clock() >= self._failures_of(each).paused_until]
        half = deadline - settings.timeout_seconds / 2
        calls: set[asyncio.Task[CallResult]] = set()
        why_not: RoutingOutcome = "paused"
        while True:
            if models and (not calls or self._clock() >= half):
                if self._budget(asking.profile).admits(settings.budget_usd_per_hour, self._clock()):
                    call = self._call(models.pop(0), question, asking, deadline)
                    calls.add(self._started(call))
                else:
                    models.clear()
                    why_not = "over_budget" if why_not == "paused" else why_not
            if not calls:
                return why_not
            until = half if models and self._clock() < half else deadline
            done, calls = await asyncio.wait(
                calls, timeout=max(0.0, until - self._clock()), return_when=asyncio.FIRST_COMPLETED
            )
            for each in done:
                result = each.result()
                if not isinstance(result, str):
                    return result  # a call that is still out goes on: its bill counts
                why_not = result
            if not done and self._clock() >= deadline:
                self._failed(settings.model, "no answer in time")
                return "late"

    async def _call(self, model: str, question: RoutingQuestion, asking: Asking, deadline: float) -> CallResult:
        """One call, accounted for whatever becomes of it."""
        seconds = asking.settings.timeout_seconds + LATE_SECONDS
        budget = self._budget(asking.profile)
        budget.begin()
        self._bills.begin(asking.request_id)
        input_tokens, output_tokens, usd = 0, 0, None
        try:
            async with asyncio.timeout(seconds):
                reply = await self._ask(model, question, asking.section_ids, seconds, asking.of_caller)
            input_tokens, output_tokens, usd = reply.input_tokens, reply.output_tokens, reply.usd
        except Exception as error:
            status = getattr(error, "status_code", None)
            is_timeout = isinstance(error, TimeoutError) or "Timeout" in type(error).__name__
            usd = Decimal(0) if status in BILLED_NOTHING and not is_timeout else None
            if self._clock() < deadline:  # a late one was counted when nobody waited any more
                self._failed(model, type(error).__name__, is_final=status in AT_ONCE)
            return "failed"
        finally:
            budget.settle(usd, self._clock())
            self._bills.settle(asking.request_id, input_tokens=input_tokens, output_tokens=output_tokens, usd=usd)
        if self._clock() < deadline:
            self._failures_of(model).in_row = 0
        if reply.is_refusal:
            return "refused"
        answer = parse_answer(reply.text, asking.section_ids)
        return "garbage" if answer is None else answer

    def _started(self, call: Coroutine[Any, Any, CallResult]) -> asyncio.Task[CallResult]:
        """A call that nobody's going away ends.

        It begins without what LiteLLM left in the context of the request that asked, such as its slot among its key's
        parallel requests.
        """
        task = asyncio.create_task(call, context=contextvars.Context())
        self._out.add(task)
        task.add_done_callback(self._out.discard)
        return task

    def _failed(self, model: str, why: str, *, is_final: bool = False) -> None:
        """Counts a call without an answer; after too many in a row nobody waits for the model for a while."""
        failures = self._failures_of(model)
        failures.in_row += 1
        if (is_final or failures.in_row >= PAUSE_AFTER) and self._clock() >= failures.paused_until:
            failures.paused_until = self._clock() + PAUSE_SECONDS
            lines = (f"{model}: {why}; for {PAUSE_SECONDS:g} s messages are routed without it",)
            self._tell(PROBLEM, lines)

    def _failures_of(self, model: str) -> _Failures:
        return self._failures.setdefault(model, _Failures())

    def _budget(self, profile: str) -> HourlyBudget:
        return self._budgets.setdefault(profile, HourlyBudget())
