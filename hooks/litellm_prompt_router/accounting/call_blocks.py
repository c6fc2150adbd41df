"""What was kept of a request -> the blocks that its provider reads.

One reader for each endpoint. Claude's wire is made by LiteLLM's own code, as the simulator's is, and so is the chat
request that it makes of a Responses body for everybody but OpenAI.
"""

from __future__ import annotations

import marshal
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from litellm_prompt_router.accounting.continued_reading import Reading, SharedTail, continued_blocks
from litellm_prompt_router.accounting.in_flight import Prompt
from litellm_prompt_router.accounting.known_beginnings import BodyHistory, Histories, KnownBeginnings
from litellm_prompt_router.cache_model import (
    Block,
    BlockReader,
    DeployedModel,
    KnownHistory,
    ReadPrompt,
    messages_of_marked_chat,
)
from litellm_prompt_router.cache_model.known_tools import KnownTools
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

    @property
    def tools(self) -> KnownTools:
        """Lists of tools that live on: those loaded from it in the bodies given, and some of its own making."""
        ...

    def messages_of_chat(self, body: Prompt, model: DeployedModel) -> Mapping[str, Any]:
        """The body of Anthropic's Messages, injection points placed, that a Claude reads of a Chat body."""
        ...

    def messages_of_rest(self, body: Prompt, lead: int, end: int, model: DeployedModel) -> Mapping[str, Any] | None:
        """The same without what comes of the messages from ``lead`` to ``end``; None where these may matter."""
        ...

    def chat_of_responses(self, body: Prompt, model: DeployedModel) -> Mapping[str, Any]:
        """The Chat body made of a Responses body where the provider has no such endpoint."""
        ...


