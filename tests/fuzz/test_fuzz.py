"""A short run over odd requests and odd answers; and what breaks a law is seen, kept and run again."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.fuzz.fuzz_case import FuzzCase, drawn_case, read_case
from tests.fuzz.fuzz_run import fuzz, judged, write_failure
from tests.fuzz.hook_stand import HookStand, hook_stand
from tests.fuzz.laws import broken_laws
from tests.made_profiles import PROMPT

REQUESTS = 150
USER = {"role": "user", "content": "Which quay is free?"}


def test_a_short_run_breaks_no_law() -> None:
    figures = fuzz(REQUESTS, 7)
    assert figures.requests == REQUESTS
    assert not figures.broken, [law for _, law in figures.examples.values()]
    assert any(outcome.endswith("rewritten") for outcome in figures.outcomes)
    assert any(outcome.endswith("unreadable") for outcome in figures.outcomes)


def test_a_seed_gives_the_same_cases_and_a_file_runs_one_again(tmp_path: Path) -> None:
    case = drawn_case(3, 14)
    assert drawn_case(3, 14) == case
    assert read_case(write_failure(tmp_path, 0, case, "a law")).edited_body().keys() == case.edited_body().keys()


def test_a_law_sees_what_is_lost() -> None:
    """A judge that never finds anything is none."""
    body = {"model": "claude", "messages": [{"role": "system", "content": PROMPT}, USER], "temperature": 0.5}
    case = FuzzCase(endpoint="acompletion", body=body, answer={"form": "none"})
    with hook_stand() as stand:
        seen = stand.run(case)
    assert broken_laws(case, seen) == []
    seen.out = {**seen.out, "temperature": 0.6, "messages": seen.out["messages"][:-1]}
    assert [law.partition(":")[0] for law in broken_laws(case, seen)] == [
        "tools and parameters stay",
        "no message is lost",
    ]


def _messages(*contents: Any) -> list[dict[str, Any]]:
    return [{"role": "system", "content": PROMPT}, *({"role": "user", "content": content} for content in contents)]


def _deep(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = [value]
    return value


UNREADABLE: dict[str, tuple[str, dict[str, Any]]] = {
    "messages null": ("acompletion", {"messages": None}),
    "messages an object": ("acompletion", {"messages": {"role": "user"}}),
    "messages a number": ("anthropic_messages", {"messages": 5}),
    "content a number": ("acompletion", {"messages": _messages(5)}),
    "content an object": ("anthropic_messages", {"system": PROMPT, "messages": [{"role": "user", "content": {}}]}),
    "a block of an odd type": ("acompletion", {"messages": _messages([{"type": ["text"], "text": "a"}])}),
    "parts a number": ("agenerate_content", {"contents": [{"role": "user", "parts": 5}]}),
    "parts a string": ("agenerate_content", {"contents": [{"role": "user", "parts": "tide"}]}),
    "contents of strings": ("agenerate_content_stream", {"contents": ["tide"]}),
    "an item's odd block": (
        "aresponses",
        {"instructions": PROMPT, "input": [{"role": "user", "content": [{"type": {}, "text": "a"}]}]},
    ),
    "an item's odd content": ("aresponses", {"instructions": PROMPT, "input": [{"role": "user", "content": 5}]}),
    "a string for an item's block": (
        "aresponses",
        {"instructions": PROMPT, "input": [{"role": "user", "content": ["tide"]}]},
    ),
    "a string for a part": ("agenerate_content", {"contents": [{"role": "user", "parts": ["tide"]}]}),
    "a string for a block": (
        "anthropic_messages",
        {"system": PROMPT, "messages": [{"role": "user", "content": ["tide"]}]},
    ),
    "instructions a list": ("aresponses", {"instructions": 5, "input": "tide"}),
}


@pytest.fixture(scope="module")
def stand() -> Any:
    with hook_stand() as stand:
        yield stand


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_body_of_another_form_is_the_clients(stand: HookStand, name: str) -> None:
    """It passes through as it came, is recorded as unreadable, and isn't reported as a fault of ours."""
    endpoint, body = UNREADABLE[name]
    case = FuzzCase(endpoint=endpoint, body={"model": "claude", **body}, answer={"form": "none"})
    broken, seen = asyncio.run(judged(stand, case))
    assert broken == []
    assert seen.facts is not None
    assert seen.facts.reason in ("unreadable", "unsupported_system_content")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"messages": _messages(*["a"] * 20_000)}, id="many messages"),
        pytest.param({"messages": _messages("a"), "tools": [{"name": "x" * 2_000_000}]}, id="large tools"),
        pytest.param({"messages": _messages("a" + "\u0301" * 300_000)}, id="combining marks"),
        pytest.param({"messages": _messages("\ud800 tide")}, id="a lone surrogate"),
        pytest.param({"messages": _messages(_deep(5_000))}, id="deep content"),
        pytest.param({"messages": _messages("a"), "tools": _deep(5_000)}, id="deep tools"),
        pytest.param({"messages": _messages("a"), "unknown": _deep(100_000)}, id="a deep unknown field"),
    ],
)
def test_hostile_bodies_break_no_law(stand: HookStand, body: dict[str, Any]) -> None:
    """However large or deep: no fault, nothing lost."""

    case = FuzzCase(endpoint="acompletion", body={}, answer={"form": "none"})
    seen = asyncio.run(stand.ran(case, {"model": "claude", **body}))
    assert seen.faults == []
    assert seen.facts is not None
    assert seen.facts.reason in (None, "unreadable", "not_worth_it")
    sent = seen.out["messages"]
    assert len(sent) >= len(body["messages"])
    assert sent[-1]["content"] is body["messages"][-1]["content"] or seen.facts.is_rewritten
