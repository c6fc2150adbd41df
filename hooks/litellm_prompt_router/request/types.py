"""The types that the walk hands from one step to the next. No behaviour beyond what their fields imply."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from litellm_prompt_router.profile.profile import Placement, Profile, Slot

CHAT = "acompletion"
MESSAGES = "anthropic_messages"
RESPONSES = "aresponses"
GEMINI = "agenerate_content"
GEMINI_STREAM = "agenerate_content_stream"
"""LiteLLM's call types of the endpoints that are told apart by name."""

Mode = Literal["rewrite", "shadow", "off"]
EvidenceKind = Literal[
    "always", "trigger", "score", "model", "assistant", "tool_call", "requires", "inherited", "fallback", "bundle"
]
"""``model``: a routing model named it; ``assistant``: the agent's own words call for it; ``bundle``: nobody asked for
it, but the set that holds it is cheaper than the exact one."""
MessageKind = Literal["task", "follow_up", "small_talk", "none"]
RESULT_ROLES = frozenset({"tool", "function"})
"""Roles of turns that are results of tools."""
SpanKind = Literal["module", "slot", "residue"]
LateForm = Literal["message", "note"]
"""How a late module stands behind the message that first needed it: as a system message of its own, or as a text block
of its own in that user message or tool result, introduced as the operator's."""
Mark = Mapping[str, Any]
"""A breakpoint as it stands on the wire: a ``cache_control`` object, such as ``{"type": "ephemeral", "ttl": "1h"}``,
or a ``prompt_cache_breakpoint``, which has a ``mode``."""


# Requests


UNREADABLE = "unreadable"
"""The passthrough reason of a body that doesn't have its endpoint's shape: the client's fault, never one of ours."""


class UnreadableRequestError(Exception):
    """The request is not of a shape we read; the argument is the passthrough reason."""

    def __init__(self, reason: str = UNREADABLE) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, kw_only=True, slots=True)
class SystemBlock:
    """One stretch of system text as the client sent it. ``message`` and ``block`` are its address."""

    message: int
    block: int | None
    text: str
    mark: Mark | None


NOTHING_DECLARED: frozenset[str] = frozenset()


