"""``evaluate``: figures and misses of labelled messages."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from litellm_prompt_router.authoring.evaluate import evaluate_cases
from litellm_prompt_router.files import bundled_profiles, load_profile
from litellm_prompt_router.files.labelled_messages import Case, Conversations, parse_cases
from litellm_prompt_router.request.pipeline import Pipeline
from litellm_prompt_router.request.types import SEAM
from tests.cli.conftest import Run

CASES: list[dict[str, Any]] = [
    {"text": "sum up this csv", "category": "data", "needs": ["tools/csv", "tools/files"]},
    {"text": "csv with headings", "category": "data", "needs": ["tools/csv", "tools/web"]},
    {"text": "yes", "history": ["on the web"], "category": "web", "needs": ["tools/web"]},
    {"text": "hello", "tool_calls": ["load_csv"], "category": "data", "needs": ["tools/csv"]},
    {"text": "посчитай", "category": "generic", "needs": ["tools/orphan"]},
]


def _write(folder: Path, *lines: object) -> Path:
    file = folder / "cases.jsonl"
    file.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return file


def test_table_and_misses(toy_root: Path, tmp_path: Path, run: Run) -> None:
    result = run("evaluate", _write(tmp_path, *CASES, ""), "--profile", "toy", "--profiles", toy_root)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        "toy 2\n"
        "\n"
        "category  cases  chars saved  tokens saved  coverage  fallbacks\n"
        "data          3        21.9%         23.4%     66.7%          0\n"
        "web           1        61.5%         57.1%    100.0%          0\n"
        "generic       1        -0.6%          0.0%    100.0%          1\n"
        "all           5        25.3%         25.5%     80.0%          1\n"
        "\n"
        "coverage of 5 messages, 95% interval: 28.4% to 99.5%\n"
        "at 4 first needs: 19.4% to 99.4%\n"
        "\n"
        "router         coverage  at first needs  served  tokens kept\n"
        "all modules      100.0%          100.0%  100.0%       100.0%\n"
        "triggers only     80.0%           75.0%   75.0%        65.6%\n"
        "without a fit     80.0%           75.0%   75.0%        65.6%\n"
        "oracle           100.0%          100.0%  100.0%        52.4%\n"
        "\n"
        "miss at line 2 (data): csv with headings\n"
        "  missing   tools/web\n"
        "  evidence  tools/csv (trigger csv), tools/files (requires tools/csv)\n"
    )


def test_json(toy_root: Path, tmp_path: Path, run: Run) -> None:
    file = _write(tmp_path, *CASES)
    document = json.loads(run("evaluate", file, "--profile", "toy", "--profiles", toy_root, "--json").stdout)
    assert (document["profile"], document["profile_version"]) == ("toy", "2")
    assert [(s["category"], s["cases"]) for s in document["categories"]] == [("data", 3), ("web", 1), ("generic", 1)]
    assert document["total"]["coverage"] == 0.8
    assert document["results"][1]["missing"] == ["tools/web"]
    assert document["results"][2]["selected"] == [
        {"module": "core", "evidence": "always", "detail": None, "late": False},
        {"module": "tools/web", "evidence": "inherited", "detail": "web", "late": False},
    ]


def test_malformed_lines_all_at_once(toy_root: Path, tmp_path: Path, run: Run) -> None:
    good = {"category": "c", "needs": []}
    file = _write(
        tmp_path,
        {"text": "fine", **good},
        "{",
        "",
        "[]",
        {"txt": "x", **good},
        {"text": 5, **good},
        {"text": "x", "category": "", "needs": ["tools/nope"]},
        {"text": "x", "category": "c", "needs": ["core", "tools/nope"]},
    )
    result = run("evaluate", file, "--profile", "toy", "--profiles", toy_root)
    assert (result.exit_code, result.stdout) == (1, "")
    assert [line.removeprefix(f"{file}: ") for line in result.stderr.splitlines()] == [
        "line 2: not valid JSON at column 2: Expecting property name enclosed in double quotes",
        "line 4: must be a JSON object",
        "line 5: text: missing; add it",
        "line 5: txt: unknown field; did you mean 'text'?",
        "line 6: text: input should be a valid string",
        "line 7: category: string should have at least 1 character",
        "line 8: needs[1]: unknown module 'tools/nope'; `prompt-router check toy` lists them",
    ]


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        pytest.param(b"\n\n", "holds no case; a case is a line of JSON", id="empty"),
        pytest.param(b'{"text": "\xff"}', "not UTF-8 at byte 10; convert it", id="utf-8"),
    ],
)
def test_unusable_files(content: bytes, wrong: str, toy_root: Path, run: Run) -> None:
    """Without an argument the cases are those in the profile's folder."""
    file = toy_root / "toy" / "ab_cases.jsonl"
    file.write_bytes(content)
    result = run("evaluate", "--profile", "toy", "--profiles", toy_root)
    assert (result.exit_code, result.stderr) == (1, f"{file}: {wrong}\n")


