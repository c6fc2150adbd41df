"""Recorded traffic: JSON Lines, one call a line."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.documents.parsing import each_json_line, parse_json_lines
from litellm_prompt_router.request.types import CHAT, MESSAGES, UnreadableRequestError
from litellm_prompt_router.request.wire.messages_as_chat import chat_of

_JSON_BEGINS = re.compile(r'[\ufeff\s]*(\{|\[\s*($|[\[\]{"]))')


class _TrafficLine(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    ts: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    key: str
    conversation: Annotated[str, Field(min_length=1)]
    endpoint: str = CHAT
    request: dict[str, Any]
    response: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordedCall:
    """One recorded call. ``line`` counts from 1; ``request`` is the body of its ``endpoint``.

    Of a call that is to be replayed it is a chat body with a list of message objects, whatever the endpoint.
    """

    line: int
    at_seconds: float
    key: str
    conversation: str
    request: dict[str, Any]
    endpoint: str = CHAT
    """The proxy's name for the shape of the request."""
    response: dict[str, Any] | None = None
    """What came back, where it was recorded."""


def read_traffic(lines: Iterable[str], where: str, problems: list[str]) -> Iterator[RecordedCall]:
    """The calls as they stand in the file, of any endpoint; lines that are none are added to ``problems``.

    Of a file that is text and holds none, that is the one problem.
    """
    begins: list[str] = []
    has_call = False
    for number, line in each_json_line(_with_first(lines, begins), where, _TrafficLine, problems):
        has_call = True
        yield RecordedCall(
            line=number,
            at_seconds=line.ts,
            key=line.key,
            conversation=line.conversation,
            request=line.request,
            endpoint=line.endpoint,
            response=line.response,
        )
    if not has_call and problems and _is_record(begins[0]):
        problems[:] = [_a_ledger(where)]
    elif not has_call and problems and not _is_json(begins[0]):
        problems[:] = [_no_traffic(where)]


def read_replayable(lines: Iterable[str], where: str, problems: list[str]) -> tuple[RecordedCall, ...]:
    """The calls that can be replayed, in time order; what is wrong with the other lines is added to ``problems``."""
    calls: list[RecordedCall] = []
    for number, line in each_json_line(lines, where, _TrafficLine, problems):
        found = [f"{where}: line {number}: {problem}" for problem in _problems_of(line)]
        problems.extend(found)
        if not found:
            calls.append(_to_replay(number, line))
    return tuple(sorted(calls, key=lambda call: call.at_seconds))


def parse_traffic(text: str, where: str) -> tuple[RecordedCall, ...]:
    """The calls in time order, empty lines left out. Raises ConfigurationError with every problem."""
    try:
        lines = parse_json_lines(text, where, _TrafficLine, what="call", problems_of=_problems_of)
    except ConfigurationError:
        raw = text.split("\n")
        begins = next((line for line in raw if line.strip()), "{")
        if _is_record(begins):
            raise ConfigurationError([_a_ledger(where)]) from None
        if _is_json(begins) or any(True for _ in each_json_line(raw, where, _TrafficLine, [])):
            raise
        raise ConfigurationError([_no_traffic(where)]) from None
    calls = (_to_replay(number, line) for number, line in lines)
    return tuple(sorted(calls, key=lambda call: call.at_seconds))


def _with_first(lines: Iterable[str], begins: list[str]) -> Iterator[str]:
    """The same lines; the first that isn't empty is left in ``begins``."""
    for line in lines:
        if not begins and line.strip():
            begins.append(line)
        yield line


def _is_json(first_line: str) -> bool:
    """True where the line begins as JSON objects or a list of them do, torn or not."""
    return _JSON_BEGINS.match(first_line) is not None


def _is_record(first_line: str) -> bool:
    """True for a line of the proxy's ledger, which has no request."""
    try:
        document = json.loads(first_line)
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and "request_id" in document and "request" not in document


def _a_ledger(where: str) -> str:
    return f"{where}: a ledger, not captured traffic; `prompt-router tune` and `simulate` read ledgers"


def _no_traffic(where: str) -> str:
    name = "PROMPT.txt" if where == "stdin" else shlex.quote(where)
    return f"{where}: no traffic file (JSON Lines); it looks like a prompt: `prompt-router onboard {name}`"


def _to_replay(number: int, line: _TrafficLine) -> RecordedCall:
    return RecordedCall(
        line=number,
        at_seconds=line.ts,
        key=line.key,
        conversation=line.conversation,
        request=chat_of(line.request) if line.endpoint == MESSAGES else line.request,
        endpoint=line.endpoint,
        response=line.response,
    )


def _problems_of(line: _TrafficLine) -> Iterable[str]:
    request = line.request
    if line.endpoint == MESSAGES:
        try:
            request = chat_of(request)
        except UnreadableRequestError as error:
            yield f"request: {error.reason}: can't be replayed; leave the call out"
            return
    elif line.endpoint != CHAT:
        yield f"endpoint: only calls of {CHAT} and {MESSAGES} can be replayed; leave the others out"
        return
    messages = request.get("messages")
    if not isinstance(messages, list) or not messages:
        yield "request.messages: must be a list of messages; only chat bodies can be replayed"
        return
    for number, message in enumerate(messages):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            yield f"request.messages[{number}]: must be an object with a role"
            continue
        for name in ("content", "tool_calls"):
            parts = message.get(name)
            if isinstance(parts, list) and not all(isinstance(part, dict) for part in parts):
                yield f"request.messages[{number}].{name}: must hold objects only"
    tools = request.get("tools")
    if tools is not None and not (isinstance(tools, list) and all(isinstance(tool, dict) for tool in tools)):
        yield "request.tools: must be a list of objects"
