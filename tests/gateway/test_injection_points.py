"""Our marks beside LiteLLM's own: configured injection points, automatic caching, and OpenAI's breakpoints.

What counts is the wire that LiteLLM's own code makes of our body.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from litellm_prompt_router.gateway.deployments.translation import ClaudeWire
from litellm_prompt_router.profile.profile import Ttl
from litellm_prompt_router.request.late_places import NOTE_INTRODUCTION
from litellm_prompt_router.request.pipeline import Pipeline
from litellm_prompt_router.request.types import Rewritten, Target
from litellm_prompt_router.request.wire.marks import INJECTION_POINTS
from tests.emulators.refusals import refuse_anthropic
from tests.made_profiles import TAKES_MARKS, count_words, module, profile

M5, H1, EXPLICIT = {"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}, {"mode": "explicit"}
CORE = "# Weather mast\n\nYou read the instruments of a weather mast on a hill.\n\n"
WIND = "## Wind\n\nUse `wind_log` and give the mean of the last ten minutes in knots.\n\n"
RAIN = "## Rain\n\nUse `rain_log` and say when the gauge was emptied the last time.\n"
TEXT = CORE + WIND + RAIN
CLAUDE = ClaudeWire("anthropic/claude-opus-4-8")
APPENDS = replace(TAKES_MARKS, takes_user_behind_result=True)
GPT = Target(
    takes_marks=False, takes_breakpoints=True, min_cache_tokens=0, input_usd_per_token=None, late_form="message"
)
LAST = {"location": "message", "index": -1}
SYSTEM = {"location": "message", "role": "system"}


def mast(ttl: Ttl = "5m") -> Any:
    return profile(
        module("core", CORE, always=True),
        module("wind", WIND, triggers=["wind"], optional=True),
        module("rain", RAIN, triggers=["rain"], optional=True),
        name="mast",
        cache_ttl=ttl,
    )


def body(*asks: str, system: Any = TEXT, **extra: Any) -> dict[str, Any]:
    turns = [
        turn for ask in asks for turn in ({"role": "user", "content": ask}, {"role": "assistant", "content": "ok"})
    ]
    return {"messages": [{"role": "system", "content": system}, *turns[:-1]], **extra}


def walked(
    request: Mapping[str, Any], target: Target, *, hints: bool = False, ttl: Ttl = "5m"
) -> tuple[dict[str, Any], Rewritten]:
    pipeline = Pipeline([mast(ttl)], count_words, coverage_floor=0.0, adds_marks=hints)
    result = pipeline.walk(request, "acompletion", lambda: target)
    assert isinstance(result.outcome, Rewritten)
    return dict(result.body), result.outcome


def wire_of(out: Mapping[str, Any], target: Target) -> dict[str, Any]:
    """The Messages body, the deployment's own points in the request where it states none."""
    points = {INJECTION_POINTS: [dict(point) for point in target.injection_points]} if target.injection_points else {}
    automatic = {"enable_prompt_caching": True} if target.auto_points else {}
    wire = CLAUDE.body({"model": "claude-opus-4-8", **points, **automatic, **out})
    assert refuse_anthropic(wire, takes_mid_system=True) is None
    return wire


def marked_texts(wire: Mapping[str, Any]) -> list[tuple[str, str]]:
    """``(text, lifetime)`` of all that is marked, in order."""
    blocks = [*wire.get("tools", ()), *wire["system"]]
    for message in wire["messages"]:
        blocks += message["content"] if isinstance(message["content"], list) else []
    return [
        (str(block.get("text") or block.get("name")).strip(), block["cache_control"].get("ttl", "5m"))
        for block in blocks
        if "cache_control" in block
    ]


def automatic(control: Mapping[str, Any] = M5) -> Target:
    """A deployment while ``enable_anthropic_prompt_caching`` is on."""
    points = ({**SYSTEM, "index": None, "control": control}, {**LAST, "role": None, "control": control})
    return replace(APPENDS, auto_points=points)


def pointed(*points: Mapping[str, Any]) -> Target:
    return replace(APPENDS, injection_points=points)


def all_marked(lifetime: str, *texts: str) -> list[tuple[str, str]]:
    return [(text.strip(), lifetime) for text in texts]


