"""A decision says which message of the user's it is about, whether it is new, and what routing wanted by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from litellm_prompt_router.profile.profile import Economics, Ignore
from litellm_prompt_router.request.route import Router
from litellm_prompt_router.request.types import Passthrough, Rewritten, Turn
from tests.made_profiles import HARBOUR
from tests.request.test_cost_gate import walk
from tests.request.test_router import OFFICE, user

CALL, RESULT = Turn("assistant", "", tool_calls=("git",)), Turn("tool", "ok")
ANSWER = Turn("assistant", "Done.")
WRAPPED = user("<system-reminder>The clock says noon.</system-reminder>")
"""Nothing in it is the user's."""


@pytest.mark.parametrize(
    ("turns", "number", "is_new"),
    [
        pytest.param([user("merge the branch")], 1, True, id="first"),
        pytest.param([user("merge the branch"), CALL, RESULT], 1, False, id="tool loop"),
        pytest.param([user("merge the branch"), CALL, RESULT, ANSWER, user("a chart, please")], 2, True, id="second"),
        pytest.param([user("merge the branch"), ANSWER, user("yes"), CALL, RESULT], 2, False, id="follow-up's loop"),
        pytest.param([user("merge the branch"), ANSWER, WRAPPED], 1, False, id="the agent's own words"),
        pytest.param([user("merge the branch"), user("and a chart")], 2, True, id="two in a row"),
        pytest.param([ANSWER], 0, False, id="none"),
    ],
)
def test_messages_are_counted_as_routing_reads_them(turns: list[Turn], number: int, is_new: bool) -> None:
    """From the start, and going on from what is remembered of the conversation."""
    agent = replace(OFFICE, ignore=Ignore(tags=("system-reminder",)))
    anew, step_by_step = Router(agent), Router(agent)
    for end in range(1, len(turns) + 1):
        step_by_step.decide(turns[:end])
    for router in (anew, step_by_step):
        decision = router.decide(turns)
        assert (decision.turn_number, decision.is_new_message) == (number, is_new)


def test_of_a_history_elsewhere_nothing_is_said() -> None:
    decision = Router(OFFICE).decide_all([user("yes")], "at the provider")
    assert (decision.turn_number, decision.is_new_message) == (None, None)


def test_what_the_gate_adds_was_not_wanted() -> None:
    """A module that a bundle brings ahead of its time is wanted late all the same."""
    bundle = frozenset({HARBOUR.order["berths"], HARBOUR.order["tides"]})
    exact, bundled = walk(Economics(), 3), walk(Economics(bundles=(bundle,)), 3)
    assert isinstance(exact, Rewritten)
    assert isinstance(bundled, Rewritten)
    assert exact.decision.before_gate is None
    assert bundled.decision.wanted == exact.decision.wanted == exact.decision.selected
    assert {e.module: e.late for e in bundled.decision.wanted}["tides"] is True
    assert {e.module: e.late for e in bundled.decision.selected}["tides"] is False
    left = walk(Economics(rewrites=False), 3)
    assert isinstance(left, Passthrough)
    assert left.decision is not None
    assert left.decision.wanted == exact.decision.wanted