class CallBlocks:
    """Reads prompts. Sizes of blocks are remembered, and what was read of the beginnings of histories.

    Used by one thread.
    """

    def __init__(
        self, count_tokens: Callable[[str], int], translator: Translator, known: KnownBeginnings, histories: Histories
    ) -> None:
        self._reader = BlockReader(count_tokens, translator.tools)
        self._translator = translator
        self._known = known
        self._histories = histories
        self._tail = SharedTail()
        self._readers: Mapping[str, Callable[[Prompt, DeployedModel, MarkPlan | None], Sequence[Block]]] = {
            CHAT: self._chat,
            MESSAGES: self._messages,
            RESPONSES: self._responses,
        }

    def can_read(self, endpoint: str) -> bool:
        return endpoint in self._readers

    def clear(self) -> None:
        """Holds no messages any longer."""
        self._tail.clear()

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
        history = self._histories.of(prompt, CHAT)
        if model.takes_block_marks:
            return self._anthropic(prompt, history, messages_of_marked_chat)
        if not model.takes_marks:
            return self._openai(prompt, history)
        if model.injection_points and not prompt.get(INJECTION_POINTS):
            prompt = {**prompt, INJECTION_POINTS: model.injection_points}
        return self._translated(prompt, history, model)

    def _messages(self, prompt: Prompt, model: DeployedModel, plan: MarkPlan | None) -> Sequence[Block]:
        prompt = _marked(prompt, plan, MESSAGES)
        _refuse_explicit_gemini(prompt, model)
        blocks = self._anthropic(prompt, self._histories.of(prompt, MESSAGES))
        # On the way to Qwen LiteLLM drops them (``target_consumes_cache_control``,
        # llms/anthropic/pass_through/adapters/transformation.py, 1.106).
        return [block._replace(mark=None) for block in blocks] if model.takes_block_marks else blocks

    def _responses(self, prompt: Prompt, model: DeployedModel, plan: MarkPlan | None) -> Sequence[Block]:
        if any(prompt.get(field) for field in HISTORY_ELSEWHERE):
            raise ValueError("the history is with the provider")
        if model.is_openai:
            prompt = _marked(prompt, plan, RESPONSES)
            return self._openai(prompt, self._histories.of(prompt, RESPONSES))
        return self._chat(self._translator.chat_of_responses(prompt, model), model, plan)

    def _openai(self, prompt: Prompt, history: BodyHistory | None) -> Sequence[Block]:
        def rest(end: int, before: KnownHistory) -> ReadPrompt | None:
            assert history is not None
            read = self._tail.read(
                key, prompt, history, end, count_behind(end),
                lambda end: self._reader.openai_prompt(history.without(prompt, end)),
            )  # fmt: skip
            return read if read is not None and read.prompt else None  # the settings belong to the first block

        def count_behind(end: int) -> int:
            return 0 if history is None else len(history.items) - end

        mode = (prompt.get("prompt_cache_options") or {}).get("mode")
        key = ("openai", mode == "explicit")
        reading = Reading(
            key=key,
            whole=lambda: self._reader.openai_prompt(prompt),
            rest=rest,
            count_behind=count_behind,
        )
        return continued_blocks(reading, history, self._known)

    def _anthropic(
        self, prompt: Prompt, history: BodyHistory | None, shaped: Callable[[Prompt], Prompt] = lambda prompt: prompt
    ) -> Sequence[Block]:
        def rest(end: int, before: KnownHistory) -> ReadPrompt | None:
            assert history is not None

            def read_from(end: int) -> ReadPrompt | None:
                body = shaped(history.without(prompt, end))
                read = self._reader.anthropic_prompt(body, before)
                return read if read.can_be_marked or not body.get("cache_control") else None

            return self._tail.read(key, prompt, history, end, count_behind(end), read_from)

        def count_behind(end: int) -> int:
            return 0 if history is None else len(history.items) - end

        key = ("anthropic", shaped is messages_of_marked_chat, _settings(shaped(_without_messages(prompt))))
        reading = Reading(
            key=key,
            whole=lambda: self._reader.anthropic_prompt(shaped(prompt)),
            rest=rest,
            count_behind=count_behind,
        )
        return continued_blocks(reading, history, self._known)

    def _translated(self, chat: Prompt, history: BodyHistory | None, model: DeployedModel) -> Sequence[Block]:
        if history is not None and not _points_behind(chat, history):
            history = None

        def rest(end: int, before: KnownHistory) -> ReadPrompt | None:
            assert history is not None
            if not chat.get("tools") and any(block.run for block in before.blocks):
                return None

            def read_from(end: int) -> ReadPrompt | None:
                body = self._translator.messages_of_rest(chat, history.lead, end, model)
                if body is None:
                    return None
                read = self._reader.anthropic_prompt(body, before)
                return read if read.can_be_marked or not body.get("cache_control") else None

            return self._tail.read(key, chat, history, end, count_behind(end), read_from)

        def whole() -> ReadPrompt:
            return self._reader.anthropic_prompt(self._translator.messages_of_chat(chat, model))

        def count_behind(end: int) -> int:
            """A user's, and the beginning of an answer where there is one."""
            return 0 if history is None else 1 + (history.items[-1].get("role") == "assistant")

        key = ("translated", model.name, _settings(chat))
        return continued_blocks(Reading(key, whole, rest, count_behind), history, self._known)


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


def _without_messages(prompt: Prompt) -> Prompt:
    return {**prompt, "messages": ()}


def _settings(body: Prompt) -> str:
    """What beside the messages is part of the first message's block, or decides on it."""
    names = ("tool_choice", "thinking", "output_config", "reasoning_effort", "speed")
    return repr([*(body.get(name) for name in names), bool(body.get("system"))])


def _points_behind(chat: Prompt, history: BodyHistory) -> bool:
    """True where every mark that LiteLLM is to place is on the system prompt or behind the last place to continue."""
    points = chat.get(INJECTION_POINTS)
    if not points:
        return True
    end, count = history.ends[-1], len(history.items)
    if not isinstance(points, (list, tuple)) or _mentions_marks(history.items[history.lead : end]):
        return False  # LiteLLM counts the marks that there are
    for point in points:
        if not isinstance(point, Mapping) or point.get("location") != "message":
            return False
        index = point.get("index")
        if index is None:
            if point.get("role") != "system":
                return False
        elif type(index) is not int or not (end - count <= index < 0 or 0 <= index < history.lead or index >= end):
            return False
    return True


def _mentions_marks(messages: Sequence[Any]) -> bool:
    try:
        return b"cache_control" in marshal.dumps(list(messages))
    except ValueError:  # a type that JSON doesn't have
        return True


def has_answer(prompt: Prompt) -> bool:
    """True when the model has answered in this conversation before."""
    given = prompt.get("messages") or prompt.get("input")
    items = [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    return any(one.get("role") == "assistant" or one.get("type") == "function_call" for one in items)
