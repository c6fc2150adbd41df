"""Labels that look wrong: one wrong need in a hundred messages costs a third of the saving."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from litellm_prompt_router.authoring.fit.fitting import Fit, columns_of
from litellm_prompt_router.files.labelled_messages import Case, Numbered
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.route import gate_values
from litellm_prompt_router.request.route.triggers import folded

DoubtKind = Literal["conflict", "needless", "missing"]
UNLIKELY = 0.02
LIKELY = 0.9


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelDoubt:
    """A label that contradicts the same message elsewhere, or what the other conversations taught.

    ``chance``: how likely messages like this need the module, by a table and gate that didn't learn from it.
    """

    line: int
    kind: DoubtKind
    module: str
    chance: float | None
    other_line: int | None = None


def label_doubts(profile: Profile, done: Fit) -> tuple[LabelDoubt, ...]:
    """Every doubtful label: conflicts first, then the least plausible."""
    columns = columns_of(profile)
    line_of = {id(case): line for line, case in done.cases}
    found: list[LabelDoubt] = []
    for item in done.observed:
        line = line_of.get(id(item.case))
        if line is None or not item.is_scored:
            continue
        chances = 1 / (1 + np.exp(-gate_values(done.gates[item.fold], item.weighted.seen[-1].inputs)))
        for column, number in enumerate(columns):
            chance, id_ = round(float(chances[column]), 4), profile.modules[number].id
            if item.weighted.used[number]:
                continue
            if item.needed[number] and chance < UNLIKELY:
                found.append(LabelDoubt(line=line, kind="needless", module=id_, chance=chance))
            elif not item.needed[number] and chance > LIKELY:
                found.append(LabelDoubt(line=line, kind="missing", module=id_, chance=chance))
    found.sort(key=lambda doubt: (_plausibility(doubt), doubt.line, doubt.module))
    return (*_conflicts(done.cases), *found)


def _plausibility(doubt: LabelDoubt) -> float:
    chance = doubt.chance or 0.0
    return chance if doubt.kind == "needless" else 1 - chance


def _conflicts(cases: Sequence[Numbered]) -> list[LabelDoubt]:
    first: dict[tuple[str, ...], tuple[int, Case]] = {}
    found: list[LabelDoubt] = []
    for line, case in cases:
        messages = tuple(" ".join(folded(text).split()) for text in (*case.history, case.text))
        other_line, other = first.setdefault((*messages, *sorted(case.tool_calls)), (line, case))
        for module in sorted(set(other.needs) ^ set(case.needs)):
            found.append(LabelDoubt(line=line, kind="conflict", module=module, chance=None, other_line=other_line))
    return found
