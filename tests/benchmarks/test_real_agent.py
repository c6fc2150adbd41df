"""The benchmark of a real agent's prompt, tried on a made one: what it builds, what it holds out, and its rows."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner

from litellm_prompt_router.cli import main as cli
from litellm_prompt_router.files import load_profile
from tests.benchmarks.agent_routing import AgentBench, FittedRouter
from tests.benchmarks.real_agent import as_case, build_profile, folds, is_agent_folder, load_agent, some_of
from tests.benchmarks.routed_bills import NOBODY, bill, traffic

PIECES = (
    ("core", "You are a careful helper.\n"),
    ("mail", "# Mail\nWrite letters.\n"),
    ("tables", "# Tables\nSum columns.\n"),
    ("mail", "# Mail again\nAddress letters.\n"),
    ("core", "Be brief.\n"),
)
SAID = {"mail": "write a letter to number {}", "tables": "sum up column number {}"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twenty conversations of two messages; the first ten have recorded answers."""
    made = tmp_path / "made"
    made.mkdir()
    groups: dict[str, dict[str, object]] = {}
    at = 0
    for id, text in PIECES:
        group = groups.setdefault(id, {"description": f"about {id}", "spans": []})
        spans = group["spans"]
        assert isinstance(spans, list)
        spans.append([at, at + len(text)])
        at += len(text)
    rows, answers = [], []
    for number in range(20):
        first, second = ("mail", "tables") if number % 2 else ("tables", "mail")
        texts = [SAID[first].format(number), SAID[second].format(number)]
        for turn, need in enumerate((first, second)):
            row = {"conversation": f"c{number}", "turn": turn, "text": texts[turn], "history": texts[:turn]}
            row |= {"situation": "the agent did it" if turn else "", "needs": [need]}
            rows.append({**row, "tool_calls": [f"use_{first}"] if turn else []})
            if number < 10:
                answers.append({"conversation": f"c{number}", "turn": turn, "need": [need], "maybe": []})
    (made / "prompt.txt").write_text("".join(text for _, text in PIECES))
    (made / "groups.json").write_text(json.dumps(groups))
    for name, lines in (("messages_dev", rows), ("routing_model_dev", answers)):
        (made / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return made


def test_the_profile_holds_the_whole_prompt(folder: Path, tmp_path: Path) -> None:
    """Each character once; the tool of a group belongs to one module; a message's need is a module's id."""
    assert is_agent_folder(folder)
    agent = load_agent(folder)
    profile = load_profile(build_profile(tmp_path, "agent", agent), len)
    assert sorted(profile.text) == sorted(agent.prompt)
    assert {module.id for module in profile.modules if module.always} >= {"core"}
    assert {tool for module in profile.modules for tool in module.tools} == {"use_mail", "use_tables"}
    assert all(need in profile.order for row in agent.messages for need in as_case(row)["needs"])
    assert profile.reviewed


def test_no_conversation_teaches_and_is_measured(folder: Path) -> None:
    agent = load_agent(folder)
    parts = folds(agent.conversations, 5)
    assert sorted(name for part in parts for name in part) == sorted(agent.conversations)
    assert [len(part) for part in parts] == [4] * 5
    assert len(some_of(parts[0] + parts[1] + parts[2], 0.5, 20)) == 10
    assert {row["conversation"] for row in agent.answered()} == {f"c{number}" for number in range(10)}


def test_every_message_is_measured_once(folder: Path, tmp_path: Path) -> None:
    def run(*arguments: object) -> object:
        result = CliRunner().invoke(cli, [*map(str, arguments), "--json"])
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    bench = AgentBench(load_agent(folder), tmp_path, run)
    found = bench.by_folds(FittedRouter(name="words", router={}), 0.8, 0.9)
    assert (found.messages, found.first_needs) == (40, 40)
    assert 0 <= found.first_covered <= 40
    assert found.oracle_tokens <= found.kept_tokens <= 40


def test_traffic_calls_the_tools_of_what_is_needed(folder: Path) -> None:
    """In time order; each call of a conversation goes on from the one before; the first tool is the first need's."""
    agent = load_agent(folder)
    calls = traffic(agent, agent.prompt, agent.answered(), 60)
    assert [call.at_seconds for call in calls] == sorted(call.at_seconds for call in calls)
    own = [call.request["messages"] for call in calls if call.conversation == "c1"]
    assert all(later[: len(earlier)] == earlier for earlier, later in pairwise(own))
    called = [message["tool_calls"][0]["function"]["name"] for message in own[-1] if message.get("tool_calls")]
    assert set(called) == {"use_mail", "use_tables"}
    assert called[0] == "use_mail"
    assert calls[0].request["tools"][0]["function"]["name"] == "use_mail"


@pytest.mark.filterwarnings("ignore:Items? .* on TypedDict class:UserWarning")
def test_bills_are_of_every_call(folder: Path, tmp_path: Path) -> None:
    """Through LiteLLM to the emulated provider; nothing of a fit, so both sides cost the same."""
    agent = load_agent(folder)
    made = build_profile(tmp_path, "agent", agent)
    text = load_profile(made, len).text
    calls = traffic(agent, text, agent.answered()[:4], 60)
    off, on = (
        bill(tmp_path / mode, made, calls, "anthropic/claude-sonnet-4-5", mode, NOBODY) for mode in ("off", "rewrite")
    )
    assert off.calls == on.calls == len(calls)
    assert off.net_usd == on.net_usd > 0
    assert (off.asked, off.late) == (0, 0)
