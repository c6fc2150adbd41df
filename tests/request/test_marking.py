"""Marks as instructions: whatever a deployment would have got alone comes out, without a word of text on the way."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_prompt_router.request.pipeline import Pipeline
from litellm_prompt_router.request.types import Target
from litellm_prompt_router.request.walk_steps import WalkResult
from litellm_prompt_router.request.wire.marking import apply_instructions
from tests.made_profiles import count_words, module, profile, slot

CORE = "# Weather mast\n\nYou read the instruments of a weather mast on a hill.\n\n"
WIND = "## Wind\n\nUse `wind_log` and give the mean of the last ten minutes in knots.\n\n"
RAIN = "## Rain\n\nUse `rain_log` and say when the gauge was emptied the last time.\n\n"
DATE = slot("date", r"Today is \d{4}-\d{2}-\d{2}\.", "Today is 2026-11-22.", volatile=True)
MAST = profile(
    module("core", CORE, DATE, "\n\n", always=True),
    module("wind", WIND, triggers=["wind"], optional=True),
    module("rain", RAIN, triggers=["rain"], optional=True),
    name="mast",
)
PLAIN = Target(takes_marks=False, min_cache_tokens=0, input_usd_per_token=None, late_form="message")
KEYED = replace(PLAIN, takes_cache_key=True)
CLAUDE = replace(PLAIN, takes_marks=True)
POINTED = replace(CLAUDE, injection_points=({"location": "message", "index": -1, "control": {"type": "ephemeral"}},))
GPT = replace(KEYED, takes_breakpoints=True)
KINDS = {"plain": PLAIN, "keyed": KEYED, "claude": CLAUDE, "pointed": POINTED, "gpt-5.6": GPT}
M5, H1, EXPLICIT = {"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}, {"mode": "explicit"}


def walk(body: dict[str, Any], target: Target) -> WalkResult:
    return Pipeline([MAST], count_words, coverage_floor=0.0, adds_marks=True).walk(body, "acompletion", lambda: target)


def group(*names: str) -> Target:
    """A group of these, as ``litellm_prompt_router.gateway.deployments.groups`` would put it."""
    members = tuple((name, KINDS[name]) for name in names)
    return replace(PLAIN, each=members)


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    """The prompt as a string, in blocks or in messages, each block with or without a mark, and a short conversation."""
    text = MAST.text + draw(st.sampled_from(["", "\nThe mast sways.", "\n\nNotes of the frame.\n"]))
    cuts = sorted(draw(st.sets(st.integers(1, len(text) - 1), max_size=3)))
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    marks = [None, {"cache_control": M5}, {"cache_control": H1}, {"prompt_cache_breakpoint": EXPLICIT}]
    blocks = [{"type": "text", "text": piece, **(draw(st.sampled_from(marks)) or {})} for piece in pieces]
    role = draw(st.sampled_from(["system", "developer"]))
    shapes: list[list[dict[str, Any]]] = [
        [{"role": role, "content": text}],
        [{"role": role, "content": blocks}],
        [{"role": role, "content": [block]} for block in blocks],
    ]
    system = draw(st.sampled_from(shapes))
    asks = draw(st.lists(st.sampled_from(["wind", "rain", "hello"]), min_size=1, max_size=3))
    turns = [
        turn for ask in asks for turn in ({"role": "user", "content": ask}, {"role": "assistant", "content": "ok"})
    ]
    return {"model": "mast", "messages": [*system, *turns[:-1]]}


@given(body=bodies(), names=st.permutations(sorted(KINDS)), count=st.integers(2, len(KINDS)))
def test_following_gives_what_the_deployment_would_get_alone(
    body: dict[str, Any], names: list[str], count: int
) -> None:
    """Each member's body is the body of a group of its kind; the shared one isn't touched, and nothing names a text."""
    walked = walk(body, group(*names[:count]))
    assert walked.marking is not None
    shared = copy.deepcopy(walked.body)
    for name in names[:count]:
        plan = walked.marking.plans[walked.marking.plan_of[name]]
        travelled = json.loads(json.dumps(plan.instructions))
        changed = apply_instructions(travelled, walked.body)
        assert changed is not None
        alone = walk(body, KINDS[name])
        assert {**walked.body, **changed} == alone.body
        assert "mast" not in json.dumps([plan.instructions["cuts"], plan.added, plan.total])
    assert walked.body == shared


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_group_of_one_kind_has_no_marking(kind: str) -> None:
    """There the body itself is marked."""
    body = {"messages": [{"role": "system", "content": MAST.text}, {"role": "user", "content": "wind"}]}
    assert walk(body, KINDS[kind]).marking is None


def test_deployments_alike_share_a_plan() -> None:
    """However many there are, and whatever they cost."""
    members = [("a", CLAUDE), ("b", replace(CLAUDE, input_usd_per_token=None)), ("c", PLAIN)]
    body = {"messages": [{"role": "system", "content": MAST.text}, {"role": "user", "content": "wind"}]}
    marking = walk(body, replace(PLAIN, each=tuple(members))).marking
    assert marking is not None
    assert marking.plan_of == {"a": 0, "b": 0, "c": 1}
    assert len(marking.plans) == 2


@pytest.mark.parametrize("edit", ["longer", "shorter", "blocks"])
def test_a_body_that_something_else_changed_is_left_alone(edit: str) -> None:
    """Cuts would fall anywhere; without them the body is valid and merely unmarked."""
    body = {"messages": [{"role": "system", "content": MAST.text}, {"role": "user", "content": "wind"}]}
    walked = walk(body, group("claude", "plain"))
    assert walked.marking is not None
    plan = walked.marking.plans[walked.marking.plan_of["claude"]]
    messages = copy.deepcopy(list(walked.body["messages"]))
    text = messages[0]["content"]
    messages[0]["content"] = {
        "longer": text + "!",
        "shorter": text[:-1],
        "blocks": [{"type": "text", "text": text}, {"type": "text", "text": "!"}],
    }[edit]
    assert apply_instructions(plan.instructions, {"messages": messages}) is None
