"""``onboard``: from traffic or a prompt to a verdict and a page."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from click.testing import CliRunner

from litellm_prompt_router.analysis.simulate import Replay
from litellm_prompt_router.cli import main
from litellm_prompt_router.files.profile_editor import ProfileEditor
from litellm_prompt_router.files.profile_yaml import ProfileFile
from tests.cli.conftest import Run
from tests.onboarding.shop_traffic import MODEL, OPENING, PROMPT, TOOLS, call, section, traffic, write
from tests.onboarding.shown_text import flat, page_text

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


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("traffic") / "shop.jsonl", traffic())


@pytest.fixture(scope="module")
def first_run(path: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder that a run on this traffic leaves, and its JSON."""
    folder = tmp_path_factory.mktemp("first")
    with contextlib.chdir(folder):
        result = CliRunner().invoke(main, ["onboard", str(path), "--json"])
    assert result.exit_code == 0, result.output
    return folder, result.stdout


@pytest.fixture
def found(first_run: tuple[Path, str]) -> dict[str, Any]:
    """As if this test had run it here."""
    folder, stdout = first_run
    shutil.copytree(folder, Path(), dirs_exist_ok=True)
    document: dict[str, Any] = json.loads(stdout)
    return document


@pytest.fixture
def one_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Made-up traffic is sent at the lowest rate alone, where its figures aren't what is looked at."""
    monkeypatch.setattr("litellm_prompt_router.onboarding.made_costs.RATES", (20.0,))


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


@pytest.mark.full
def test_figures_of_a_prompt_are_those_of_simulate(tmp_path: Path, run: Run) -> None:
    """The page's own command gives them again."""
    found = onboarded(run, write(tmp_path / "quill", PROMPT))
    page = page_text(found["page"])
    command = re.search(r"prompt-router (simulate --synthetic [^<]+)", page)
    assert command is not None
    simulated = json.loads(run(*command[1].split(), "--json").stdout)
    made = found["agents"][0]["made"]
    assert [run["policies"] for run in made["runs"]] == [run["policies"] for run in simulated["runs"]]
    assert [run["conversations_per_hour"] for run in made["runs"]] == [20, 200, 2000]


@pytest.mark.usefixtures("one_rate")
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
    terminal = flat(run("onboard", path).stdout)
    page = page_text(found["page"])
    assert terminal.index(sentence) < terminal.index("What the input is made of")
    assert page.index(sentence) < page.index("What the input is made of")
    for text in (terminal, page):
        assert f"prompt-router fit {path} --profile shop" in text
        assert f"prompt-router label {path} --profile shop --out shop-labelled.jsonl" in text
        assert "prompt-router examples --llm MODEL --profile shop" in text
    assert not re.search(r"https?://|<script|@import|url\(", Path(found["page"]).read_text("utf-8"))


@pytest.mark.usefixtures("found")
def test_a_routing_model_is_told_with_its_price(path: Path, run: Run) -> None:
    """What it would be asked, for how much, and one line to switch it on. Nothing is asked; JSON has the figures."""
    result = run("onboard", path, "--router-model", "gpt-4.1-mini")
    terminal = flat(result.stdout)
    assert "A chat model can say for each task which sections it needs, without a label." in terminal
    assert f"prompt-router simulate {path} --profile shop --routing-model gpt-4.1-mini" in terminal
    assert "`router: {model: NAME}` in modules/shop/profile.yaml" in terminal
    assert "`router_model: true` for the key" in terminal
    routing = onboarded(run, path, "--router-model", "gpt-4.1-mini")["agents"][0]["routing"]
    assert routing["model"] == "gpt-4.1-mini"
    tokens, answers = Decimal(routing["input_tokens"]), 40 * routing["questions"]
    assert Decimal(routing["usd"]) == (tokens * Decimal("0.4") + answers * Decimal("1.6")) / 1_000_000  # LiteLLM's map
    assert run("onboard", path, "--router-model", "no/such").exit_code == 1