class Turn(NamedTuple):
    """One message behind the system prompt, reduced to what routing looks at."""

    role: str
    text: str
    attachments: tuple[str, ...] = ()
    tool_calls: tuple[str, ...] = ()
    blocks: int = 1
    """What a provider looks back over, besides the tool calls."""
    parts: tuple[str, ...] = ()
    """The texts of a user message's blocks, where it has several; ``text`` is all of them."""
    declared: frozenset[str] | None = NOTHING_DECLARED
    """Names of tools that the model may call from here on; None where it can't be told which."""
    arguments: tuple[str, ...] = ()
    """The arguments of each of ``tool_calls``, as the model wrote them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A request as the walk sees it, whatever its wire shape."""

    system: tuple[SystemBlock, ...]
    turns: Sequence[Turn]
    """Those that ``read`` gives are made when they are asked for (request/history.py)."""
    marks_before: tuple[Mark, ...]
    """The client's breakpoints that the provider reads ahead of the system prompt (tools)."""
    marks_after: tuple[Mark, ...]
    """The client's breakpoints behind the system prompt (messages, top level)."""
    states_points: bool = False
    """True when the client sends LiteLLM injection points, which then hold in place of a deployment's own."""
    missing_history: str | None = None
    """Why the conversation so far isn't in the request, so that nobody can say what it needs; None when it is."""

    @property
    def client_marks(self) -> int:
        """Breakpoints that the client set, wherever they stand."""
        own = sum(block.mark is not None for block in self.system)
        return own + len(self.marks_before) + len(self.marks_after)

    @property
    def system_text(self) -> str:
        """The whole leading system text, seams closed."""
        if len(self.system) == 1:
            return self.system[0].text
        return "".join(block.text for block in self.system)


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """What the deployments that may answer have in common, or what holds for one of them."""

    takes_marks: bool
    """True when every candidate keeps ``cache_control`` and its provider accepts it."""
    min_cache_tokens: int
    input_usd_per_token: Decimal | None
    """None when a candidate has no price or they differ."""
    cache_read_share: float | None = None
    """What a cached token costs, as a share of the input price: the lowest of the candidates'. None: no prices."""
    cache_write_share: float | None = None
    """What a token costs that is written to the cache, likewise: the highest."""
    cache_write_1h_share: float | None = None
    """The same for an hour."""
    late_form: LateForm = "note"
    """What every candidate takes and keeps in its place."""
    takes_user_behind_result: bool = False
    """True when every candidate takes a user's message directly behind a tool's result."""
    holds_to_prefix: bool = False
    """True when a candidate refuses replayed thinking if anything ahead of it has changed."""
    cache_lifetime_seconds: float | None = None
    """How long an entry that nobody reads lives at the candidate that keeps it longest; None where that isn't known."""
    marks_blocks: bool = False
    """True when a candidate reads marks on messages' blocks alone: neither on tools nor on a message of one string."""
    takes_cache_key: bool = False
    """True when every candidate is an OpenAI that routes by ``prompt_cache_key``."""
    injection_points: tuple[Mark, ...] = ()
    """LiteLLM's own ``cache_control_injection_points`` of the candidates: ours would override them."""
    takes_breakpoints: bool = False
    """True when every candidate is an OpenAI that takes ``prompt_cache_breakpoint`` (GPT-5.6 and later)."""
    places_points: bool = True
    """False on a LiteLLM that places no injection points beside marks (before 1.106)."""
    auto_points: tuple[Mark, ...] = ()
    """What LiteLLM's automatic caching would inject into a request without any mark; ours make it stand down."""
    takes_changed_prompt: bool = False
    """True when no candidate holds a conversation to what stands ahead of the thinking that it replays, so that a tool
    which comes in later may change the prompt."""
    reads_first_part: bool = False
    """True where LiteLLM hands on no more than the first part of a Gemini system instruction."""
    each: tuple[tuple[str, Target], ...] = ()
    """Every candidate by its deployment id, where they take different marks; empty where all agree."""
    deployments: frozenset[str] = frozenset()
    """The ids of all candidates. LiteLLM may choose one beyond them all the same, of which nothing is known here."""

    @property
    def is_marking(self) -> bool:
        """True when every candidate takes marks of one and the same kind."""
        return self.takes_marks or self.takes_breakpoints


UNKNOWN_TARGET = Target(takes_marks=False, min_cache_tokens=0, input_usd_per_token=None)


# Recognition, routing, composition


class Span(NamedTuple):
    """``[start, end)`` of the system text. ``module`` indexes the profile's modules (-1 in residue).

    ``opens``: the first span of its module, or of one more copy of it.
    """

    kind: SpanKind
    start: int
    end: int
    module: int
    slot: Slot | None
    opens: bool


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Recognition:
    """A partition of the system text into module, slot and residue spans.

    ``coverage`` is the share of its characters in module and slot spans, 0 to 1. Texts that differ only in the
    values of equally long slots share one object, so what depends on positions alone can be remembered by it.
    """

    profile: Profile
    spans: tuple[Span, ...]
    coverage: float
    known_lines: float = 1.0
    """Share of the profile's lines that are in the text, wherever; measured where little could be placed."""


class Evidence(NamedTuple):
    """Why a module was selected. ``detail`` is a trigger, a tool or a module id: never message text.

    ``late``: first needed after the conversation's first user message.
    """

    module: str
    kind: EvidenceKind
    detail: str | None = None
    late: bool = False


class LateModules(NamedTuple):
    """Late modules, as indexes into the profile, and the turn behind which they belong."""

    turn: int
    modules: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class RoutingDecision:
    """The modules a conversation needs, in profile order, each with its evidence."""

    selected: tuple[Evidence, ...]
    arrivals: tuple[LateModules, ...]
    """The late ones again, in order of first need."""
    message_kind: MessageKind
    is_fallback: bool
    fallback_reason: str | None
    query_chars: int
    turn_number: int | None = None
    """User messages so far, without those that hold nothing of a user's; None where the history isn't known."""
    is_new_message: bool | None = None
    """True where nothing was answered to the latest of them yet."""
    before_gate: tuple[Evidence, ...] | None = None
    """What was selected before the cost gate added to it; None where it added nothing."""

    @property
    def wanted(self) -> tuple[Evidence, ...]:
        """What routing selected by itself."""
        return self.selected if self.before_gate is None else self.before_gate

    @property
    def modules(self) -> tuple[str, ...]:
        return tuple([evidence.module for evidence in self.selected])


