"""Finds the agents in recorded traffic: system prompts that are versions of one another, and who sends them.

Prompts are compared by their lines without digits (by word runs where there are hardly any lines), as a sample
of hashes that is the same for the same lines. One pass over the calls; what is kept of each agent is bounded:
a few whole prompts, and hashes.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

from litellm_prompt_router.authoring.called_tools import called_tools
from litellm_prompt_router.files.traffic import RecordedCall
from litellm_prompt_router.request.recognise import Catalogue
from litellm_prompt_router.request.types import Request, Turn, UnreadableRequestError
from litellm_prompt_router.request.wire import MASK, SHAPES, tool_names

MAX_AGENTS = 200
MAX_SAMPLES = 6
"""Whole prompts kept of an agent: the latest, and those with the lowest digests, whatever their order."""
MAX_MESSAGES = 60
"""User messages kept of an agent: those with the lowest digests, whatever their order."""
MAX_MESSAGE_CHARS = 8_000
MAX_COUNTED = 100_000
"""The most versions, conversations and tool uses counted of an agent, and prompt texts remembered."""
MAX_TOOLS = 2_000
MAX_TOOL_SETS = 8
"""The most tools counted of an agent, and different sets of tools remembered beside a message."""
FEATURES = 1_000
FEW_LINES = 40
MIN_LINE_CHARS = 12
SHINGLE_WORDS = 5
SAME_OF_SMALLER = 0.6
SAME_OF_LARGER = 0.3
"""Versions of one prompt share most lines of the shorter and a good part of the longer: blocks come and go."""
SURELY_SAME_OF_LARGER = 0.6
"""With less in common than this they must also begin alike: an agent and its helper may share whole sections."""
HEAD_LINES = 3
CANDIDATES = 5
KNOWN_COVERAGE = 0.9

_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Agent:
    """One agent's prompt, counted over the traffic. ``samples``: some of its versions, the latest first.

    ``tokens`` are those of the system prompts of all calls, estimated from the latest version's.
    """

    calls: int
    conversations: int
    versions: int
    keys: tuple[str, ...]
    models: tuple[str, ...]
    tools: tuple[str, ...]
    samples: tuple[str, ...]
    messages: tuple[Turn, ...]
    """Some of the user messages that came with it."""
    message_tools: tuple[tuple[frozenset[str], ...], ...]
    """For each of ``messages``, the different sets of tools that calls with it declared."""
    declared_in: Mapping[str, int]
    """The calls that declare each tool."""
    called_in: Mapping[str, frozenset[int]]
    """The conversations, by a number of their own, in which each tool was called."""
    tokens: int
    known_as: str | None
    """The profile that recognises the latest version."""
    masked: int
    """Occurrences in the latest version of what `capture` puts in place of a secret."""

    @property
    def chars(self) -> int:
        return len(self.samples[0])


@dataclass(frozen=True, kw_only=True, slots=True)
class Learned:
    """The agents found, the one with the most tokens first. ``overflow``: calls with prompts beyond MAX_AGENTS."""

    calls: int
    unreadable: int
    without_prompt: int
    overflow: int
    agents: tuple[Agent, ...]


@dataclass(slots=True)
class _Cluster:
    features: frozenset[int]
    head: frozenset[int]
    calls: int = 0
    chars: int = 0
    latest: str = ""
    latest_seconds: float = -1.0
    chosen: dict[bytes, str] = field(default_factory=dict)
    versions: set[bytes] = field(default_factory=set)
    conversations: dict[bytes, int] = field(default_factory=dict)
    keys: Counter[str] = field(default_factory=Counter)
    models: Counter[str] = field(default_factory=Counter)
    tools: dict[str, None] = field(default_factory=dict)
    messages: dict[bytes, Turn] = field(default_factory=dict)
    message_tools: dict[bytes, set[frozenset[str]]] = field(default_factory=dict)
    declared_in: Counter[str] = field(default_factory=Counter)
    called_in: dict[str, set[int]] = field(default_factory=dict)
    uses: int = 0

    def add(self, call: RecordedCall, request: Request, text: str, digest: bytes) -> None:
        self.calls += 1
        self.chars += len(text)
        if call.at_seconds >= self.latest_seconds:
            self.latest, self.latest_seconds = text, call.at_seconds
        if digest not in self.versions:
            self.chosen[digest] = text
            if len(self.chosen) >= MAX_SAMPLES:
                del self.chosen[max(self.chosen)]
        _add_bounded(self.versions, digest)
        conversation = _digest(f"{call.key}\0{call.conversation}")
        if len(self.conversations) < MAX_COUNTED:
            self.conversations.setdefault(conversation, len(self.conversations))
        self.keys[call.key] += 1
        model = call.request.get("model")
        if isinstance(model, str):
            self.models[model] += 1
        declared = frozenset(names := tool_names(call.request))
        for name in dict.fromkeys(names):
            if name in self.tools or len(self.tools) < MAX_TOOLS:
                self.tools[name] = None
                self.declared_in[name] += 1
        self._count_uses(call, request, self.conversations.get(conversation))
        for turn in request.turns:
            if turn.role == "user" and turn.text.strip():
                self._keep_message(turn, declared)

    def _count_uses(self, call: RecordedCall, request: Request, conversation: int | None) -> None:
        """Remembers that the tools called in this history and its answer were called in this conversation."""
        called = {name for turn in request.turns for name in turn.tool_calls}
        called.update(called_tools(call.response or {}))
        if conversation is None:
            return
        for name in called:
            users = self.called_in.get(name)
            if users is None and len(self.called_in) < MAX_TOOLS:
                users = self.called_in[name] = set()
            if users is not None and conversation not in users and self.uses < MAX_COUNTED:
                users.add(conversation)
                self.uses += 1

    def _keep_message(self, turn: Turn, declared: frozenset[str]) -> None:
        """Keeps the message if its digest is among the lowest: a choice that doesn't depend on order."""
        digest = _digest(turn.text)
        if digest not in self.messages and not self._add_message(turn, digest):
            return
        sets = self.message_tools[digest]
        if len(sets) < MAX_TOOL_SETS:
            sets.add(declared)

    def _add_message(self, turn: Turn, digest: bytes) -> bool:
        if len(self.messages) >= MAX_MESSAGES:
            highest = max(self.messages)
            if digest > highest:
                return False
            del self.messages[highest], self.message_tools[highest]
        parts = tuple(_shortened(part) for part in turn.parts)
        self.messages[digest] = Turn("user", _shortened(turn.text), parts=parts)
        self.message_tools[digest] = set()
        return True


