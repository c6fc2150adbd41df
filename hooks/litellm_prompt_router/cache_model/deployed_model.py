"""Which model answers behind a deployment of LiteLLM's: the one place that tells Claude and OpenAI from the others.

Marks, placement, prices and accounting all go by ``DeployedModel``. Deployments whose names say nothing (Azure's, and
Bedrock's inference profiles) are known by the base model that their configuration states.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Family = Literal["claude", "openai", "other"]
Wire = Literal["messages", "converse", "chat"]
"""What LiteLLM makes of a chat request: Anthropic's Messages, Bedrock's Converse, or OpenAI's Chat or Responses."""

ANTHROPIC = "anthropic"
TRANSLATING_HOSTS = frozenset({"bedrock", "bedrock_converse", "vertex_ai", "azure_ai"})
"""Besides Anthropic's own: hosts for which LiteLLM translates Claude's requests from chat itself (1.106)."""
CLAUDE_HOSTS = TRANSLATING_HOSTS | {"databricks", "openrouter"}
"""Besides Anthropic's own: where LiteLLM keeps ``cache_control`` on the way to a host that accepts it, by the wire of
1.106. Everybody else gets no marks: LiteLLM strips them, or forwards them to an API that may reject them; Gemini's
would make explicit caches, with two calls more for each request."""
QWEN_HOSTS = frozenset({"dashscope", "qwencloud", "qwen_ai_platform"})
"""Alibaba's Model Studio by LiteLLM's names, which keep ``cache_control`` on the way there
(llms/dashscope/chat/transformation.py, ``remove_cache_control_flag_from_messages_and_tools``, 1.106). OpenRouter's Qwen
loses it: ``CacheControlSupportedModels`` (llms/openrouter/chat/transformation.py) has no Qwen."""
QWEN_EXPLICIT = re.compile(
    r"qwen(?:4|3\.[5-8]-(?:max|plus|flash)|3\.8-(?:2\.4t|27b)|-plus|-flash|3-max|3-(?:coder|vl)-(?:plus|flash))"
)
"""Models with an explicit cache (alibabacloud.com/help/en/model-studio/context-cache and explicit-cache-qwen4, checked
2026-11). Which of them a region has isn't told by a deployment's name."""
OPENAI_HOSTS = frozenset({"openai", "azure"})

_OPENAI_NAMES = re.compile(r"(?:^|[/-])(?:gpt-\d|chatgpt|codex)|(?:^|/)o\d|^azure/.*-o\d")
"""OpenAI's own; not gpt-oss and others alike, whose hosts have chat templates of their own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DeployedModel:
    """A model on the host that answers for it."""

    name: str
    """LiteLLM's name of the model, the provider first."""
    provider: str | None
    """LiteLLM's name of the host; None where it can't tell."""
    base_model: str | None = None
    """What the configuration says that the model really is."""
    family: Family
    """Whose model it is, wherever it is hosted."""
    wire: Wire
    takes_breakpoint_fields: bool = False
    """True where the host takes OpenAI's ``prompt_cache_breakpoint``: OpenAI's own, or one that is stated to."""
    forwards_messages: bool = False
    """True where the configuration says that the host takes Anthropic's bodies as they are."""
    injection_points: tuple[Mapping[str, Any], ...] = ()
    """LiteLLM's own ``cache_control_injection_points``, as configured for the deployment."""

    @property
    def known_name(self) -> str:
        """The name that tells the model's version, lower case: the base model's where one is stated."""
        return (self.base_model or self.name).lower()

    @property
    def own_name(self) -> str:
        """LiteLLM's name without the provider."""
        return self.name.removeprefix(f"{self.provider}/")

    @property
    def takes_marks(self) -> bool:
        """True for a Claude whose host gets ``cache_control`` and reads it."""
        return self.family == "claude" and (self.provider == ANTHROPIC or self.provider in CLAUDE_HOSTS)

    @property
    def takes_block_marks(self) -> bool:
        """True for a Qwen with an explicit cache: it reads ``cache_control`` on messages' blocks, and nowhere else."""
        return self.provider in QWEN_HOSTS and QWEN_EXPLICIT.search(self.known_name) is not None

    @property
    def is_openai(self) -> bool:
        """True for OpenAI's own models at OpenAI or Azure."""
        return self.family == "openai" and self.provider in OPENAI_HOSTS


def deployed_model(
    name: str,
    provider: str | None,
    *,
    base_model: str | None = None,
    is_converse: bool = False,
    takes_breakpoint_fields: bool = False,
    forwards_messages: bool = False,
    injection_points: tuple[Mapping[str, Any], ...] = (),
) -> DeployedModel:
    """The model by its names. ``is_converse``: LiteLLM sends to Bedrock's Converse."""
    prefix = f"{provider}/"
    full = name if provider is None or name.startswith(prefix) else prefix + name
    family = _family(base_model or "") or _family(full) or ("claude" if provider == ANTHROPIC else "other")
    is_translated = family == "claude" and (provider == ANTHROPIC or provider in TRANSLATING_HOSTS)
    return DeployedModel(
        name=full,
        provider=provider,
        base_model=base_model or None,
        family=family,
        wire="converse" if is_converse else "messages" if is_translated else "chat",
        takes_breakpoint_fields=takes_breakpoint_fields,
        forwards_messages=forwards_messages,
        injection_points=injection_points,
    )


def _family(name: str) -> Family | None:
    """By a model's name; None where it doesn't tell."""
    name = name.lower()
    if "claude" in name:
        return "claude"
    return "openai" if _OPENAI_NAMES.search(name) else None