@pytest.mark.usefixtures("found", "one_rate")
def test_nothing_is_accepted_or_enabled_where_nothing_is_gained(path: Path, tmp_path: Path, run: Run) -> None:
    """It ends; only what pays is accepted."""
    stopped = flat(run("onboard", path).stdout)
    assert "Stop here. Nothing changes on the wire: the agent is left alone, accepted or not." in stopped
    prompt = flat(run("onboard", write(tmp_path / "quill.txt", PROMPT), "--profiles", "quill").stdout)
    assert "Stop here. Nothing has changed on the wire, and nothing will: the draft isn't accepted." in prompt
    assert "which sections it needs, without a label and with no promise" in prompt
    for text in (stopped, prompt):
        assert "--accept" not in text
        assert "policy enable" not in text


@pytest.mark.full
@pytest.mark.usefixtures("one_rate")
def test_an_accepted_profile_keeps_its_verdict(tmp_path: Path, run: Run) -> None:
    """A flag alone changes no figure: what is kept for its rules is a person's to judge as before."""
    rules = PROMPT.replace("\n\n## ", "\n\nNever tell a customer the password.\n\n## ")
    prompt = write(tmp_path / "quill.txt", rules)
    before = onboarded(run, prompt)["agents"][0]
    assert before["sizes"]["judged_tokens"] > 0
    assert run("review", "quill", "--accept").exit_code == 0
    after = onboarded(run, prompt)["agents"][0]
    assert after["sizes"] == {**before["sizes"], "is_reviewed": True}
    assert (after["verdict"], after["made"]) == (before["verdict"], before["made"])


def test_why_nothing_is_left_out_that_may_be(path: Path, found: Mapping[str, Any], run: Run) -> None:
    """Each call declares every tool."""
    (agent,) = found["agents"]
    assert agent["left_out"]["declared_tokens"] == agent["sizes"]["optional_tokens"] > 0
    tokens = f"{agent['sizes']['optional_tokens']:,}"
    assert f"Each call here declares the tools of all {tokens} tokens that may be left out" in page_text(found["page"])


def test_a_group_of_the_proxys_configuration_has_its_models_prices(tmp_path: Path, run: Run) -> None:
    """As `doctor` and `report` have them; `simulate` is told the model. The configuration here goes first."""
    demo = write(tmp_path / "demo.jsonl", traffic().replace(MODEL, "demo"))
    found = onboarded(run, demo)
    assert found["model"] == "anthropic/claude-sonnet-4-5"
    page = page_text(found["page"])
    assert f"simulate {demo} --profile demo --model anthropic/claude-sonnet-4-5 --tune" in page
    assert "The traffic's name for it: demo" in page
    entry = {"model_name": "demo", "litellm_params": {"model": "openai/gpt-4.1"}}
    Path("proxy_config.yaml").write_text(json.dumps({"model_list": [entry]}), "utf-8")
    assert onboarded(run, demo)["model"] == "openai/gpt-4.1"


def test_the_answering_model_has_prices(tmp_path: Path, run: Run) -> None:
    lines = [json.loads(line) for line in traffic().replace(MODEL, "best").splitlines()]
    answered = "".join(json.dumps({**line, "response": {"model": "gpt-4.1"}}) + "\n" for line in lines)
    assert onboarded(run, write(tmp_path / "best.jsonl", answered))["model"] == "gpt-4.1"


def test_without_prices_there_are_shares_and_the_command_to_try_again(tmp_path: Path, run: Run) -> None:
    path = write(tmp_path / "own.jsonl", traffic().replace(MODEL, "my-own"))
    result = run("onboard", path, "--name", "quill")
    retry = f"prompt-router onboard {path} --name quill --model claude-sonnet-4-5"
    assert result.exit_code == 0
    assert result.stderr.splitlines()[0] == f"LiteLLM has no prices for 'my-own'; in money: {retry}"
    for text in (flat(result.stdout), page_text("onboard-quill.html")):
        assert "No verdict in money: LiteLLM has no prices for 'my-own'." in text
        assert retry in text
        assert "USD" not in text
    assert onboarded(run, *retry.split()[2:])["agents"][0]["costs"] is not None