MERGED = [
    pytest.param(APPENDS, False, all_marked("5m", CORE, WIND), id="neither"),
    pytest.param(APPENDS, True, all_marked("5m", CORE, WIND, "rain"), id="hints"),
    pytest.param(pointed(SYSTEM, LAST), False, all_marked("5m", CORE, WIND, "rain"), id="points"),
    pytest.param(pointed(SYSTEM, LAST), True, all_marked("5m", CORE, WIND, "rain"), id="points and hints"),
    pytest.param(pointed(SYSTEM), False, all_marked("5m", CORE, WIND), id="a point on the system prompt"),
    pytest.param(pointed({**LAST, "control": H1}), False, all_marked("1h", CORE, WIND, "rain"), id="an hour's point"),
    pytest.param(automatic(), False, all_marked("5m", CORE, WIND, "rain"), id="automatic"),
    pytest.param(automatic(), True, all_marked("5m", CORE, WIND, "rain"), id="automatic and hints"),
    pytest.param(automatic(H1), False, all_marked("1h", CORE, WIND, "rain"), id="automatic for an hour"),
]


@pytest.mark.parametrize(("target", "hints", "expected"), MERGED)
def test_litellms_own_marks_are_merged(target: Target, hints: bool, expected: list[tuple[str, str]]) -> None:
    """Ours take the place of those on the system prompt; the history's end stays marked; 1h is ahead of 5m."""
    out, _ = walked(body("wind", "hello", "rain"), target, hints=hints)
    wire = wire_of(out, target)
    # The note stands behind the last user's words, so that is where the end is.
    note = f"{NOTE_INTRODUCTION}{RAIN}".strip()
    late = [(note, lifetime) if text == "rain" else (text, lifetime) for text, lifetime in expected]
    assert marked_texts(wire) == late


@pytest.mark.parametrize("target", [automatic(), pointed(SYSTEM, LAST)], ids=["automatic", "points"])
def test_marks_of_litellms_where_ours_do_not_pay(target: Target) -> None:
    """Below the model's minimum we place none, and LiteLLM's own are as they would be without us."""
    out, outcome = walked(body("wind", "hello"), replace(target, min_cache_tokens=10_000))
    assert INJECTION_POINTS not in out
    assert outcome.breakpoints.added == 0
    assert [text for text, _ in marked_texts(wire_of(out, target))] == [WIND.strip(), "hello"]


def test_automatic_caching_stands_down_on_a_clients_marks() -> None:
    """As it does without us: the client has a strategy of its own."""
    request = body("wind", "hello", "rain")
    request["messages"][1]["content"] = [{"type": "text", "text": "wind", "cache_control": M5}]
    out, _ = walked(request, automatic())
    assert INJECTION_POINTS not in out
    assert marked_texts(wire_of(out, automatic())) == all_marked("5m", CORE, WIND, "wind")


def test_a_clients_points_hold_in_place_of_the_deployments() -> None:
    """LiteLLM takes the request's own; so do we, and mark no more than it asks for."""
    stated = [{"location": "message", "index": 1}]
    out, _ = walked(body("wind", "hello", **{INJECTION_POINTS: stated}), pointed(LAST), hints=True)
    assert out[INJECTION_POINTS] == stated
    assert marked_texts(wire_of(out, pointed(LAST))) == all_marked("5m", CORE, WIND, "wind")


POINT_SETS: list[list[dict[str, Any]]] = [
    [],
    [SYSTEM, LAST],
    [{**SYSTEM, "control": H1}, {**LAST, "control": H1}],
    [{**LAST, "control": H1}],
    [{"location": "message", "index": 1}, LAST],
    [{"location": "message", "role": "user"}],
]
CLIENTS: list[dict[str, list[Any]]] = [
    {},
    {"system": [M5]},
    {"system": [H1]},
    {"tools": [H1]},
    {"tools": [M5], "last": [M5]},
    {"tools": [H1], "system": [H1], "last": [M5]},
]


