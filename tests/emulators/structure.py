"""What providers answer with 400 when messages stand in the wrong order: a late module in the wrong place would.

Sources, checked 2026-11, the wording as quoted there:

- Anthropic: github.com/anthropics/claude-code issues 8210 (call without result), 18947 (result without call), 4416
  (empty message), 53473 (empty text), 23352 (blank text). "Consecutive ``user`` or ``assistant`` turns in your
  request will be combined into a single turn" (platform.claude.com/docs/en/api/messages).
- OpenAI: github.com/RamiAwar/dataline issue 172 (call without result), github.com/smarter-sh/smarter issue 264
  (result without call).
- OpenAI Responses: github.com/bytedance/trae-agent issue 245 (call without output), github.com/continuedev/continue
  issue 10092 (output without call), github.com/MervinPraison/PraisonAI issue 3934 (a block's type); LiteLLM's
  llms/openai/responses/transformation.py quotes the one for ``cache_control``.
- Mistral: github.com/langchain-ai/langchain issue 23703 (last role), github.com/yetone/avante.nvim pull 2695 (order).
- Chat templates of open models: the Jinja template of Mistral 7B Instruct and many others alike (huggingface.co), which
  wants user and assistant in turns, tool calls and results aside, and knows no system message but the first.
- Gemini: github.com/google-gemini/gemini-cli issue 4217 (number of results) and pull 16137 (parts beside them).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

Message = Mapping[str, Any]


def refuse_anthropic_structure(body: Mapping[str, Any]) -> str | None:
    """The message of the 400 for this Messages body, or None."""
    messages: Sequence[Message] = body.get("messages") or ()
    return _empty("system", _blocks(body.get("system"))) or _empty_messages(messages) or _unpaired(messages)


def refuse_openai_structure(body: Mapping[str, Any]) -> str | None:
    """The message of the 400 for this Chat body, or None."""
    waiting: list[str] = []
    for number, message in enumerate(body.get("messages") or ()):
        if message.get("role") == "tool":
            if message.get("tool_call_id") not in waiting:
                return (
                    "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with "
                    f"'tool_calls'. (messages.[{number}].role)"
                )
            waiting.remove(str(message["tool_call_id"]))
            continue
        if waiting:
            break
        waiting = [str(call.get("id")) for call in message.get("tool_calls") or ()]
    if not waiting:
        return None
    return (
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
        f"The following tool_call_ids did not have response messages: {', '.join(waiting)}"
    )


def refuse_mistral_structure(body: Mapping[str, Any]) -> str | None:
    """Mistral's own rules, and those it shares with OpenAI."""
    messages: Sequence[Message] = body.get("messages") or ()
    roles = [message.get("role") for message in messages]
    if roles and roles[-1] not in ("user", "tool") and not messages[-1].get("prefix"):
        return f"Expected last role User or Tool (or Assistant with prefix True) for serving but got {roles[-1]}"
    for before, role in pairwise(roles):
        if before == "tool" and role == "user":
            return f"Unexpected role '{role}' after role '{before}'"
    return refuse_openai_structure(body)


def refuse_template_structure(body: Mapping[str, Any]) -> str | None:
    """What a chat template raises, and what it shares with OpenAI."""
    messages: Sequence[Message] = body.get("messages") or ()
    rest = messages[1:] if messages and messages[0].get("role") == "system" else messages
    if any(message.get("role") not in ("user", "assistant", "tool") for message in rest):
        return "Only user and assistant roles are supported, with the exception of an initial optional system message!"
    spoken = [message["role"] for message in rest if message["role"] != "tool" and not message.get("tool_calls")]
    if any(role != ("user", "assistant")[number % 2] for number, role in enumerate(spoken)):
        return "After the optional system message, conversation roles must alternate user/assistant/user/assistant/..."
    return refuse_openai_structure(body)


def refuse_gemini_structure(body: Mapping[str, Any]) -> str | None:
    """The message of the 400 for this generateContent body, or None: results and nothing else, one for each call."""
    calls = 0
    for content in body.get("contents") or ():
        parts = content.get("parts") or ()
        results = sum("function_response" in part or "functionResponse" in part for part in parts)
        if (calls or results) and (results != calls or len(parts) != results):
            return (
                "Please ensure that the number of function response parts is equal to the number of function call "
                "parts of the function call turn."
            )
        calls = sum("function_call" in part or "functionCall" in part for part in parts)
    return None


# OpenAI Responses

