"""What a conversation is expected to do after its first message, as far as its request and its profile tell.

Whether it runs tools is read from the request: from the tools that it declares, and from its history, where a call or
a result of a tool shows that there were some. So only a client that itself changes from no tools to some, or back
before any was called, is judged otherwise in the middle of a conversation. Tools stand ahead of the system prompt in
what providers cache, and in what Anthropic holds replayed thinking to ("the system prompt, the tool list, and all
messages before the block", docs.aws.amazon.com/bedrock/latest/userguide/claude-messages-thinking-block-binding,
checked 2026-11): that client has changed the beginning of its conversation anyway.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from statistics import fmean
from typing import Any

from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.history import totals_of
from litellm_prompt_router.request.types import Turn
from litellm_prompt_router.request.wire.declared_tools import may_call_tools

CALLS_PER_MESSAGE = 2.5
"""Calls that one user message leads to where tools are declared and no ledger says how many. Agents' loops are longer
as a rule; it takes the cost gate's rules to short ones."""
REMEMBERED = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class ExpectedUse:
    """What the cost gate goes by where nothing was tuned."""

    declares_tools: bool = True
    calls_per_message: float = CALLS_PER_MESSAGE
    later_chances: tuple[float, ...] | None = None
    """By module: the chance that a conversation which begins without it needs it later. None: nobody knows."""


USUAL = ExpectedUse()
"""Where neither the request nor the profile tells anything."""


def expected_use(profile: Profile, *, declares_tools: bool = True) -> ExpectedUse:
    """Of a conversation with this profile: chances by its labels, else by its ledger; calls by its ledger."""
    calls, chances = _observed(profile)
    return ExpectedUse(declares_tools=declares_tools, calls_per_message=calls, later_chances=chances)


def declares_tools(data: Mapping[str, Any], turns: Iterable[Turn]) -> bool:
    """Whether the model may call tools in this conversation; True where that can't be told."""
    return may_call_tools(data) or totals_of(turns).has_tools


@lru_cache(maxsize=REMEMBERED)
def _observed(profile: Profile) -> tuple[float, tuple[float, ...] | None]:
    use = None if profile.economics is None else profile.economics.use
    labelled = None if profile.fitted is None else profile.fitted.later_chances
    seen = None if use is None else use.later_chances
    calls = CALLS_PER_MESSAGE if use is None or use.calls_per_message is None else use.calls_per_message
    known = {**(seen or {}), **(labelled or {})}
    if not known:
        return calls, None
    of_others = fmean(known.values())  # a module that is new, or of which too little was seen
    return calls, tuple(0.0 if each.always else known.get(each.id, of_others) for each in profile.modules)
