"""The report's figures are those of a slow, plain reckoning, whatever kind of files the records are in."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litellm_prompt_router.analysis.ledger_lines import LedgerTally
from litellm_prompt_router.analysis.report import line_batches
from litellm_prompt_router.analysis.report.columns import frame_of
from litellm_prompt_router.analysis.report.figures import Figures, Group, Sums
from litellm_prompt_router.analysis.report.selection import selected_records
from litellm_prompt_router.analysis.report.totals import figures_of
from litellm_prompt_router.record.ledger_schema import LEDGER_FIELDS
from tests.analysis.plain_figures import plain_figures
from tests.analysis.report_records import DAY, START, made

LINE = json.loads(made(0).to_json())
USES: list[list[dict[str, Any]]] = [
    [{"id": "core", "evidence": "always", "detail": None, "late": False}],
    [
        {"id": "core", "evidence": "always", "detail": None, "late": False},
        {"id": "tools/a", "evidence": "tool_call", "detail": "plot", "late": True},
    ],
    [{"id": "tools/a", "evidence": "model", "detail": "needed", "late": False}],
    [{"id": "tools/b", "evidence": "tool_call", "detail": "é", "late": False}],
    [],
]
USD = st.decimals(-2, 2, places=12).map(lambda value: format(value, "f"))
COUNT = st.integers(0, 5_000)
DRAWN: dict[str, st.SearchStrategy[Any]] = {
    "finished_seconds": st.floats(START, START + 4 * DAY) | st.integers(int(START), int(START + 4 * DAY)),
    "conversation": st.sampled_from(["c-1", "c-2", "c-3", "c-4", None]),
    "key_alias": st.sampled_from(["alpha", "beta", None]),
    "key_hash": st.sampled_from(["0123456789", None]),
    "model": st.sampled_from(["claude", "gpt", None]),
    "outcome": st.sampled_from(["rewritten", "shadow", "passthrough", None]),
    "reason": st.sampled_from([None, None, "holdout", "unrecognised", "unreviewed"]),
    "arm": st.sampled_from(["treatment", "holdout", None]),
    "status": st.sampled_from(["success", "success", "failure"]),
    "error_type": st.sampled_from(["Timeout", None]),
    "profile": st.sampled_from(["workbench", "workbench", None]),
    "modules": st.sampled_from([*USES, None]),
    "is_fallback": st.booleans() | st.none(),
    "tuning": st.sampled_from(["own", None]),
    "estimated_net_saved_method": st.sampled_from(["assumed: x", "modelled: x", None]),
    "estimated_net_saved_reason": st.sampled_from(["why", None]),
    **{
        name: USD | st.none()
        for name in ("billed_usd", "estimated_net_saved_usd", "routing_model_usd", "list_price_saved_usd")
    },
    **{
        name: COUNT | st.none()
        for name in ("original_chars", "prompt_chars", "tools_chars", "history_chars", "uncached_input_tokens",
                     "cache_read_tokens", "cache_write_5m_tokens", "output_tokens", "decision_us",
                     "counterfactual_uncached_input_tokens", "counterfactual_cache_read_tokens",
                     "routing_model_call_count")
    },
}  # fmt: skip
TYPES = {field.name: field.type for field in LEDGER_FIELDS}
MISFITS: Mapping[str, Sequence[Any]] = {
    "text": (7, True, ["x"], {"a": 1}),
    "integer": ("7", 7.0, 7.5, 10**25, [7]),
    "boolean": (1, "true"),
    "money": (0.5, 1, "1e5000", "half", ".5", " 1.0", "1" * 21, "0.1234567890123456789", "\u0661", True),
}
"""Values that a column of the type can't have: they count as unknown."""
BAD_LINES = ("", "   ", "[]", "7", "null", '{"request_id": "cut sh', '{"request": {"messages": []}}',
             '{"request_id": 7, "finished_seconds": 1.5}', '{"request_id": "x", "finished_seconds": true}',
             '{"request_id": "\\ud800", "finished_seconds": 1.5}', "{}, {}", '"request_id"')  # fmt: skip
KINDS = ("jsonl", "jsonl.gz", "parquet")


