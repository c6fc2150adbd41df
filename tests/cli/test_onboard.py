"""``onboard``: from traffic or a prompt to a verdict and a page."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from litellm_prompt_router.analysis.simulate import Replay
from litellm_prompt_router.files.profile_editor import ProfileEditor
from litellm_prompt_router.files.profile_yaml import ProfileFile
from tests.cli.conftest import Run
from tests.onboarding.shop_traffic import MODEL, OPENING, PROMPT, TOOLS, call, section, traffic, write

COMPARED = ("model", "prices", "calls", "conversations", "parts", "policies")


def onboarded(run: Run, *arguments: str | Path) -> dict[str, Any]:
    result = run("onboard", *arguments, "--json")
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def as_drafted(run: Run, traffic: Path) -> dict[str, Any]:
    """What `simulate` says of this traffic with the profiles as they were before economics were written."""
    for folder in Path("modules").glob("*/"):
        if (folder / "profile.yaml").is_file():
            editor = ProfileEditor(folder)
            editor.remove_section("economics")
            editor.save()
    document: dict[str, Any] = json.loads(run("simulate", traffic, "--profiles", "modules", "--json").stdout)
    return document


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "shop.jsonl", traffic())


@pytest.fixture
def found(path: Path, run: Run) -> dict[str, Any]:
    return onboarded(run, path)


def test_figures_are_those_of_simulate(path: Path, found: Mapping[str, Any], run: Run) -> None:
    """All of them, by construction: the same calls through the same replay, before the gate was told to believe it."""
    left_alone = run("simulate", path, "--profiles", "modules").stdout.splitlines()[-1]
    assert left_alone == "shop: left alone: no gain in simulate on 8 conversations"
    simulated = as_drafted(run, path)
    assert {name: found[name] for name in COMPARED} == {name: simulated[name] for name in COMPARED}
    (agent,) = found["agents"]
    assert [dict(row) for row in agent["costs"]["policies"]] == simulated["policies"]
    assert agent["costs"]["parts"] == simulated["parts"]
    by_policy = {row["policy"]: row["usd"] for row in simulated["policies"]}
    assert (agent["costs"]["full_cached_usd"], agent["costs"]["auto_usd"]) == (
        by_policy["full-cached"],
        by_policy["auto"],
    )


def test_figures_of_a_prompt_are_those_of_simulate(tmp_path: Path, run: Run) -> None:
    """The page's own command gives them again."""
    found = onboarded(run, write(tmp_path / "quill", PROMPT))
    page = Path(found["page"]).read_text("utf-8")
    command = re.search(r"prompt-router (simulate --synthetic [^<]+)", page)
    assert command is not None
    simulated = json.loads(run(*command[1].split(), "--json").stdout)
    made = found["agents"][0]["made"]
    assert [run["policies"] for run in made["runs"]] == [run["policies"] for run in simulated["runs"]]
    assert [run["conversations_per_hour"] for run in made["runs"]] == [20, 200, 2000]


def test_the_kind_of_file_shows_in_what_it_holds(tmp_path: Path, run: Run) -> None:
    """And in no suffix."""
    assert onboarded(run, write(tmp_path / "traffic.txt", traffic()))["calls"] == 24
    assert onboarded(run, write(tmp_path / "prompt.jsonl", PROMPT))["calls"] == 0


def test_the_ceiling_is_what_hindsight_saves(found: Mapping[str, Any]) -> None:
    """Each conversation used one tool of six: dearer than nothing, cheaper than the whole prompt, tools first."""
    costs = found["agents"][0]["costs"]
    ceiling = costs["ceiling"]
    assert float(ceiling["usd"]) <= float(ceiling["usd_tools"]) < float(costs["full_cached_usd"])
    assert (ceiling["conversations"], ceiling["conversations_with_tools"]) == (8, 8)
    assert float(costs["as_sent_usd"]) == float(costs["full_usd"]) > float(costs["full_cached_usd"])


def test_the_verdict_stands_first(path: Path, found: Mapping[str, Any], run: Run) -> None:
    """In the terminal, on the page and in JSON in the same words, with the commands for what comes next."""
    sentence = found["agents"][0]["verdict"]["sentence"]
    result = run("onboard", path)
    page = Path(found["page"]).read_text("utf-8")
    assert sentence in result.stdout
    assert result.stdout.index(sentence) < result.stdout.index("What the input is made of")
    for text in (result.stdout, page):
        assert f"prompt-router fit {path} --profile shop" in text
        assert f"prompt-router label {path} --profile shop --out shop-labelled.jsonl" in text
        assert "prompt-router examples --llm MODEL --profile shop" in text
        assert "prompt-router review shop --accept" in text
        assert "prompt-router policy enable shop" in text
        assert f"callback_settings: {{prompt_router: {{profiles: {Path('modules').absolute()}}}}}" in text
    assert not re.search(r"https?://|<script|@import|url\(", page)