def test_unknown_profile(toy_root: Path, run: Run) -> None:
    result = run("evaluate", "--profiles", toy_root, "--profile", "workbench")
    assert (result.exit_code, result.stderr) == (1, "workbench: no such profile; there are: toy\n")


@pytest.mark.parametrize(
    ("case", "roles"),
    [
        pytest.param({"history": ["a", "b"]}, "system user assistant user assistant user", id="history"),
        pytest.param({"tool_calls": ["t"]}, "system user assistant tool", id="calls for the message"),
        pytest.param(
            {"history": ["a"], "tool_calls": ["t", "u"]},
            "system user assistant tool assistant tool assistant user",
            id="calls for the message before",
        ),
        pytest.param(
            {"history": ["a", "b"], "tool_calls": ["t"]},
            "system user assistant tool assistant user assistant user",
            id="calls nobody can place",
        ),
    ],
)
def test_request_of_a_case(case: dict[str, Any], roles: str) -> None:
    labelled = Case(text="x", needs=(), **case)
    body = Conversations([labelled]).request_of(labelled, "S")
    assert [message["role"] for message in body["messages"]] == roles.split()


def test_bundled_cases_walk() -> None:
    """Sizes are those of the walk, whatever the routing data of the day."""
    profile = load_profile(bundled_profiles() / "workbench", len)
    cases = parse_cases((bundled_profiles() / "workbench" / "ab_cases.jsonl").read_text("utf-8"), "cases", profile)
    evaluation = evaluate_cases(Pipeline([profile], len, coverage_floor=0.6), profile, cases)
    assert evaluation.total.cases == len(cases) == 15
    assert {summary.category for summary in evaluation.categories} == {
        "data",
        "code",
        "web",
        "workflow",
        "complex",
        "content",
        "files",
        "generic",
    }
    for result in evaluation.results:
        assert 0 < result.prompt_chars <= result.original_chars + len(SEAM)
        assert result.original_chars == len(profile.text)
        assert result.is_fallback == (result.prompt_chars >= result.original_chars)
        assert set(result.missing) <= set(profile.order)


def test_without_cases_it_says_how_to_make_them(toy_root: Path, run: Run) -> None:
    result = run("evaluate", "--profile", "toy", "--profiles", toy_root)
    assert result.exit_code == 1
    first, *ways = result.stderr.splitlines()
    wrong = "no such file; `evaluate` measures on labelled messages. To get some:"
    assert first == f"{toy_root / 'toy' / 'ab_cases.jsonl'}: {wrong}"
    named = [re.findall(r"prompt-router (\w+)", way) for way in ways]
    assert named == [["label"], ["examples"], ["evaluate"], ["fit"]]
    assert result.stderr.count("--profile toy") == 3


def test_without_a_name_it_takes_the_only_profile(toy_root: Path, run: Run) -> None:
    assert "/toy/ab_cases.jsonl: " in run("evaluate", "--profiles", toy_root).stderr
