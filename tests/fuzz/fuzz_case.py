"""One case: a body, an answer, and what is done to both. Everything of it is JSON, so that a file runs it again."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tests.fuzz.made_calls import ENDPOINTS, OTHER_ENDPOINTS, drawn_answer, drawn_body
from tests.fuzz.odd_values import ANSWER_VALUES, ODD_VALUES, drawn_edit, edited


@dataclass(frozen=True, kw_only=True, slots=True)
class FuzzCase:
    """``edits`` change ``body``, ``answer_edits`` the answer: each ``[path, kind, argument]``.

    ``is_gated``: under the settings' defaults; elsewhere the cost gate is off, so that more is rewritten.
    """

    endpoint: str
    body: dict[str, Any]
    answer: dict[str, Any]
    edits: tuple[list[Any], ...] = ()
    answer_edits: tuple[list[Any], ...] = ()
    is_gated: bool = False

    def edited_body(self) -> dict[str, Any]:
        body: dict[str, Any] = copy.deepcopy(self.body)
        for path, kind, argument in self.edits:
            edited(body, path, kind, argument)
        return body

    def edited_answer(self) -> dict[str, Any]:
        answer: dict[str, Any] = copy.deepcopy(self.answer)
        for path, kind, argument in self.answer_edits:
            edited(answer, path, kind, argument)
        return answer

    def written(self) -> str:
        return json.dumps(asdict(self))


def read_case(path: Path) -> FuzzCase:
    """What ``written`` wrote; it may stand under ``case`` beside the law that it broke."""
    stated = json.loads(path.read_text("utf-8"))
    stated = stated.get("case", stated)
    return FuzzCase(**{**stated, "edits": tuple(stated["edits"]), "answer_edits": tuple(stated["answer_edits"])})


def drawn_case(seed: int, number: int, captured: Sequence[tuple[str, dict[str, Any]]] = ()) -> FuzzCase:
    """Case ``number`` of a run: the same for the same seed. ``captured``: endpoints and bodies of real traffic."""
    rng = random.Random(f"{seed}/{number}")
    if captured and rng.random() < 0.5:
        endpoint, body = rng.choice(captured)
        body = copy.deepcopy(body)
    else:
        endpoint = rng.choice(OTHER_ENDPOINTS) if rng.random() < 0.03 else rng.choice(ENDPOINTS)
        body = drawn_body(endpoint, rng)
    case = FuzzCase(endpoint=endpoint, body=body, answer=drawn_answer(endpoint, rng), is_gated=rng.random() < 0.3)
    for _ in range(rng.choice([0, 0, 1, 1, 1, 2, 2, 3, 5])):
        edit = drawn_edit(_plain(case.edited_body()), rng, tuple(ODD_VALUES))
        case = replace(case, edits=(*case.edits, edit))
    for _ in range(rng.choice([0, 1, 1, 2, 4])):
        edit = drawn_edit(_plain(case.edited_answer()), rng, ANSWER_VALUES)
        case = replace(case, answer_edits=(*case.answer_edits, edit))
    return case


def _plain(value: Any, depth: int = 12) -> Any:
    """As deep as places are drawn, and with names that JSON has: the rest stays as an edit made it."""
    if depth and isinstance(value, dict):
        return {name: _plain(inner, depth - 1) for name, inner in value.items() if isinstance(name, str)}
    if depth and isinstance(value, list):
        return [_plain(inner, depth - 1) for inner in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else None