def test_a_month_is_told_where_hours_were_seen(found: Mapping[str, Any], tmp_path: Path, run: Run) -> None:
    """Else so much for 1,000 calls."""
    assert " a month" in found["agents"][0]["verdict"]["sentence"]
    short = onboarded(run, write(tmp_path / "short.jsonl", traffic(apart_seconds=60)), "--name", "short")
    assert " for 1,000 calls" in short["agents"][0]["verdict"]["sentence"]
    page = Path(short["page"]).read_text("utf-8")
    assert "Less than an hour says nothing of a month" in page


def test_commands_lead_to_other_profiles(path: Path, run: Run) -> None:
    """Where they aren't in ./modules."""
    page = Path(onboarded(run, path, "--profiles", "agents")["page"]).read_text("utf-8")
    assert f"prompt-router fit {path} --profile shop --profiles agents" in page
    assert "prompt-router review shop --accept --profiles agents" in page
    assert f"profiles: {Path('agents').absolute()}" in page


def test_commands_account_for_the_same_model(path: Path, run: Run) -> None:
    """Where the traffic names several, or another was asked for."""
    found = onboarded(run, path, "--model", "gpt-4.1")
    assert found["model"] == "gpt-4.1"
    page = Path(found["page"]).read_text("utf-8")
    assert f"simulate {path} --profile shop --model gpt-4.1 --tune" in page
    assert "Also in the traffic, accounted as that one: claude-sonnet-4-5" in page


def test_not_worth_it_where_tools_outweigh(tmp_path: Path, run: Run) -> None:
    """The reason is named with its share."""
    heavy = [{"type": "function", "function": {"name": "x", "description": "word " * 300_000}}]
    lines = "".join(call(n * 600, f"c{n}", [{"role": "user", "content": f"hello {n}"}], tools=heavy) for n in range(3))
    found = onboarded(run, write(tmp_path / "heavy.jsonl", lines))
    verdict = found["agents"][0]["verdict"]
    assert verdict["kind"] == "no"
    assert re.match(
        r"Not worth it: 9\d% of the input is tools, which routing doesn't touch; at best", verdict["sentence"]
    )


def test_a_second_run_goes_on_where_the_first_stopped(path: Path, run: Run) -> None:
    """Interrupted in the replay, the draft is there and isn't drawn again; then everything is there."""
    with mock.patch.object(Replay, "account", side_effect=KeyboardInterrupt):
        stopped = run("onboard", path)
    assert (stopped.exit_code, stopped.stderr.splitlines()[-1]) == (130, "stopped; run the same command again to go on")
    assert not Path("onboard-shop.html").exists()
    assert json.loads(Path("modules/.onboard/shop.json").read_text("utf-8"))["accounted"] == {}
    second = run("onboard", path)
    assert (second.exit_code, "learn: done by an earlier run" in second.stderr) == (0, True)
    assert "simulate: done" not in second.stderr
    third = run("onboard", path)
    assert third.stderr.splitlines()[:-1] == [
        "learn: done by an earlier run",
        "simulate: done by an earlier run",
        "shop: done by an earlier run",
    ]
    assert third.stdout.replace("the draft of an earlier run, unchanged", "") == second.stdout.replace(
        "the draft of an earlier run, unchanged", ""
    )
    assert "done by an earlier run" not in run("onboard", path, "--fresh").stderr
    assert Path("modules/.onboard/.gitignore").read_text("utf-8").endswith("*\n")


def test_an_edited_profile_is_used_as_it_is(path: Path, run: Run) -> None:
    """Neither other traffic nor --fresh writes over it; --replace does. The page says so, the figures follow."""
    before = onboarded(run, path)
    file = Path("modules/shop/profile.yaml")
    edited = file.read_text("utf-8") + "# mine\n"
    file.write_text(edited, "utf-8")
    for arguments in ((path,), (path, "--fresh"), (write(path.with_name("shop.txt"), traffic(5)),)):
        found = onboarded(run, *arguments)
        assert found["agents"][0]["agent"]["origin"] == "edited"
        assert file.read_text("utf-8") == edited
    assert "used as it is" in Path(found["page"]).read_text("utf-8")
    assert before["agents"][0]["agent"]["origin"] == "drafted"
    assert onboarded(run, path, "--replace")["agents"][0]["agent"]["origin"] == "drafted"
    assert file.read_text("utf-8") != edited


def test_a_broken_profile_is_told(path: Path, run: Run) -> None:
    """What a person made of it isn't passed over."""
    onboarded(run, path)
    file = Path("modules/shop/profile.yaml")
    file.write_text(file.read_text("utf-8") + "colour: red\n", "utf-8")
    result = run("onboard", path)
    known = ", ".join(sorted(ProfileFile.model_fields))
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (
        1,
        "modules/shop/profile.yaml: colour: unknown field; known fields: " + known,
    )


def test_an_untouched_draft_is_drafted_anew_from_other_traffic(path: Path, run: Run) -> None:
    onboarded(run, path)
    other = write(path.with_name("more.jsonl"), traffic(9))
    assert onboarded(run, other, "--name", "shop")["agents"][0]["agent"]["origin"] == "drafted"
    assert onboarded(run, other, "--name", "shop")["agents"][0]["agent"]["origin"] == "kept"


