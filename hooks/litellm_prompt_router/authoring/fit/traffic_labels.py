"""Labels from captured traffic: a message needed the modules that own the tools called for it.

That holds only for calls in which the model could have called any tool, so a call counts when its system prompt
holds every module. Modules without tools leave no trace; they are sent with every task.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from litellm_prompt_router.authoring.called_tools import called_tools
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.documents.parsing import parse_json_lines
from litellm_prompt_router.files.labelled_messages import Case, Numbered
from litellm_prompt_router.profile.agents import EVERY_AGENT
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.profile.topic_pieces import topic_names
from litellm_prompt_router.request.recognise import Catalogue
from litellm_prompt_router.request.route import closure_of
from litellm_prompt_router.request.route.agent_words import said_by
from litellm_prompt_router.request.route.own_words import own_words
from litellm_prompt_router.request.types import CHAT, MESSAGES, RESULT_ROLES, Request, Turn, UnreadableRequestError
from litellm_prompt_router.request.wire import SHAPES

CATEGORY = "traffic"
MAX_SAID, SAID_CHARS = 6, 1_000
"""Turns of the agent's that are kept of one task's loop, and how much of each."""


class _AnsweredCall(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    ts: float
    conversation: Annotated[str, Field(min_length=1)]
    endpoint: str = CHAT
    request: dict[str, Any]
    response: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Inferred:
    """Labelled cases from traffic. ``skipped``: how many calls tell nothing, by the reason in words."""

    cases: tuple[Numbered, ...]
    calls: int
    skipped: Mapping[str, int]
    untraceable: tuple[int, ...]
    """Indexes of modules whose need no tool call can show."""


def infer_cases(text: str, where: str, profile: Profile) -> Inferred:
    """The user messages of the traffic with the modules whose tools were called for them. Raises ConfigurationError."""
    lines = parse_json_lines(text, where, _AnsweredCall, what="call")
    catalogue = Catalogue([profile])
    needs: dict[tuple[str, ...], tuple[int, Case]] = {}
    skipped: Counter[str] = Counter()
    for number, line in sorted(lines, key=lambda item: item[1].ts):
        request = _complete_request(line, catalogue, profile)
        if isinstance(request, str):
            skipped[request] += 1
            continue
        for case in cases_of((*request.turns, *_answered(line)), profile):
            key = (line.conversation, *case.history, case.text)
            known = needs.get(key)
            merged = case if known is None else _merged(known[1], case)
            needs[key] = (number if known is None else known[0], merged)
    if not needs:
        raise ConfigurationError([f"{where}: no call holds every module of {profile.name}; capture in shadow mode"])
    return Inferred(cases=tuple(needs.values()), calls=len(lines), skipped=skipped, untraceable=_untraceable(profile))


UNREADABLE = "can't be read"
SIDE_CALL = "with another prompt or none, as titles and other side calls have"
INCOMPLETE = "without every module of the profile: rewritten ones, or of another version of the prompt"


def _complete_request(line: _AnsweredCall, catalogue: Catalogue, profile: Profile) -> Request | str:
    """The request, if it can be read and its system prompt holds every module; else why it tells nothing."""
    shape = SHAPES.get(line.endpoint)
    try:
        request = shape.read(line.request) if shape is not None else None
    except UnreadableRequestError:
        return UNREADABLE
    if request is None:
        return UNREADABLE
    recognition = catalogue.recognise(request.system_text) if request.system else None
    if recognition is None:
        return SIDE_CALL
    if {span.module for span in recognition.spans if span.kind == "module"} != set(range(len(profile.modules))):
        return INCOMPLETE
    return request


def _answered(line: _AnsweredCall) -> tuple[Turn, ...]:
    """What the call was answered, as the next one would send it; nothing where that isn't known."""
    if line.response is None:
        return ()
    message = line.response.get("message", line.response)
    called = tuple(called_tools(line.response))
    for endpoint in (CHAT, MESSAGES):
        try:
            turns = SHAPES[endpoint].read({"messages": [{"role": "user", "content": ""}, message]}).turns[1:]
        except UnreadableRequestError:
            continue
        if turns and tuple(tool for turn in turns for tool in turn.tool_calls) == called:
            return tuple(turns)
    return (Turn(role="assistant", text="", tool_calls=called),)


def cases_of(turns: Sequence[Turn], profile: Profile) -> Iterable[Case]:
    """Each user message of a conversation with the modules whose tools were called for it."""
    names = topic_names(profile.modules)
    owners = {
        tool: names[module.id]
        for module in profile.modules
        if module.until_labelled or not module.always
        for tool in module.tools
    }
    ignore = EVERY_AGENT.with_(profile.ignore)
    words = {at: own_words(turn, ignore).text for at, turn in enumerate(turns) if turn.role == "user"}
    messages = {at: text for at, text in words.items() if text is not None}
    users = list(messages)
    for number, at in enumerate(users):
        until = users[number + 1] if number + 1 < len(users) else len(turns)
        called = [tool for turn in turns[at:until] for tool in turn.tool_calls]
        yield Case(
            text=messages[at],
            history=tuple(messages[earlier] for earlier in users[:number]),
            assistant=_said_last(turns, users[number - 1] if number else -1, at),
            tool_calls=tuple(tool for turn in turns[:at] for tool in turn.tool_calls),
            category=CATEGORY,
            said=_said_in_loop(turns[at:until]),
            first_calls=_first_calls(turns[at + 1 : until]),
            needs=_union((), tuple(owners[tool] for tool in called if tool in owners)),
        )


def _said_last(turns: Sequence[Turn], after: int, until: int) -> str:
    """The agent's last words between two turns; empty where it said nothing."""
    said = (turn.text for turn in reversed(turns[after + 1 : until]) if turn.role == "assistant")
    return next((text for text in said if text.strip()), "")


def _first_calls(turns: Sequence[Turn]) -> tuple[str, ...] | None:
    """The tools of the first answer to a message; None where that isn't known. ``turns``: what follows the message."""
    answer = [*takewhile(lambda turn: turn.role not in RESULT_ROLES, turns)]
    if not any(turn.role == "assistant" for turn in answer):
        return None
    return tuple(tool for turn in answer for tool in turn.tool_calls)


def _merged(one: Case, other: Case) -> Case:
    """Two calls of one task, the later one second: what either tells."""
    return other.model_copy(
        update={
            "needs": _union(one.needs, other.needs),
            "said": _union(one.said, other.said)[:MAX_SAID],
            "first_calls": one.first_calls if other.first_calls is None else other.first_calls,
        }
    )


def _said_in_loop(turns: Sequence[Turn]) -> tuple[str, ...]:
    """The agent's words and arguments in a task's loop; what ends the task belongs to the next message."""
    texts = [said_by(turn).strip()[:SAID_CHARS] for turn in turns if turn.role == "assistant" and turn.tool_calls]
    return tuple(dict.fromkeys(text for text in texts if text))[:MAX_SAID]


def _union(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*one, *other)))


def _untraceable(profile: Profile) -> tuple[int, ...]:
    traced: set[int] = set()
    for number, module in enumerate(profile.modules):
        if module.always or module.tools:
            traced.update((number, *closure_of(number, profile)))
    return tuple(number for number in range(len(profile.modules)) if number not in traced)
