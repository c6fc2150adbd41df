"""Bodies as the provider gets them, made by LiteLLM's own code. Token counts of accounting and simulator come from it.

A Claude gets Anthropic's Messages on Anthropic, Vertex, Azure and Bedrock's invoke, and Bedrock's Converse, whose cache
points are read as marks. OpenRouter and Databricks take chat bodies; what they make of these isn't known, and they are
accounted as Messages. Every other provider is accounted by the chat body itself.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from itertools import pairwise
from typing import Any, NamedTuple

import litellm
from litellm.integrations.anthropic_cache_control_hook import AnthropicCacheControlHook
from litellm.litellm_core_utils.prompt_templates.factory import anthropic_messages_pt
from litellm.responses.litellm_completion_transformation.transformation import LiteLLMCompletionResponsesConfig
from litellm.types.utils import LlmProviders
from litellm.utils import (
    ProviderConfigManager,
    get_non_default_completion_params,
    get_optional_params,
    validate_and_fix_openai_messages,
    validate_and_fix_openai_tools,
)

from litellm_prompt_router.cache_model import DeployedModel, messages_of_converse
from litellm_prompt_router.cache_model.known_tools import EqualName, KnownTools
from litellm_prompt_router.documents.equal_bytes import equal_bytes
from litellm_prompt_router.gateway.deployments.describe import describe
from litellm_prompt_router.process_memory.bounded import register_memory
from litellm_prompt_router.request.wire.marks import INJECTION_POINTS, MARK_KEYS, SYSTEM_ROLES

_NOT_PROMPT = frozenset(
    {"model", "messages", "tools", "stream", "stream_options", "metadata", "user", "timeout", "n", INJECTION_POINTS}
    | {"extra_headers", "extra_body", "extra_query", "enable_prompt_caching"}
)
"""Fields that are handled apart or don't reach the prompt."""
_NOT_CHAT = frozenset({"custom_llm_provider", "reasoning_summary", "context_management"})
"""What LiteLLM's translation of a Responses body has beside the chat body."""
MAX_WIRES = 256
_NOT_AMONG_OTHERS = frozenset({"messages", "tools", INJECTION_POINTS})
MAX_SAME = 1_024
MAX_ENVELOPES = 256
"""Of a model's bodies without messages: their tools and settings."""
MAX_ENVELOPE_BYTES = 2_000_000
"""Of all of a model's, as ``equal_bytes`` writes them; as objects they take about twice as much."""
_STAND_IN = {"role": "user", "content": "."}
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
"""A name that LiteLLM changes nowhere (``_build_anthropic_tool_name_maps``,
llms/anthropic/chat/transformation.py, 1.106)."""
_PLAIN_FIELDS = {
    "user": frozenset({"role", "content", "name", "cache_control"}),
    "assistant": frozenset(
        {"role", "content", "name", "cache_control", "tool_calls", "thinking_blocks", "reasoning_content"}
    ),
    "tool": frozenset({"role", "content", "name", "cache_control", "tool_call_id"}),
}


class _EnvelopeName(NamedTuple):
    """By which an envelope is found: what comes of it also depends on LiteLLM's settings and map."""

    tools: EqualName
    others: EqualName
    drops_params: object
    map_id: int

    @property
    def size_bytes(self) -> int:
        return self.tools.size_bytes + self.others.size_bytes


class _SameName(NamedTuple):
    """By which it is known that a body comes out the same where it is put together of its parts."""

    envelope: _EnvelopeName
    has_points: bool
    shapes: frozenset[_MessageShape]
    """Of the messages behind the system prompt."""
    last: str
    """Who wrote the last one."""


class _MessageShape(NamedTuple):
    """All of a message but its texts, arguments and names."""

    fields: tuple[str, ...]
    """Those that are set, in order."""
    role: str
    parts: frozenset[tuple[str, ...]]
    """The kinds of its parts, each with the fields that are set."""


