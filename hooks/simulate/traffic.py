"""Recorded traffic: JSON Lines, one call a line (DESIGN: "Traffic file")."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hooks.errors import ConfigurationError
from hooks.problems import described


class _Line(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    ts: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    key: str
    conversation: Annotated[str, Field(min_length=1)]
    request: dict[str, Any]
    response: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One recorded call. ``request`` is a chat body with a list of message objects; ``line`` counts from 1."""

    line: int
    at_seconds: float
    key: str
    conversation: str
    request: dict[str, Any]


def parse_traffic(text: str, where: str) -> tuple[Call, ...]:
    """The calls in time order, empty lines left out. Raises ConfigurationError with every problem."""
    calls: list[Call] = []
    problems: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        at = f"{where}: line {number}"
        try:
            document = json.loads(line)
            if not isinstance(document, dict):
                problems.append(f"{at}: must be a JSON object")
                continue
            read = _Line.model_validate(document)
        except ValidationError as error:
            problems.extend(described(error, at, _Line))
        except json.JSONDecodeError as error:
            problems.append(f"{at}: not valid JSON at column {error.colno}: {error.msg}")
        except RecursionError:
            problems.append(f"{at}: nested too deeply")
        else:
            problems.extend(f"{at}: {problem}" for problem in _problems_of(read.request))
            calls.append(
                Call(
                    line=number,
                    at_seconds=read.ts,
                    key=read.key,
                    conversation=read.conversation,
                    request=read.request,
                )
            )
    if not calls and not problems:
        problems.append(f"{where}: holds no call; a call is a line of JSON")
    if problems:
        raise ConfigurationError(problems)
    return tuple(sorted(calls, key=lambda call: call.at_seconds))


def _problems_of(request: dict[str, Any]) -> Iterable[str]:
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
