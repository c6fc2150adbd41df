"""Routing models' answers about messages: asked for once, and remembered by content.

A message that went without an answer, whatever the reason, stays without one for as long as it is asked about: its
conversation keeps its prompt. Processes agree through an ``AnswerStore``: it is read ahead of the model, and what the
first of several wrote is what all of them go by.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

from litellm_prompt_router.gateway.models.answer_stores import AnswerStore, StoredAnswer
from litellm_prompt_router.gateway.models.routing_calls import PROBLEM, Asking, CallResult, RoutingCalls, Tell
from litellm_prompt_router.process_memory.bounded import register_memory
from litellm_prompt_router.record.record import RoutingOutcome
from litellm_prompt_router.request.route import RoutingAnswer, RoutingQuestion

MAX_ENTRIES = 16_384
"""About 8 MB. No text is kept, only its hash."""
MAX_QUESTIONS = 8
"""Asked at once for one request, the latest ones; further new messages of a long conversation go without an answer."""
FAILURE_SECONDS = 20 * 3_600.0
"""How long a message stays without an answer after it was last asked about. Who goes on the next morning finds the same
prompt, which replayed thinking may be held to; a task that comes once a day is asked about anew."""
WRITE_SECONDS = 60.0
"""For a store to take what nobody waits for."""
ANSWER_SECONDS = 7 * 86_400
"""The same for answers, in stores; in memory the MAX_ENTRIES used last stay."""
READ_SECONDS = 0.1
AGREE_SECONDS = 0.1
"""For a store to answer; the former is part of the timeout."""

Result = TypeVar("Result")


@dataclass(slots=True)
class _RememberedAnswer:
    answer: StoredAnswer
    until: float
    """A failure holds until then; an answer for as long as there is room."""
    renew_at: float
    """When a store has to be told again that it is in use."""


class AnswerCache:
    """Answers by model and question. ``known`` and ``never_asked`` look in memory; ``fetch`` asks, and never raises."""

    def __init__(self, calls: RoutingCalls, tell: Tell, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._calls = calls
        self._tell = tell
        self._clock = clock
        self._entries: OrderedDict[str, _RememberedAnswer] = OrderedDict()
        register_memory(self, "routing answers", MAX_ENTRIES, lambda it: len(it._entries))
        self._pending: dict[str, asyncio.Task[Mapping[RoutingQuestion, RoutingOutcome]]] = {}
        self._background: set[asyncio.Task[Any]] = set()
        self._store: AnswerStore | None = None

    def known(self, model: str, question: RoutingQuestion) -> RoutingAnswer | None:
        """The answer, if there is one."""
        entry = self._get(_key(model, question))
        return None if entry is None else entry.answer

    def never_asked(self, model: str, questions: Sequence[RoutingQuestion]) -> Sequence[RoutingQuestion]:
        """Those of the questions that have neither an answer nor a failure."""
        return [question for question in questions if self._get(_key(model, question)) is None]

    def outcome_of(self, model: str, question: RoutingQuestion) -> RoutingOutcome:
        """How a question stands that this request didn't ask."""
        return _outcome_of(self.known(model, question))

    async def fetch(self, asking: Asking, store: AnswerStore | None) -> Mapping[RoutingQuestion, RoutingOutcome]:
        """Waits until each question has its answer, or has none; what became of those that this request asked.

        A client that goes away ends the wait, and not what others wait for. ``store``: what processes share, if there
        is something.
        """
        self._store = store
        model = asking.settings.model
        wanted = self.never_asked(model, asking.questions)
        waiting = {task for each in wanted if (task := self._pending.get(_key(model, each))) is not None}
        fresh = [each for each in wanted if _key(model, each) not in self._pending]
        own: asyncio.Task[Mapping[RoutingQuestion, RoutingOutcome]] | None = None
        if fresh:
            own = self._in_background(self._settle(asking, fresh, store))
            self._pending.update(dict.fromkeys((_key(model, each) for each in fresh), own))
            waiting.add(own)
        if waiting:
            await asyncio.wait(waiting)
        return own.result() if own is not None else {}

    async def _settle(
        self, asking: Asking, questions: Sequence[RoutingQuestion], store: AnswerStore | None
    ) -> Mapping[RoutingQuestion, RoutingOutcome]:
        """What became of each question. Whatever happens, each has an answer or a failure then."""
        by_key = {_key(asking.settings.model, question): question for question in questions}
        held: dict[str, StoredAnswer] = {}
        outcomes: dict[str, RoutingOutcome] = {}
        try:
            deadline = self._clock() + asking.settings.timeout_seconds
            if store is not None:
                held.update(await _within(READ_SECONDS, store.read(list(by_key))) or {})
            outcomes.update((key, _outcome_of(answer)) for key, answer in held.items())
            left = [key for key in by_key if key not in held]
            asked = left[-MAX_QUESTIONS:]
            results: dict[str, CallResult] = dict.fromkeys(left, "too_many")
            if asked and self._may_change(asking, by_key[asked[0]], held, left):
                found = await asyncio.gather(*(self._calls.answer_to(by_key[key], asking, deadline) for key in asked))
                results.update(zip(asked, found, strict=True))
            else:
                results.update(dict.fromkeys(asked, "not_needed"))
            await asyncio.gather(*(self._agree(store, key, result, held, outcomes) for key, result in results.items()))
        except Exception as error:
            why = type(error).__name__
            self._tell(PROBLEM, (f"{asking.settings.model}: {why}; messages are routed without it",))
        finally:
            for key in by_key:
                self._put(key, held.get(key))
                self._pending.pop(key, None)
        return {by_key[key]: outcome for key, outcome in outcomes.items()}

    def _may_change(
        self, asking: Asking, first: RoutingQuestion, held: Mapping[str, StoredAnswer], left: Sequence[str]
    ) -> bool:
        """Whether asking this question and those behind it can add something to what is sent by now.

        ``left``: the questions that nobody answered. One that another request is asking about may yet be answered.
        """
        model = asking.settings.model
        before = [_key(model, each) for each in asking.questions[: asking.questions.index(first)]]
        if any(key not in held and key not in left and key not in self._entries for key in before):
            return True

        def answers(model: str, question: RoutingQuestion) -> RoutingAnswer | None:
            key = _key(model, question)
            return held[key] if key in held else self.known(model, question)

        return asking.may_change(first, answers)

    async def _agree(
        self,
        store: AnswerStore | None,
        key: str,
        result: CallResult,
        held: dict[str, StoredAnswer],
        outcomes: dict[str, RoutingOutcome],
    ) -> None:
        """Notes the answer that every process goes by: our own, where no other process was first."""
        own = None if isinstance(result, str) else result
        outcomes[key] = result if isinstance(result, str) else "answered"
        held[key] = own
        if store is None:
            return
        agreed = await _within(AGREE_SECONDS, _boxed(store.agree(key, own, int(_lifetime(own)))))
        if agreed is not None and agreed != (own,):
            [held[key]] = agreed
            outcomes[key] = _outcome_of(held[key])

    def _get(self, key: str) -> _RememberedAnswer | None:
        """What is known. A failure that is asked for holds anew, and stores are told that it does."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        now = self._clock()
        if entry.answer is None:
            if entry.until < now:
                del self._entries[key]
                return None
            entry.until = now + FAILURE_SECONDS
        if self._store is not None and now >= entry.renew_at:
            ttl = _lifetime(entry.answer)
            entry.renew_at = now + ttl / 2
            self._in_background(_quietly(self._store.renew(key, entry.answer, int(ttl))))
        self._entries.move_to_end(key)
        return entry

    def _put(self, key: str, answer: StoredAnswer) -> None:
        now = self._clock()
        self._entries[key] = _RememberedAnswer(
            answer, until=now + FAILURE_SECONDS, renew_at=now + _lifetime(answer) / 2
        )
        self._entries.move_to_end(key)
        while len(self._entries) > MAX_ENTRIES:
            self._entries.popitem(last=False)

    def _in_background(self, work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        """A task that nobody's going away ends."""
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task


def _outcome_of(answer: StoredAnswer) -> RoutingOutcome:
    return "unanswered" if answer is None else "remembered"


def _lifetime(answer: StoredAnswer) -> float:
    return FAILURE_SECONDS if answer is None else float(ANSWER_SECONDS)


def _key(model: str, question: RoutingQuestion) -> str:
    return _digest("\0".join((model, _digest_of_sections(question.sections), question.conversation)))


@lru_cache(maxsize=64)
def _digest_of_sections(sections: str) -> str:
    """Remembered: all questions of a profile have the same, and each call asks for those of the whole conversation."""
    return _digest(sections)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


async def _within(seconds: float, work: Awaitable[Result] | None) -> Result | None:
    """The result; None where there is none in time, and where it fails."""
    if work is None:
        return None
    try:
        async with asyncio.timeout(seconds):
            return await work
    except Exception:
        return None


async def _boxed(work: Awaitable[Result]) -> tuple[Result]:
    return (await work,)


async def _quietly(work: Awaitable[Any]) -> None:
    await _within(WRITE_SECONDS, work)
