"""Names that try to break a line, through every command that prints them: no control character, no line of theirs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import Result

from litellm_prompt_router.policy.settings import LedgerSettings, Settings
from litellm_prompt_router.telemetry.dispatch import Dispatcher
from tests.analysis.report_records import made
from tests.cli.conftest import TOY, TOY_FILES, TOY_PROMPT, Run, write_profile
from tests.cli.test_examples import Command, author, command
from tests.cli.test_hostile_names import FORBIDDEN
from tests.cli.test_simulate import PRICES
from tests.cli.test_status import IN_FORCE, put
from tests.cli.test_tune import records_of
from tests.onboarding.shop_traffic import DECLARED, PROMPT, conversation
from tests.telemetry.records import RECORD

__all__ = ["author", "command"]

FORGED = "forged  99"
HOSTILE = f"\n{FORGED}\r\n{FORGED}\x1b[31m\x1b]0;t\x07\u202e\u200b\u2028{FORGED}\x85\t=1+1 [bold red]x[/] \ud800\x00"
STARTS = ("=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1")
LONG = "n" * 10_000
NAMES = (HOSTILE, f"x{HOSTILE}", *(f"{start}{HOSTILE}" for start in STARTS), LONG, f"[/bold]{LONG}\n{FORGED}")
TELLTALE = re.compile(rf"^\W*{FORGED}", re.MULTILINE)
SAFE_NAME = HOSTILE.replace("\ud800", "").replace("\x00", "")
"""For YAML and the command line, which take neither."""


def check(result: Result) -> str:
    """Nothing in the output moves a terminal, and no name has a line of its own."""
    assert result.exit_code in (0, 1, 2), result.output
    shown = result.stdout + result.stderr
    found = FORBIDDEN.search(shown)
    assert found is None, shown[max(0, found.start() - 200) : found.end() + 50]
    forged = TELLTALE.search(shown)
    assert forged is None, shown[max(0, forged.start() - 200) : forged.end() + 50]
    return shown


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where texts stand in a JSON value."""
    if isinstance(value, str):
        yield path
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(item, (*path, key))


def with_text(value: Any, path: tuple[Any, ...], name: str, *, keeps: bool) -> Any:
    changed = json.loads(json.dumps(value))
    at = changed
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = f"{at[path[-1]]}{name}" if keeps else name
    return changed


def hostile_at(value: Any) -> list[Any]:
    """The value as often as it holds texts, each time with another of them hostile."""
    found = list(places(value))
    assert found
    return [with_text(value, path, NAMES[n % len(NAMES)], keeps=n % 2 == 1) for n, path in enumerate(found)]


def lines_in(path: Path, documents: list[Any]) -> Path:
    path.write_text("".join(json.dumps(document) + "\n" for document in documents))
    return path


