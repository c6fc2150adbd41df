"""Requests and their responses -> the traffic file, of the keys that are captured."""

from __future__ import annotations

from typing import Any

from litellm_prompt_router.gateway import metadata_bag
from litellm_prompt_router.gateway.caller import alias_of
from litellm_prompt_router.record.record import Facts
from litellm_prompt_router.request.wire import SHAPES, answer_of, client_body, sender_of, snapshot
from litellm_prompt_router.telemetry.capture import CapturedAnswer, CapturedRequest
from litellm_prompt_router.telemetry.dispatch import Dispatcher


class CapturedCalls:
    """Hands over what is captured. Never waits."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    def request(self, key: Any, data: dict[str, Any], call_type: str) -> None:
        """The body as the client sent it, rewritten or not. Raises nothing."""
        alias = alias_of(key)
        if alias is None or not self._dispatcher.is_captured(alias) or call_type not in SHAPES:
            return
        try:
            facts = metadata_bag.facts_of_request(data)
            if facts is not None:
                asked = CapturedRequest(
                    request_id=facts.caller.request_id,
                    at_seconds=facts.caller.started_seconds,
                    key=alias,
                    sender=sender_of(data, call_type),
                    endpoint=call_type,
                    request=snapshot(client_body(data)),
                )
                self._dispatcher.submit_captured_request(asked)
        except Exception as error:
            self._dispatcher.submit_error(error, "capture")

    def answer(self, facts: Facts, response: Any, request_id: str | None = None) -> None:
        """The response to a request that was captured; None where there was none.

        ``request_id``: its own, where ``facts`` are of one of several calls that it made.
        """
        if self._dispatcher.is_captured(facts.caller.key_alias):
            own_id = request_id or facts.caller.request_id
            answered = CapturedAnswer(request_id=own_id, response=answer_of(response))
            self._dispatcher.submit_captured_answer(answered)
