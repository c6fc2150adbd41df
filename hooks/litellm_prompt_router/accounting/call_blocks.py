"""What was kept of a request -> the blocks that its provider reads.

One reader for each endpoint. Claude's wire is made by LiteLLM's own code, as the simulator's is, and so is the chat
request that it makes of a Responses body for everybody but OpenAI.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from litellm_prompt_router.accounting.in_flight import Prompt
from litellm_prompt_router.cache_model import Block, BlockReader, DeployedModel, messages_of_marked_chat
from litellm_prompt_router.request.types import CHAT, MESSAGES, RESPONSES
from litellm_prompt_router.request.wire.marking import MarkPlan, apply_instructions
from litellm_prompt_router.request.wire.marks import INJECTION_POINTS, marks_of_message

EXPLICIT_GEMINI = "Gemini keeps an explicit cache for this request, which isn't modelled"
_CACHED_CONTENT = ("cached_content", "cachedContent")
"""LiteLLM's name of it on the chat endpoint (llms/vertex_ai/gemini/transformation.py, 1.106), and Gemini's own."""
HISTORY_ELSEWHERE = ("previous_response_id", "conversation")
"""Fields of a Responses body."""


class Translator(Protocol):
    """What LiteLLM makes of a body on its way to the provider. Raises ValueError for a body that it can't send."""

    def messages_of_chat(self, body: Prompt, model: DeployedModel) -> Mapping[str, Any]:
        """The body of Anthropic's Messages, injection points placed, that a Claude reads of a Chat body."""
        ...

    def chat_of_responses(self, body: Prompt, model: DeployedModel) -> Mapping[str, Any]:
        """The Chat body made of a Responses body where the provider has no such endpoint."""
        ...


class CallBlocks:
    """Reads prompts; sizes of blocks are remembered. Used by one thread."""

    def __init__(self, count_tokens: Callable[[str], int], translator: Translator) -> None:
        self._reader = BlockReader(count_tokens)
        self._translator = translator
        self._readers: Mapping[str, Callable[[Prompt, DeployedModel, MarkPlan | None], Sequence[Block]]] = {
            CHAT: self._chat,
            MESSAGES: self._messages,
            RESPONSES: self._responses,
        }

    def can_read(self, endpoint: str) -> bool:
        return endpoint in self._readers

    def blocks(
        self, endpoint: str, prompt: Prompt, model: DeployedModel, plan: MarkPlan | None = None
    ) -> Sequence[Block]:
        """The blocks of a prompt. ``plan``: our marks, for the prompt or for what LiteLLM makes of it.

        Raises ValueError for one that LiteLLM couldn't send, or whose history isn't in it.
        """
        return self._readers[endpoint](prompt, model, plan)

    def _chat(self, prompt: Prompt, model: DeployedModel, plan: MarkPlan | None) -> Sequence[Block]:
        prompt = _marked(prompt, plan, CHAT)
        _refuse_explicit_gemini(prompt, model)
        if model.takes_block_marks:
            return self._reader.anthropic(messages_of_marked_chat(prompt))
        if not model.takes_marks:
            return self._reader.openai(prompt)
        if model.injection_points and not prompt.get(INJECTION_POINTS):
            prompt = {**prompt, INJECTION_POINTS: model.injection_points}
        return self._reader.anthropic(self._translator.messages_of_chat(prompt, model))

    def _messages(self, prompt: Prompt, model: DeployedModel, plan: MarkPlan | None) -> Sequence[Block]:
        prompt = _marked(prompt, plan, MESSAGES)
        _refuse_explicit_gemini(prompt, model)
        blocks = self._reader.anthropic(prompt)
        # On the way to Qwen LiteLLM drops them (``target_consumes_cache_control``,
        # llms/anthropic/pass_through/adapters/transformation.py, 1.106).
        return [block._replace(mark=None) for block in blocks] if model.takes_block_marks else blocks

    def _responses(self, prompt: Prompt, model: DeployedModel, plan: MarkPlan | None) -> Sequence[Block]:
        if any(prompt.get(field) for field in HISTORY_ELSEWHERE):
            raise ValueError("the history is with the provider")
        if model.is_openai:
            return self._reader.openai(_marked(prompt, plan, RESPONSES))
        return self._chat(self._translator.chat_of_responses(prompt, model), model, plan)


def _refuse_explicit_gemini(prompt: Prompt, model: DeployedModel) -> None:
    """Raises ValueError for marks that LiteLLM makes cached contents of, points that it makes marks of, and the name of
    a cached content that the client made.
    """
    if "gemini" in model.known_name:
        if model.injection_points or any(prompt.get(name) for name in (INJECTION_POINTS, *_CACHED_CONTENT)):
            raise ValueError(EXPLICIT_GEMINI)
        system = prompt.get("system")
        holders = [*prompt.get("messages", ()), {"content": system if isinstance(system, list) else None}]
        if any(any(marks_of_message(holder)) for holder in holders):
            raise ValueError(EXPLICIT_GEMINI)


def _marked(prompt: Prompt, plan: MarkPlan | None, endpoint: str) -> Prompt:
    if plan is None or plan.endpoint not in (None, endpoint):
        return prompt
    return {**prompt, **(apply_instructions(plan.instructions, prompt) or {})}


def has_answer(prompt: Prompt) -> bool:
    """True when the model has answered in this conversation before."""
    given = prompt.get("messages") or prompt.get("input")
    items = [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    return any(one.get("role") == "assistant" or one.get("type") == "function_call" for one in items)