_INPUT_KINDS = (
    "input_text",
    "input_image",
    "input_audio",
    "output_text",
    "refusal",
    "input_file",
    "computer_screenshot",
    "summary_text",
    "encrypted_content",
)


def refuse_responses_structure(body: Mapping[str, Any]) -> str | None:
    """The message of the 400 for this Responses body, or None."""
    items = body.get("input")
    items = items if isinstance(items, list) else []
    return _unknown_parts(items) or _unpaired_calls(items, has_history=bool(body.get("previous_response_id")))


def _unknown_parts(items: Sequence[Message]) -> str | None:
    for number, item in enumerate(items):
        if "cache_control" in item:
            return f"Unknown parameter: 'input[{number}].cache_control'."
        for index, part in enumerate(_blocks(item.get("content")) if item.get("type", "message") == "message" else ()):
            if "cache_control" in part:
                return f"Unknown parameter: 'input[{number}].content[{index}].cache_control'."
            if part.get("type") not in _INPUT_KINDS:
                first, last = ", ".join(f"'{kind}'" for kind in _INPUT_KINDS[:-1]), _INPUT_KINDS[-1]
                return f"Invalid value: '{part.get('type')}'. Supported values are: {first}, and '{last}'."
    return None


def _unpaired_calls(items: Sequence[Message], *, has_history: bool) -> str | None:
    calls = [str(item.get("call_id")) for item in items if item.get("type") == "function_call"]
    outputs = [str(item.get("call_id")) for item in items if item.get("type") == "function_call_output"]
    for output in outputs:
        if output not in calls and not has_history:
            return f"No tool call found for function call output with call_id {output}."
    for call in calls:
        if call not in outputs:
            return f"No tool output found for function call {call}."
    return None


# Anthropic


def _blocks(content: Any) -> list[Mapping[str, Any]]:
    return content if isinstance(content, list) else []


def _empty(where: str, blocks: Sequence[Mapping[str, Any]]) -> str | None:
    for block in blocks:
        if block.get("type") == "text" and not block.get("text"):
            return f"{where}: text content blocks must be non-empty"
        if block.get("type") == "text" and not block["text"].strip():
            return f"{where}: text content blocks must contain non-whitespace text"
    return None


def _empty_messages(messages: Sequence[Message]) -> str | None:
    for number, message in enumerate(messages):
        is_last_answer = number == len(messages) - 1 and message.get("role") == "assistant"
        if not message.get("content") and not is_last_answer and not message.get("output_config"):
            return (
                f"messages.{number}: all messages must have non-empty content except for the optional final "
                "assistant message"
            )
        problem = _empty("messages", _blocks(message.get("content")))
        if problem:
            return problem
    return None


def _unpaired(messages: Sequence[Message]) -> str | None:
    """Calls and results of neighbouring turns belong to each other, whole."""
    before: list[str] = []
    for number, role, blocks in _turns(messages):
        results = [str(block.get("tool_use_id")) for block in blocks if block.get("type") == "tool_result"]
        missing = [call for call in before if role != "user" or call not in results]
        if missing:
            return (
                f"messages.{number - 1}: `tool_use` ids were found without `tool_result` blocks immediately after: "
                f"{', '.join(missing)}. Each `tool_use` block must have a corresponding `tool_result` block in the "
                "next message."
            )
        stray = [result for result in results if result not in before]
        if stray:
            return (
                f"messages.{number}.content.0: unexpected `tool_use_id` found in `tool_result` blocks: {stray[0]}. "
                "Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
            )
        before = [str(block.get("id")) for block in blocks if block.get("type") == "tool_use"]
    if before:
        return (
            f"messages.{len(messages) - 1}: `tool_use` ids were found without `tool_result` blocks immediately after: "
            f"{', '.join(before)}. Each `tool_use` block must have a corresponding `tool_result` block in the next "
            "message."
        )
    return None


def _turns(messages: Sequence[Message]) -> Iterator[tuple[int, str, list[Mapping[str, Any]]]]:
    """``(number of its first message, role, blocks)`` of each turn: neighbours of one role are one."""
    held: tuple[int, str, list[Mapping[str, Any]]] | None = None
    for number, message in enumerate(messages):
        role = str(message.get("role"))
        if held is not None and held[1] == role:
            held[2].extend(_blocks(message.get("content")))
            continue
        if held is not None:
            yield held
        held = (number, role, [*_blocks(message.get("content"))])
    if held is not None:
        yield held
