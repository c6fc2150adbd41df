"""What is known of a request when it leaves: whose it is, and what was decided on it.

It waits in the process until the request is answered; LiteLLM's own metadata has its summary.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any, Literal

from litellm_prompt_router.request.types import Evidence, Mode

OutcomeName = Literal["rewritten", "shadow", "passthrough"]
Arm = Literal["treatment", "holdout"]
RoutingOutcome = Literal[
    "answered",
    "remembered",
    "unanswered",
    "late",
    "failed",
    "garbage",
    "refused",
    "over_budget",
    "paused",
    "too_many",
    "abandoned",
    "not_needed",
    "off",
]
"""What became of the routing model's question about the latest message that had one.

``remembered``: it had been answered before, or for another request; ``unanswered``: the same in vain, and a message
stays as it was routed. ``late``, ``failed``, ``garbage`` and ``refused``: asked, without an answer that can be used;
``abandoned``: while it was asked, the client went away or everything was stopped. Not asked: ``over_budget``;
``paused`` after failures; ``too_many`` new messages at once; ``not_needed``, where words and meaning decide or nothing
is rewritten anyway; ``off``, where the policy doesn't switch it on.
"""

LEDGER_ONLY_KEY = "is_ledger_only"
LEDGER_ONLY: Mapping[str, Any] = {LEDGER_ONLY_KEY: True}
"""Metadata of a field that the summary in LiteLLM's spend logs leaves out: LiteLLM has it in a column of its own, or
it serves the review of a profile and not that of a bill."""
SIDE_CALLS = frozenset({"unrecognised", "no_system_prompt"})
"""Reasons of requests whose system prompt is no profile's: other agents', and side calls of known ones."""
UNREVIEWED = "unreviewed"
"""Reason of requests that were to be rewritten and were held in shadow, because nobody reviewed their profile."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Whose request it is, as the proxy knows it."""

    request_id: str
    """Ours and unique; LiteLLM's call id can be set by clients."""
    call_id: str | None = field(metadata=LEDGER_ONLY)
    started_seconds: float
    """Unix seconds."""
    endpoint: str
    stream: bool
    thread_id: str | None
    key_alias: str | None
    key_hash: str | None = field(metadata=LEDGER_ONLY)
    team_id: str | None
    model_group: str | None
    tool_count: int
    user_id: str | None = field(default=None, metadata=LEDGER_ONLY)
    tags: tuple[str, ...] = field(default=(), metadata=LEDGER_ONLY)
    conversation: str | None = None
    """The same for all calls of a conversation, ``c-`` and a hash; None where the body wasn't read.

    Side calls (titles, probes, summaries by a helper) have one too, and are no conversation: ``Facts.is_conversation``.
    """
    names_session: bool = field(default=False, metadata=LEDGER_ONLY)
    """True where the client names its session, so that ``conversation`` is that and not a guess by its first words."""

    @property
    def conversation_or_request(self) -> str:
        """What a request is summed up with: its conversation's calls, or itself alone where that isn't known."""
        return self.conversation or self.request_id


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What is known before the provider answers. Sizes are of system text; None means unknown or not applicable.

    ``original_*`` is the prompt as it came, ``prompt_*`` as it left (in shadow mode: as it would have left).
    """

    caller: Caller
    mode: Mode
    outcome: OutcomeName
    reason: str | None
    """Why a passthrough passed through, or why shadow mode held what the policy would have rewritten."""
    profile: str | None = None
    profile_version: str | None = None
    profile_digest: str | None = None
    coverage: float | None = None
    known_lines: float | None = field(default=None, metadata=LEDGER_ONLY)
    """Of a drifted prompt: the share of the profile's lines that are still in it."""
    placement: str | None = None
    message_kind: str | None = field(default=None, metadata=LEDGER_ONLY)
    query_chars: int | None = field(default=None, metadata=LEDGER_ONLY)
    modules: tuple[Evidence, ...] = ()
    module_total: int | None = None
    is_fallback: bool = False
    fallback_reason: str | None = None
    original_chars: int | None = None
    prompt_chars: int | None = None
    residue_chars: int | None = None
    original_tokens: int | None = None
    prompt_tokens: int | None = None
    breakpoints_added: int = 0
    breakpoints_client: int = 0
    """As they came; ``breakpoints_total`` is what left."""
    breakpoints_total: int = 0
    list_price_saved_usd: str | None = None
    """Removed tokens at the plain input price, decimal text. Ignores caching, so it is no bill and no net figure."""
    list_price_saved_reason: str | None = None
    decision_us: int | None = None
    """From the request's arrival to its new body, waiting for models included."""
    is_drift: bool = False
    absent_modules: tuple[str, ...] = ()
    """Of a drifted prompt: the profile's modules that are not in it as they were."""
    arm: Arm | None = None
    """Of the control group's experiment; None where none runs."""
    policy: str | None = None
    """What decided the mode: ``settings``, ``key metadata``, a rule of the policy file, the breaker, ``unreviewed`` and
    so on."""
    routing_model: str | None = None
    """The model that the profile names, where it may be asked for this request."""
    routing_model_outcome: RoutingOutcome | None = None
    """None where the profile names no such model, and where the request never came so far."""
    routing_model_wait_us: int | None = None
    """How long the request waited for its answers, a part of ``decision_us``."""
    tuning: str | None = field(default=None, metadata=LEDGER_ONLY)
    """The tuning that the conversation goes by: the id of one that was found by itself, ``own`` for what profile.yaml
    says; None where no tuning goes on by itself."""
    embedding_wait_us: int | None = field(default=None, metadata=LEDGER_ONLY)
    """The same for an embedding model."""
    profile_changed_from: str | None = field(default=None, metadata=LEDGER_ONLY)
    """The profile's version and digest at this conversation's call before, where it is another now."""
    tools_chars: int | None = None
    """The tool schemas as JSON: what routing system text can't save."""
    history_chars: int | None = None
    """The text of the messages behind the system prompt, without the arguments of tool calls and attachments."""
    turn_number: int | None = field(default=None, metadata=LEDGER_ONLY)
    """User messages so far; those that agents wrap around nothing of a user's don't count."""
    is_new_message: bool | None = field(default=None, metadata=LEDGER_ONLY)
    """True where the call is the first of its user message's: nothing was answered to that yet."""
    wanted_modules: tuple[str, ...] | None = field(default=None, metadata=LEDGER_ONLY)
    """What routing selected beside the core from the first turn on, before the cost gate; ``modules`` is what was sent.
    None where nothing was routed."""
    wanted_late_modules: tuple[str, ...] | None = field(default=None, metadata=LEDGER_ONLY)
    """What it selected behind the first turn."""
    profile_router: str | None = field(default=None, metadata=LEDGER_ONLY)
    """A digest of the fit and the models that routed, ``none`` without; ``profile_routing``: of all else that did."""
    profile_routing: str | None = field(default=None, metadata=LEDGER_ONLY)
    placed_at_chars: int | None = field(default=None, metadata=LEDGER_ONLY)
    """Where in the prompt as it came the first stands of the slots, and of the unknown text, that stay where they are
    in a rewritten prompt; ``varying_at_chars``: of those that go to its end. None: there is none."""
    varying_at_chars: int | None = field(default=None, metadata=LEDGER_ONLY)
    varying_chars: int | None = field(default=None, metadata=LEDGER_ONLY)

    @property
    def key_scope(self) -> str:
        """What stands for the key in hashes: its alias, which outlives a rotation, else its hash."""
        return self.caller.key_alias or self.caller.key_hash or ""

    @property
    def is_off(self) -> bool:
        """True where settings, a key or the client switched routing off: the request is none of ours."""
        return self.reason == "off"

    @property
    def is_held_back(self) -> bool:
        """True where the policy would have the request rewritten, and nobody has reviewed its profile."""
        return self.reason == UNREVIEWED

    @property
    def is_passthrough(self) -> bool:
        return self.outcome == "passthrough"

    @property
    def is_rewritten(self) -> bool:
        return self.outcome == "rewritten"

    @property
    def is_shadow(self) -> bool:
        return self.outcome == "shadow"

    @property
    def is_conversation(self) -> bool:
        """True for a call of a recognised agent's own conversation.

        What tells a side call is its system prompt, which is no profile's, or that it has none.
        """
        return self.profile is not None and self.reason not in SIDE_CALLS

    @property
    def has_selection(self) -> bool:
        """True where modules were selected, also if the prompt wasn't worth rewriting then."""
        return self.profile is not None and (not self.is_passthrough or bool(self.modules))

    @property
    def late_modules(self) -> tuple[str, ...]:
        return tuple(evidence.module for evidence in self.modules if evidence.late)

    @property
    def module_count(self) -> int | None:
        return len(self.modules) or None

    @property
    def sent_chars(self) -> int | None:
        """Characters of system text that really left: the original's unless it was rewritten."""
        return self.prompt_chars if self.is_rewritten else self.original_chars

    @property
    def removed_tokens(self) -> int:
        """System tokens that were really left out, signed; 0 where that isn't known."""
        if not self.is_rewritten or self.original_tokens is None or self.prompt_tokens is None:
            return 0
        return self.original_tokens - self.prompt_tokens

    @property
    def sends_added_marks(self) -> bool:
        """True where cache marks of ours are in the body that left."""
        return not self.is_shadow and self.breakpoints_added > 0

    @property
    def selection_us(self) -> int | None:
        """``decision_us`` where the decision was to rewrite, in shadow mode too: passing through is quicker."""
        return None if self.is_passthrough else self.decision_us

    @property
    def computing_us(self) -> int | None:
        """``selection_us`` without what was waited for models: what our own code took."""
        if self.selection_us is None:
            return None
        return self.selection_us - (self.routing_model_wait_us or 0) - (self.embedding_wait_us or 0)

    def to_dict(self) -> dict[str, Any]:
        """The facts flat, as the ledger line begins."""
        return self.line_with(told_modules(self.modules))

    def line_with(self, modules: object) -> dict[str, Any]:
        """``to_dict`` with something in the place of its modules."""
        line = dict(zip(_LINE_NAMES, _line_values(self), strict=True))
        line["modules"] = modules
        line["late_modules"] = [module for module, _, _, late in self.modules if late]
        line["module_count"] = self.module_count
        return line


def told_modules(modules: Iterable[Evidence]) -> list[dict[str, Any]]:
    """Modules as a line has them."""
    return [{"id": module, "evidence": kind, "detail": detail, "late": late} for module, kind, detail, late in modules]


_CALLER_NAMES = tuple(each.name for each in fields(Caller))
_FACT_NAMES = tuple(each.name for each in fields(Facts))
_OWN_NAMES = tuple(name for name in _FACT_NAMES if name != "caller")
_LINE_NAMES = (*_CALLER_NAMES, *_OWN_NAMES)
_line_values = attrgetter(*[f"caller.{name}" for name in _CALLER_NAMES], *_OWN_NAMES)
FACT_LINE_NAMES = (*_LINE_NAMES, "late_modules", "module_count")
"""The fields of ``Facts.to_dict``, in order."""
