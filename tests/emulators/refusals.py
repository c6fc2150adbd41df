"""What a provider answers with 400: the rules that a prompt rewriter can break, with the provider's own words.

Sources, checked 2026-11:

- platform.claude.com/docs/en/build-with-claude/prompt-caching: four breakpoints, the automatic one included; a
  1-hour mark ahead of any 5-minute one; no mark on thinking blocks or empty text; an automatic mark and the last
  block's own must agree
- platform.claude.com/docs/en/build-with-claude/mid-conversation-system-messages: where a ``system`` message may stand,
  and for which models on which host. That two of them may not stand in a row is what LiteLLM 1.106 goes by
  (litellm_core_utils/prompt_templates/mid_conversation_system.py) and what github.com/anthropics/claude-code issue
  77698 reports: ``user assistant user system system`` was answered with 400
- the wording as quoted in github.com/anthropics/claude-code issues 39599 (order), 54039 (empty), 61412 and 73821
  (``system``), github.com/Wei-Shaw/sub2api issue 225 (thinking), and github.com/cg-dot/vertexai-cf-workers pull 21
  (where no mark is known). The words for a mark, type or ttl that doesn't exist, for a disagreeing automatic mark,
  for system messages in a row, and for OpenAI's refusals are ours: no quotation was found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.emulators.bound_thinking import refuse_changed_prefix
from tests.emulators.provider_rules import takes_breakpoints

MAX_MARKS = 4

_ORDER = (
    "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. "
    "Note that blocks are processed in the following order: `tools`, `system`, `messages`."
)
_DIRECTIVE = "the directive-only form (content: [] with output_config) is accepted at any position"

Place = tuple[str, Mapping[str, Any]]


def refuse_anthropic(body: Mapping[str, Any], *, takes_mid_system: bool) -> str | None:
    """The message of the 400 for this Messages body, or None. ``takes_mid_system`` is the model's ability."""
    return refuse_marks(body) or _refuse_lifetimes(body) or refuse_conversation(body, takes_mid_system=takes_mid_system)


def refuse_conversation(body: Mapping[str, Any], *, takes_mid_system: bool) -> str | None:
    """The message for system messages where none may be, or thinking from another conversation, or None."""
    return _refuse_system(body, takes_mid_system) or refuse_changed_prefix(body)


def refuse_marks(body: Mapping[str, Any]) -> str | None:
    """The message for too many marks, one that is none, or one where none may be, or None."""
    marked = [(path, block) for path, block in _places(body) if block.get("cache_control") is not None]
    if len(marked) > MAX_MARKS:
        return f"A maximum of {MAX_MARKS} blocks with cache_control may be provided. Found {len(marked)}."
    for path, block in marked:
        mark = block["cache_control"]
        if not isinstance(mark, Mapping):
            return f"{path}.cache_control: Input should be an object"
        if mark.get("type", "ephemeral") != "ephemeral":
            return f"{path}.cache_control.type: Input should be 'ephemeral'"
        if "role" in block:
            return f"{path}.cache_control: Extra inputs are not permitted"
        if block.get("type") == "text" and not block.get("text"):
            return f"{path}.text: cache_control cannot be set for empty text blocks"
    return None


def refuse_openai(body: Mapping[str, Any]) -> str | None:
    """The message of the 400 for this Chat or Responses body, or None: breakpoints ahead of GPT-5.6.

    ``prompt_cache_options`` and ``prompt_cache_breakpoint`` give 400 on GPT-5.5 and older (measured:
    synthorai.io, "GPT-5.6 Prompting Guide"; the API reference says "supported for gpt-5.6 and later models").
    """
    model = str(body.get("model"))
    if takes_breakpoints(model):
        return None
    if body.get("prompt_cache_options") is not None:
        return f"prompt_cache_options is not supported with {model}"
    field = "input" if "input" in body else "messages"
    given = body.get(field)
    for number, message in enumerate(given if isinstance(given, list) else ()):
        content = message.get("content")
        for index, part in enumerate(content if isinstance(content, list) else ()):
            if part.get("prompt_cache_breakpoint") is not None:
                path = f"{field}[{number}].content[{index}].prompt_cache_breakpoint"
                return f"{path} is not supported with {model}"
    return None


