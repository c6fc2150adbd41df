"""Real agents through the whole of it: captured, learnt, checked, rewritten; their tasks end as they do without us.

Not part of the ordinary run: ``pytest -m agents tests/agents`` installs the agents with npm into ``.agents/`` and
skips, saying why, those that can't be installed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from itertools import dropwhile, pairwise
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from litellm_prompt_router.cli import main
from tests.agents.agent import Agent
from tests.agents.cast import CAST
from tests.agents.stage import ALIAS, Performance, binary_of, perform, raised
from tests.benchmarks.wire_text import texts_in
from tests.emulators.line_files import whole_lines
from tests.emulators.upstream import RecordedRequest

pytestmark = [pytest.mark.agents, pytest.mark.proxy, pytest.mark.timeout(1200)]

TRIGGERS = ("create the file", "back to me")
"""Words of the first task, and of the second: what they call for is needed from there on."""
SETTLE_SECONDS = 10.0
MARKS = {"cache_control", "prompt_cache_breakpoint"}


class Act:
    """One agent's performances: as it is, captured in two folders, and rewritten by what was learnt from these."""

    def __init__(self, agent: Agent, folder: Path) -> None:
        self.agent = agent
        self.profiles = folder / "profiles"
        with raised(folder / "plain", None) as stage:
            self.alone = perform(agent, stage, folder / "home-alone")
        with raised(
            folder / "capture",
            {"mode": "off", "capture": {"path": str(folder / "capture" / "traffic.jsonl"), "keys": [ALIAS]}},
        ) as stage:
            self.captured = perform(agent, stage, folder / "home-captured")
            elsewhere = perform(agent, stage, folder / "another-home")
            self.traffic = stage.traffic
            _rows(stage.traffic, len(self.captured.calls) + len(elsewhere.calls))
        self.learned = _run("learn", str(self.traffic), "--name", "agent", "--profiles", str(self.profiles))
        self.checked = _run("check", "--profiles", str(self.profiles), "--sample", str(self.traffic))
        self.triggered = _trigger(self.profiles / "agent" / "profile.yaml")
        with raised(
            folder / "rewrite", {"mode": "rewrite", "profiles": str(self.profiles), "cost_gate": False}
        ) as stage:
            self.rewritten = perform(agent, stage, folder / "home-rewritten")
            self.records = _rows(stage.ledger, len(self.rewritten.calls))