@pytest.mark.full
@pytest.mark.usefixtures("one_rate")
def test_a_prompt_that_has_a_profile_says_which(tmp_path: Path, run: Run) -> None:
    """The name that was asked for isn't dropped in silence, and nobody is said to have touched a draft."""
    first = write(tmp_path / "nm.txt", PROMPT)
    assert run("onboard", first).exit_code == 0
    result = run("onboard", first, "--name", "other")
    said = "split: the same prompt as modules/nm, drafted earlier: using it, not other (drafted by an earlier run)"
    assert result.stderr.splitlines() == [said, "page: onboard-nm.html"]
    assert "that profile is used, and the name other isn't." in flat(result.stdout)
    assert not Path("onboard-other.html").exists()
    assert run("split", first, "--name", "split", "--profiles", "apart").exit_code == 0
    result = run("onboard", first, "--name", "other", "--profiles", "apart")
    assert "using it, not other (was there already; used as it is)" in result.stderr
    calls = run("onboard", write(tmp_path / "calls.jsonl", traffic()), "--name", "third")
    assert "learn: the same prompt as modules/nm, drafted earlier: using it, not third" in calls.stderr


def test_a_prompt_that_no_provider_caches_ends_in_a_sentence(tmp_path: Path, run: Run) -> None:
    """Nothing is drafted, and nobody is sent through labels and a fit for it."""
    result = run("onboard", write(tmp_path / "kind.txt", "You are kind.\n"))
    sentence = (
        f"Not worth it: the prompt in {tmp_path}/kind.txt has 4 tokens, less than claude-sonnet-4-5 caches (1,024), so"
        " that hardly anything could be saved. Nothing was drafted."
    )
    assert (result.exit_code, flat(result.stdout), result.stderr) == (0, sentence, "")
    assert not Path("modules").exists()
    assert onboarded(run, tmp_path / "kind.txt") == {
        "verdict": {"kind": "no", "sentence": sentence},
        "agents": [],
        "page": None,
    }
    torn = flat(run("onboard", write(tmp_path / "torn.jsonl", "not json")).stdout)
    assert torn.endswith("Nothing was drafted. No line of the file is JSON, so it was taken for a prompt.")


def test_without_declared_tools_labels_come_otherwise(tmp_path: Path, run: Run) -> None:
    """REVIEW.md and the page say that these requests declare none, and don't lead to captured tool use."""
    calls = [json.loads(line) for line in traffic().splitlines()]
    for each in calls:
        del each["request"]["tools"]
    found = onboarded(run, write(tmp_path / "shop.jsonl", "".join(json.dumps(each) + "\n" for each in calls)))
    sheet = Path("modules/shop/REVIEW.md").read_text("utf-8")
    assert "the captured requests declare no tools, so nothing shows what is optional" in sheet
    assert "No request was given" not in sheet
    page = page_text(found["page"])
    assert "This agent's requests declare no tools, so captured tool use gives no labels." in page
    assert "From captured tool use, free" not in page
    assert "By hand: shows real messages" in page


@pytest.mark.usefixtures("found")
def test_prose_in_a_file_has_100_columns(path: Path, run: Run) -> None:
    """Only commands, to be copied, are longer."""
    lines = run("onboard", path).stdout.splitlines()
    assert [line for line in lines if len(line) > 100 and "prompt-router " not in line] == []


def test_a_page_that_can_be_none_is_told_first(path: Path, run: Run) -> None:
    for out, problem in (
        ("page.pdf", "page.pdf: the page is HTML; name it page.html"),
        ("none/x.html", "none/x.html: there is no folder none; make it, or name another"),
    ):
        result = run("onboard", path, "--out", out)
        assert (result.exit_code, result.stderr) == (1, f"--out: {problem}\n")
        assert not Path("none").exists()
        assert not Path("modules").exists()


def test_sizes_are_the_same_everywhere(found: Mapping[str, Any]) -> None:
    """The review sheet's and the page's."""
    tokens = f"{found['agents'][0]['sizes']['tokens']:,} tokens"
    assert f" characters, {tokens}, from " in Path("modules/shop/REVIEW.md").read_text("utf-8")
    assert tokens in page_text(found["page"])


