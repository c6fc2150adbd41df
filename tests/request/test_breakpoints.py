"""Breakpoints: where marks go, how many, and in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from litellm_prompt_router.profile.profile import Ttl
from litellm_prompt_router.request.pipeline import Pipeline
from litellm_prompt_router.request.types import Breakpoints, Rewritten, Target
from tests.made_profiles import NO_MARKS, TAKES_MARKS, count_words, module, profile, slot

M5 = {"type": "ephemeral"}
M5_SAID = {"type": "ephemeral", "ttl": "5m"}
H1 = {"type": "ephemeral", "ttl": "1h"}
Marks = Sequence[Mapping[str, str] | None]

DATE = slot("date", r"Today is \d{4}-\d{2}-\d{2}\.", "Today is 2026-11-22.", volatile=True)
CORE = "# Weather mast\n\nYou read the instruments of a weather mast on a hill.\n\n"
WIND = "## Wind\n\nUse `wind_log` and give the mean of the last ten minutes in knots.\n\n"
RAIN = "## Rain\n\nUse `rain_log` and say when the gauge was emptied the last time.\n\n"
SNOW = "## Snow\n\nUse `snow_log` only between the first and the last day of frost.\n"
P = CORE + WIND + RAIN + SNOW


def mast(ttl: Ttl = "5m") -> Any:
    return profile(
        module("core", CORE, always=True),
        module("wind", WIND, triggers=["wind"], optional=True),
        module("rain", RAIN, triggers=["rain"], optional=True),
        module("snow", SNOW, triggers=["snow"], optional=True),
        name="mast",
        cache_ttl=ttl,
    )


def block(text: str, mark: Mapping[str, str] | None = None) -> dict[str, Any]:
    return {"type": "text", "text": text} | ({} if mark is None else {"cache_control": dict(mark)})


def body(
    system: str | list[dict[str, Any]],
    text: str = "wind",
    *,
    tools: Marks = (),
    messages: Marks = (),
    top: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """A request with marks on the last blocks of tools, user messages and at the top level."""
    users = [{"role": "user", "content": [block("hi", mark)]} for mark in messages]
    return {
        "messages": [{"role": "system", "content": system}, *users, {"role": "user", "content": text}],
        "tools": [
            {"type": "function", "function": {"name": f"t{n}"}} | ({"cache_control": dict(mark)} if mark else {})
            for n, mark in enumerate(tools)
        ],
    } | ({"cache_control": dict(top)} if top else {})


def walked(
    request: dict[str, Any], target: Target = TAKES_MARKS, *, sample: Any = None
) -> tuple[list[dict[str, Any]], Breakpoints, dict[str, Any]]:
    """The system blocks as they leave, the plan, and the whole body."""
    pipeline = Pipeline([sample or mast()], count_words, coverage_floor=0.0, placement="grow")
    result = pipeline.walk(request, "acompletion", lambda: target)
    assert isinstance(result.outcome, Rewritten)
    out: list[dict[str, Any]] = []
    for message in result.body["messages"]:
        if message["role"] != "system":
            break
        content = message["content"]
        out.extend([block(content)] if isinstance(content, str) else content)
    return out, result.outcome.breakpoints, dict(result.body)


def marks_of(blocks: list[dict[str, Any]]) -> list[dict[str, str] | None]:
    return [b.get("cache_control") for b in blocks]


def wire_marks(request: Mapping[str, Any]) -> list[str]:
    """All lifetimes in the order the provider reads them: tools, system, messages, top level."""
    found = [tool["cache_control"] for tool in request["tools"] if "cache_control" in tool]
    for message in request["messages"]:
        if isinstance(message["content"], list):
            found.extend(b["cache_control"] for b in message["content"] if "cache_control" in b)
    if "cache_control" in request:
        found.append(request["cache_control"])
    return [mark.get("ttl", "5m") for mark in found]


def test_marks_stand_at_the_end_of_the_core_and_of_the_routed_part() -> None:
    """Each in a block of its own."""
    blocks, plan, _ = walked(body(P))
    assert blocks == [block(CORE, M5), block(WIND, M5)]
    assert (plan.added, plan.client) == (2, 0)


def test_what_varies_stands_behind_the_last_mark() -> None:
    blocks, _, _ = walked(body(f"{P}\nToday the mast sways."))
    assert blocks == [block(CORE, M5), block(WIND, M5), block("Today the mast sways.")]


def test_core_alone_has_one_mark() -> None:
    blocks, plan, _ = walked(body(P, "hello"))
    assert blocks == [block(CORE, M5)]
    assert plan.added == 1


def test_profile_may_ask_for_an_hour() -> None:
    assert marks_of(walked(body(P), sample=mast("1h"))[0]) == [H1, H1]


def test_no_marks_for_a_provider_that_takes_none() -> None:
    """Then a string stays a string."""
    _, plan, out = walked(body(P), NO_MARKS)
    assert out["messages"][0]["content"] == CORE + WIND
    assert plan == Breakpoints(
        core=None, routed=None, varying=None, kept_blocks=frozenset(), added=0, client=0, total=0
    )


def test_clients_marks_stay_where_ours_are_not_taken() -> None:
    """They are the client's business; we add none."""
    blocks, plan, _ = walked(body([block(P, M5_SAID)]), NO_MARKS)
    assert marks_of(blocks) == [M5_SAID]
    assert (plan.added, plan.client) == (0, 1)


