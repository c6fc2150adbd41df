"""How far a conversation has been read, and the conversations remembered so that no call reads one from the start."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, NamedTuple

from litellm_prompt_router.process_memory.bounded import register_memory
from litellm_prompt_router.profile.fitted import Floats
from litellm_prompt_router.request.history import History
from litellm_prompt_router.request.message_chain import STRIDE, MessageChain
from litellm_prompt_router.request.route.embeddings import MessageEmbedding
from litellm_prompt_router.request.route.needed_modules import Need
from litellm_prompt_router.request.route.own_words import INSTRUCTING
from litellm_prompt_router.request.route.routing_answers import RoutingAnswer
from litellm_prompt_router.request.route.scores import GateState
from litellm_prompt_router.request.route.uncalibrated import NOT_CALIBRATED
from litellm_prompt_router.request.types import RESULT_ROLES, MessageKind, Turn

MAX_WALKS = 1024
"""Conversations remembered up to a message, for each profile: as hashes and module numbers, no text."""
ENDING = INSTRUCTING | {"user"}
"""Roles of turns that end an answer and its calls."""
SETTLED_BEHIND = ENDING | RESULT_ROLES
"""Roles of turns behind which nothing is open where a turn of another kind than a result follows."""


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
        return Walk(  # by position: for each call there are some
            self.need.copy(),
            self.state.copy(),
            self.kind,
            self.fallback,
            self.query_chars,
            set(self.in_use),
            self.absent,
            self.has_base,
            self.turn_number,
            self.message_at,
            self.asked,
        )

    def send_all(self, reason: str, *, at: int) -> None:
        """Every module from turn ``at`` on: which ones were in use before can't be told."""
        if self.need.bring_all(reason, at=at) or self.fallback is None:
            self.fallback = reason if self.fallback in (None, NOT_CALIBRATED) else self.fallback

    def send_base(self, modules: Sequence[int], *, at: int) -> None:
        """The modules that are sent where nobody knows what a message needs."""
        if self.need.bring_base(modules, NOT_CALIBRATED, at=at):
            self.fallback = self.fallback or NOT_CALIBRATED


class WalkVariant(NamedTuple):
    """What a walk depends on beside the turns: modules that the request's tools leave out, and what models said.

    ``embeddings``, ``answered``: by turn, for user messages; ``answered`` None: no routing model is asked.
    """

    absent: frozenset[int] = frozenset()
    embeddings: Mapping[int, MessageEmbedding] = {}
    answered: Mapping[int, RoutingAnswer] | None = None

    def ahead_of(self, end: int) -> Hashable:
        """What of it a walk ahead of turn ``end`` depends on."""
        if not self.embeddings and self.answered is None:
            return self.absent
        vectors = [(at, each.digest) for at, each in sorted(self.embeddings.items()) if at < end]
        answers = None if self.answered is None else [each for each in sorted(self.answered.items()) if each[0] < end]
        return self.absent, sha256(repr((vectors, answers)).encode("utf-8", "backslashreplace")).digest()


class RememberedWalks:
    """One profile's walks, each as it stood where everything behind it was open: by the digest of the messages so far.

    The oldest of ``MAX_WALKS`` goes first.
    """

    def __init__(self) -> None:
        self._walks: dict[tuple[bytes, Hashable], Walk] = {}
        self._offsets: dict[bytes | None, int] = {}
        """By the digest ahead of them, how far behind it walks are remembered: a bit for each number of messages."""
        register_memory(self, "conversations walked", MAX_WALKS, len)

    def __len__(self) -> int:
        return len(self._walks)

    def latest(self, history: History, variant: WalkVariant) -> tuple[int, Walk] | None:
        """The longest walk that is remembered of a conversation, and the turn ahead of which it stands."""
        if not self._walks or len(history) < 2:
            return None
        chain = history.chain.read()
        for stride in range(len(chain.digests) - 1, -1, -1):
            offsets = self._offsets.get(_ahead_of(chain, stride), 0)
            offset = offsets.bit_length() - 1
            while offsets:
                at = stride * STRIDE + offset
                if 0 < at < len(history) and is_settled(history, at):
                    digest = chain.digest(at)
                    walk = None if digest is None else self._walks.get((digest, variant.ahead_of(at)))
                    if walk is not None:
                        return at, walk
                offsets &= ~(1 << offset)
                offset = offsets.bit_length() - 1
        return None

    def remember(self, history: History, at: int, variant: WalkVariant, walk: Walk) -> None:
        chain = history.chain.read()
        digest = chain.digest(at)
        if digest is None:
            return
        stride, offset = divmod(at, STRIDE)
        _make_room(self._walks, MAX_WALKS)
        self._walks[digest, variant.ahead_of(at)] = walk
        before = _ahead_of(chain, stride)
        offsets = self._offsets.pop(before, 0)
        _make_room(self._offsets, MAX_WALKS)
        self._offsets[before] = offsets | 1 << offset


def _ahead_of(chain: MessageChain, stride: int) -> bytes | None:
    """What offsets into a stride go by: the digest ahead of it, of the first one that of its first message."""
    return chain.digests[stride] if stride else chain.digest(1)


def is_settled(turns: Sequence[Turn], at: int) -> bool:
    """Whether what the turns ahead of turn ``at`` bring, and where it goes, is known whatever follows that turn.

    Modules go behind the results of the calls that bring them, and the agent's words belong to an answer that may be
    several turns: both are over ahead of a user's or a system's turn, where results end, and behind a user's or a
    system's turn, unless results follow that too. At the end of the conversation so far nobody knows yet: there it is
    asked when the next turn is known.
    """
    role = turns[at].role
    return role in ENDING or (role not in RESULT_ROLES and turns[at - 1].role in SETTLED_BEHIND)


def _make_room(memory: dict[Any, Any], most: int) -> None:
    while len(memory) >= most:
        memory.pop(next(iter(memory)), None)
