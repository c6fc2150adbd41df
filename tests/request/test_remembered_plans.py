"""A plan that is remembered is the one that would be made anew."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from litellm_prompt_router.request import remembered_plans
from litellm_prompt_router.request.compose import compose
from litellm_prompt_router.request.pipeline import Pipeline
from litellm_prompt_router.request.remembered_plans import RememberedPlans
from litellm_prompt_router.request.types import Rewritten, Target
from litellm_prompt_router.request.walk_steps import WalkResult
from tests.made_profiles import NO_MARKS, TAKES_MARKS, count_words, module, profile, slot

NOTE = slot("note", r"<note>[^<]*</note>", "<note>abc</note>", volatile=True)
USER = slot("user", r"User: [A-Z][a-z \n]*\.?", "User: Ada.")
HARBOUR = profile(
    module("core", "You look after the quay of a small harbour.\n", USER, "\nAlways be kind.\n", always=True),
    module("cranes", "Cranes lift what the list says.\n", NOTE, "\nOne crate after the other.\n", triggers=["crane*"]),
    module("ferries", "Ferries leave when the tide is in, never before.\n\n", triggers=["ferr*"]),
    module("ledger", "Write each crate into the ledger.\n\n", triggers=["crate*"]),
    name="harbour",
)
NOTES = ("<note>abc</note>", "<note>a b</note>", "<note>a\nb</note>")
USERS = ("User: Ada.", "User: Ab\n.", "User: A b\n")
BEHIND = ("", "\nBe quick.")
SAID = (
    ["lift it with the crane"],
    ["lift it with the crane", "Done.", "when does the ferry leave?"],
    ["hello", "Hello.", "write the crate down", "Done.", "when does the ferry leave?", "At six.", "and the crane?"],
)
TARGETS = (
    NO_MARKS,
    TAKES_MARKS,
    replace(TAKES_MARKS, late_form="message"),
    replace(TAKES_MARKS, min_cache_tokens=25),
    replace(TAKES_MARKS, takes_marks=False, takes_breakpoints=True),
    replace(TAKES_MARKS, auto_points=({"location": "message", "index": -1},)),
    replace(TAKES_MARKS, injection_points=({"location": "message", "role": "system"},)),
)


def body_of(note: str, user: str, behind: str, said: list[str], mark: str | None) -> dict[str, Any]:
    text = HARBOUR.text.replace(NOTE.sample, note).replace(USER.sample, user) + behind
    prompt: Any = text
    messages = [{"role": ("user", "assistant")[n % 2], "content": each} for n, each in enumerate(said)]
    body: dict[str, Any] = {}
    if mark == "prompt":
        prompt = [{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}]
    elif mark == "tool":
        body["tools"] = [{"type": "function", "function": {"name": "f"}, "cache_control": {"type": "ephemeral"}}]
    elif mark == "points":
        body["cache_control_injection_points"] = [{"location": "message", "index": -1}]
    elif mark == "blocks":
        prompt = [{"type": "text", "text": text[:50]}, {"type": "text", "text": text[50:]}]
    copied: dict[str, Any] = json.loads(
        json.dumps({**body, "messages": [{"role": "system", "content": prompt}, *messages]})
    )
    return copied


def told(result: WalkResult) -> tuple[object, ...]:
    outcome = result.outcome
    assert isinstance(outcome, Rewritten)
    return (result.body, outcome.composition, outcome.breakpoints, outcome.decision, result.marking)


@pytest.mark.parametrize("adds_marks", [True, False], ids=["adds marks", "adds none"])
@pytest.mark.parametrize("placement", ["append", "grow", "latest"])
def test_plans_are_those_that_would_be_made_anew(placement: Any, adds_marks: bool) -> None:
    """For prompts that differ in values of one length, whatever is marked, and wherever the history ends."""

    def pipeline() -> Pipeline:
        return Pipeline([HARBOUR], count_words, coverage_floor=0.6, placement=placement, adds_marks=adds_marks)

    remembering, forgetful = pipeline(), pipeline()
    marks = (None, "prompt", "tool", "points", "blocks")
    for note, user, behind, said, mark, target in product(NOTES, USERS, BEHIND, SAID, marks, TARGETS):
        forgetful._plans = RememberedPlans(count_words, adds_marks=adds_marks)

        def of_call(target: Target = target) -> Target:
            return target

        found = remembering.walk(body_of(note, user, behind, said, mark), "acompletion", of_call)
        wanted = forgetful.walk(body_of(note, user, behind, said, mark), "acompletion", of_call)
        assert told(found) == told(wanted), (note, user, behind, said, mark, target)


def test_a_plan_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """For all calls with the same prompt and selection; and no more of them are kept than that."""
    made: list[str] = []

    def noting(*arguments: Any, **options: Any) -> Any:
        made.append("composition")
        return compose(*arguments, **options)

    monkeypatch.setattr(remembered_plans, "compose", noting)
    monkeypatch.setattr(remembered_plans, "MAX_PLANS", 4)
    one = Pipeline([HARBOUR], count_words, coverage_floor=0.6, adds_marks=True)
    for more in range(20):
        said = ["lift it with the crane", *["Done.", "go on"] * more]
        one.walk(body_of(NOTES[0], USERS[0], "", said, None), "acompletion", lambda: TAKES_MARKS)
    assert made == ["composition"]
    for number in range(20):
        one.walk(body_of(f"<note>{number:03}</note>", USERS[0], "", SAID[0], None), "acompletion", lambda: TAKES_MARKS)
    assert len(made) == 21
    assert len(one._plans._compositions) == len(one._plans._breakpoints) == 4