def test_another_agents_profile_of_that_name_stays(path: Path, run: Run, tmp_path: Path) -> None:
    """The name is the user's to choose."""
    onboarded(run, path)
    other = OPENING.replace("print shop", "ferry") + "".join(
        section(f"{t}_ferry") for t in ("sell_ticket", "sail_boat")
    )
    strange = write(tmp_path / "x.jsonl", call(0, "c", [{"role": "user", "content": "hi"}], system=other * 2))
    Path("modules/shop/notes.txt").write_text("mine")
    result = run("onboard", strange, "--name", "shop")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == (
        "modules/shop: is there already and isn't this agent's; choose another --name, or add --replace"
    )


def test_several_agents_have_a_part_each(tmp_path: Path, run: Run) -> None:
    """The one with most tokens first; those with short prompts are named with the reason."""
    other = "You are Ferry.\n\n" + "".join(
        f"## Pier {n}\n\n" + "".join(f"- Boat {n} {m} calls at pier {n} with {m} crates of fish.\n" for m in range(20))
        for n in range(12)
    )
    lines = traffic() + "".join(
        [
            call(9_000, "f", [{"role": "user", "content": "when?"}], system=other),
            call(9_001, "t", [{"role": "user", "content": "x"}], system="Give it a title."),
            call(9_002, "u", [{"role": "user", "content": "x"}], system=None),
        ]
    )
    found = onboarded(run, write(tmp_path / "two.jsonl", lines))
    assert [agent["agent"]["profile"] for agent in found["agents"]] == ["two", "two-2"]
    assert [agent["costs"]["calls"] for agent in found["agents"]] == [24, 1]
    assert [agent["reason"] for agent in found["skipped"]] == [
        "its prompt has 16 characters; --min-chars 4000 leaves shorter ones out"
    ]
    simulated = as_drafted(run, tmp_path / "two.jsonl")
    assert {name: found[name] for name in COMPARED} == {name: simulated[name] for name in COMPARED}


def test_lines_that_are_no_calls_are_left_out_and_told(tmp_path: Path, run: Run) -> None:
    result = run("onboard", write(tmp_path / "torn.jsonl", "{torn\n" + traffic() + "{}\n"))
    assert result.exit_code == 0
    assert f"skipped: {tmp_path}/torn.jsonl: line 1: not valid JSON at column 2" in result.stderr
    assert "2 lines were left out" in result.stdout


WRONG: Mapping[str, tuple[bytes, str]] = {
    "empty": (b" \n", "empty; give captured traffic (JSON Lines) or a prompt as text"),
    "not UTF-8": ("Übersicht".encode("latin-1") * 9, "not UTF-8 at byte 0; convert it"),
    "UTF-16": ("You are Quill".encode("utf-16"), "UTF-16, not UTF-8; convert it"),
    "binary": (b"\x7fELF\x00\x01", "binary; give captured traffic (JSON Lines) or a prompt as text"),
    "other JSON Lines": (
        b'{"a": 1}\n{"a": 2}\n',
        "JSON, but no line of it is a call; a call has `ts`, `key`, `conversation` and `request`, as `capture` writes"
        " it",
    ),
    "a JSON array of calls": (
        json.dumps([json.loads(call(0, "c", [{"role": "user", "content": "hi"}]))]).encode(),
        "a JSON array; traffic is one call a line: `jq -c '.[]'` makes it that",
    ),
    "a call over several lines": (
        json.dumps(json.loads(call(0, "c", [{"role": "user", "content": "hi"}])), indent=2).encode(),
        "one JSON document over several lines; traffic is one call a line: `jq -c .` makes it that",
    ),
    "no system prompt": (
        call(0, "c", [{"role": "user", "content": "hi"}], system=None).encode(),
        "no call has a system prompt; capture at the proxy, where the agent's own arrives",
    ),
    "short": (
        call(0, "c", [{"role": "user", "content": "hi"}], system="Be kind.").encode(),
        "the longest system prompt has 8 characters; --min-chars takes shorter ones",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_is_told_in_a_line(name: str, tmp_path: Path, run: Run) -> None:
    raw, problem = WRONG[name]
    path = tmp_path / "wrong"
    path.write_bytes(raw)
    result = run("onboard", path)
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", f"{path}: {problem}\n")
    assert not Path("modules").exists()


def test_a_wrong_path_is_told_in_a_line(tmp_path: Path, run: Run) -> None:
    for path, problem in ((tmp_path, "Is a directory"), (tmp_path / "none", "No such file or directory")):
        result = run("onboard", path)
        assert (result.exit_code, result.stderr) == (1, f"{path}: can't be read ({problem}); check the path\n")


def test_an_unknown_model_is_told_before_the_replay_and_the_draft_stays(path: Path, run: Run) -> None:
    result = run("onboard", path, "--model", "nobody/nothing")
    assert result.exit_code == 1
    assert "LiteLLM has no prices for 'nobody/nothing'" in result.stderr
    assert "learn: done by an earlier run" in run("onboard", path, "--model", MODEL).stderr
    assert len(TOOLS) == 6
