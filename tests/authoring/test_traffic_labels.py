"""What captured traffic tells of a message: the tools called for it, the first of them, and what the agent said."""

from __future__ import annotations

import json
from typing import Any

import pytest

from litellm_prompt_router.authoring.fit.traffic_labels import infer_cases
from litellm_prompt_router.files.labelled_messages import Case
from tests.authoring.test_fitted_routing import harbour

Message = dict[str, Any]
ASKED = {"role": "user", "content": "is it safe to leave tomorrow"}
NEXT = {"role": "user", "content": "then tell the crew"}
RESULT = {"role": "tool", "tool_call_id": "c", "content": "use_cargo: high water at nine"}
TOLD = {"role": "assistant", "content": "High water is at nine."}


def calling(*tools: str, text: str | None = None, arguments: str = "{}") -> Message:
    calls = [{"id": "c", "type": "function", "function": {"name": tool, "arguments": arguments}} for tool in tools]
    return {"role": "assistant", "content": text, "tool_calls": calls}


def cases(*calls: tuple[list[Message], Message | None]) -> list[Case]:
    """Of one conversation, call by call: the messages behind the system prompt, and the answer."""
    lines = []
    for number, (messages, answer) in enumerate(calls):
        request = {"messages": [{"role": "system", "content": harbour().text}, *messages]}
        line: dict[str, Any] = {"ts": number, "key": "k", "conversation": "c", "request": request}
        lines.append(json.dumps({**line, **({"response": {"message": answer}} if answer else {})}))
    return [case for _, case in infer_cases("\n".join(lines), "traffic", harbour()).cases]


LOOP = [
    ASKED,
    calling("use_tides", text="I read the gauge", arguments='{"at": "pier"}'),
    RESULT,
    calling("use_fees"),
    RESULT,
    calling("use_crew"),
    RESULT,
]


def test_calls_later_in_the_task_are_needs_of_its_message() -> None:
    """The history grows from call to call; each call adds what the one before was answered."""
    grown = [(LOOP[:size], LOOP[size] if size < len(LOOP) else TOLD) for size in (1, 3, 5, 7)]
    (case,) = cases(*grown)
    assert case.needs == ("tides", "fees", "crew")
    assert case.first_calls == ("use_tides",)
    assert case.said == ('I read the gauge\n{"at": "pier"}', "{}")
    assert (case.assistant, case.tool_calls) == ("", ())
    first, second = cases(*grown, ([*LOOP, TOLD, NEXT], calling("use_letters", "use_crew")))
    assert first == case
    assert second.assistant == TOLD["content"]
    assert second.tool_calls == ("use_tides", "use_fees", "use_crew")
    assert (second.needs, second.first_calls) == (("letters", "crew"), ("use_letters", "use_crew"))


@pytest.mark.parametrize(
    ("answer", "first"),
    [
        (None, None),
        (TOLD, ()),
        (calling("use_tides", "use_crew"), ("use_tides", "use_crew")),
        (
            {"role": "assistant", "content": [{"type": "tool_use", "id": "c", "name": "use_tides", "input": {}}]},
            ("use_tides",),
        ),
    ],
    ids=["no answer", "words alone", "two at once", "Anthropic's form"],
)
def test_the_first_answer_of_a_message(answer: Message | None, first: tuple[str, ...] | None) -> None:
    (case,) = cases(([ASKED], answer))
    assert case.first_calls == first


def test_what_the_last_call_was_answered_is_read_too() -> None:
    """Its words and arguments, though no later call sends them again."""
    (case,) = cases(([ASKED], calling("use_tides", text="the gauge first")))
    assert case.said == ("the gauge first\n{}",)


def test_a_call_whose_answer_is_lost_takes_nothing_back() -> None:
    (case,) = cases((LOOP[:3], calling("use_fees")), (LOOP[:1], None))
    assert (case.first_calls, case.needs) == (("use_tides",), ("tides", "fees"))
