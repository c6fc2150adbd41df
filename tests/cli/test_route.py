"""``route``: the decision with its evidence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import TOY, TOY_FILES, Run, write_profile


def _messages(*turns: tuple[str, str]) -> list[dict[str, Any]]:
    return [{"role": role, "content": text} for role, text in turns]


def _call(tool: str) -> dict[str, Any]:
    function = {"name": tool, "arguments": "{}"}
    return {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function", "function": function}]}


def test_table_of_a_message(toy_root: Path, run: Run) -> None:
    result = run("route", "open the Spreadsheets", "--profiles", toy_root)
    assert result.stdout == (
        "module        evidence  detail                                    late\n"
        "core          always\n"
        "tools/csv     trigger   spreadsheet*\n"
        "tools/files   requires  tools/csv\n"
        "tools/web     left out  marked optional, and nothing asks for it\n"
        "tools/orphan  left out  marked optional, and nothing asks for it\n"
        "\n"
        "3 of 5 modules; the last message is a task\n"
        "\n"
        "cost gate    name a model with --model to see whether this is sent\n"
    )


def test_json_of_a_message(toy_root: Path, run: Run) -> None:
    result = run("route", "my csv", "--profiles", toy_root, "--json")
    assert json.loads(result.stdout) == {
        "profile": "toy",
        "profile_version": "2",
        "selected": [
            {"module": "core", "evidence": "always", "detail": None, "late": False},
            {"module": "tools/csv", "evidence": "trigger", "detail": "csv", "late": False},
            {"module": "tools/files", "evidence": "requires", "detail": "tools/csv", "late": False},
        ],
        "left_out": [
            {"module": "tools/web", "why": "marked optional, and nothing asks for it"},
            {"module": "tools/orphan", "why": "marked optional, and nothing asks for it"},
        ],
        "gate": None,
        "to_change_it": [],
        "message_kind": "task",
        "is_fallback": False,
        "fallback_reason": None,
        "query_chars": 6,
    }


def test_before_a_fit_texts_explain_and_select_nothing(toy_root: Path, run: Run) -> None:
    """Of a task without a trigger what the modules' texts say is shown, best first."""
    text = "name the pages that you read before you answer"
    lines = run("route", text, "--profiles", toy_root).stdout.splitlines()
    at = lines.index("1 of 5 modules; the last message is a task")
    assert lines[at + 1].startswith("not fitted, so scores select nothing; closest by their texts: tools/web (")
    scores = json.loads(run("route", text, "--profiles", toy_root, "--json").stdout)["text_scores"]
    assert scores[0]["module"] == "tools/web"
    values = [item["score"] for item in scores]
    assert values == sorted(values, reverse=True)
    assert values[-1] > 0


@pytest.mark.parametrize(
    ("document", "modules", "last_line"),
    [
        pytest.param(
            _messages(("user", "on the web"), ("assistant", "ok"), ("user", "yes, go ahead")),
            {"core": "always", "tools/web": "inherited"},
            "2 of 5 modules; the last message is a follow-up",
            id="follow-up",
        ),
        pytest.param(
            {"model": "m", "messages": [*_messages(("system", "x"), ("user", "hello")), _call("load_csv")]},
            {"core": "always", "tools/csv": "tool_call", "tools/files": "requires"},
            "3 of 5 modules; the last message is a piece of small talk",
            id="body with a tool call",
        ),
        pytest.param(
            _messages(("user", "посчитай")),
            {
                "core": "always",
                "tools/csv": "fallback",
                "tools/files": "fallback",
                "tools/web": "fallback",
                "tools/orphan": "fallback",
            },
            "5 of 5 modules; the last message is a task; fallback: nothing known in the message",
            id="fallback",
        ),
    ],
)
def test_conversations(
    document: Any, modules: dict[str, str], last_line: str, toy_root: Path, tmp_path: Path, run: Run
) -> None:
    file = tmp_path / "messages.json"
    file.write_text(json.dumps(document))
    result = run("route", "--messages", file, "--profiles", toy_root)
    assert result.exit_code == 0
    table, summary, *_ = result.stdout.split("\n\n")
    rows = [line.split()[:2] for line in table.splitlines()[1:]]
    assert {module: evidence for module, evidence in rows if evidence != "left"} == modules
    assert len(rows) == 5
    assert summary.splitlines()[0] == last_line


def test_a_body_says_which_tools_there_are(toy_root: Path, tmp_path: Path, run: Run) -> None:
    """Without a fit a module whose tools are missing is left out; a list of messages says nothing of tools."""
    yaml_file = toy_root / "toy" / "profile.yaml"
    text = (
        yaml_file.read_text()
        .replace("optional: true", "optional: false")
        .replace("title: Web,", "title: Web, tools: [look],")
    )
    yaml_file.write_text(text)
    messages = _messages(("user", "fix it"))
    tools = [{"type": "function", "function": {"name": "load_csv"}}]
    every = ["core", "tools/csv", "tools/files", "tools/web", "tools/orphan"]
    for document, expected in (
        (messages, every),
        ({"model": "gpt-4.1", "messages": messages, "tools": tools}, [id for id in every if id != "tools/web"]),
        ({"model": "nobody/knows", "messages": messages, "tools": tools}, every),
        ({"model": "gpt-4.1", "messages": messages, "tools": [*tools, {"type": "mcp", "server_label": "s"}]}, every),
    ):
        file = tmp_path / "body.json"
        file.write_text(json.dumps(document))
        shown = json.loads(run("route", "--messages", file, "--profiles", toy_root, "--json").stdout)
        assert [item["module"] for item in shown["selected"]] == expected
        assert shown["fallback_reason"] == "not calibrated"


@pytest.mark.parametrize(
    ("stdin", "wrong"),
    [
        pytest.param("[1", "stdin: not valid JSON at line 1, column 3: Expecting ',' delimiter; correct it", id="json"),
        pytest.param(b'"\xff"', "stdin: not UTF-8 at byte 1; convert it", id="utf-8"),
        pytest.param("5", "stdin: must be a JSON object, a request body with `model` and `messages`", id="number"),
        pytest.param("[5]", "stdin: unreadable; `messages` must be a list of chat messages", id="messages"),
    ],
)
def test_unreadable_messages(stdin: str | bytes, wrong: str, toy_root: Path, run: Run) -> None:
    result = run("route", "--messages", "-", "--profiles", toy_root, stdin=stdin)
    assert (result.exit_code, result.stderr, result.stdout) == (1, wrong + "\n", "")


@pytest.mark.parametrize("arguments", [(), ("hi", "--messages", "x.json")], ids=["neither", "both"])
def test_wants_one_source(arguments: tuple[str, ...], run: Run) -> None:
    result = run("route", *arguments)
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (2, "Error: give either TEXT or --messages FILE")


def test_asks_which_profile(toy_root: Path, run: Run) -> None:
    write_profile(toy_root, "other", TOY.replace("profile: toy", "profile: other"), TOY_FILES)
    result = run("route", "hi", "--profiles", toy_root)
    assert (result.exit_code, result.stderr) == (1, "--profile: say which one: other, toy\n")
    assert run("route", "hi", "--profiles", toy_root, "--profile", "other").exit_code == 0
    unknown = run("route", "hi", "--profiles", toy_root, "--profile", "nope")
    assert (unknown.exit_code, unknown.stderr) == (1, "nope: no such profile; there are: other, toy\n")