class ClaudeWire:
    """Chat bodies -> Anthropic Messages bodies, for one model by LiteLLM's name.

    A base model has no say here: LiteLLM goes by the name that it sends.
    """

    def __init__(self, model: str, tools: KnownTools | None = None) -> None:
        described = describe(model)
        self._tools = KnownTools() if tools is None else tools
        name = described.own_name
        self._is_converse = described.wire == "converse"
        self._provider = "anthropic"
        self._model = self._name = name[name.index("arn:") :] if "arn:" in name else name.rsplit("/", 1)[-1]
        self._config: Any = litellm.AnthropicConfig()
        if described.wire != "chat" and described.provider is not None:
            self._name, self._provider = name, described.provider
            self._config = ProviderConfigManager.get_provider_chat_config(
                model=name, provider=LlmProviders(described.provider)
            )
        self._points = AnthropicCacheControlHook()
        self._envelopes: dict[_EnvelopeName, Mapping[str, Any]] = {}
        self._envelope_bytes = 0
        self._same: dict[_SameName, None] = {}
        register_memory(
            self,
            "translated tools and settings",
            MAX_ENVELOPES,
            lambda it: len(it._envelopes),
            size_bytes=lambda it: it._envelope_bytes,
            max_bytes=MAX_ENVELOPE_BYTES,
        )
        register_memory(self, "translations that come out the same", MAX_SAME, lambda it: len(it._same))

    def body(self, chat: Mapping[str, Any]) -> dict[str, Any]:
        """The body on the wire, injection points placed. Raises ValueError for a body that LiteLLM can't send."""
        try:
            return self._translated(chat)
        except Exception as error:  # LiteLLM raises dozens of types for a body it can't translate
            raise ValueError(f"LiteLLM can't send it to the provider ({type(error).__name__})") from error

    def _translated(self, chat: Mapping[str, Any]) -> dict[str, Any]:
        given = copy.deepcopy(dict(chat))
        messages = validate_and_fix_openai_messages(messages=given["messages"])
        tools = validate_and_fix_openai_tools(tools=given.get("tools"))
        named = {k: v for k, v in given.items() if k in litellm.OPENAI_CHAT_COMPLETION_PARAMS and k not in _NOT_PROMPT}
        others = get_non_default_completion_params(kwargs={k: v for k, v in given.items() if k not in _NOT_PROMPT})
        if given.get(INJECTION_POINTS):
            others[INJECTION_POINTS] = given[INJECTION_POINTS]
        # The order of litellm.completion: points counted and placed, roles, parameters, the provider's shape.
        messages, others = self._placed(messages, tools, others, given.get("enable_prompt_caching"))
        messages = self._config.translate_developer_role_to_system_role(messages=messages)
        parameters = get_optional_params(
            model=self._name,
            custom_llm_provider=self._provider,
            messages=messages,
            tools=tools,
            drop_params=True,
            **named,
            **others,
        )
        body: dict[str, Any] = self._config.transform_request(
            model=self._model, messages=messages, optional_params=parameters, litellm_params={}, headers={}
        )
        return messages_of_converse(body) if self._is_converse else body

    def _placed(
        self, messages: list[Any], tools: list[Any] | None, others: dict[str, Any], enable_prompt_caching: bool | None
    ) -> tuple[list[Any], dict[str, Any]]:
        """The messages with points placed, and the parameters that are left."""
        AnthropicCacheControlHook.maybe_seed_default_injection_points(
            non_default_params=others,
            messages=messages,
            model=self._model,
            custom_llm_provider=self._provider,
            tools=tools,
            enable_prompt_caching=enable_prompt_caching,
        )
        if others.get(INJECTION_POINTS):
            _, messages, others = self._points.get_chat_completion_prompt(
                model=self._model,
                messages=messages,
                non_default_params=others,
                prompt_id=None,
                prompt_variables=None,
                dynamic_callback_params={},
            )
        return messages, others

    def rest(self, chat: Mapping[str, Any], lead: int, end: int) -> dict[str, Any] | None:
        """The same body without the messages from ``lead`` to ``end``; None where it isn't told by the others alone.

        That is where the provider's shape of one message depends on messages further away than its own run.
        """
        try:
            later = chat["messages"][end:]
            if self._is_converse or not self._is_told_by_runs(chat, later) or not all(map(_is_plain, later)):
                return None
            return self._translated_rest(chat, lead, end)
        except Exception:  # noqa: BLE001 - dozens of types; whole, it fails in the same way or doesn't
            return None

    def body_of_parts(self, chat: Mapping[str, Any]) -> dict[str, Any]:
        """``body``, put together by ``rest`` where the same tools and settings, and messages of the same kinds, once
        came out the same.
        """
        given = chat.get("messages")
        messages = given if isinstance(given, list) and all(isinstance(one, dict) for one in given) else []
        lead = 0
        while lead < len(messages) and _is_prompt(messages[lead]):
            lead += 1
        rest = self.rest(chat, lead, lead) if lead < len(messages) else None
        if rest is None:
            return self.body(chat)
        shapes = frozenset(map(_shape_of, messages[lead:]))
        has_points = chat.get(INJECTION_POINTS) is not None
        name = _SameName(self._envelope_name(chat), has_points, shapes, messages[-1]["role"])
        if name in self._same:
            return rest
        body = self.body(chat)
        if body == rest:
            while len(self._same) >= MAX_SAME:
                self._same.pop(next(iter(self._same)))
            self._same[name] = None
        return body

    def _translated_rest(self, chat: Mapping[str, Any], lead: int, end: int) -> dict[str, Any] | None:
        given = chat["messages"]
        messages = validate_and_fix_openai_messages(messages=[_copied(one) for one in (*given[:lead], *given[end:])])
        if chat.get(INJECTION_POINTS):
            messages = self._with_points(chat, messages, end, end - lead)
        messages = self._config.translate_developer_role_to_system_role(messages=messages)
        system = self._config.translate_system_message(messages=messages[:lead])
        later = messages[lead:]
        if not later:
            return {**self._envelope(chat), **({"system": system} if system else {}), "messages": []}
        runs = sum(_is_answer(one) != _is_answer(other) for one, other in pairwise(later)) + 1
        wire = anthropic_messages_pt(model=self._model, messages=later, llm_provider=self._config._resolved_provider)
        if len(wire) != runs:
            return None
        return {**self._envelope(chat), **({"system": system} if system else {}), "messages": wire}

    def _with_points(self, chat: Mapping[str, Any], messages: list[Any], end: int, removed: int) -> list[Any]:
        points = [
            {**point, "index": point["index"] - removed} if (point.get("index") or 0) >= end else point
            for point in chat[INJECTION_POINTS]
        ]
        others = {name: chat[name] for name in ("cache_control",) if chat.get(name) is not None}
        tools = chat.get("tools")
        if self._tools.fact(tools, "unmarked", lambda: _mention_no_marks(tools)):
            tools = None  # LiteLLM counts their marks and looks at nothing else of them here
        return self._placed(
            messages, validate_and_fix_openai_tools(tools=tools), {**others, INJECTION_POINTS: points}, None
        )[0]

    def _envelope(self, chat: Mapping[str, Any]) -> Mapping[str, Any]:
        """What comes of everything but the messages."""
        name = self._envelope_name(chat)
        found = self._envelopes.get(name)
        if found is None:
            body = self._translated({**_without_messages(chat), "messages": [_STAND_IN]})
            found = {field: value for field, value in body.items() if field != "messages"}
            size = name.size_bytes
            while self._envelopes and (
                len(self._envelopes) >= MAX_ENVELOPES or self._envelope_bytes + size > MAX_ENVELOPE_BYTES
            ):
                oldest = next(iter(self._envelopes))
                del self._envelopes[oldest]
                self._envelope_bytes -= oldest.size_bytes
            self._envelopes[name] = found
            self._envelope_bytes += size
        if "tools" in found:
            self._tools.keep(found["tools"])
        return found

    def _envelope_name(self, chat: Mapping[str, Any]) -> _EnvelopeName:
        others = equal_bytes({name: value for name, value in chat.items() if name not in _NOT_AMONG_OTHERS})
        return _EnvelopeName(
            tools=self._tools.name_of(chat.get("tools")),
            others=EqualName(hash(others), len(others)),
            drops_params=litellm.drop_params,
            map_id=id(litellm.model_cost),
        )

    def _is_told_by_runs(self, chat: Mapping[str, Any], later: Sequence[Mapping[str, Any]]) -> bool:
        """False where what LiteLLM makes of a message depends on more than its neighbours of the same side."""
        if litellm.modify_params or litellm.enable_anthropic_prompt_caching or chat.get("enable_prompt_caching"):
            return False
        if chat.get(INJECTION_POINTS) and chat.get("prompt_cache_options"):
            return False
        tools = chat.get("tools") or ()
        if not tools:
            return not any(message.get("tool_calls") or message.get("role") == "tool" for message in later)
        found = self._tools.fact(tools, "names change nowhere", lambda: _are_plain_names(tools))
        return _are_plain_names(tools) if found is None else found


