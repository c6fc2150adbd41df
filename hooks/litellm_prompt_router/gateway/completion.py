"""What finished requests cost, and what they would have cost: from the request to its completed record.

Completing a record takes milliseconds, and a round trip where replicas share what they saw: a thread of its own does
it, one record after the other, ahead of LiteLLM's loggers, so that they can be told the net figure. Between its steps
it sleeps for a moment: Python would let it run for 5 ms while the event loop waits for its turn.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from math import inf
from typing import Any

from litellm_prompt_router.accounting.accountant import Accountant, AnsweredAttempt
from litellm_prompt_router.accounting.in_flight import InFlightRequests, PackedRequest
from litellm_prompt_router.accounting.shared_entries import RedisEntries
from litellm_prompt_router.gateway import proxy_server
from litellm_prompt_router.gateway.accounting_thread import AccountingThread
from litellm_prompt_router.gateway.deployments.answering import AnsweringDeployments
from litellm_prompt_router.gateway.deployments.translation import LiteLLMTranslator
from litellm_prompt_router.process_memory.bounded import register_memory
from litellm_prompt_router.record.prompt_state import places_of
from litellm_prompt_router.record.record import Caller, Record
from litellm_prompt_router.request.walk_steps import WalkResult
from litellm_prompt_router.request.wire import SHAPES
from litellm_prompt_router.request.wire.body_shape import has_shape
from litellm_prompt_router.request.wire.marking import Marking
from litellm_prompt_router.telemetry.dispatch import Dispatcher

BEHIND_TITLE = "Accounting is behind"
REDIS_TITLE = "Replicas' calls not shared"
MAX_COMPLETED = 4_096
"""Records that wait for LiteLLM's own event, which follows at once."""
MAX_COMPLETING = 1_000
"""Records in line for the thread; a slow Redis can't make it longer."""
GIVE_WAY_SECONDS = 0.00005
"""Enough for another thread to get its turn."""
GIVE_WAY_AFTER_SECONDS = 0.0008
"""Of work: each turn that is given costs as much as some of the steps do."""
_ATTEMPT = " attempt"
"""Ends the name under which it is kept what one attempt carries."""
ACCOUNTING_BEHIND = "unavailable: accounting is behind"
ACCOUNTING_FAILED = "unavailable: a fault in accounting"
UNREADABLE_BODY = "unavailable: the request doesn't have its endpoint's form"


def _giving_way() -> Callable[[], None]:
    """Lets another thread have its turn, where it waited for long enough."""
    given_seconds = 0.0

    def give_way() -> None:
        nonlocal given_seconds
        if time.perf_counter() - given_seconds >= GIVE_WAY_AFTER_SECONDS:
            time.sleep(GIVE_WAY_SECONDS)
            given_seconds = time.perf_counter()

    return give_way


