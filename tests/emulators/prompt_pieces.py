"""A body on the wire -> the pieces of text that its provider reads, in the order in which it reads them.

What counts is order and content; how many tokens a text has is no rule of caching: pieces are counted by whatever
tokenizer is given, and each costs ``FRAME`` tokens beside its content, as no provider says what it really costs.

- Anthropic: tools, system, messages; ``tool_choice``, thinking, effort and images change messages, speed and citations
  change system and messages (platform.claude.com/docs/en/build-with-claude/prompt-caching, "What invalidates the
  cache", checked 2026-11).
- Bedrock's Converse: the same order; a ``cachePoint`` marks what stands ahead of it
  (docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching, checked 2026-11).
- OpenAI's Chat and Responses: tools, messages; an output schema stands ahead of everything
  (developers.openai.com/api/docs/guides/prompt-caching, checked 2026-11).
- Gemini: the order is unpublished; here system, tools, contents, as its explicit caches list them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

FRAME = 4
IMAGE = 1_000

Count = Callable[[str], int]
Body = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """One block, part, call or tool: the same as another where ``frame`` and ``text`` are."""

    frame: str
    text: str
    tokens: int
    frame_tokens: int = FRAME
    """Of ``tokens``."""
    mark: str | None = None
    """``5m``, ``1h``, or ``here`` for OpenAI's breakpoint."""
    run: str | None = None
    role: str = ""
    is_ending: bool = False
    """The last piece of a message at which GPT-5.6 may place its breakpoint."""


def anthropic_pieces(body: Body, count: Count) -> list[Piece]:
    return _claude_pieces(body, body.get("tools") or (), body.get("system"), body.get("messages") or (), count)


def converse_pieces(body: Body, count: Count) -> list[Piece]:
    """Its words are put in Anthropic's place first."""
    config = body.get("toolConfig") or {}
    messages = [{**message, "content": _points(message.get("content") or ())} for message in body.get("messages") or ()]
    settings = {**(body.get("additionalModelRequestFields") or {}), "tool_choice": config.get("toolChoice")}
    return _claude_pieces(
        settings, _points(config.get("tools") or ()), _points(body.get("system") or ()), messages, count
    )


def _claude_pieces(
    settings: Body, tools: Sequence[Body], system: Any, messages: Sequence[Body], count: Count
) -> list[Piece]:
    for_messages = [settings.get("tool_choice"), settings.get("thinking"), _effort(settings), _has(messages, "image")]
    for_system = [settings.get("speed"), '"citations":{"enabled":true}' in _json(messages)]
    pieces = [_claude_piece("tool", block, count) for block in tools]
    for number, block in enumerate(_blocks(system)):
        pieces.append(_claude_piece(f"system {for_system if number == 0 else ''}", block, count))
    is_first = True
    for message in messages:
        for number, block in enumerate(_blocks(message.get("content"))):
            frame = f"{message.get('role')} {'begins' if number == 0 else ''}"
            if is_first:
                frame += _json([for_messages, None if _blocks(system) else for_system])
            pieces.append(_claude_piece(frame, block, count))
            is_first = False
    automatic = settings.get("cache_control")
    if automatic:
        for number in range(len(pieces) - 1, -1, -1):
            if "thinking" not in pieces[number].frame and pieces[number].tokens > FRAME:
                pieces[number] = replace(pieces[number], mark=pieces[number].mark or _ttl(automatic))
                break
    return pieces