@st.composite
def records(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """``(its line, the record as it counts)``; the line may lack fields, have others, and have some that don't fit."""
    record = LINE | {name: draw(values) for name, values in DRAWN.items()}
    optional = sorted(record.keys() - {"request_id", "finished_seconds"})
    for name in draw(st.sets(st.sampled_from(optional), max_size=4)):
        del record[name]
    if draw(st.integers(0, 3)) == 0:
        record["of_next_year"] = draw(st.sampled_from([1, {"a": [1]}, None]))
    counted = dict(record)
    for name in draw(st.sets(st.sampled_from(sorted(DRAWN.keys() & record.keys())), max_size=2)):
        if name != "finished_seconds" and TYPES[name] in MISFITS:
            record[name], counted[name] = draw(st.sampled_from(MISFITS[TYPES[name]])), None
    separators = draw(st.sampled_from([None, (",", ":")]))
    return json.dumps(record, separators=separators), counted


@st.composite
def ledgers(draw: st.DrawFn) -> list[tuple[str, list[tuple[str, dict[str, Any] | None]]]]:
    """Files: ``(kind, lines)``, each line with its record; bad lines have none."""
    files = []
    for kind in draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=3)):
        lines: list[tuple[str, dict[str, Any] | None]] = list(draw(st.lists(records(), max_size=12)))
        if kind != "parquet":
            bad = draw(st.lists(st.tuples(st.integers(0, 12), st.sampled_from(BAD_LINES)), max_size=4))
            for at, line in bad:
                lines.insert(at, (line, None))
        files.append((kind, lines))
    return files


@settings(max_examples=30, deadline=None)
@given(ledgers())
def test_figures_are_the_plain_ones(files: list[tuple[str, list[tuple[str, dict[str, Any] | None]]]]) -> None:
    """Missing fields, nulls, older and newer versions, values that don't fit, bad lines, several files."""
    counted = [record for _, lines in files for _, record in lines if record is not None]
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(line_batches, "ROWS_AT_ONCE", 3)
        patch.setattr(line_batches, "BATCH_LINES", 6)
        folder = Path(name)
        (folder / "work").mkdir()
        paths = [_written(folder / f"{at}.{kind}", lines) for at, (kind, lines) in enumerate(files)]
        lazy, tally = selected_records(
            [str(path) for path in paths],
            None,
            folder / "work",
            since_seconds=None,
            until_seconds=None,
            mode=None,
        )
        figures = figures_of(lazy, "model")
        assert replace_paths(tally) == _tally_of(files)
    if not counted:
        assert figures is None
        return
    assert figures is not None
    expected = plain_figures(counted)
    for field, value in _as_plain(figures).items():
        assert value == expected[field], field


def _written(path: Path, lines: Sequence[tuple[str, dict[str, Any] | None]]) -> Path:
    text = "".join(f"{line}\n" for line, _ in lines).encode()
    if path.suffix == ".parquet":
        frame_of([orjson.loads(line) for line, _ in lines]).write_parquet(path)
    else:
        path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def replace_paths(tally: LedgerTally) -> LedgerTally:
    """By the files' names alone."""

    def named(counts: Mapping[str, int]) -> dict[str, int]:
        return {Path(file).name: count for file, count in counts.items()}

    return replace(tally, damaged_in=named(tally.damaged_in), captured_in=named(tally.captured_in))


def _tally_of(files: list[tuple[str, list[tuple[str, dict[str, Any] | None]]]]) -> LedgerTally:
    tally = LedgerTally(files=len(files))
    for at, (kind, lines) in enumerate(files):
        if kind == "parquet":
            continue
        stated = [(line, record) for line, record in lines if line.strip()]
        bad = [line for line, record in stated if record is None]
        tally.lines += len(stated)
        tally.damaged += len(bad)
        for counts, number in ((tally.damaged_in, len(bad)), (tally.captured_in, sum('"request":' in x for x in bad))):
            if number:
                counts[f"{at}.{kind}"] = number
    return tally


def _as_plain(figures: Figures) -> dict[str, Any]:
    """The figures as ``plain_figures`` has them."""

    def sides(groups: Sequence[Group]) -> list[tuple[Any, Any]]:
        return [(_sums(group.actual), _sums(group.would)) for group in groups]

    names = ("since_seconds", "until_seconds", "conversations", "loose_calls", "cost_per_conversation_usd",
             "outcomes", "passthroughs", "held_back", "errors", "net_unavailable", "decision_p50_us",
             "decision_p99_us")  # fmt: skip
    found: dict[str, Any] = {name: getattr(figures, name) for name in names}
    found |= {"actual": _sums(figures.actual), "would": _sums(figures.would)}
    found["groups"] = dict(zip([group.name for group in figures.groups], sides(figures.groups), strict=True))
    found["losses"] = [each.net_saved_usd for each in figures.losses]
    found["gains"] = [each.net_saved_usd for each in figures.gains]
    found["missed_needs"] = [(each.is_by_model, each.conversations, each.missed) for each in figures.missed_needs]
    uses = [asdict(use) for use in figures.modules]
    found["modules"] = {use.pop("module"): use for use in uses}
    if figures.control is not None:
        arms = {"holdout": figures.control.holdout, "treatment": figures.control.treatment}
        found |= {"arms": {arm: count for arm, count in arms.items() if count}, "unpriced": figures.control.unpriced}
    return found


def _sums(side: Sums | None) -> dict[str, Any] | None:
    return None if side is None else asdict(side)