class RecordCompleter:
    """The requests in flight of one process, and the accountant. ``keep`` and ``drop`` never wait and raise nothing."""

    def __init__(self, dispatcher: Dispatcher, count_tokens: Callable[[str], int], since_seconds: float) -> None:
        self._dispatcher = dispatcher
        self._kept = InFlightRequests()
        self._accountant = Accountant(
            count_tokens,
            since_seconds,
            deployments=AnsweringDeployments(),
            translator=LiteLLMTranslator(),
            shared=self._shared,
            give_way=_giving_way(),
        )
        self._thread = AccountingThread("prompt-router-accounts")
        self._redis: RedisEntries | None = None
        self._completing = 0
        self._behind = 0
        self._completed: OrderedDict[str, Record] = OrderedDict()
        register_memory(self, "completed records", MAX_COMPLETED, lambda it: len(it._completed))
        register_memory(self, "records being completed", MAX_COMPLETING, lambda it: it._completing)

    def __len__(self) -> int:
        """Requests whose records aren't out yet."""
        return len(self._kept) + self._completing + len(self._completed)

    @property
    def unaccounted(self) -> int:
        """Answered requests since the start whose records have no saving because a bound was reached."""
        return self._behind + self._kept.dropped

    @property
    def is_shared(self) -> bool:
        """Whether what is observed here is shared with other processes."""
        return self._redis is not None or proxy_server.redis() is not None

    def keep(
        self,
        caller: Caller,
        data: Mapping[str, Any],
        walked: WalkResult,
        *,
        is_sent: bool,
        unobserved_until: float = -inf,
        written_tools: bytes | None = None,
    ) -> None:
        """What accounting will ask for when the request is answered. ``written_tools`` as ``InFlightRequests.put``."""
        if caller.endpoint not in SHAPES:
            return
        recognition = walked.outcome.recognition
        try:
            self._kept.put(
                caller.request_id,
                caller.endpoint,
                data,
                walked.body,
                caller.started_seconds,
                is_sent=is_sent,
                marking=walked.marking,
                places=None if recognition is None else places_of(recognition),
                unobserved_until=unobserved_until,
                written_tools=written_tools,
            )
        except Exception as error:
            if has_shape(data, caller.endpoint):
                self._dispatcher.submit_error(error, "accounting")

    def share(self, request_id: str, other_id: str) -> None:
        """Keeps a request for a call that goes out beside others, too."""
        self._kept.share(request_id, other_id)

    def attempt(
        self,
        request_id: str,
        *,
        original: Mapping[str, Any] | None = None,
        rewritten: Mapping[str, Any] | None = None,
        marking: Marking | None = None,
    ) -> None:
        """Takes what the attempt that is out carries where that isn't what left; the latest one counts.

        ``original``: a body that isn't ours; ``rewritten``: ours, as this deployment gets it with ``marking``. Without
        either it carries what left.
        """
        own = request_id + _ATTEMPT
        self._kept.take(own)
        if original is not None or rewritten is not None:
            self._kept.share(request_id, own)
            self._kept.change(own, original=original, rewritten=rewritten, marking=marking)

    def observe_anew(self, now_seconds: float) -> None:
        """Tells accounting that requests before this moment passed unseen: what they cached isn't known."""
        self._accountant.observe_anew(now_seconds)

    def drop(self, request_id: str) -> None:
        """Forgets a request that was never answered."""
        self._take(request_id)
        self._completed.pop(request_id, None)

    def _take(self, request_id: str) -> PackedRequest | None:
        """What its latest attempt carried."""
        left, own = self._kept.take(request_id), self._kept.take(request_id + _ATTEMPT)
        return left if own is None else own

    async def complete(self, record: Record, answer: AnsweredAttempt) -> Record:
        """The record with its price and its counterfactual; as it is where accounting fails."""
        kept = self._take(record.facts.caller.request_id)
        if kept is None and record.facts.is_off:  # a price, which takes less time than handing it to a thread
            record = self._priced_alone(record, answer)
        elif self._completing < MAX_COMPLETING:
            record = await self._in_thread(record, answer, kept)
        else:
            if not self._behind:
                line = f"more than {MAX_COMPLETING:,} records wait: those beyond go out without an estimate"
                self._dispatcher.submit_problem(BEHIND_TITLE, (line,))
            self._behind += 1
            record = replace(record, estimated_net_saved_reason=ACCOUNTING_BEHIND)
        while len(self._completed) >= MAX_COMPLETED:
            self._completed.popitem(last=False)
        self._completed[record.facts.caller.request_id] = record
        return record

    def _priced_alone(self, record: Record, answer: AnsweredAttempt) -> Record:
        try:
            return self._accountant.complete(record, answer, None)
        except Exception as error:
            self._dispatcher.submit_error(error, "accounting")
            return replace(record, estimated_net_saved_reason=ACCOUNTING_FAILED)

    async def _in_thread(self, record: Record, answer: AnsweredAttempt, kept: PackedRequest | None) -> Record:
        self._completing += 1
        try:
            return await self._thread.run(partial(self._completed_by_accountant, record, answer, kept))
        except Exception as error:
            self._dispatcher.submit_error(error, "accounting")
            return replace(record, estimated_net_saved_reason=ACCOUNTING_FAILED)
        finally:  # LiteLLM cancels what its logging waits for too long
            self._completing -= 1

    def _completed_by_accountant(self, record: Record, answer: AnsweredAttempt, kept: PackedRequest | None) -> Record:
        """In the thread. What fails on a body that isn't what its endpoint takes is no fault of ours."""
        try:
            return self._accountant.complete(record, answer, kept)
        except Exception:
            if kept is None or _has_shape(kept):
                raise
            return replace(record, estimated_net_saved_reason=UNREADABLE_BODY)

    def completed(self, request_id: str) -> Record | None:
        """The record that ``complete`` gave, once."""
        return self._completed.pop(request_id, None)

    def close(self) -> None:
        """Ends the thread once it is done with what it has."""
        self._thread.close()

    def _shared(self) -> RedisEntries | None:
        """LiteLLM's Redis, from the moment that it has one."""
        if self._redis is None:
            found = proxy_server.redis()
            if found is not None:
                self._redis = RedisEntries(found, lambda line: self._dispatcher.submit_problem(REDIS_TITLE, (line,)))
        return self._redis


def _has_shape(kept: PackedRequest) -> bool:
    try:
        return has_shape(kept.unpacked().original, kept.endpoint)
    except (RecursionError, MemoryError):
        return False