def _claude_piece(frame: str, block: Body, count: Count) -> Piece:
    bare = _unmarked(block)
    kind = str(block.get("type", ""))
    match block:
        case {"type": "text", "text": text} | {"text": str(text)}:
            said = text
        case {"type": "thinking", "thinking": said}:
            pass
        case {"type": "tool_use"} | {"toolUse": _}:
            use, kind = block.get("toolUse") or block, "tool_use"
            said = f"{use.get('name')}\n{_json(use.get('input'), sort=True)}"
        case {"type": "tool_result"} | {"toolResult": _}:
            result, kind = block.get("toolResult") or block, "tool_result"
            said = "\n".join(str(part.get("text", "")) for part in _blocks(result.get("content")))
        case {"name": name} | {"toolSpec": {"name": name}}:
            tool = block.get("toolSpec") or block
            schema = tool.get("input_schema") or (tool.get("inputSchema") or {}).get("json")
            said = "\n".join((name, tool.get("description") or "", _json(schema, sort=True)))
        case _:
            said = _json(bare)
    tokens = IMAGE if kind == "image" else count(said)
    return Piece(
        frame=f"{frame} {kind}",
        text=_json(bare),
        tokens=FRAME + tokens,
        mark=_ttl(block.get("cache_control")),
        run=kind if kind in ("tool_use", "tool_result") else None,
    )


def _points(blocks: Sequence[Body]) -> list[dict[str, Any]]:
    """Converse's blocks, with what stands behind a block as a ``cachePoint`` on the block itself."""
    given: list[dict[str, Any]] = []
    for block in blocks:
        if "cachePoint" not in block:
            given.append(dict(block))
        elif given:
            given[-1]["cache_control"] = block["cachePoint"]
    return given


def _unmarked(block: Body) -> dict[str, Any]:
    """As the model sees it: marks on the block, and on what is inside of a tool result, are no text."""
    bare = {name: value for name, value in block.items() if name != "cache_control"}
    if isinstance(bare.get("content"), list):
        bare["content"] = [_unmarked(inner) for inner in bare["content"]]
    return bare


def _effort(settings: Body) -> Any:
    return (settings.get("output_config") or {}).get("effort")


def _has(messages: Sequence[Body], kind: str) -> bool:
    return f'"type":"{kind}"' in _json(messages)


def _ttl(mark: Any) -> str | None:
    return None if not mark else str(mark.get("ttl") or "5m")


# OpenAI and those who take its bodies


def chat_pieces(body: Body, count: Count, *, is_markable: bool = False) -> list[Piece]:
    """Of a Chat or Responses body; ``is_markable``: the host reads ``cache_control`` there (Qwen's)."""
    messages = _responses_messages(body) if "input" in body else list(body.get("messages") or ())
    text, reasoning = body.get("text") or {}, body.get("reasoning") or {}
    settings = [
        body.get("response_format") or text.get("format"),
        body.get("verbosity") or text.get("verbosity"),
        body.get("reasoning_effort") or reasoning.get("effort"),
        body.get("parallel_tool_calls"),
    ]
    pieces = [_chat_tool(tool, count) for tool in body.get("tools") or ()]
    is_leading = True
    for number, message in enumerate(messages):
        role = str(message.get("role"))
        follows = str(messages[number + 1].get("role")) if number + 1 < len(messages) else ""
        is_leading = is_leading and role in ("system", "developer")
        is_ending = (
            role == "user" or (role == "tool" != follows) or (is_leading and follows not in ("system", "developer"))
        )
        of_message = list(_chat_message(message, count, is_markable=is_markable))
        of_message[-1] = replace(of_message[-1], is_ending=is_ending)
        pieces += [replace(piece, role="leading" if is_leading else role) for piece in of_message]
    if pieces:
        pieces[0] = replace(pieces[0], frame=f"{_json(settings)} {pieces[0].frame}")
    return pieces


def _chat_tool(tool: Body, count: Count) -> Piece:
    function = tool.get("function") or tool
    schema = function.get("parameters")
    said = (str(function.get("name")), function.get("description") or "")
    return Piece(
        frame=f"tool {tool.get('type')} {function.get('strict')}",
        text="\n".join((*said, _json(schema))),
        tokens=FRAME + count("\n".join((*said, _json(schema, sort=True)))),
    )


