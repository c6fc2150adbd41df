"""Where the replayed traffic shows no gain, `onboard` has the cost gate believe it, and says until when."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from litellm_prompt_router.files import load_profile
from litellm_prompt_router.files.profile_editor import ProfileEditor
from litellm_prompt_router.profile.profile import Profile
from tests.cli.conftest import Run
from tests.onboarding.shop_traffic import DECLARED, PROMPT, traffic, write
from tests.onboarding.shown_text import flat, page_text

DAY = 86_400.0
CHANGING = ("--model", "gpt-4.1")
"""A model whose provider takes a prompt that changes with the declared tools."""
FILE = Path("modules/shop/profile.yaml")
COMMAND = "prompt-router simulate {} --profile shop --tune"


def onboarded(run: Run, *arguments: str | Path) -> dict[str, Any]:
    """The one agent's findings."""
    result = run("onboard", *arguments, "--json")
    assert result.exit_code == 0, result.output
    (agent,) = json.loads(result.stdout)["agents"]
    found: dict[str, Any] = agent
    return found


def profile() -> Profile:
    return load_profile(FILE.parent, len)


def retooled(text: str, tools_of: Any) -> str:
    """The same traffic, each call with the tools that ``tools_of`` gives for its conversation's number."""
    lines = [json.loads(line) for line in text.splitlines()]
    for line in lines:
        line["request"]["tools"] = tools_of(int(line["conversation"][1:]))
    return "".join(json.dumps(line) + "\n" for line in lines)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Every call declares every tool, so that the reviewed profile sends everything."""
    return write(tmp_path / "shop.jsonl", traffic())


@pytest.fixture
def sparing(tmp_path: Path) -> Path:
    """Nearly every conversation declares one tool; days between them: nothing is warm, and less text costs less."""
    text = traffic(12, apart_seconds=DAY)
    return write(tmp_path / "sparing.jsonl", retooled(text, lambda n: [DECLARED[4]] if n else DECLARED))


def test_no_gain_leaves_the_draft_alone(path: Path, run: Run) -> None:
    """Written and said, in the terminal, on the page and in JSON; the same command then goes on as resumed."""
    result = run("onboard", path)
    assert "simulate: no gain: modules/shop/profile.yaml: economics written that leave it alone" in result.stderr
    page = page_text("onboard-shop.html")
    said = "has got `economics` that leave this agent alone: the proxy sends its prompt as it came, reviewed or not."
    ends = "That ends by itself with a fit, and with any change of the modules' texts"
    for text in (flat(result.stdout), page):
        assert "As `simulate` says it: shop: no gain, and the cost gate let nothing through. auto costs " in text
        assert f"modules/shop/profile.yaml {said}" in text
        assert ends in text
        assert "`prompt-router check shop` tells whether it still holds." in text
    assert profile().left_alone == "left alone: no gain in simulate on 8 conversations"
    written = FILE.read_bytes()
    again = run("onboard", path)
    assert again.stderr.splitlines()[:-1] == [
        "learn: done by an earlier run",
        "simulate: done by an earlier run",
        "shop: done by an earlier run",
    ]
    same = flat(again.stdout).replace("the draft of an earlier run, unchanged", "drafted by this run")
    assert same == flat(result.stdout)
    assert FILE.read_bytes() == written
    assert onboarded(run, path)["gate"] == {
        "sentence": onboarded(run, path)["gate"]["sentence"],
        "is_gain": False,
        "is_unclear": False,
        "state": "written",
    }


def test_check_says_that_it_holds(path: Path, run: Run) -> None:
    run("onboard", path)
    note = "note: shop: economics: left alone: no gain in simulate on 8 conversations"
    assert note in run("check", "shop").stdout.splitlines()


def test_other_prices_are_replayed_anew_and_written(path: Path, run: Run) -> None:
    """The replay is never of the profile that an earlier run left alone."""
    before = onboarded(run, path)
    after = onboarded(run, path, "--model", "gpt-4.1")
    assert (before["agent"]["origin"], after["agent"]["origin"]) == ("drafted", "kept")
    assert "model: gpt-4.1" in FILE.read_text("utf-8")
    assert after["gate"]["state"] == "written"
    back = onboarded(run, path)
    assert back["costs"] == before["costs"]
    assert "model: claude-sonnet-4-5" in FILE.read_text("utf-8")


def test_a_gain_is_not_held_back(sparing: Path, run: Run) -> None:
    """Nothing is written."""
    found = onboarded(run, sparing, "--name", "shop", *CHANGING)
    assert found["gate"]["is_gain"], found["gate"]
    assert (found["gate"]["state"], found["verdict"]["kind"]) == ("kept", "worth")
    assert "economics" not in FILE.read_text("utf-8")


def test_more_traffic_that_shows_a_gain_frees_the_draft(tmp_path: Path, sparing: Path, run: Run) -> None:
    """Named by another file it is ours still, and believes the traffic that was seen last. Accepted, it is told."""
    few = write(tmp_path / "few.jsonl", "".join(sparing.read_text("utf-8").splitlines(keepends=True)[:6]))
    first = onboarded(run, few, "--name", "shop", *CHANGING)
    assert (first["gate"]["state"], first["gate"]["is_unclear"]) == ("written", True)
    left_alone = FILE.read_bytes()
    second = onboarded(run, sparing, *CHANGING)
    assert (second["agent"]["profile"], second["agent"]["origin"]) == ("shop", "kept")
    assert (second["gate"]["state"], second["gate"]["is_gain"]) == ("kept", True)
    assert "economics" not in FILE.read_text("utf-8")
    FILE.write_bytes(left_alone)
    assert run("review", "shop", "--accept").exit_code == 0
    third = onboarded(run, sparing, *CHANGING)
    assert (third["agent"]["origin"], third["gate"]["state"], third["gate"]["is_gain"]) == (
        "edited",
        "left_alone",
        True,
    )
    assert third["verdict"]["sentence"].endswith(", once its `economics` no longer leave it alone.")
    page = page_text("onboard-shop.html")
    assert "This traffic shows a gain. To have the cost gate go by it" in page


def test_a_persons_profile_is_told_and_not_written(path: Path, run: Run) -> None:
    onboarded(run, path)
    editor = ProfileEditor(FILE.parent)
    editor.remove_section("economics")
    editor.save()
    FILE.write_text(FILE.read_text("utf-8") + "# mine\n", "utf-8")
    mine = FILE.read_bytes()
    result = run("onboard", path)
    assert "The profile is no untouched draft of this command, so nothing was written into it." in flat(result.stdout)
    assert COMMAND.format(path) in result.stdout
    assert FILE.read_bytes() == mine
    found = onboarded(run, path)
    assert (found["agent"]["origin"], found["gate"]["state"]) == ("edited", "kept")
    tuned = run(*COMMAND.format(path).split()[1:])
    assert tuned.exit_code == 0, tuned.output
    assert onboarded(run, path)["gate"]["state"] == "left_alone"


@pytest.mark.full
def test_accepted_as_it_is_it_stays_left_alone(path: Path, run: Run) -> None:
    """The wire doesn't change by a review alone; the figures are still what it would do."""
    before = onboarded(run, path)
    assert run("review", "shop", "--accept").exit_code == 0
    assert profile().left_alone is not None
    found = onboarded(run, path)
    assert (found["agent"]["origin"], found["gate"]["state"]) == ("edited", "left_alone")
    assert found["costs"]["auto_usd"] == before["costs"]["auto_usd"]
    page = page_text("onboard-shop.html")
    assert "What is shown here is what it would do without them." in page
    assert "today: left alone" in page


