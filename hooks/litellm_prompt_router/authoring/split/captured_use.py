"""What captured traffic shows of a draft: who declares and calls its modules' tools, and which messages lose them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from litellm_prompt_router.authoring.split.draft import Draft, DraftModule
from litellm_prompt_router.authoring.split.piece_tools import listed_tools
from litellm_prompt_router.authoring.split.wrapper_rules import ignore_of
from litellm_prompt_router.request.route.own_words import own_words
from litellm_prompt_router.request.types import Turn


@dataclass(frozen=True, kw_only=True, slots=True)
class CapturedUse:
    """How captured calls with one prompt use its tools.

    ``declared_in``: calls that declare each tool; ``called_in``: conversations that called it. ``messages``: some user
    messages, each with the different sets of tools that calls with it declared.
    """

    calls: int
    conversations: int
    declared_in: Mapping[str, int]
    called_in: Mapping[str, frozenset[int]]
    messages: Sequence[tuple[Turn, Sequence[frozenset[str]]]]


def with_captured_use(draft: Draft, use: CapturedUse) -> Draft:
    """The draft with the evidence for each module outside the core, and the messages that would lose it."""
    owned = frozenset(tool for module in draft.modules for tool in module.tools)
    ignore = ignore_of(draft)
    words = [(own_words(turn, ignore).text, sets) for turn, sets in use.messages]
    messages = [(text, sets) for text, sets in words if text is not None]

    def seen(module: DraftModule) -> DraftModule:
        tools = frozenset(module.tools)
        lost = [
            text for text, sets in messages if any(declared & owned and declared.isdisjoint(tools) for declared in sets)
        ]
        return replace(module, evidence=_evidence(module.tools, use), lost_messages=tuple(lost))

    modules = tuple(module if module.always else seen(module) for module in draft.modules)
    return replace(draft, modules=modules, conversations=use.conversations)


def _evidence(tools: Sequence[str], use: CapturedUse) -> str:
    declared = [tool for tool in tools if use.declared_in.get(tool)]
    calls = max((use.declared_in[tool] for tool in declared), default=0)
    users = frozenset[int]().union(*(use.called_in.get(tool, frozenset()) for tool in tools))
    return (
        f"its tools {listed_tools(declared)} are declared by {calls} of {use.calls} calls;"
        f" called in {len(users)} of {use.conversations} conversations"
    )