def _refuse_lifetimes(body: Mapping[str, Any]) -> str | None:
    short_before = False
    automatic = body.get("cache_control")
    last: Mapping[str, Any] = {}
    for path, block in _places(body):
        if block is body:
            continue
        last = block
        mark = block.get("cache_control")
        if mark is None:
            continue
        kind = block.get("type")
        if kind in ("thinking", "redacted_thinking"):
            return f"{path}.{kind}.cache_control: Extra inputs are not permitted"
        problem = _refuse_lifetime(f"{path}.cache_control", mark, short_before)
        if problem:
            return problem
        short_before = short_before or _ttl(mark) == "5m"
    if automatic is None:
        return None
    own = last.get("cache_control")
    if own is not None and _ttl(own) != _ttl(automatic):
        return "cache_control: the last block has a cache_control with another ttl"
    return _refuse_lifetime("cache_control", automatic, short_before)


def _refuse_lifetime(path: str, mark: Any, short_before: bool) -> str | None:
    if _ttl(mark) not in ("5m", "1h"):
        return f"{path}.ttl: Input should be '5m' or '1h'"
    return f"{path}.ttl: {_ORDER}" if short_before and _ttl(mark) == "1h" else None


def _ttl(mark: Any) -> Any:
    return mark.get("ttl") or "5m"


def _refuse_system(body: Mapping[str, Any], takes_mid_system: bool) -> str | None:
    """A ``system`` message follows a user turn and precedes the assistant's, alone."""
    messages = list(body.get("messages") or ())
    roles = [message.get("role") for message in messages]
    for number, role in enumerate(roles):
        if role != "system":
            continue
        if not takes_mid_system:
            return "role 'system' is not supported on this model"
        if messages[number].get("content") == [] and messages[number].get("output_config"):
            continue
        before = number - 1
        if before >= 0 and roles[before] == "system":
            return f"messages.{number}: role 'system' must not follow another 'system' message; {_DIRECTIVE}"
        if before < 0:
            return (
                f"messages.{number}: use the top-level 'system' parameter for the initial system prompt; {_DIRECTIVE}"
            )
        if roles[before] != "user" and not _ends_in_server_result(messages[before]):
            return (
                f"messages.{number}: role 'system' must follow a 'user' message or an 'assistant' message ending in "
                f"a server tool result; {_DIRECTIVE}"
            )
        if number + 1 < len(roles) and roles[number + 1] not in ("assistant", "system"):
            return (
                f"messages.{number}: role 'system' must precede an 'assistant' message or end the array; {_DIRECTIVE}"
            )
    return None


def _ends_in_server_result(message: Mapping[str, Any]) -> bool:
    content = message.get("content")
    last = content[-1] if isinstance(content, list) and content else {}
    return message.get("role") == "assistant" and str(last.get("type")).endswith("_tool_result")


def _places(body: Mapping[str, Any]) -> Iterator[Place]:
    """Everything that may carry a mark, in the order it is read, with the path the provider's errors use."""
    yield "request", body
    for number, tool in enumerate(body.get("tools") or ()):
        yield f"tools.{number}", tool
    yield from _content_places("system", body.get("system"))
    for number, message in enumerate(body.get("messages") or ()):
        yield f"messages.{number}", message
        yield from _content_places(f"messages.{number}.content", message.get("content"))


def _content_places(path: str, content: Any) -> Iterator[Place]:
    if not isinstance(content, list):
        return
    for number, block in enumerate(content):
        yield f"{path}.{number}", block
        yield from _content_places(f"{path}.{number}.content", block.get("content"))