@pytest.mark.full
def test_marks_of_a_person_end_it(path: Path, run: Run) -> None:
    """A module marked optional by hand, then accepted: the gate goes by its own rule again, and `onboard` says so."""
    onboarded(run, path)
    text = FILE.read_text("utf-8")
    assert text.count("always: true") > 1
    at = text.index("until_labelled: true")
    start = text.rindex("always: true", 0, at)
    marked = f"{text[:start]}optional: true{text[at + len('until_labelled: true') :]}"
    FILE.write_text(marked, "utf-8")
    assert run("review", "shop", "--accept").exit_code == 0
    assert profile().left_alone is None
    assert profile().outdated_tuning == "tuned before modules, their triggers, tools or marks were changed"
    warning = "economics: tuned before modules, their triggers, tools or marks were changed, so it doesn't hold"
    assert warning in run("check", "shop").stdout
    edited = FILE.read_bytes()
    found = onboarded(run, path)
    assert (found["agent"]["origin"], found["gate"]["state"]) == ("edited", "kept")
    assert FILE.read_bytes() == edited


@pytest.mark.full
def test_labels_and_a_fit_end_it(tmp_path: Path, run: Run) -> None:
    """An all-core draft replays at +0.0%, which is no gain; what labels free afterwards is left out all the same."""
    path = write(tmp_path / "shop.jsonl", retooled(traffic(), lambda _: []))
    found = onboarded(run, path)
    assert all(module.always for module in profile().modules)
    assert "(+0.0%)" in found["gate"]["sentence"]
    assert profile().left_alone is not None
    freed = [module.id for module in profile().modules if module.until_labelled]
    rows = [
        {"text": f"Order {n}: what of the {name.split('/')[-1]}?", "needs": [name]} for n in range(16) for name in freed
    ]
    labelled = write(tmp_path / "labelled.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    fit = run("fit", labelled, "--profile", "shop")
    assert fit.exit_code == 0, fit.output
    assert profile().left_alone is None
    assert "before" in (profile().outdated_tuning or "")
    assert "so it doesn't hold" in run("check", "shop").stdout
    again = onboarded(run, path)
    assert (again["agent"]["origin"], again["gate"]["state"]) == ("edited", "kept")


@pytest.mark.full
def test_a_prompt_alone_writes_nothing(tmp_path: Path, run: Run) -> None:
    """Made traffic proves nothing."""
    found = onboarded(run, write(tmp_path / "shop.txt", PROMPT))
    assert found["gate"] is None
    assert "economics" not in FILE.read_text("utf-8")