class LiteLLMTranslator:
    """Accounting's ``Translator`` by LiteLLM's own code. ``ClaudeWire`` objects are kept by model."""

    def __init__(self) -> None:
        self._tools = KnownTools()
        self._wire = lru_cache(MAX_WIRES)(partial(ClaudeWire, tools=self._tools))

    @property
    def tools(self) -> KnownTools:
        return self._tools

    def messages_of_chat(self, body: Mapping[str, Any], model: DeployedModel) -> Mapping[str, Any]:
        return self._wire(model.name).body_of_parts(body)

    def messages_of_rest(
        self, body: Mapping[str, Any], lead: int, end: int, model: DeployedModel
    ) -> Mapping[str, Any] | None:
        return self._wire(model.name).rest(body, lead, end)

    def chat_of_responses(self, body: Mapping[str, Any], model: DeployedModel) -> dict[str, Any]:
        given = copy.deepcopy(dict(body))
        try:
            chat: dict[str, Any] = (
                LiteLLMCompletionResponsesConfig.transform_responses_api_request_to_chat_completion_request(
                    model=model.own_name,
                    input=given.pop("input"),
                    responses_api_request=given,
                    custom_llm_provider=model.provider,
                )
            )
        except Exception as error:  # LiteLLM raises dozens of types for a body it can't translate
            raise ValueError(f"LiteLLM can't send it to the provider ({type(error).__name__})") from error
        kept = {name: given[name] for name in (INJECTION_POINTS, "enable_prompt_caching") if name in given}
        return {**{name: value for name, value in chat.items() if name not in _NOT_CHAT}, **kept}


