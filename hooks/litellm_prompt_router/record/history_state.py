"""The messages of one request as short hashes and sizes, by which a reader of ledgers links a conversation's calls.

A call's ``history_state`` is among the ``previous_history_states`` of the call that follows it in an ordinary client,
which sends the same messages again, then the answer, then what is new. No text can be read back from any of it; but a
ledger has the key's alias as well, so whoever guesses a short value to the letter can tell that the guess is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from litellm_prompt_router.request.types import RESULT_ROLES, Turn

DIGEST_BYTES = 8
EARLIER_STATES = 3
"""Of one answer several turns may be made (the Responses API), some of them between results."""
RECENT_TURNS = 2
"""A client that drops the beginning of a history keeps at least the last answer and what followed it."""
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
    """Of the last few: still the same where a client has dropped the beginning."""
    previous_recent_state: str | None = None
    history_tokens: int | None = None
    """With the arguments of tool calls."""
    tools_state: str | None = None
    tools_tokens: int | None = None
    placed_state: str | None = None
    """Of the system prompt: the values of slots, and unknown text, that stay where they are in a rewritten one."""
    varying_state: str | None = None
    """Of those that go to a rewritten prompt's end."""


def history_state_of(turns: Sequence[Turn], scope: str) -> HistoryState:
    """The hashes of these messages, by ``scope``, which stands for the key."""
    told = [turn for turn in turns if turn.role in _NO_ANSWER or turn.text or turn.tool_calls or turn.attachments]
    begins = [at for at in range(1, len(told)) if _is_answer(told[at]) and not _is_answer(told[at - 1])]
    wanted = begins[-EARLIER_STATES:]
    states: dict[int, str] = {}
    hasher = blake2b(scope.encode("utf-8", "backslashreplace"), digest_size=DIGEST_BYTES)
    for at, turn in enumerate(told):
        if at in wanted:
            states[at] = hasher.hexdigest()
        hasher.update(_as_bytes(turn))
    return HistoryState(
        message_count=len(told),
        history_state=hasher.hexdigest(),
        previous_history_states=tuple(states[at] for at in reversed(wanted)),
        recent_state=_recent(told, scope),
        previous_recent_state=_recent(told[: begins[-1]], scope) if begins else None,
    )


def digest_of_text(text: str, scope: str) -> str:
    """A short hash, by ``scope``."""
    hasher = blake2b(scope.encode("utf-8", "backslashreplace"), digest_size=DIGEST_BYTES)
    hasher.update(b"\0" + text.encode("utf-8", "backslashreplace"))
    return hasher.hexdigest()


def _recent(turns: Sequence[Turn], scope: str) -> str | None:
    if len(turns) < RECENT_TURNS:
        return None
    hasher = blake2b(scope.encode("utf-8", "backslashreplace"), digest_size=DIGEST_BYTES)
    for turn in turns[-RECENT_TURNS:]:
        hasher.update(_as_bytes(turn))
    return hasher.hexdigest()


def _is_answer(turn: Turn) -> bool:
    return turn.role not in _NO_ANSWER


def _as_bytes(turn: Turn) -> bytes:
    fields = (turn.role, turn.text, *turn.attachments, *turn.tool_calls, *turn.arguments)
    encoded = [each.encode("utf-8", "backslashreplace") for each in fields]
    counts = b"%d,%d,%d;" % (len(turn.attachments), len(turn.tool_calls), len(turn.arguments))
    return counts + b"".join([b"%d:%s" % (len(raw), raw) for raw in encoded])