class Learner:
    """Groups calls, one by one, by the agent whose system prompt they carry."""

    def __init__(self) -> None:
        self._clusters: list[_Cluster] = []
        self._by_feature: dict[int, list[int]] = {}
        self._by_text: OrderedDict[bytes, int] = OrderedDict()
        self._calls = self._unreadable = self._without_prompt = self._overflow = 0

    def add(self, call: RecordedCall) -> None:
        """Counts one call."""
        self._calls += 1
        try:
            shape = SHAPES.get(call.endpoint)
            request = shape.read(call.request) if shape is not None else None
        except UnreadableRequestError:
            request = None
        if request is None:
            self._unreadable += 1
            return
        text = request.system_text
        if not text.strip():
            self._without_prompt += 1
            return
        digest = _digest(text)
        number = self._by_text.get(digest)
        if number is None:
            number = self._cluster_of(text)
            if number is None:
                self._overflow += 1
                return
            self._by_text[digest] = number
            if len(self._by_text) > MAX_COUNTED:
                self._by_text.popitem(last=False)
        self._clusters[number].add(call, request, text, digest)

    def learned(self, count_tokens: Callable[[str], int], known: Catalogue | None) -> Learned:
        """The agents so far, each with the name of the profile in ``known`` that recognises it."""
        agents = [_agent(cluster, count_tokens, known) for cluster in self._clusters]
        return Learned(
            calls=self._calls,
            unreadable=self._unreadable,
            without_prompt=self._without_prompt,
            overflow=self._overflow,
            agents=tuple(sorted(agents, key=lambda agent: (-agent.tokens, agent.samples[0]))),
        )

    def _cluster_of(self, text: str) -> int | None:
        features, head = _features(text), _head(text)
        votes = Counter(number for feature in features for number in self._by_feature.get(feature, ()))
        best, best_share = None, 0.0
        for number, _ in sorted(votes.items(), key=lambda item: (-item[1], item[0]))[:CANDIDATES]:
            of_smaller, of_larger = _overlap_shares(features, self._clusters[number].features)
            begins_alike = of_larger >= SURELY_SAME_OF_LARGER or bool(head & self._clusters[number].head)
            is_same = of_smaller >= SAME_OF_SMALLER and of_larger >= SAME_OF_LARGER and begins_alike
            if is_same and of_larger > best_share:
                best, best_share = number, of_larger
        if best is not None or len(self._clusters) >= MAX_AGENTS:
            return best
        self._clusters.append(_Cluster(features=features, head=head))
        for feature in features:
            self._by_feature.setdefault(feature, []).append(len(self._clusters) - 1)
        return len(self._clusters) - 1