@pytest.mark.parametrize("points", POINT_SETS, ids=lambda points: json.dumps(points)[:60])
@pytest.mark.parametrize("source", ["deployment", "request", "automatic"])
def test_the_provider_takes_every_combination(source: str, points: list[dict[str, Any]]) -> None:
    """At most four, 1h ahead of 5m: with any points, from anywhere, beside any marks of the client."""
    hours = any((point.get("control") or {}).get("ttl") == "1h" for point in points)
    for client, ttl, hints in product(CLIENTS, ("5m", "1h"), (False, True)):
        if hours and (M5 in client.get("tools", []) or M5 in client.get("system", [])):
            continue  # refused without us as well
        system = [
            {"type": "text", "text": TEXT, **({"cache_control": client["system"][0]} if "system" in client else {})}
        ]
        request = body("wind", "hello", "rain", system=system)
        request["tools"] = [{"type": "function", "function": {"name": "t"}}]
        if "tools" in client:
            request["tools"][0]["cache_control"] = client["tools"][0]
        if "last" in client:
            request["messages"][-1]["content"] = [{"type": "text", "text": "rain", "cache_control": client["last"][0]}]
        target = APPENDS
        if source == "deployment":
            target = pointed(*points)
        elif source == "request" and points:
            request[INJECTION_POINTS] = points
        elif source == "automatic":
            target = automatic(H1 if hours else M5)
        out, outcome = walked(request, target, hints=hints, ttl="1h" if ttl == "1h" else "5m")
        wire = wire_of(out, target)
        assert json.dumps(wire).count('"cache_control"') <= 4
        if source != "request" and outcome.breakpoints.points is not None:
            assert outcome.breakpoints.total == json.dumps(wire).count('"cache_control"')


# OpenAI's explicit breakpoints


def parts(out: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(out["messages"][0]["content"])


def text(part: str, **marks: Any) -> dict[str, Any]:
    return {"type": "text", "text": part, **marks}


def test_explicit_breakpoints_at_the_two_stable_ends() -> None:
    """GPT-5.6 marks the history's end itself, so nothing is asked for there."""
    out, outcome = walked(body("wind", system=TEXT + "\nToday the mast sways."), GPT, hints=True)
    core, routed, varying = parts(out)
    assert (core, routed) == (
        text(CORE, prompt_cache_breakpoint=EXPLICIT),
        text(WIND, prompt_cache_breakpoint=EXPLICIT),
    )
    assert varying == text("Today the mast sways.")
    assert INJECTION_POINTS not in out
    assert (outcome.breakpoints.added, outcome.breakpoints.total) == (2, 2)


def test_no_breakpoint_below_the_minimum() -> None:
    """OpenAI caches from 1,024 tokens on."""
    out, _ = walked(body("wind"), replace(GPT, min_cache_tokens=10_000))
    assert "prompt_cache_breakpoint" not in json.dumps(out)


def test_a_clients_breakpoint_moves_and_is_not_copied() -> None:
    """The text it stood on is cut; one breakpoint stays one."""
    out, outcome = walked(body("wind", system=[text(TEXT, prompt_cache_breakpoint=EXPLICIT)]), GPT)
    assert json.dumps(out).count("prompt_cache_breakpoint") == 2
    assert (outcome.breakpoints.client, outcome.breakpoints.added, outcome.breakpoints.total) == (1, 1, 2)


def test_a_mark_that_openai_does_not_read_takes_no_breakpoints_place() -> None:
    """LiteLLM drops ``cache_control`` for OpenAI; at the edges stand breakpoints."""
    out, _ = walked(body("wind", system=[text(TEXT, cache_control=H1)]), GPT)
    assert [part.get("prompt_cache_breakpoint") for part in parts(out)] == [EXPLICIT, EXPLICIT]
    assert "cache_control" not in json.dumps(out)


@pytest.mark.parametrize(("own", "ours"), [(0, 2), (1, 2), (2, 1), (3, 0)])
def test_three_breakpoints_beside_the_implicit_one(own: int, ours: int) -> None:
    """OpenAI writes the latest three; the client's come first in the budget."""
    request = body("wind", *["hello"] * 3)
    for number in range(own):
        request["messages"][1 + 2 * number]["content"] = [text("wind", prompt_cache_breakpoint=EXPLICIT)]
    out, outcome = walked(request, GPT)
    assert outcome.breakpoints.added == ours
    assert json.dumps(out).count("prompt_cache_breakpoint") == own + ours