@pytest.fixture(scope="module", params=CAST, ids=lambda agent: agent.name)
def act(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Act:
    agent: Agent = request.param
    try:
        binary_of(agent)
    except RuntimeError as error:
        pytest.skip(str(error))
    return Act(agent, tmp_path_factory.mktemp(agent.name))


def test_its_task_ends_as_it_does_without_us(act: Act) -> None:
    """Exit codes, what it prints and the file that it writes are the same without us, captured and rewritten."""
    for performance in (act.alone, act.captured, act.rewritten):
        assert performance.exit_codes == (0, 0), performance.log
        assert performance.note == "hello\n", performance.log
    assert act.captured.outputs == act.alone.outputs
    assert act.rewritten.outputs == act.alone.outputs


def test_its_prompt_is_learnt_and_checked(act: Act) -> None:
    """``learn`` finds one agent in its traffic, and ``check`` recognises all of what it sends."""
    assert "wrote" in act.learned
    assert "100.0% covered on average, 100.0% at least" in act.checked


def test_the_provider_gets_a_smaller_prompt(act: Act) -> None:
    """Every main call is rewritten and recorded, and its system text on the wire is shorter than without us."""
    main_calls = [record for record in act.records if record["profile"] == "agent"]
    assert main_calls
    assert {(record["outcome"], record["reason"], record["status"]) for record in main_calls} == {
        ("rewritten", None, "success")
    }
    assert all(record["coverage"] > 0.99 for record in main_calls)
    before = [len(system_of(call)) for call in main_calls_of(act.agent, act.alone)]
    after = [len(system_of(call)) for call in main_calls_of(act.agent, act.rewritten)]
    assert max(after) < min(before)


def test_the_law_holds_between_its_calls(act: Act) -> None:
    """Tools are the same on all main calls, and system text is, or has grown ahead of what varies; turns go on from
    those of the call before wherever the agent itself leaves them alone.

    Helpers of the agent have tools of their own.
    """
    alone, rewritten = main_calls_of(act.agent, act.alone), main_calls_of(act.agent, act.rewritten)
    assert len(rewritten) == len(alone) > 1
    assert len({json.dumps(call.json.get("tools")) for call in rewritten}) == 1
    for earlier, later in pairwise(rewritten):
        assert is_grown(system_of(earlier), system_of(later))
    kept = [turns_of(later)[: len(turns_of(earlier))] == turns_of(earlier) for earlier, later in pairwise(rewritten)]
    own = [turns_of(later)[: len(turns_of(earlier))] == turns_of(earlier) for earlier, later in pairwise(alone)]
    assert kept == own


def test_what_its_second_task_needs_comes_with_it(act: Act) -> None:
    """The second task's module is late, and is on the wire from there on; calls of the first task go without."""
    if len(act.triggered) < len(TRIGGERS):
        pytest.skip(f"{act.agent.name}: its prompt has only {len(act.triggered)} module that can be left out")
    late = act.triggered[1]
    selected = [
        {module["id"]: module["late"] for module in record["modules"]}
        for record in act.records
        if record["profile"] == "agent"
    ]
    assert late not in selected[0]
    assert selected[-1][late] is True
    text = (act.profiles / "agent" / module_file(act.profiles / "agent" / "profile.yaml", late)).read_text().strip()
    alone, rewritten = (
        ["".join(all_texts(call.json)).count(text) for call in main_calls_of(act.agent, performance)]
        for performance in (act.alone, act.rewritten)
    )
    assert rewritten[0] < alone[0]
    assert rewritten[-1] > rewritten[0]


def test_what_it_says_itself_is_left_alone(act: Act) -> None:
    """The turns of each call reach the provider as they do without us. Side calls come at any time."""
    assert sorted(said_in(call) for call in act.rewritten.calls) == sorted(said_in(call) for call in act.alone.calls)


def system_of(call: RecordedRequest) -> str:
    """The system text at the head of a body on the wire, whatever its dialect."""
    body = call.json
    head: list[Any] = [body.get("system"), body.get("instructions")]
    for name in ("systemInstruction", "system_instruction"):
        head.append(body.get(name))
    for message in body.get("messages") or _listed(body.get("input")):
        if message.get("role") not in ("system", "developer"):
            break
        head.append(message.get("content"))
    return "".join(text for part in head for text in texts_in(part))


def said_in(call: RecordedRequest) -> list[str]:
    """Roles of what follows the system text: how many turns, whose."""
    body = call.json
    turns = body.get("messages") or _listed(body.get("input")) or body.get("contents") or []
    roles = [str(turn.get("role") or turn.get("type")) for turn in turns]
    return [role for role in roles if role not in ("system", "developer")]


def main_calls_of(agent: Agent, performance: Performance) -> list[RecordedRequest]:
    """Its calls with the tools that most of them have."""
    tools = [json.dumps(call.json.get("tools")) for call in performance.calls]
    usual = max(tools, key=tools.count)
    assert agent.tool is None or agent.tool in usual
    return [call for call, own in zip(performance.calls, tools, strict=True) if own == usual]


def is_grown(earlier: str, later: str) -> bool:
    """True when ``later`` is ``earlier``, or has something put in at one place, in its last tenth."""
    same = next((n for n, (a, b) in enumerate(zip(earlier, later, strict=False)) if a != b), len(earlier))
    return later.endswith(earlier[same:]) and same >= 0.9 * len(earlier)


def turns_of(call: RecordedRequest) -> list[Any]:
    """The turns in a body, behind the system text at its head, without cache marks, which move."""
    body = call.json
    turns: list[Any] = _unmarked(body.get("messages") or _listed(body.get("input")) or body.get("contents") or [])
    return list(dropwhile(lambda turn: turn.get("role") in ("system", "developer"), turns))


def _unmarked(value: Any) -> Any:
    """``value`` without marks; a text is the same in a block of its own."""
    if isinstance(value, list):
        return [_unmarked(item) for item in value]
    if isinstance(value, dict):
        content = {"content": [{"type": "text", "text": value["content"]}]} if _is_words(value) else {}
        return {name: _unmarked(item) for name, item in {**value, **content}.items() if name not in MARKS}
    return value


def _is_words(value: dict[str, Any]) -> bool:
    return "role" in value and isinstance(value.get("content"), str)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def all_texts(value: Any) -> Iterator[str]:
    """Every string in a body."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for item in value if isinstance(value, list) else value.values():
            yield from all_texts(item)


def module_file(path: Path, module_id: str) -> str:
    return next(str(module["file"]) for module in YAML().load(path)["modules"] if module["id"] == module_id)


def _run(*arguments: str) -> str:
    done = CliRunner().invoke(main, [*arguments])
    assert done.exit_code == 0, done.output
    return done.output


def _trigger(path: Path) -> list[str]:
    """What an operator would do: review it, mark three modules that need not be there, and let words of each task call
    for one of them.
    """
    yaml = YAML()
    document = yaml.load(path)
    modules = document["modules"]
    required = {id for module in modules for id in module.get("requires", ())}
    optional = [
        module
        for module in sorted(modules[1:], key=lambda module: bool(module.get("always")))
        if not module.get("requires")
        and module["id"] not in required
        and "{{" not in (path.parent / module["file"]).read_text()
    ]
    for module in optional[: len(TRIGGERS) + 1]:
        module.pop("always", None)
        module["optional"] = True
        module["triggers"] = []
    triggered = []
    for trigger, module in zip(TRIGGERS, optional, strict=False):
        module["triggers"] = [trigger]
        triggered.append(str(module["id"]))
    document["reviewed"] = True
    yaml.dump(document, path)
    return triggered


def _rows(path: Path, count: int) -> list[dict[str, Any]]:
    """The file's JSON lines once there are ``count`` of them."""
    deadline = time.monotonic() + SETTLE_SECONDS
    rows: list[dict[str, Any]] = []
    while len(rows) < count and time.monotonic() < deadline:
        time.sleep(0.1)
        rows = [json.loads(line) for line in whole_lines(path)] if path.exists() else []
    assert len(rows) >= count
    return rows
