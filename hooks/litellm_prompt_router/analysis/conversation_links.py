"""Which calls in a ledger follow each other, whichever workers answered them.

A call follows the one whose messages it sends again ahead of the latest answer: so conversations that open with the
same words part where their answers differ. Where a client has dropped the beginning of a history, its last few
messages are still known, or the client names its session; then the call belongs to the conversation, and its history
begins anew. The same messages once more are the same call again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from litellm_prompt_router.analysis.ledger_calls import LedgerCall

MAX_ALIKE = 64
"""Calls with the same messages that are remembered, the latest ones: bots ask the same thing all day."""


class LinkedCall(NamedTuple):
    """A call in its conversation. ``continues``: the place, in the list of calls, of the one whose messages it repeats;
    None where its history isn't known from any.
    """

    call: LedgerCall
    conversation: int
    continues: int | None
    is_repeated: bool
    """It is the call that it continues, sent once more."""


def linked(calls: Sequence[LedgerCall]) -> list[LinkedCall]:
    """The calls, given in the order of their times, each with its conversation; these are numbered as they begin."""
    links = _Links()
    return [links.take(at, call) for at, call in enumerate(calls)]


class _Links:
    def __init__(self) -> None:
        self._found: list[LinkedCall] = []
        self._with_state: dict[tuple[str, str], deque[int]] = {}
        self._with_recent: dict[tuple[str, str], int] = {}
        self._latest_named: dict[tuple[str, str], int] = {}
        self._continued: set[int] = set()
        self._conversations = 0

    def take(self, at: int, call: LedgerCall) -> LinkedCall:
        link = self._link(call)
        self._found.append(link)
        self._with_state.setdefault((call.key, call.state), deque(maxlen=MAX_ALIKE)).append(at)
        if call.recent_state is not None:
            self._with_recent[call.key, call.recent_state] = at
        if call.conversation is not None:
            self._latest_named[call.key, call.conversation] = at
        if link.continues is not None:
            self._continued.add(link.continues)
        return link

    def _link(self, call: LedgerCall) -> LinkedCall:
        seen = ([*self._with(call, state)] for state in call.previous_states)
        ahead = next((those for those in seen if those), [])
        at = next((at for at in ahead if at not in self._continued), None)
        if at is not None:
            return LinkedCall(call, self._found[at].conversation, at, is_repeated=False)
        if not call.begins or call.names_session:
            at = next(self._with(call, call.state), None)
            if at is not None:
                return LinkedCall(call, self._found[at].conversation, at, is_repeated=True)
        if ahead:
            return LinkedCall(call, self._found[ahead[0]].conversation, ahead[0], is_repeated=False)
        at = self._shortened(call)
        if at is not None:
            return LinkedCall(call, self._found[at].conversation, None, is_repeated=False)
        self._conversations += 1
        return LinkedCall(call, self._conversations - 1, None, is_repeated=False)

    def _with(self, call: LedgerCall, state: str) -> Iterator[int]:
        """Calls with this state: first those of the same conversation as callers tell it, each the latest first."""
        alike = self._with_state.get((call.key, state), ())
        for is_same in (True, False):
            for at in reversed(alike):
                if (self._found[at].call.conversation == call.conversation) is is_same:
                    yield at

    def _shortened(self, call: LedgerCall) -> int | None:
        """A call of the same conversation, of whose history this one has only a part."""
        if call.previous_recent_state is not None:
            at = self._with_recent.get((call.key, call.previous_recent_state))
            if at is not None:
                return at
        if call.conversation is None or (call.begins and not call.names_session):
            return None
        return self._latest_named.get((call.key, call.conversation))
