"""Gates: which inputs they learn from."""

from __future__ import annotations

import numpy as np
import pytest

from litellm_prompt_router.authoring.fit.gate_training import EVERY, FIRST_TURN, PLAIN, HeldOutCase, telling_inputs
from litellm_prompt_router.files.labelled_messages import Case
from litellm_prompt_router.profile.fitted import GATE_INPUTS
from litellm_prompt_router.request.route import WeightedConversation
from litellm_prompt_router.request.route.scores import WeighedMessage
from litellm_prompt_router.request.types import RoutingDecision

COLUMNS, FOLDS = 4, 5
HISTORY, LATER = 4, 6
DECISION = RoutingDecision(
    selected=(), arrivals=(), message_kind="task", is_fallback=False, fallback_reason=None, query_chars=0
)


def observed(count: int, *, later: bool, history_tells: bool) -> list[HeldOutCase]:
    """Messages whose own score says little; what came before says all, or nothing."""
    chance = np.random.default_rng(5)
    found = []
    for number in range(count):
        needed = chance.random(COLUMNS) < 0.3
        inputs = np.zeros((COLUMNS, GATE_INPUTS))
        inputs[:, 0] = needed + 2 * chance.standard_normal(COLUMNS)
        if later:
            inputs[:, 2:] = chance.standard_normal((COLUMNS, GATE_INPUTS - 2))
            inputs[:, LATER] = 1.0
            inputs[:, HISTORY] += 4.0 * needed * history_tells
        nothing = np.zeros(COLUMNS, dtype=np.bool_)
        weighted = WeightedConversation(
            firm=nothing,
            used=nothing,
            values=np.zeros(COLUMNS),
            seen=(WeighedMessage(0, inputs, np.zeros(COLUMNS)),),
            decision=DECISION,
            is_fallback=False,
        )
        case = Case(text=str(number), category="x", needs=())
        found.append(HeldOutCase(case=case, weighted=weighted, needed=needed, is_scored=True, fold=number % FOLDS))
    return found


@pytest.mark.parametrize(
    ("later", "history_tells", "read"),
    [
        pytest.param(False, False, FIRST_TURN, id="no-later-turns"),
        pytest.param(True, False, PLAIN, id="history-says-nothing"),
        pytest.param(True, True, EVERY, id="history-tells"),
    ],
)
def test_a_gate_reads_what_came_before_only_where_that_tells(
    later: bool, history_tells: bool, read: frozenset[int]
) -> None:
    messages = observed(200, later=later, history_tells=history_tells)
    assert telling_inputs(range(COLUMNS), messages, FOLDS) == read
