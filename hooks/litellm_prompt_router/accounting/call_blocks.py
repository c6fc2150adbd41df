"""What was kept of a request -> the blocks that its provider reads, and the rules that it caches them by.

One reader for each endpoint; whose cache has no model here is told so. Claude's wire is made by LiteLLM's own code
(``provider_wire``), as the simulator's is, and so is the chat request that it makes of a Responses body for everybody
but OpenAI.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from litellm_prompt_router.accounting.in_flight import Prompt
from litellm_prompt_router.cache_model import Block, BlockReader, Rules, anthropic_rules, openai_rules
from litellm_prompt_router.gateway.deployments.translation import ClaudeWire, bridged_chat
from litellm_prompt_router.request.types import CHAT, MESSAGES, RESPONSES
from litellm_prompt_router.request.wire.marking import MarkPlan, follow
from litellm_prompt_router.request.wire.marks import INJECTION_POINTS

CLAUDE_HOSTS = frozenset({"bedrock", "bedrock_converse", "vertex_ai", "azure_ai", "databricks", "openrouter"})
OPENAI_HOSTS = frozenset({"openai", "azure"})
_OPENAI_NAMES = re.compile(r"(?:^|[/-])(?:gpt-\d|chatgpt|codex)|(?:^|/)o\d")
HISTORY_ELSEWHERE = ("previous_response_id", "conversation")
"""Fields of a Responses body."""
MAX_WIRES = 256


@dataclass(frozen=True, kw_only=True, slots=True)
class CalledModel:
    """Where a call went: LiteLLM's provider, its model without that, and the points configured for the deployment."""

    provider: str
    model: str
    points: tuple[Any, ...] = ()

    @property
    def name(self) -> str:
        """LiteLLM's name of the model."""
        prefix = f"{self.provider}/"
        return self.model if self.model.startswith(prefix) else prefix + self.model

    @property
    def is_claude(self) -> bool:
        return self.provider == "anthropic" or (self.provider in CLAUDE_HOSTS and "claude" in self.model.lower())

    @property
    def is_openai(self) -> bool:
        return self.provider in OPENAI_HOSTS and _OPENAI_NAMES.search(self.model.lower()) is not None


class CallBlocks:
    """Reads prompts; sizes of blocks and the wires of models are remembered. Used by one thread."""

    def __init__(self, count_tokens: Callable[[str], int]) -> None:
        self._reader = BlockReader(count_tokens)
        self._wires: dict[str, ClaudeWire] = {}
        self._readers: Mapping[str, Callable[[Prompt, CalledModel, MarkPlan | None], Sequence[Block]]] = {
            CHAT: self._chat,
            MESSAGES: self._messages,
            RESPONSES: self._responses,
        }

    def can_read(self, endpoint: str) -> bool:
        return endpoint in self._readers

    def blocks(self, endpoint: str, prompt: Prompt, wire: CalledModel, plan: MarkPlan | None = None) -> Sequence[Block]:
        """The blocks of a prompt. ``plan``: our marks, for the prompt or for what LiteLLM makes of it.

        Raises ValueError for one that LiteLLM couldn't send, or whose history isn't in it.
        """
        return self._readers[endpoint](prompt, wire, plan)

    def _chat(self, prompt: Prompt, wire: CalledModel, plan: MarkPlan | None) -> Sequence[Block]:
        prompt = _marked(prompt, plan, CHAT)
        if not wire.is_claude:
            return self._reader.openai(prompt)
        if wire.points and not prompt.get(INJECTION_POINTS):
            prompt = {**prompt, INJECTION_POINTS: wire.points}
        return self._reader.anthropic(self._wire(wire.name).body(prompt))

    def _messages(self, prompt: Prompt, wire: CalledModel, plan: MarkPlan | None) -> Sequence[Block]:
        return self._reader.anthropic(_marked(prompt, plan, MESSAGES))

    def _responses(self, prompt: Prompt, wire: CalledModel, plan: MarkPlan | None) -> Sequence[Block]:
        if any(prompt.get(field) for field in HISTORY_ELSEWHERE):
            raise ValueError("the history is with the provider")
        if wire.is_openai:
            return self._reader.openai(_marked(prompt, plan, RESPONSES))
        return self._chat(bridged_chat(prompt, wire.model, wire.provider), wire, plan)

    def _wire(self, name: str) -> ClaudeWire:
        found = self._wires.get(name)
        if found is None:
            if len(self._wires) >= MAX_WIRES:
                self._wires.clear()
            found = self._wires[name] = ClaudeWire(name)
        return found


def rules_of(wire: CalledModel) -> Rules | None:
    """How the provider caches; None where no documented rules are modelled."""
    if wire.is_claude:
        return anthropic_rules(wire.model)
    return openai_rules(wire.model) if wire.is_openai else None


def _marked(prompt: Prompt, plan: MarkPlan | None, endpoint: str) -> Prompt:
    if plan is None or plan.endpoint not in (None, endpoint):
        return prompt
    return {**prompt, **(follow(plan.instructions, prompt) or {})}


def has_answer(prompt: Prompt) -> bool:
    """True when the model has answered in this conversation before."""
    given = prompt.get("messages") or prompt.get("input")
    items = [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    return any(one.get("role") == "assistant" or one.get("type") == "function_call" for one in items)