def learn(calls: Iterable[RecordedCall], count_tokens: Callable[[str], int], known: Catalogue | None = None) -> Learned:
    """The agents whose system prompts are in these calls."""
    learner = Learner()
    for call in calls:
        learner.add(call)
    return learner.learned(count_tokens, known)


def _agent(cluster: _Cluster, count_tokens: Callable[[str], int], known: Catalogue | None) -> Agent:
    latest = cluster.latest
    found = known.recognise(latest) if known is not None else None
    others = [text for _, text in sorted(cluster.chosen.items()) if text != latest]
    return Agent(
        calls=cluster.calls,
        conversations=len(cluster.conversations),
        versions=len(cluster.versions),
        keys=tuple(key for key, _ in cluster.keys.most_common()),
        models=tuple(model for model, _ in cluster.models.most_common()),
        tools=tuple(cluster.tools),
        samples=(latest, *others),
        messages=tuple(turn for _, turn in sorted(cluster.messages.items())),
        message_tools=tuple(tuple(sets) for _, sets in sorted(cluster.message_tools.items())),
        declared_in=dict(cluster.declared_in),
        called_in={name: frozenset(users) for name, users in cluster.called_in.items()},
        tokens=round(count_tokens(latest) * cluster.chars / len(latest)),
        known_as=found.profile.name if found is not None and found.coverage >= KNOWN_COVERAGE else None,
        masked=latest.count(MASK),
    )


def _shortened(text: str) -> str:
    half = MAX_MESSAGE_CHARS // 2
    return text if len(text) <= MAX_MESSAGE_CHARS else f"{text[:half]}\n{text[-half:]}"


def _features(text: str) -> frozenset[int]:
    """Hashes of the text's lines, the smallest ones; of its word runs too when it has few lines."""
    plain = _DIGITS.sub("", text)
    pieces = {line for raw in plain.splitlines() if len(line := raw.strip()) >= MIN_LINE_CHARS}
    if len(pieces) < FEW_LINES:
        words = plain.split()
        if len(words) * MIN_LINE_CHARS < len(plain):  # a script without spaces
            words = list(plain)
        runs = range(max(1, len(words) - SHINGLE_WORDS + 1))
        pieces |= {" ".join(words[at : at + SHINGLE_WORDS]) for at in runs}
    hashes = {zlib.crc32(piece.encode("utf-8", "backslashreplace")) for piece in pieces}
    return frozenset(sorted(hashes)[:FEATURES])


def _head(text: str) -> frozenset[int]:
    """Hashes of the first lines that are long enough to compare."""
    lines = [line for raw in text.splitlines() if len(line := _DIGITS.sub("", raw).strip()) >= MIN_LINE_CHARS]
    return frozenset(zlib.crc32(line.encode("utf-8", "backslashreplace")) for line in lines[:HEAD_LINES])


def _overlap_shares(one: frozenset[int], other: frozenset[int]) -> tuple[float, float]:
    """The shared part of the smaller and of the larger, over the range of hashes that both samples reach."""
    reach = min((max(each) for each in (one, other) if len(each) >= FEATURES), default=2**32)
    one, other = (frozenset(value for value in each if value <= reach) for each in (one, other))
    shared = len(one & other)
    return (shared / min(len(one), len(other)), shared / max(len(one), len(other))) if one and other else (0.0, 0.0)


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "backslashreplace"), digest_size=12).digest()


def _add_bounded(seen: set[bytes], digest: bytes) -> None:
    if len(seen) < MAX_COUNTED:
        seen.add(digest)