SEAM = "\n\n"
"""Put between two kept pieces that met only because what was between them is gone."""


class KeptPiece(NamedTuple):
    """``[start, end)`` of the system text, kept. ``seam``: a paragraph break has to stand before it."""

    start: int
    end: int
    seam: bool


class LateMessage(NamedTuple):
    """Late modules, and where they stand: in a message of their own behind turn ``turn``, or inside that turn."""

    turn: int
    pieces: tuple[KeptPiece, ...]
    introduction: str = ""
    """Words of ours ahead of the pieces: those of a note."""
    is_inside: bool = False
    """True for a block at the end of the turn's own message or result."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Composition:
    """The kept pieces in output order, in three groups with a stable edge behind each of the first two."""

    core: tuple[KeptPiece, ...]
    routed: tuple[KeptPiece, ...]
    varying: tuple[KeptPiece, ...]
    late: tuple[LateMessage, ...]
    late_tokens: int
    core_tokens: int
    routed_tokens: int
    varying_tokens: int
    original_tokens: int
    residue_chars: int

    @property
    def pieces(self) -> tuple[KeptPiece, ...]:
        return (*self.core, *self.routed, *self.varying)

    @property
    def chars(self) -> int:
        """Characters of the prompt that leaves, late modules included."""
        chars, groups = 0, [self.core, self.routed, self.varying]
        for message in self.late:
            chars += len(message.introduction)
            groups.append(message.pieces)
        for pieces in groups:
            for start, end, seam in pieces:
                chars += end - start + (len(SEAM) if seam else 0)
        return chars

    def is_unchanged(self, text_chars: int) -> bool:
        """True when the output is the whole text in its own order."""
        if self.late:
            return False
        at = 0
        for piece in self.pieces:
            if piece.start != at or piece.seam:
                return False
            at = piece.end
        return at == text_chars

    @property
    def tokens(self) -> int:
        return self.core_tokens + self.routed_tokens + self.varying_tokens + self.late_tokens


@dataclass(frozen=True, kw_only=True, slots=True)
class Breakpoints:
    """The marks at the stable edges (None: no mark there), and which client blocks keep their own."""

    core: Mark | None
    routed: Mark | None
    varying: Mark | None
    kept_blocks: frozenset[int]
    """Indexes into ``Request.system`` of untouched blocks whose own mark stays."""
    points: tuple[Mark, ...] | None = None
    """The deployment's injection points that the request is to state, as they count the client's messages; None
    leaves it at those that the request came with."""
    history: tuple[Mark, ...] = ()
    """Injection points of ours at the history's moving end, counted from the end of what leaves."""
    added: int
    client: int
    """The client's marks as they came; several on one text may have become one."""
    total: int
    """Marks in the request that leaves."""


# Outcomes


@dataclass(frozen=True, kw_only=True, slots=True)
class Rewritten:
    """The walk's result when the request is (or in shadow: would be) rewritten."""

    recognition: Recognition
    decision: RoutingDecision
    composition: Composition
    breakpoints: Breakpoints
    placement: Placement
    target: Target
    cache_key: str | None
    """The same for all requests whose system prompts begin alike; None where the provider has no use for it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Passthrough:
    """The request stays as it came. ``near`` is the closest profile of an unrecognised prompt, for drift.

    One that isn't worth rewriting has been recognised and routed. Its text stays, but ``added_marks`` may help to
    cache it.
    """

    reason: str
    near: Recognition | None = None
    original_chars: int | None = None
    client_marks: int = 0
    recognition: Recognition | None = None
    decision: RoutingDecision | None = None
    added_marks: int = 0


Outcome = Rewritten | Passthrough