def _without_messages(chat: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in chat.items() if name not in ("messages", INJECTION_POINTS)}


def _copied(message: Mapping[str, Any]) -> dict[str, Any]:
    """The message with lists and blocks of its own: LiteLLM changes no deeper ones here."""
    copied = dict(message)
    for name in ("content", "tool_calls"):
        if isinstance(copied.get(name), list):
            copied[name] = [dict(part) if isinstance(part, dict) else part for part in copied[name]]
    return copied


def _are_plain_names(tools: Sequence[Any]) -> bool:
    names = [(tool.get("function") or tool).get("name") for tool in tools]
    return all(isinstance(name, str) and _TOOL_NAME.fullmatch(name) for name in names)


def _mention_no_marks(tools: Any) -> bool:
    written = equal_bytes(tools)
    return not any(name.encode() in written for name in MARK_KEYS)


def _shape_of(message: Mapping[str, Any]) -> _MessageShape:
    """Of a plain one."""
    content, calls = message.get("content"), message.get("tool_calls")
    parts = {_set_fields(part) for part in content} if isinstance(content, list) else set()
    if isinstance(content, str):
        parts.add(("text",) if content.strip() else ("blank",))
    return _MessageShape(
        fields=_set_fields(message),
        role=message["role"],
        parts=frozenset([*parts, *(("call",) for _ in calls or ())]),
    )


def _set_fields(holder: Mapping[str, Any]) -> tuple[str, ...]:
    return (str(holder.get("type")), *(name for name, value in holder.items() if value is not None))


def _is_plain(message: Mapping[str, Any]) -> bool:
    """True for a message of texts, images in it, and calls and results of functions."""
    role = message.get("role")
    fields = _PLAIN_FIELDS.get(role) if isinstance(role, str) else None
    if fields is None or any(name not in fields and value is not None for name, value in message.items()):
        return False
    content = message.get("content")
    if isinstance(content, list):
        if not content or not all(_is_plain_part(part, role) for part in content):
            return False
    elif not isinstance(content, str) and not (content is None and role == "assistant"):
        return False
    return all(map(_is_plain_call, message.get("tool_calls") or ()))


def _is_plain_part(part: Any, role: str | None) -> bool:
    if not isinstance(part, dict):
        return False
    if part.get("type") == "text":
        return isinstance(part.get("text"), str)
    image = part.get("image_url") if part.get("type") == "image_url" and role == "user" else None
    url = image.get("url") if isinstance(image, dict) else image
    return isinstance(url, str) and url.startswith("data:")


def _is_plain_call(call: Any) -> bool:
    function = call.get("function") if isinstance(call, dict) and call.get("type") == "function" else None
    name = call.get("id") if isinstance(function, dict) else None
    return isinstance(name, str) and not name.startswith("srvtoolu_")


def _is_prompt(message: Mapping[str, Any]) -> bool:
    return str(message.get("role")) in SYSTEM_ROLES


def _is_answer(message: Mapping[str, Any]) -> bool:
    return message.get("role") == "assistant"
