"""Names that try to break a table, a line or a spreadsheet, through every view of the report."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from litellm_prompt_router.cli.report_command import DIMENSIONS
from tests.analysis.report_records import made, write
from tests.cli.conftest import Run

NAMES = (
    "=HYPERLINK(1)",
    "+1",
    "-2+3",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    "\uff1d1",
    'x",=1',
    "a\nforged  99",
    "\x1b[31mred",
    "\u202eevil",
    "zero\u200bwidth",
    "[bold]x[/bold]:smile:",
    "<script>alert(1)</script>",
    "n" * 5_000,
)
FORBIDDEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2028\u2029\u2066-\u2069]")


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    records = []
    for number, name in enumerate(NAMES):
        record = made(number)
        caller = replace(record.facts.caller, key_alias=name, team_id=name, model_group=name)
        records.append(replace(record, facts=replace(record.facts, caller=caller, profile=name)))
    return write(tmp_path_factory.mktemp("hostile") / "l.jsonl", records)


@pytest.mark.parametrize("by", DIMENSIONS)
def test_a_row_is_a_row(by: str, ledger: Path, tmp_path: Path, run: Run) -> None:
    result = run("report", ledger, "--by", by)
    assert result.exit_code == 0, result.output
    assert FORBIDDEN.search(result.output) is None
    assert not any(line.startswith("forged") for line in result.output.splitlines())


@pytest.mark.parametrize("by", ["key", "team", "profile"])
def test_no_cell_is_run_and_figures_stay(by: str, ledger: Path, run: Run) -> None:
    rows = list(csv.DictReader(io.StringIO(run("report", ledger, "--by", by, "--csv").stdout, newline="")))
    assert len(rows) == len(NAMES)
    assert all(row[by][:1] not in [*"=+-@\t\r\n\uff1d"] for row in rows)
    assert all(row["calls"] == "1" for row in rows)
    groups = json.loads(run("report", ledger, "--by", by, "--json").stdout)["groups"]
    assert {group["name"] for group in groups} == set(NAMES)


def test_the_page_shows_names_as_text(ledger: Path, tmp_path: Path, run: Run) -> None:
    page = tmp_path / "r.html"
    assert run("report", ledger, "--by", "key", "--html", page).exit_code == 0
    text = page.read_text("utf-8")
    assert "<script>alert" not in text
    assert "\u202e" not in text