CORE_TOKENS = count_words(CORE)
ROUTED_TOKENS = CORE_TOKENS + count_words(WIND)


@pytest.mark.parametrize(
    ("minimum", "expected"),
    [
        (0, [M5, M5]),
        (CORE_TOKENS, [M5, M5]),
        (CORE_TOKENS + 1, [M5]),
        (ROUTED_TOKENS, [M5]),
        (ROUTED_TOKENS + 1, []),
    ],
    ids=["none", "core just fits", "core too short", "routed just fits", "both too short"],
)
def test_no_mark_below_the_models_minimum(minimum: int, expected: list[dict[str, str]]) -> None:
    """A short core gets none, though the routed part behind it may."""
    target = Target(takes_marks=True, min_cache_tokens=minimum, input_usd_per_token=None)
    blocks, plan, _ = walked(body(P), target)
    assert [m for m in marks_of(blocks) if m] == expected
    assert plan.added == len(expected)
    if expected:
        assert blocks[-1].get("cache_control")


BUDGETS: dict[str, tuple[dict[str, Any], int]] = {
    "none": ({}, 2),
    "1 on tools": ({"tools": [M5]}, 2),
    "1 on messages": ({"messages": [M5]}, 2),
    "1 at the top level": ({"top": M5}, 2),
    "2 on tools and messages": ({"tools": [M5], "messages": [M5]}, 2),
    "3 on messages": ({"messages": [M5] * 3}, 1),
    "3 everywhere": ({"tools": [M5], "messages": [M5], "top": M5}, 1),
    "4 on messages": ({"messages": [M5] * 4}, 0),
    "4 everywhere": ({"tools": [M5, M5], "messages": [M5], "top": M5}, 0),
    "5, too many already": ({"messages": [M5] * 5}, 0),
    "6, too many already": ({"tools": [M5] * 3, "messages": [M5] * 3}, 0),
}


@pytest.mark.parametrize(("marks", "ours"), BUDGETS.values(), ids=BUDGETS.keys())
def test_budget_with_marks_outside_the_system_prompt(marks: dict[str, Any], ours: int) -> None:
    """Four in all; the client's are counted wherever they are, and never taken away."""
    request = body(P, **marks)
    blocks, plan, out = walked(request)
    assert plan.added == sum(mark is not None for mark in marks_of(blocks)) == ours
    assert plan.client == len(wire_marks(request))
    assert len(wire_marks(out)) == plan.client + plan.added


def test_the_core_gets_the_last_free_mark() -> None:
    """All conversations share it."""
    blocks, _, _ = walked(body(P, messages=[M5] * 3))
    assert blocks == [block(CORE, M5), block(WIND)]


@pytest.mark.parametrize("place", ["message", "content", "tool_call", "tool function"])
def test_marks_are_counted_wherever_clients_put_them(place: str) -> None:
    """OpenCode marks tool calls and whole messages, others blocks or the function of a tool."""
    request = body(P)
    for _ in range(4):
        if place == "message":
            request["messages"].append({"role": "user", "content": "x", "cache_control": M5})
        elif place == "content":
            request["messages"].append({"role": "user", "content": [block("x", M5)]})
        elif place == "tool_call":
            call = {"id": "1", "type": "function", "function": {"name": "t", "arguments": ""}, "cache_control": M5}
            request["messages"].append({"role": "assistant", "content": None, "tool_calls": [call]})
        else:
            request["tools"].append({"type": "function", "function": {"name": "t", "cache_control": M5}})
    blocks, plan, _ = walked(request)
    assert (plan.client, plan.added) == (4, 0)
    assert not any(marks_of(blocks))


