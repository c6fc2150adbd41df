"""The messages of one request as short hashes and sizes, by which a reader of ledgers links a conversation's calls.

A call's ``history_state`` is among the ``previous_history_states`` of the call that follows it in an ordinary client,
which sends the same messages again, then the answer, then what is new. No text can be read back from any of it; but a
ledger has the key's alias as well, so whoever guesses a short value to the letter can tell that the guess is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, NamedTuple

from litellm_prompt_router.request.types import RESULT_ROLES, Turn

DIGEST_BYTES = 8
EARLIER_STATES = 3
"""Of one answer several turns may be made (the Responses API), some of them between results."""
_NO_ANSWER = RESULT_ROLES | {"user", "system", "developer"}


@dataclass(frozen=True, kw_only=True, slots=True)
class HistoryState:
    """What is told of the messages behind the system prompt, and of what varies in that.

    Hashes are by key: other keys' calls differ.

    Found in a thread of our own when the answer is there. Token figures are by our own count, as the prompt's are.
    """

    message_count: int | None = None
    history_state: str | None = None
    """Of all of them."""
    previous_history_states: tuple[str, ...] = ()
    """Of those ahead of the last answer, then ahead of the one before it and so on: what earlier calls had."""
    recent_state: str | None = None
    """Of the last two: a client that has dropped the beginning keeps at least the last answer and what followed it."""
    previous_recent_state: str | None = None
    history_tokens: int | None = None
    """With the arguments of tool calls."""
    tools_state: str | None = None
    tools_tokens: int | None = None
    placed_state: str | None = None
    """Of the system prompt: the values of slots, and unknown text, that stay where they are in a rewritten one."""
    varying_state: str | None = None
    """Of those that go to a rewritten prompt's end."""


class HistorySoFar(NamedTuple):
    """What is told of the first messages, to go on from. Hashes that can be added to, but no text."""

    messages: int
    hasher: Any
    """Of all of them, by the scope."""
    last: Any
    """Of the last one alone; None: there is none."""
    is_answered: bool
    """The last one is an answer."""
    states: tuple[str, ...] = ()
    """Those ahead of the last answers, the latest last."""
    recent: str | None = None
    previous_recent: str | None = None

    def told(self) -> HistoryState:
        """As a record says it."""
        return HistoryState(
            message_count=self.messages,
            history_state=self.hasher.hexdigest(),
            previous_history_states=self.states[::-1],
            recent_state=self.recent,
            previous_recent_state=self.previous_recent,
        )


def history_before(scope: str) -> HistorySoFar:
    """Of no messages. ``scope`` stands for the key."""
    return HistorySoFar(0, _hasher(scope), None, is_answered=False)


def history_after(before: HistorySoFar, turns: Sequence[Turn], scope: str) -> HistorySoFar:
    """With these messages behind the others."""
    told = [turn for turn in turns if turn.role in _NO_ANSWER or turn.text or turn.tool_calls or turn.attachments]
    if not told:
        return before
    answers = [before.is_answered or not before.messages, *map(_is_answer, told)]
    begins = [at for at in range(len(told)) if answers[at + 1] and not answers[at]]
    wanted = begins[-EARLIER_STATES:]
    written = [_as_bytes(turn) for turn in told]
    states = list(before.states)
    hasher = before.hasher.copy()
    for at, raw in enumerate(written):
        if at in wanted:
            states.append(hasher.hexdigest())
        hasher.update(raw)

    def recent(at: int) -> str | None:
        """Of the two ahead of this one."""
        if at == 0:
            return before.recent
        if at == 1:
            pair = None if before.last is None else before.last.copy()
        else:
            pair = _hasher(scope)
            pair.update(written[at - 2])
        if pair is None:
            return None
        pair.update(written[at - 1])
        return str(pair.hexdigest())

    last = _hasher(scope)
    last.update(written[-1])
    return HistorySoFar(
        messages=before.messages + len(told),
        hasher=hasher,
        last=last,
        is_answered=answers[-1],
        states=tuple(states[-EARLIER_STATES:]),
        recent=recent(len(told)),
        previous_recent=recent(begins[-1]) if begins else before.previous_recent,
    )


def history_state_of(turns: Sequence[Turn], scope: str) -> HistoryState:
    """The hashes of these messages, by ``scope``, which stands for the key."""
    return history_after(history_before(scope), turns, scope).told()


def digest_of_text(text: str, scope: str) -> str:
    """A short hash, by ``scope``."""
    hasher = _hasher(scope)
    hasher.update(b"\0" + text.encode("utf-8", "backslashreplace"))
    return str(hasher.hexdigest())


def _hasher(scope: str) -> Any:
    return blake2b(scope.encode("utf-8", "backslashreplace"), digest_size=DIGEST_BYTES)


def _is_answer(turn: Turn) -> bool:
    return turn.role not in _NO_ANSWER


def _as_bytes(turn: Turn) -> bytes:
    fields = (turn.role, turn.text, *turn.attachments, *turn.tool_calls, *turn.arguments)
    encoded = [each.encode("utf-8", "backslashreplace") for each in fields]
    counts = b"%d,%d,%d;" % (len(turn.attachments), len(turn.tool_calls), len(turn.arguments))
    return counts + b"".join([b"%d:%s" % (len(raw), raw) for raw in encoded])
