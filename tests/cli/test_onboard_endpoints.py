"""Agents whose calls can't be replayed: drafted, checked and explained all the same, and nothing is said in money."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from litellm_prompt_router.files import load_profile
from litellm_prompt_router.profile.tokens import token_counter
from tests.cli.conftest import Run
from tests.onboarding.other_endpoints import FUNCTIONS, to_gemini, to_responses
from tests.onboarding.shop_traffic import PROMPT, traffic, write
from tests.onboarding.shown_text import flat, page_text

COUNT = token_counter()
CASES = {"responses": (to_responses, "/v1/responses"), "gemini": (to_gemini, "Gemini's streamGenerateContent")}


def onboarded(run: Run, path: Path) -> dict[str, Any]:
    result = run("onboard", path, "--name", "shop", "--json")
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


@pytest.mark.parametrize("name", CASES)
def test_it_ends_with_a_page_and_no_figure_in_money(name: str, tmp_path: Path, run: Run) -> None:
    convert, endpoint = CASES[name]
    path = write(tmp_path / "calls.jsonl", convert(traffic()))
    document = onboarded(run, path)
    assert (document["calls"], document["unreplayed_calls"], document["model"]) == (0, 24, None)
    (agent,) = document["agents"]
    assert (agent["costs"], agent["gate"], agent["trial"]) == (None, None, None)
    assert agent["verdict"]["kind"] == "unknown"
    sentence = agent["verdict"]["sentence"]
    assert sentence.startswith(f"No verdict in money: calls to {endpoint} can't be replayed. ")
    assert load_profile(Path("modules/shop"), COUNT).text == PROMPT
    assert "economics" not in Path("modules/shop/profile.yaml").read_text("utf-8")
    page = page_text("onboard-shop.html")
    terminal = run("onboard", path, "--name", "shop")
    assert "shop: done by an earlier run" in terminal.stderr
    for text in (page, flat(terminal.stdout)):
        assert sentence in text
        assert f"Nothing is told in money: calls to {endpoint} can't be replayed" in text
        assert f"24 calls of 8 conversations came to {endpoint}." in text
        assert "holdout: 0.1}}" in text
        assert "prompt-router report LEDGER.jsonl" in text
        assert "prompt-router review shop --accept" in text
        assert "prompt-router simulate" not in text
        assert "USD" not in text


@pytest.mark.parametrize("name", CASES)
def test_the_input_is_told_by_size(name: str, tmp_path: Path, run: Run) -> None:
    """System text as our counter counts it, for each call; tools as JSON; the history's words."""
    convert, _ = CASES[name]
    (agent,) = onboarded(run, write(tmp_path / "calls.jsonl", convert(traffic())))["agents"]
    found = agent["unreplayed"]
    assert (found["calls"], found["conversations"]) == (24, 8)
    assert found["parts"]["system_tokens"] == 24 * COUNT(PROMPT)
    least = sum(COUNT(json.dumps(each, separators=(",", ":"))) for each in FUNCTIONS)
    assert 24 * least <= found["parts"]["tools_tokens"] <= 24 * least * 1.5
    asked = json.loads(traffic().splitlines()[0])["request"]["messages"][1]["content"]
    assert 24 * COUNT(asked) * 0.8 <= found["parts"]["history_tokens"] <= 24 * (COUNT(asked) + 25)


@pytest.mark.parametrize("name", CASES)
def test_messages_and_labels_are_told(name: str, tmp_path: Path, run: Run) -> None:
    """What would be left out of which messages, and what is missing for a promise."""
    convert, _ = CASES[name]
    (agent,) = onboarded(run, write(tmp_path / "calls.jsonl", convert(traffic())))["agents"]
    assert (agent["left_out"]["messages"], agent["labels"]["messages"], agent["labels"]["needing"]) == (16, 16, 8)


def test_of_mixed_traffic_what_can_be_replayed_is(tmp_path: Path, run: Run) -> None:
    """The other calls are in no figure in money, and that is said."""
    chat, other = traffic(), to_responses(traffic(3, apart_seconds=500.0))
    alone = onboarded(run, write(tmp_path / "chat.jsonl", chat))
    result = run("onboard", write(tmp_path / "mixed.jsonl", other + "{torn\n" + chat), "--name", "shop", "--json")
    mixed = json.loads(result.stdout)
    assert [line for line in result.stderr.splitlines() if line.startswith("skipped")] == [
        f"skipped: {tmp_path}/mixed.jsonl: line 10: not valid JSON at column 2: Expecting property name enclosed in"
        " double quotes"
    ]
    assert (mixed["calls"], mixed["unreplayed_calls"]) == (24, 9)
    (agent,) = mixed["agents"]
    costs = agent["costs"]
    assert costs["full_cached_usd"] == alone["agents"][0]["costs"]["full_cached_usd"]
    assert (costs["calls"], agent["unreplayed"]["calls"], agent["agent"]["calls"]) == (24, 9, 33)
    assert agent["left_out"]["messages"] == 22
    page = page_text("onboard-shop.html")
    assert "9 of these calls are left out of all money: they came to /v1/responses, which can't be replayed" in page
    assert "They are in no figure in money here, which tells of the other 24 calls" in page
    assert "1 line was left out: it can't be read" in page
    assert "As long as the cost gate leaves this agent alone (below), there is nothing to measure" in page


def test_what_other_traffic_left_alone_is_told(tmp_path: Path, run: Run) -> None:
    """A control group would measure nothing then."""
    onboarded(run, write(tmp_path / "chat.jsonl", traffic()))
    result = run("onboard", write(tmp_path / "codex.jsonl", to_responses(traffic())), "--name", "codex")
    assert "As `simulate` says it: shop: left alone: no gain in simulate on 8 conversations." in flat(result.stdout)
    assert "there is nothing to measure: take `economics` out of its profile.yaml first." in flat(result.stdout)


def test_an_unknown_endpoint_is_told(tmp_path: Path, run: Run) -> None:
    lines = [json.dumps({**json.loads(line), "endpoint": "aimage"}) + "\n" for line in traffic(1).splitlines()]
    path = write(tmp_path / "images.jsonl", "".join(lines) + traffic(1))
    result = run("onboard", path, "--name", "shop")
    assert result.exit_code == 0
    assert f"skipped: {path}: line 1: endpoint: only calls of acompletion and anthropic_messages" in result.stderr