MOVED: dict[str, tuple[list[dict[str, Any]], str, list[dict[str, Any]]]] = {
    "one mark at the end goes to the end of the routed part": (
        [block(P, H1)],
        "wind",
        [block(CORE, H1), block(WIND, H1)],
    ),
    "one mark, core alone": ([block(P, M5_SAID)], "hello", [block(CORE, M5_SAID)]),
    "two marks go to the two edges": (
        [block(CORE + WIND, H1), block(RAIN + SNOW, M5)],
        "wind",
        [block(CORE, H1), block(WIND, M5)],
    ),
    "a mark with text behind it stays ahead of that text": (
        [block(P, M5), block("\n\nThe mast sways today.")],
        "wind",
        [block(CORE, M5), block(WIND, M5), block("\n\nThe mast sways today.")],
    ),
    "three marks, the last behind what varies": (
        [block(CORE, H1), block(WIND + RAIN, M5), block(SNOW + "The mast sways.", M5)],
        "wind",
        [block(CORE, H1), block(WIND, M5), block("The mast sways.", M5)],
    ),
}


@pytest.mark.parametrize(("system", "text", "expected"), MOVED.values(), ids=MOVED.keys())
def test_clients_marks_move_to_the_edges(
    system: list[dict[str, Any]], text: str, expected: list[dict[str, Any]]
) -> None:
    """A mark on text that was replaced goes to the nearest stable edge; ours fill what is free."""
    blocks, _, _ = walked(body(system, text))
    assert blocks == expected


KEPT: dict[str, list[dict[str, Any]]] = {
    "in front": [block("Billing line of the frame.\n", M5), block(P)],
    "behind": [block(P), block("Notes of the frame.\n", M5)],
    "behind, beginning with white space": [block(P.strip()), block("\n\nNotes of the frame.\n", M5)],
    "behind blank space": [block(P.strip() + "\n\n"), block("Notes of the frame.\n", M5)],
    "between": [block(CORE), block("Notes of the frame.\n\n", M5), block(WIND + RAIN + SNOW)],
    "between, beginning with white space": [
        block(CORE.strip()),
        block("\n\nNotes of the frame.\n\n", M5),
        block(WIND + RAIN + SNOW),
    ],
    "before a block that begins with white space": [block("Billing line.", M5), block("\n\n" + P)],
}


@pytest.mark.parametrize("system", KEPT.values(), ids=KEPT.keys())
def test_untouched_foreign_blocks_keep_their_marks(system: list[dict[str, Any]]) -> None:
    """A block that is all residue goes out as it came."""
    (foreign,) = [b for b in system if "cache_control" in b]
    blocks, plan, _ = walked(body(system))
    assert foreign in blocks
    assert plan.client == 1


@pytest.mark.parametrize("text", ["wind", "hello", "wind rain snow"])
@pytest.mark.parametrize("as_messages", [False, True], ids=["blocks", "messages"])
def test_foreign_blocks_are_not_touched_where_modules_end_without_white_space(as_messages: bool, text: str) -> None:
    """A block of its own needs no paragraph break in front of it, whatever was dropped before it."""
    sample = profile(*(replace(m, parts=(m.text.strip(),)) for m in mast().modules), name="mast")
    foreign = block("Notes of the frame.", M5)
    request = body([block(sample.text), foreign], text)
    if as_messages:
        request["messages"][:1] = [{"role": "system", "content": [b]} for b in (block(sample.text), foreign)]
    blocks, _, _ = walked(request, sample=sample)
    assert foreign in blocks


def test_a_kept_mark_at_an_edge_takes_the_place_of_ours() -> None:
    """One block has one mark: none is counted as added that isn't there."""
    system = [block(CORE), block("Notes of the frame.\n\n", M5), block(WIND + RAIN + SNOW)]
    blocks, plan, _ = walked(body(system, "hello"))
    assert sum(mark is not None for mark in marks_of(blocks)) == plan.added + plan.client


