"""One record for each call that a request makes side by side, from the hooks that LiteLLM calls for each of them.

LiteLLM's own event tells of one of them, and names the model that was chosen last: of those that were answered whole
it is taken for their summary alone; of a stream, and of an answer from the response cache, there is no other.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from litellm_prompt_router.gateway import metadata_bag
from litellm_prompt_router.gateway.calls_beside import CallBeside
from litellm_prompt_router.gateway.completion import RecordCompleter
from litellm_prompt_router.gateway.events import answered_attempt, failure_record, success_record
from litellm_prompt_router.gateway.facts_in_flight import LeftRequest, SideBySide
from litellm_prompt_router.record.record import Facts, Record

TAKEN_ANOTHER = "LiteLLM took another model's answer before this one's"


class RecordsBeside:
    """For one thread, LiteLLM's. ``finish`` takes each finished record."""

    def __init__(self, completer: RecordCompleter, finish: Callable[[Record], None]) -> None:
        self._completer = completer
        self._finish = finish
        self._tasks: set[asyncio.Task[Record]] = set()

    def answered(self, request_data: Mapping[str, Any], response: Any, call_type: object) -> None:
        """Takes a call's response. Its record follows, without the client waiting for it."""
        found = _call_of(request_data, call_type)
        if found is None:
            return
        seal, left, beside, call = found
        del beside.out[seal]
        task = asyncio.get_running_loop().create_task(
            self._completed(seal, left, _own_id(beside, left), call.event(response), response)
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        beside.answered[id(response)] = task

    def failed(self, request_data: Mapping[str, Any], call_type: object, error: Exception) -> None:
        """Forgets a call that failed: it isn't billed, and another attempt may follow."""
        found = _call_of(request_data, call_type)
        if found is not None:
            seal, left, beside, _ = found
            del beside.out[seal]
            beside.error = error
            self._forget(seal, left)

    async def logged(self, left: LeftRequest, kwargs: Mapping[str, Any], response: Any) -> Record | None:
        """The record that LiteLLM's event of such a request tells of; None where there is none."""
        beside = left.beside
        if beside is None:
            return None
        task: asyncio.Task[Record] | None = beside.answered.pop(id(response), None)
        if task is not None:
            return await task
        if kwargs.get("cache_hit"):
            return await self._completed(None, left, _own_id(beside, left), kwargs, response)
        if kwargs.get("stream") is not True or not beside.out:
            return None
        seal = _streaming(beside.out, getattr(response, "model", None))
        call, one = beside.out.pop(seal), metadata_bag.left_at(seal) or left
        event = {**kwargs, **call.event(response)}
        record = await self._completed(seal, one, _own_id(beside, one), event, response)
        self._cancelled(beside)
        return record

    def ended(self, left: LeftRequest, data: Mapping[str, Any], *, is_stream: bool) -> None:
        """Tells that the client gets its response: none of the calls that are out will be answered, save for streams.

        Where LiteLLM takes the fastest answer it goes away from the others, which may be billed all the same. Where all
        of them failed it answers with a list of errors, and that is a request that failed.
        """
        if left.beside is None or is_stream:
            return
        self._completer.drop(left.facts.caller.request_id)
        error, is_answered = left.beside.error, bool(left.beside.records or left.beside.out)
        if error is not None and not is_answered:
            self._finish(failure_record(left.facts, error))
        if data.get("fastest_response") and left.beside.records:
            self._cancelled(left.beside)
        for seal in [*left.beside.out]:
            del left.beside.out[seal]
            one = metadata_bag.left_at(seal)
            if one is not None:
                self._forget(seal, one)

    def failed_together(self, left: LeftRequest, error: Exception) -> bool:
        """Finishes a record for each call that is out of a request that failed; False where none is."""
        beside = left.beside
        if beside is None or not beside.out:
            return False
        self._completer.drop(left.facts.caller.request_id)
        self._unanswered(beside, lambda facts: failure_record(facts, error))
        return True

    def _cancelled(self, beside: SideBySide) -> None:
        self._unanswered(beside, _cancelled_record)

    def _unanswered(self, beside: SideBySide, record_of: Callable[[Facts], Record]) -> None:
        for seal in [*beside.out]:
            call, one = beside.out.pop(seal), metadata_bag.left_at(seal)
            if one is None:
                continue
            model, provider = call.model_and_provider()
            record = replace(record_of(one.facts), model=model, provider=provider)
            self._forget(seal, one)
            self._finish(_renamed(record, _own_id(beside, one)))

    def _forget(self, seal: str, left: LeftRequest) -> None:
        self._completer.drop(left.facts.caller.request_id)
        metadata_bag.forget(seal)

    async def _completed(
        self, seal: str | None, left: LeftRequest, own_id: str, event: Mapping[str, Any], response: Any
    ) -> Record:
        record = success_record(left.facts, event, response)
        record = await self._completer.complete(record, answered_attempt(event, response, left.usage_reason))
        self._completer.drop(left.facts.caller.request_id)
        record = _renamed(record, own_id)
        self._finish(record)
        if seal is not None:
            metadata_bag.finish_attempt(seal)
        return record


def _call_of(
    request_data: Mapping[str, Any], call_type: object
) -> tuple[str, LeftRequest, SideBySide, CallBeside] | None:
    bag = metadata_bag.bag_with_facts(request_data)
    left = None if bag is None else metadata_bag.left_in(bag)
    seal = None if bag is None else metadata_bag.seal_in(bag)
    if left is None or seal is None or left.beside is None or call_type != left.facts.caller.endpoint:
        return None
    call = left.beside.out.get(seal)
    return None if call is None else (seal, left, left.beside, call)


def _own_id(beside: SideBySide, left: LeftRequest) -> str:
    """The id of the next record: the first has the request's own, which is in the bill of what it asked."""
    beside.records += 1
    return beside.request_id if beside.records == 1 else left.facts.caller.request_id


def _renamed(record: Record, own_id: str) -> Record:
    caller = replace(record.facts.caller, request_id=own_id)
    return replace(record, facts=replace(record.facts, caller=caller))


def _streaming(out: Mapping[str, CallBeside], model: object) -> str:
    """The seal of the call whose stream says that it is this model's; where none does, of the latest."""
    fitting = [seal for seal, call in out.items() if call.model_and_provider()[0] == model]
    return fitting[0] if fitting else [*out][-1]


def _cancelled_record(facts: Facts) -> Record:
    return Record(
        facts=facts,
        finished_seconds=time.time(),
        status="failure",
        error_type=asyncio.CancelledError.__name__,
        model=None,
        provider=None,
        usage=None,
        usage_reason=TAKEN_ANOTHER,
        billed_usd=None,
        billed_reason=TAKEN_ANOTHER,
        response_cached=False,
    )
