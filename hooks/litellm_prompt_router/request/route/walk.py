"""How far a conversation has been read, and the conversations remembered so that no call reads one from the start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from litellm_prompt_router.process_memory.bounded import register_memory
from litellm_prompt_router.profile.fitted import Floats
from litellm_prompt_router.profile.profile import Ignore
from litellm_prompt_router.request.route.agent_words import MAX_SAID_CHARS
from litellm_prompt_router.request.route.embeddings import MessageEmbedding
from litellm_prompt_router.request.route.needed_modules import Need
from litellm_prompt_router.request.route.own_words import stands_for_history
from litellm_prompt_router.request.route.reader import lengths_of
from litellm_prompt_router.request.route.routing_answers import RoutingAnswer
from litellm_prompt_router.request.route.scores import GateState
from litellm_prompt_router.request.route.uncalibrated import NOT_CALIBRATED
from litellm_prompt_router.request.types import MessageKind, Turn

MAX_WALKS = 1024
"""Conversations remembered up to their latest user message, for each profile: as hashes and module numbers, no text."""


@dataclass(slots=True)
class Walk:
    """How far a conversation has been read: everything that the next turn's reading depends on."""

    need: Need
    state: GateState
    kind: MessageKind = "none"
    fallback: str | None = None
    query_chars: int = 0
    in_use: set[int] = field(default_factory=set)
    absent: frozenset[int] = frozenset()
    """Modules that the base lacks because their tools aren't declared and weren't called so far."""
    has_base: bool = False
    """True once a message was there of which nobody said what it needs."""
    turn_number: int = 0
    """User messages so far that say something."""
    message_at: int = -1
    """The turn of the latest of them."""
    asked: Floats | None = None
    """What the user's messages so far add to what the agent's words speak for; None: not known yet."""

    def restart(self, anew: Walk) -> None:
        """This very walk as if it began here."""
        self.need, self.state, self.fallback, self.in_use = anew.need, anew.state, None, set()
        self.has_base = False

    def copy(self) -> Walk:
        return replace(self, need=self.need.copy(), state=self.state.copy(), in_use=set(self.in_use))

    def send_all(self, reason: str, *, at: int) -> None:
        """Every module from turn ``at`` on: which ones were in use before can't be told."""
        if self.need.bring_all(reason, at=at) or self.fallback is None:
            self.fallback = reason if self.fallback in (None, NOT_CALIBRATED) else self.fallback

    def send_base(self, modules: Sequence[int], *, at: int) -> None:
        """The modules that are sent where nobody knows what a message needs."""
        if self.need.bring_base(modules, NOT_CALIBRATED, at=at):
            self.fallback = self.fallback or NOT_CALIBRATED


WalkKey = tuple[int, int]
"""A user turn, and a hash of what routing reads of the turns ahead of it."""


class RememberedWalks:
    """One profile's walks, each as it stood ahead of a user message: earlier tool calls have their results there."""

    def __init__(self, ignore: Ignore, *, is_listening: bool) -> None:
        self._ignore = ignore
        self._is_listening = is_listening
        self._walks: dict[WalkKey, Walk] = {}
        register_memory(self, "conversations walked", MAX_WALKS, lambda it: len(it._walks))

    def keys(
        self,
        turns: Sequence[Turn],
        embeddings: Mapping[int, MessageEmbedding],
        answered: Mapping[int, RoutingAnswer] | None,
        absent: frozenset[int],
    ) -> list[WalkKey]:
        """One for each user message, in order: what was read ahead of it, and what the request's tools leave out."""
        ignore, is_listening = self._ignore, self._is_listening
        keys: list[WalkKey] = []
        key = hash((absent, answered is None)) if absent or answered is not None else 0
        for at, turn in enumerate(turns):
            if turn.role == "user":
                keys.append((at, key))
                embedding = embeddings.get(at)
                key = hash((key, turn.text, lengths_of(turn), turn.attachments, embedding and embedding.digest))
                if answered is not None:
                    key = hash((key, answered.get(at)))
            else:
                role, text, _, calls, _, _, declared, arguments = turn
                said = (text[-MAX_SAID_CHARS:], arguments) if is_listening and role == "assistant" else None
                key = hash((key, role, calls, declared, stands_for_history(turn, ignore), said))
        return keys

    def latest(self, keys: Sequence[WalkKey]) -> tuple[int, Walk] | None:
        """The longest walk that is remembered of a conversation, and the turn ahead of which it stands."""
        return next(((key[0], walk) for key in reversed(keys) if (walk := self._walks.get(key)) is not None), None)

    def remember(self, key: WalkKey, walk: Walk) -> None:
        if len(self._walks) >= MAX_WALKS:
            self._walks.pop(next(iter(self._walks)), None)
        self._walks[key] = walk