def test_unchanged_text_leaves_the_clients_layout_alone() -> None:
    """Where nothing is dropped and nothing moves, the client's marks are as good as ours."""
    system = [block(CORE + WIND, M5), block(RAIN + SNOW, M5)]
    blocks, plan, _ = walked(body(system, "wind rain snow"))
    assert blocks == system
    assert (plan.added, plan.client) == (0, 2)


def test_unchanged_text_without_marks_gets_ours() -> None:
    blocks, plan, _ = walked(body(P, "wind rain snow"))
    assert blocks == [block(CORE, M5), block(WIND + RAIN + SNOW, M5)]
    assert plan.added == 2


@pytest.mark.parametrize("ttl", ["5m", "1h"])
@pytest.mark.parametrize(
    ("tools", "messages", "expected"),
    [
        ([], [], {"5m": M5, "1h": H1}),
        ([M5], [], {"5m": M5, "1h": M5}),
        ([M5_SAID], [], {"5m": M5, "1h": M5}),
        ([H1], [], {"5m": M5, "1h": H1}),
        ([], [M5], {"5m": M5, "1h": H1}),
        ([], [H1], {"5m": H1, "1h": H1}),
        ([H1], [H1], {"5m": H1, "1h": H1}),
    ],
    ids=["none", "5m tools", "5m tools by name", "1h tools", "5m messages", "1h messages", "1h around"],
)
def test_lifetimes_fit_between_the_clients(tools: Marks, messages: Marks, expected: dict[str, Any], ttl: Ttl) -> None:
    """1h never behind 5m: ours are as long as what follows needs, and no longer than what stands before."""
    blocks, _, _ = walked(body(P, tools=tools, messages=messages), sample=mast(ttl))
    assert marks_of(blocks) == [expected[ttl], expected[ttl]]


PLACES = ("front", "core", "between", "modules", "behind")
DATED = profile(
    module("core", CORE + "Read the date first.\n\n", DATE, "\n\n", always=True),
    module("wind", WIND, triggers=["wind"], optional=True),
    module("rain", RAIN, triggers=["rain"], optional=True),
    module("snow", SNOW, triggers=["snow"], optional=True),
    name="mast",
)
LAYOUTS = [
    marks
    for marks in product((None, "5m", "1h"), repeat=len(PLACES))
    if [m for m in marks if m] == sorted(m for m in marks if m)  # a valid client: 1h first
]


@pytest.mark.parametrize("ttl", ["5m", "1h"])
@pytest.mark.parametrize("text", ["wind", "hello", "wind rain snow"])
@pytest.mark.parametrize("dated", [False, True], ids=["plain", "dated"])
def test_order_and_number_of_marks_for_every_layout(dated: bool, text: str, ttl: Ttl) -> None:
    """However a valid client marks its blocks, what leaves has 1h first and at most four marks, or the client's."""
    sample = replace(DATED if dated else mast(), cache_ttl=ttl)
    core, *others = (m.text for m in sample.modules)
    texts = ("Frame.\n\n", core, "Between.\n\n", "".join(others), "Behind.\n")
    wrong = []
    for marks in LAYOUTS:
        lives = [None if m is None else {"type": "ephemeral", "ttl": m} for m in marks]
        blocks = [block(part, mark) for part, mark in zip(texts, lives, strict=True)]
        for after in ([], ["1h"], ["5m"], ["5m", "5m"]):
            if after == ["1h"] and "5m" in marks:
                continue
            request = body(blocks, text, messages=[{"type": "ephemeral", "ttl": m} for m in after])
            _, plan, out = walked(request, sample=sample)
            found = wire_marks(out)
            client = len(wire_marks(request))
            if found != sorted(found) or len(found) > max(4, client) or plan.client != client:
                wrong.append((dict(zip(PLACES, marks, strict=True)), after, found))
    assert not wrong, f"{len(wrong)} layouts, such as {wrong[:3]}"


def test_tools_that_hold_no_marks_or_nonsense_are_harmless() -> None:
    request = body(P)
    request["tools"] = [None, "x", {"cache_control": "yes"}, {"function": None}, {"function": {"cache_control": 1}}]
    _, plan, _ = walked(request)
    assert (plan.client, plan.added) == (0, 2)
