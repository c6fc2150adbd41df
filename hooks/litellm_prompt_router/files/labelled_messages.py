"""Labelled messages: what `fit` learns from and `evaluate` measures on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from litellm_prompt_router.documents.parsing import parse_json_lines
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.profile.topic_pieces import topic_names
from litellm_prompt_router.request.types import Turn

Numbered = tuple[int, "Case"]
"""A case and its line in the file, from 1."""
WINDOW_MIN = 2
"""Messages that have to agree before two cases pass for one conversation; one alone is often just "yes"."""


class Case(BaseModel):
    """One labelled message. ``needs``: the module ids it needs beyond the core."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str
    history: tuple[str, ...] = ()
    """Earlier user messages."""
    assistant: str = ""
    """What the agent said last before this message; empty at the start, and where it isn't known."""
    tool_calls: tuple[str, ...] = ()
    """Names of the tools called so far."""
    said: tuple[str, ...] = ()
    """What the agent said, and passed to its tools, while it worked on this message, in order."""
    first_calls: tuple[str, ...] | None = None
    """Names of the tools in the agent's first answer to this message; None where that isn't known."""
    category: Annotated[str, Field(min_length=1)] = "uncategorised"
    needs: tuple[str, ...]


def parse_cases(text: str, where: str, profile: Profile) -> tuple[Numbered, ...]:
    """``(line, case)`` of JSON Lines, empty lines left out. Raises ConfigurationError with every problem."""
    lines = parse_json_lines(text, where, Case, what="case", problems_of=lambda case: _unknown(case, profile))
    names = topic_names(profile.modules)
    return tuple((line, _of_topics(case, names)) for line, case in lines)


def _of_topics(case: Case, names: Mapping[str, str]) -> Case:
    """The case with the first piece of each topic among its needs, whichever piece was named."""
    needs = tuple(dict.fromkeys(names[module] for module in case.needs))
    return case if needs == case.needs else case.model_copy(update={"needs": needs})


def _unknown(case: Case, profile: Profile) -> Iterable[str]:
    for index, module in enumerate(case.needs):
        if module not in profile.order:
            yield f"needs[{index}]: unknown module {module!r}; `prompt-router check {profile.name}` lists them"


class Conversations:
    """Labelled messages put back together: which belong to one conversation, and when tools were called there.

    A history may be only the last few messages. A case follows another when its history is how that one ends.
    """

    def __init__(self, cases: Iterable[Case]) -> None:
        self._by_end: dict[tuple[str, ...], Case] = {}
        self._group: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._after: dict[tuple[str, ...], Case] = {}
        cases = tuple(cases)
        for case in cases:
            messages = (*case.history, case.text)
            for size in range(min(WINDOW_MIN, len(messages)), len(messages) + 1):
                self._by_end.setdefault(messages[-size:], case)
        for case in cases:
            messages = (*case.history, case.text)
            self._join(messages, messages[:1] if len(messages) == 1 else messages[:WINDOW_MIN])
            before = self._before(case)
            if before is not None:
                self._join(messages, (*before.history, before.text))
                self._after.setdefault((*before.history, before.text), case)

    def name_of(self, case: Case) -> tuple[str, ...]:
        """The same for all cases of one conversation."""
        return self._root((*case.history, case.text))

    def called_for(self, case: Case) -> tuple[str, ...]:
        """The tools called between this message and the next one that is known of its conversation; none without it."""
        after = self._after.get((*case.history, case.text))
        return () if after is None else _without(after.tool_calls, case.tool_calls)

    def turns_of(self, case: Case) -> tuple[Turn, ...]:
        """The conversation as routing sees it."""
        first, *rest = self._calls(case)
        turns = _calling(first)
        messages, said = (*case.history, case.text), self._said(case)
        for number, (message, calls, before) in enumerate(zip(messages, rest, said, strict=True)):
            turns += [Turn(role="assistant", text=before)] if number or before else []
            turns += [Turn(role="user", text=message), *_calling(calls)]
        return tuple(turns)

    def request_of(self, case: Case, system: str) -> dict[str, Any]:
        """A chat request as it stands when the case's message was answered last."""
        messages: list[dict[str, Any]] = [{"role": "system", "content": system}]
        for number, turn in enumerate(self.turns_of(case)):
            if turn.tool_calls:
                call = {"name": turn.tool_calls[0], "arguments": "{}"}
                messages.append(
                    {
                        "role": "assistant",
                        "content": None,
                        "tool_calls": [{"id": f"call_{number}", "type": "function", "function": call}],
                    }
                )
            elif turn.role == "tool":
                messages.append({"role": "tool", "tool_call_id": f"call_{number - 1}", "content": "{}"})
            else:
                messages.append({"role": turn.role, "content": turn.text})
        return {"messages": messages}

    def _calls(self, case: Case) -> list[tuple[str, ...]]:
        """The tools called before the first message that the case knows of, then those called for each message.

        Calls of which no other case tells when they were made stand behind the first message.
        """
        placed: list[tuple[str, ...]] = [()] * (len(case.history) + 2)
        at, current = len(case.history), case
        while at > 0:
            before = self._before(current)
            if before is None:
                break
            placed[at] = _without(current.tool_calls, before.tool_calls)
            at, current = at - 1, before
        knows_start = at == 0 and bool(case.history) and bool(current.history)
        placed[0 if knows_start else 1] += current.tool_calls
        return placed

    def _said(self, case: Case) -> list[str]:
        """What the agent said last before each of the case's messages, where this or an earlier case tells."""
        said = [""] * len(case.history) + [case.assistant]
        at, current = len(case.history), case
        while at > 0 and (before := self._before(current)) is not None:
            at, current = at - 1, before
            said[at] = before.assistant
        return said

    def _before(self, case: Case) -> Case | None:
        before = self._by_end.get(case.history) if case.history else None
        return None if before is case else before

    def _root(self, messages: tuple[str, ...]) -> tuple[str, ...]:
        while (above := self._group.setdefault(messages, messages)) != messages:
            self._group[messages] = self._group.setdefault(above, above)
            messages = above
        return messages

    def _join(self, one: tuple[str, ...], other: tuple[str, ...]) -> None:
        one, other = sorted((self._root(one), self._root(other)))
        self._group[other] = one


def _without(calls: tuple[str, ...], earlier: tuple[str, ...]) -> tuple[str, ...]:
    left = list(earlier)
    return tuple(name for name in calls if name not in left or left.remove(name))  # type: ignore[func-returns-value]


def _calling(names: Iterable[str]) -> list[Turn]:
    turns: list[Turn] = []
    for name in names:
        turns += [Turn(role="assistant", text="", tool_calls=(name,)), Turn(role="tool", text="")]
    return turns