# The ledger


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A record for each of its texts, with that text hostile."""
    record = json.loads(made(1).to_json())
    documents = hostile_at({**record, "error_type": "X", "reason": "holdout", "residue_preview": "x"})
    return lines_in(tmp_path_factory.mktemp("hostile") / "prompt_router.jsonl", documents)


@pytest.mark.parametrize("options", [(), ("--by", "key"), ("--by", "model"), ("--by", "profile"), ("--csv",)], ids=str)
def test_report(options: tuple[str, ...], ledger: Path, run: Run) -> None:
    check(run("report", ledger, *options))


def test_the_reports_page(ledger: Path, run: Run, tmp_path: Path) -> None:
    check(run("report", ledger, "--html", tmp_path / "r.html"))
    assert FORBIDDEN.search((tmp_path / "r.html").read_text("utf-8")) is None


@pytest.mark.parametrize("command", ["tune", "simulate"])
def test_from_a_ledger(command: str, toy_root: Path, tmp_path: Path, run: Run) -> None:
    from litellm_prompt_router.files import load_profile

    records: list[Any] = [dict(record) for record in records_of(load_profile(toy_root / "toy", len), 4)]
    more = [{**records[0], name: hostile} for name in places(records[0]) for hostile in NAMES[:2] for name in name[:1]]
    file = lines_in(tmp_path / "prompt_router.jsonl", [*records, *more])
    check(run(command, file, "--profiles", toy_root, "--prices", PRICES))
    check(run(command, file, "--profiles", toy_root, "--prices", PRICES, "--model", f"x{SAFE_NAME}"))


# What workers say of themselves


def test_status(run: Run, tmp_path: Path) -> None:
    """Each text of a status file hostile in turn."""
    worker = Dispatcher(Settings(ledger=LedgerSettings(path=tmp_path / "l" / "ledger.jsonl")))
    worker.report_in_force(lambda: IN_FORCE)
    worker.submit(RECORD)
    assert worker.flush()
    raw = json.loads(json.dumps(worker.status()))
    worker.close()
    raw["profiles"][0]["left_alone"] = "x"
    raw["stopped_by"] = "x"
    raw["last_errors"] = [{"at_seconds": raw["written_seconds"], "kind": "sink", "text": "x"}]
    raw["capture"] |= {"is_on": True, "masked": {f"a{HOSTILE}": 3}, "detector": "x"}
    raw["ledger"]["last_error"] = "x"
    raw["glitchtip"] |= {"lost": {f"a{HOSTILE}": 3}, "last_error": "x"}
    raw["counters"]["routing_model"] = {"by_outcome": {f"a{HOSTILE}": 1}, "calls": 1, "usd": "0.1"}
    for number, changed in enumerate(hostile_at(raw)):
        put(changed, number)
    shown = check(run("status", "--memories"))
    assert "\\nforged" in shown
    check(run("doctor"))


def test_policy(run: Run, tmp_path: Path) -> None:
    """Rules, defaults and what is asked for."""
    rule = {"name": f"r{SAFE_NAME}"[:60], "keys": [f"k{SAFE_NAME}"[:200]], "teams": [SAFE_NAME[:200]], "mode": "shadow"}
    file = tmp_path / "policy.yaml"
    file.write_text(yaml.safe_dump({"rules": [rule]}))
    shown = check(run("policy", "show", "--policy", file))
    assert "r\\nforged" in shown
    for option in ("--key", "--team", "--user", "--model", "--profile", "--tag"):
        check(run("policy", "show", "--policy", file, option, f"k{SAFE_NAME}"))
    for change in ("enable", "disable"):
        check(run("policy", change, f"k{SAFE_NAME}", "--policy", file))
        check(run("policy", change, f"k{SAFE_NAME}", "--team", "--policy", file))


# Profiles


@pytest.fixture
def hostile_root(tmp_path: Path) -> Path:
    """The profile ``toy`` whose titles, triggers, tools, examples, version and slot are hostile."""
    document = yaml.safe_load(TOY)
    document["version"] = f"2{SAFE_NAME}"
    for number, module in enumerate(document["modules"]):
        module |= {"title": f"T{SAFE_NAME}", "description": f"D{SAFE_NAME}", "when": f"W{SAFE_NAME}"}
        module["tools"] = [*module.get("tools", ()), f"t{number}{SAFE_NAME}"]
        if not module.get("always"):
            module["triggers"] = [*module.get("triggers", ()), f"w{number} forged"]
            module["examples"] = [*module.get("examples", ("a", "b", "c", "d", "e")), f"E{SAFE_NAME}"]
    write_profile(tmp_path / "hostile", "toy", yaml.safe_dump(document), TOY_FILES)
    return tmp_path / "hostile"


TOOL = {"type": "function", "function": {"name": f"load_csv{HOSTILE}", "parameters": {"type": "object"}}}


def body(**more: Any) -> dict[str, Any]:
    said = [
        {"role": "system", "content": TOY_PROMPT + f" More{HOSTILE}"},
        {"role": "user", "content": f"sum up this csv{HOSTILE}"},
    ]
    return {"model": f"claude-sonnet-4-5{HOSTILE}", "messages": said, "tools": [TOOL], **more}


def called() -> list[dict[str, Any]]:
    use = {"id": f"1{HOSTILE}", "type": "function", "function": {"name": f"load_csv{HOSTILE}", "arguments": "{}"}}
    return [
        *body()["messages"],
        {"role": "assistant", "content": f"a{HOSTILE}", "tool_calls": [use]},
        {"role": "tool", "tool_call_id": f"1{HOSTILE}", "content": "done"},
        {"role": "user", "content": f"on the web{HOSTILE}"},
    ]


def test_profiles_are_checked_and_reviewed(hostile_root: Path, run: Run) -> None:
    assert "toy" in check(run("check", "--profiles", hostile_root))
    assert "toy" in check(run("review", "toy", "--profiles", hostile_root))
    for name in (f"x{SAFE_NAME}", LONG):
        check(run("check", name, "--profiles", hostile_root))
        check(run("review", name, "--profiles", hostile_root))


def test_decisions_are_told(hostile_root: Path, tmp_path: Path, run: Run) -> None:
    """Of a text, of messages, and of whole requests that are routed or pass."""
    check(run("route", f"sum up this csv{SAFE_NAME}", "--profiles", hostile_root))
    request = tmp_path / "r.json"
    for messages in (body()["messages"], called(), [{"role": "user", "content": HOSTILE}]):
        request.write_text(json.dumps(body(messages=messages)))
        check(run("route", "--messages", request, "--profiles", hostile_root))
        check(run("route", "--messages", request, "--profiles", hostile_root, "--model", f"gpt-4.1{SAFE_NAME}"))
        check(run("rewrite", request, "--explain", "--profiles", hostile_root))
    request.write_text(json.dumps({"model": HOSTILE, f"odd{HOSTILE}": HOSTILE}))
    check(run("rewrite", request, "--explain", "--profiles", hostile_root))
    check(run("rewrite", tmp_path / f"none{SAFE_NAME}".replace("/", ""), "--profiles", hostile_root))


def test_labelled_messages(hostile_root: Path, tmp_path: Path, run: Run) -> None:
    """Evaluated, fitted, and where they are at fault."""
    texts = ("sum up a csv", "who won", "hello", "on the web")
    cases = [
        {"text": f"{text} {n}{SAFE_NAME}", "category": f"c{SAFE_NAME}", "needs": ["tools/web"] if n % 2 else []}
        for n in range(30)
        for text in texts
    ]
    file = lines_in(tmp_path / "cases.jsonl", cases)
    assert "misses" in check(run("evaluate", file, "--profiles", hostile_root))
    check(run("fit", file, "--profiles", hostile_root, "--dry-run"))
    for wrong in ({"text": "a", "needs": [f"n{HOSTILE}"]}, {"text": "a", "needs": [], f"x{HOSTILE}": HOSTILE}, HOSTILE):
        lines_in(file, [wrong])
        check(run("evaluate", file, "--profiles", hostile_root))
        check(run("fit", file, "--profiles", hostile_root))


def test_split(tmp_path: Path, run: Run) -> None:
    prompt, request = tmp_path / "p.txt", tmp_path / "r.json"
    prompt.write_text("".join(f"# T{n}{SAFE_NAME}\n\n{'Rules of it. ' * 60}\n\n" for n in range(6)), newline="")
    request.write_text(json.dumps({**body(), "tools": [{**TOOL, "name": f"x{HOSTILE}"}, TOOL]}))
    assert "wrote" in check(
        run("split", prompt, "--name", "made", "--profiles", tmp_path / "out", "--request", request)
    )
    check(run("review", "made", "--profiles", tmp_path / "out"))
    check(run("check", "--profiles", tmp_path / "out"))
    check(run("split", prompt, "--name", f"x{SAFE_NAME}", "--profiles", tmp_path / "out"))


def test_examples(command: Command, author: Any) -> None:
    check(command(author, "--llm", f"openai/gpt-4o-mini{SAFE_NAME}"))


# Traffic


def captured(model: str = f"claude-sonnet-4-5{HOSTILE}") -> list[Any]:
    """Calls with a hostile model, key and conversation, and lines that are no calls."""
    calls = []
    for number in range(6):
        for line in conversation(600.0 * number, number):
            call = json.loads(line)
            tools = [*DECLARED, TOOL]
            call["request"] |= {"model": model, "tools": tools}
            call["request"]["messages"][0]["content"] = PROMPT + f"# M{SAFE_NAME}\n\nNever.\n"
            calls.append({**call, "key": f"k{SAFE_NAME}", "conversation": f"c{number}{SAFE_NAME}"})
    return [*calls, {**calls[0], f"ts{HOSTILE}": 1, "ts": HOSTILE}, HOSTILE, {"request": {HOSTILE: HOSTILE}}]


@pytest.mark.parametrize("model", [f"claude-sonnet-4-5{HOSTILE}", "claude-sonnet-4-5"], ids=["hostile", "known"])
def test_traffic(model: str, tmp_path: Path, run: Run) -> None:
    """Learnt, onboarded with its page, checked, simulated, labelled, fitted."""
    file = lines_in(tmp_path / "traffic.jsonl", captured(model))
    check(run("learn", file, "--list"))
    page = tmp_path / "page.html"
    assert "the same as a page" in check(run("onboard", file, "--name", "shop", "--out", page))
    text = page.read_text("utf-8")
    assert FORBIDDEN.search(text) is None
    assert TELLTALE.search(text) is None
    check(run("onboard", file, "--name", "shop", "--out", page, "--model", f"gpt-4.1{SAFE_NAME}"))
    check(run("check", "--profiles", "modules", "--sample", file))
    for options in ((), ("--prices", PRICES), ("--model", f"x{SAFE_NAME}"), ("--tune", "--prices", PRICES)):
        check(run("simulate", file, "--profiles", "modules", *options))
    check(run("label", file, "--profiles", "modules", stdin="? 1\n1\n\nn\nq\n"))
    check(run("fit", file, "--profiles", "modules", "--dry-run"))
    check(run("verify-cache", "--from", file, "--write", tmp_path / "r.jsonl"))
    check(run("verify-cache", tmp_path / "r.jsonl"))


def test_learnt_profiles(tmp_path: Path, run: Run) -> None:
    file = lines_in(tmp_path / "traffic.jsonl", captured())
    assert "wrote" in check(run("learn", file, "--name", "made", "--profiles", tmp_path / "out"))
    check(run("learn", file, "--name", f"x{SAFE_NAME}", "--profiles", tmp_path / "out"))


def test_a_recording_of_a_cache(tmp_path: Path, run: Run) -> None:
    check(run("verify-cache", "--record", f"openai/x{SAFE_NAME}", "--write", tmp_path / "r.jsonl", "--yes"))
    for first in ({"model": f"claude-sonnet-4-5{HOSTILE}"}, {HOSTILE: HOSTILE}):
        check(run("verify-cache", lines_in(tmp_path / "r.jsonl", [first])))