def test_a_month_is_told_where_hours_were_seen(found: Mapping[str, Any], tmp_path: Path, run: Run) -> None:
    """Else so much for 1,000 calls."""
    assert " a month" in found["agents"][0]["verdict"]["sentence"]
    short = onboarded(run, write(tmp_path / "short.jsonl", traffic(apart_seconds=60)), "--name", "short")
    assert " for 1,000 calls" in short["agents"][0]["verdict"]["sentence"]
    page = page_text(short["page"])
    assert "Less than an hour says nothing of a month" in page


def test_commands_lead_to_other_profiles(path: Path, run: Run) -> None:
    """Where they aren't in ./modules."""
    page = page_text(onboarded(run, path, "--profiles", "agents")["page"])
    assert f"prompt-router fit {path} --profile shop --profiles agents" in page
    assert f"prompt-router simulate {path} --profile shop --profiles agents --tune" in page


def test_commands_account_for_the_same_model(path: Path, run: Run) -> None:
    """Where the traffic names several, or another was asked for."""
    found = onboarded(run, path, "--model", "gpt-4.1")
    assert found["model"] == "gpt-4.1"
    page = page_text(found["page"])
    assert f"simulate {path} --profile shop --model gpt-4.1 --tune" in page
    assert "The traffic's name for it: claude-sonnet-4-5" in page


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


@pytest.mark.full
def test_an_edited_profile_is_used_as_it_is(path: Path, found: Mapping[str, Any], run: Run, tmp_path: Path) -> None:
    """Neither other traffic nor --fresh writes over it; --replace does. The page says so, the figures follow."""
    before = found
    file = Path("modules/shop/profile.yaml")
    edited = file.read_text("utf-8") + "# mine\n"
    file.write_text(edited, "utf-8")
    for arguments in ((path,), (path, "--fresh"), (write(tmp_path / "shop.txt", traffic(5)),)):
        found = onboarded(run, *arguments)
        assert found["agents"][0]["agent"]["origin"] == "edited"
        assert file.read_text("utf-8") == edited
    assert "used as it is" in Path(found["page"]).read_text("utf-8")
    assert before["agents"][0]["agent"]["origin"] == "drafted"
    assert onboarded(run, path, "--replace")["agents"][0]["agent"]["origin"] == "drafted"
    assert file.read_text("utf-8") != edited


@pytest.mark.usefixtures("found")
def test_a_broken_profile_is_told(path: Path, run: Run) -> None:
    """What a person made of it isn't passed over."""
    file = Path("modules/shop/profile.yaml")
    file.write_text(file.read_text("utf-8") + "colour: red\n", "utf-8")
    result = run("onboard", path)
    known = ", ".join(sorted(ProfileFile.model_fields))
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (
        1,
        "modules/shop/profile.yaml: colour: unknown field; known fields: " + known,
    )


@pytest.mark.usefixtures("found")
def test_an_untouched_draft_is_drafted_anew_from_other_traffic(tmp_path: Path, run: Run) -> None:
    other = write(tmp_path / "more.jsonl", traffic(9))
    assert onboarded(run, other, "--name", "shop")["agents"][0]["agent"]["origin"] == "drafted"
    assert onboarded(run, other, "--name", "shop")["agents"][0]["agent"]["origin"] == "kept"


@pytest.mark.usefixtures("found")
def test_another_agents_profile_of_that_name_stays(run: Run, tmp_path: Path) -> None:
    """The name is the user's to choose."""
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
    "a request body": (
        b'{"model": "gpt-4.1", "messages": [{"role": "user", "content": "hi"}]}',
        'a request body, not captured traffic; `jq -c \'{ts: 0, key: "agent", conversation: "1", request: .}\'` makes a'
        " call of it, or give its system prompt as text (`split PROMPT.txt --request` takes the body for its tools)",
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
    for path, problem in (
        (tmp_path, "is a folder; give a file"),
        (tmp_path / "none", "can't be read (No such file or directory); check the path"),
    ):
        result = run("onboard", path)
        assert (result.exit_code, result.stderr) == (1, f"{path}: {problem}\n")


def test_an_unknown_model_is_told_before_anything_is_drafted(path: Path, run: Run) -> None:
    result = run("onboard", path, "--model", "nobody/nothing")
    assert result.exit_code == 1
    assert "LiteLLM has no prices for 'nobody/nothing'" in result.stderr
    assert not Path("modules").exists()
    assert len(TOOLS) == 6