def _chat_message(message: Body, count: Count, *, is_markable: bool) -> Iterator[Piece]:
    frame = f"{message.get('role')} {message.get('name')} {message.get('tool_call_id')}"
    cost = FRAME
    for text, mark, is_said in _chat_parts(message.get("content"), is_markable=is_markable):
        tokens = count(text) if is_said else IMAGE
        yield Piece(frame=frame, text=text, tokens=cost + tokens, frame_tokens=cost, mark=mark)
        frame, cost = "part", 0
    for call in message.get("tool_calls") or ():
        function = call.get("function") or {}
        said = f"{function.get('name')}\n{function.get('arguments')}"
        yield Piece(frame=f"{frame} {call.get('id')}", text=said, tokens=FRAME + count(said))
        frame, cost = "call", 0
    if cost:
        yield Piece(frame=frame, text="", tokens=cost)


def _chat_parts(content: Any, *, is_markable: bool) -> Iterator[tuple[str, str | None, bool]]:
    """(text, mark, whether it was said in words). Texts are one, but where blocks are what counts."""
    together = ""
    is_by_blocks = is_markable and isinstance(content, list) and any(part.get("cache_control") for part in content)
    for part in [{"text": content}] if isinstance(content, str) else content or ():
        own = _ttl(part.get("cache_control")) if is_markable else None
        mark = "here" if part.get("prompt_cache_breakpoint") else own
        if isinstance(part.get("text"), str):
            together += part["text"]
            if mark or is_by_blocks:
                yield together, mark, True
                together = ""
            continue
        if together:
            yield together, None, True
            together = ""
        yield _json(part), mark, False
    if together or content == "":
        yield together, None, True


def _responses_messages(body: Body) -> list[Body]:
    """Instructions and items, each as the Chat message that says the same."""
    messages: list[Body] = []
    if body.get("instructions"):
        messages.append({"role": "system", "content": body["instructions"]})
    given = body["input"]
    for item in [{"role": "user", "content": given}] if isinstance(given, str) else given:
        match item.get("type", "message"):
            case "message":
                messages.append({"role": item.get("role"), "content": item.get("content")})
            case "function_call":
                call = {"id": item.get("call_id"), "function": item}
                messages.append({"role": "assistant", "tool_calls": [call]})
            case "function_call_output":
                output = item.get("output")
                content = output if isinstance(output, str | list) else _json(output)
                messages.append({"role": "tool", "tool_call_id": item.get("call_id"), "content": content})
            case kind:
                messages.append({"role": kind, "content": _json(item)})
    return messages


# Gemini


def gemini_pieces(body: Body, count: Count) -> list[Piece]:
    system = body.get("system_instruction") or body.get("systemInstruction") or {}
    pieces = [_gemini_piece("system", part, count) for part in system.get("parts") or ()]
    for tool in body.get("tools") or ():
        for declared in tool.get("function_declarations") or tool.get("functionDeclarations") or ():
            said = "\n".join((declared["name"], declared.get("description") or "", _json(declared.get("parameters"))))
            pieces.append(Piece(frame="tool", text=said, tokens=FRAME + count(said)))
    for content in body.get("contents") or ():
        for number, part in enumerate(content.get("parts") or ()):
            pieces.append(_gemini_piece(f"{content.get('role')} {'begins' if number == 0 else ''}", part, count))
    return pieces


def _gemini_piece(frame: str, part: Body, count: Count) -> Piece:
    call, answer = part.get("functionCall") or part.get("function_call"), part.get("functionResponse")
    answer = answer or part.get("function_response")
    if isinstance(part.get("text"), str):
        said = part["text"]
    elif call is not None:
        said = f"{call.get('name')}\n{_json(call.get('args'))}"
    elif answer is not None:
        said = _json(answer.get("response"))
    else:
        return Piece(frame=frame, text=_json(part), tokens=FRAME + IMAGE)
    return Piece(frame=frame, text=said, tokens=FRAME + count(said))


def _blocks(content: Any) -> list[Body]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return list(content or ())


def _json(value: Any, *, sort: bool = False) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=sort)
