"""``rewrite --explain`` and ``route``: every module, what the cost gate compared, and what would change it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from litellm_prompt_router.analysis.report.reader_terms import HINDRANCES, NEXT_STEPS, REASONS
from litellm_prompt_router.cli import COMMANDS
from litellm_prompt_router.cli.gate_lines import WIDTH
from litellm_prompt_router.cli.what_would_change import FALLBACKS, PASSTHROUGHS, passthrough_advice
from litellm_prompt_router.files import bundled_profiles, load_profile
from litellm_prompt_router.files.profile_editor import ProfileEditor
from tests.cli.conftest import Run, write_profile

WORKBENCH = load_profile(bundled_profiles() / "workbench", len)
CLAUDE = "anthropic/claude-sonnet-4-5"
TASK = "Sum up in/orders.csv by region"
PRICES = {"cache_read_share": 0.1, "cache_write_share": 1.25}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The bundled profile, which is reviewed and fitted, to be tuned."""
    shutil.copytree(bundled_profiles() / "workbench", tmp_path / "profiles" / "workbench")
    return tmp_path / "profiles"


def tune(root: Path, **economics: Any) -> None:
    editor = ProfileEditor(root / "workbench")
    editor.set_section("economics", {**PRICES, **economics})
    editor.save()


def explained(run: Run, root: Path, text: str = TASK, model: str = CLAUDE) -> tuple[dict[str, Any], dict[str, str]]:
    """``(the JSON, the lines by their label)``; both must tell the same, and every module must be there."""
    messages = [{"role": "system", "content": WORKBENCH.text}, {"role": "user", "content": text}]
    tools = [{"type": "function", "function": {"name": "look_up"}}]
    body = json.dumps({"model": model, "messages": messages, "tools": tools})
    document = json.loads(run("rewrite", "-", "--explain", "--json", "--profiles", root, stdin=body).stdout)
    lines = run("rewrite", "-", "--explain", "--profiles", root, stdin=body).stdout.splitlines()
    at = lines.index("")
    assert [line for line in lines[:at] if len(line) > WIDTH] == []
    assert [line.split()[0] for line in lines[at + 2 :]] == [module.id for module in WORKBENCH.modules]
    assert [module["module"] for module in document["modules"]] == [module.id for module in WORKBENCH.modules]
    by_label: dict[str, str] = {}
    label = ""
    for line in lines[:at]:
        label = line[:13].strip() or label
        by_label[label] = f"{by_label.get(label, '')} {line[13:].strip()}".strip()
    assert by_label["cost gate"].startswith(document["gate"]["decided"])
    assert by_label.get("to change it", "") == " ".join(f"- {text}" for text in document["to_change_it"])
    return document, by_label


def test_what_pays(run: Run, root: Path) -> None:
    """The inequality with its numbers, its break-even, and of each module that goes the score that wasn't enough."""
    document, lines = explained(run, root)
    gate = document["gate"]
    assert (document["outcome"], document["reason"], gate["rule"]) == ("rewritten", None, "pays")
    saved, extra, cold = gate["dropped_tokens"], gate["untuned_rule"]["extra_tokens"], gate["selected_tokens"]
    assert gate["untuned_rule"]["saved_tokens"] == pytest.approx(5 * 0.1 * saved)
    assert extra == pytest.approx(1.15 * cold)
    assert lines["compared"] == (
        f"5 calls save 5 x 0.1 x {saved:,} = {saved * 0.5:,.0f} tokens; writing what nobody shares costs"
        f" (1.25 - 0.1) x {cold:,} = {extra:,.0f} more than reading it: cheaper"
    )
    assert f"the selection pays from {gate['break_even']['calls']} calls a conversation, or" in lines["break-even"]
    left_out = [module for module in document["modules"] if not module["is_selected"]]
    assert left_out
    assert all(module["detail"].startswith("its score -") for module in left_out)
    assert document["to_change_it"] == []


def test_not_worth_it(run: Run, root: Path) -> None:
    """Left alone by what was tuned: what would have been sent is shown all the same, and what the rule would say."""
    tune(root, choice="full", tuned_on={"conversations": 8})
    document, lines = explained(run, root)
    assert (document["outcome"], document["reason"], document["gate"]["rule"]) == (
        *("passthrough", "not_worth_it"),
        "left_alone",
    )
    assert document["gate"]["sent"] is None
    assert lines["cost gate"] == (
        "leaves every request of workbench as it came; left alone: no gain in simulate on 8 conversations"
    )
    assert lines["compared"].startswith("tuned on traffic, so this has no say: 5 calls save ")
    assert document["to_change_it"][0] == (
        "newer traffic: `prompt-router simulate TRAFFIC.jsonl --profile workbench --tune`"
    )
    assert {module["module"] for module in document["modules"] if module["is_selected"]} > {"tools/data_processing"}


def test_untuned_not_worth_it(run: Run, tmp_path: Path) -> None:
    """Two sections of a size beside a large core: whichever is left out, it wouldn't pay."""
    files = {
        "core.txt": "Be brief and kind. " * 600,
        "tea.txt": "Brew the tea. " * 400,
        "oil.txt": "Press the oil. " * 400,
    }
    declared = (
        'profile: shop\nversion: "1"\nmodules:\n  - {id: core, file: core.txt, title: Core, always: true}\n'
        "  - {id: tea, file: tea.txt, title: Tea, triggers: [tea], optional: true}\n"
        "  - {id: oil, file: oil.txt, title: Oil, triggers: [oil], optional: true}\n"
    )
    write_profile(tmp_path, "shop", declared, files)
    said = [{"role": "system", "content": "".join(files.values())}, {"role": "user", "content": "how long for tea?"}]
    tools = [{"type": "function", "function": {"name": "brew"}}]
    body = json.dumps({"model": CLAUDE, "messages": said, "tools": tools})
    document = json.loads(run("rewrite", "-", "--explain", "--json", "--profiles", tmp_path, stdin=body).stdout)
    gate = document["gate"]
    assert (document["reason"], gate["rule"], gate["selected"], gate["sent"]) == (
        "not_worth_it",
        "no_way",
        ["tea"],
        None,
    )
    lines = run("rewrite", "-", "--explain", "--profiles", tmp_path, stdin=body).stdout.splitlines()
    assert lines[0] == "passthrough: not_worth_it"
    told = (
        "cost gate leaves the request as it came: the selection wouldn't pay, and without a fit others select the same"
    )
    assert told in " ".join(" ".join(lines).split())
    assert ": dearer, and less than 33.3% would be left out" in " ".join(" ".join(lines).split())
    assert [line.split()[:-1] for line in lines[-3:]] == [
        ["core", "would", "stay", "always"],
        ["tea", "would", "stay", "trigger", "tea"],
        ["oil", "would", "go", "marked", "optional,", "and", "nothing", "asks", "for", "it"],
    ]
    turning = gate["break_even"]
    assert turning["dropped_tokens"] > gate["dropped_tokens"]
    assert document["to_change_it"] == [
        "recorded traffic, which shows what is warm where this rule takes the worst:"
        " `prompt-router simulate TRAFFIC.jsonl --profile shop --tune`",
        f"{turning['dropped_tokens'] - gate['dropped_tokens']:,} more tokens left out: labels and `prompt-router fit`,"
        " a routing model, `optional: true` at modules that not every request needs, or smaller modules",
        "a model whose cached tokens aren't cheaper than others",
    ]


def test_a_bundle(run: Run, root: Path) -> None:
    selected = explained(run, root)[0]["gate"]["selected"]
    assert "tools/data_processing" in selected
    optional = [m.id for m in WORKBENCH.modules if not m.always]
    bundle = [id for number, id in enumerate(optional) if number < 12 or id in selected]
    tune(root, choice="bundles", bundles=[bundle])
    document, lines = explained(run, root)
    gate = document["gate"]
    assert (gate["rule"], gate["sent"], gate["selected"]) == ("bundle", bundle, selected)
    assert lines["cost gate"].startswith(
        f"sends the smallest tuned bundle that holds the selection: {gate['sent_tokens']:,} tokens beside the core in"
        f" place of {gate['selected_tokens']:,}"
    )
    kinds = {module["module"]: module["evidence"] for module in document["modules"]}
    assert (kinds["tools/data_processing"], kinds["tools/toolkit"]) == ("trigger", "bundle")
    assert document["to_change_it"][0].startswith("other traffic: `prompt-router simulate ")


def test_a_fallback(run: Run, root: Path) -> None:
    document, lines = explained(run, root, "frobnicate the gizmo")
    assert document["fallback_reason"] == lines["fallback"] == "nothing known in the message"
    assert lines["cost gate"] == "sends every module, as every module is selected"
    assert document["to_change_it"][0].startswith("labels of messages with such words")
    assert {module["detail"] for module in document["modules"] if module["evidence"] == "fallback"} == {
        "nothing known in the message"
    }


@pytest.mark.parametrize(("model", "rule"), [pytest.param("nobody/knows", "pays"), pytest.param("gpt-4.1", "pays")])
def test_other_models(model: str, rule: str, run: Run, root: Path) -> None:
    document, _ = explained(run, root, model=model)
    assert document["gate"]["rule"] == rule


def test_a_tuning_that_no_longer_holds_is_told(run: Run, root: Path) -> None:
    tune(root, choice="full", tuned_on={"profile_version": "0.9"})
    document, lines = explained(run, root)
    assert document["outcome"] == "rewritten"
    assert document["gate"]["ignored_economics"] == "tuned on version 0.9"
    assert lines["cost gate"].endswith("the profile's economics have no say: tuned on version 0.9")


def test_the_gate_may_be_off(run: Run, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPT_ROUTER_COST_GATE", "false")
    tune(root, choice="full")
    document, lines = explained(run, root)
    assert (document["outcome"], document["gate"]["rule"]) == ("rewritten", "off")
    assert "compared" not in lines


def test_json_goes_with_explain(run: Run) -> None:
    result = run("rewrite", "-", "--json", stdin="{}")
    wrong = "Error: --json needs --explain: without it the body is printed, which is JSON."
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (2, wrong)


def test_every_reason_has_its_advice() -> None:
    """Of those that a request passes through with; figures speak for ``not_worth_it``."""
    unseen = {"not_worth_it", "not seen by the router"}
    assert set(REASONS) - unseen - set(PASSTHROUGHS) == set()


# route


@pytest.mark.full
def test_route_tells_the_same_of_the_gate(run: Run, root: Path) -> None:
    """For a model, where the whole prompt is sent."""
    document, lines = explained(run, root)
    routed = json.loads(run("route", TASK, "--profiles", root, "--model", CLAUDE, "--json").stdout)
    assert routed["gate"] == document["gate"]
    left_out = {module["module"] for module in document["modules"] if not module["is_selected"]}
    assert {module["module"] for module in routed["left_out"]} == left_out
    text = run("route", TASK, "--profiles", root, "--model", CLAUDE).stdout
    assert f"cost gate    {lines['cost gate']}\n" in text
    assert [line for line in text.splitlines() if len(line) > WIDTH and " would be " not in line] == []


def test_route_takes_the_model_of_a_body(run: Run, root: Path) -> None:
    tune(root, choice="full", tuned_on={"conversations": 8})
    body = json.dumps({"model": CLAUDE, "messages": [{"role": "user", "content": TASK}]})
    routed = json.loads(run("route", "--messages", "-", "--profiles", root, "--json", stdin=body).stdout)
    assert (routed["gate"]["rule"], routed["gate"]["sent"]) == ("left_alone", None)
    assert routed["to_change_it"][0].startswith("newer traffic: ")


def test_an_unreviewed_profile_without_a_fit(run: Run, tmp_path: Path) -> None:
    """What it takes comes first: a review; then a fit. A module goes whose tools the request doesn't declare."""
    files = {
        "core.txt": "Be brief and kind. " * 600,
        "tea.txt": "Brew the tea. " * 400,
        "oil.txt": "Press the oil. " * 400,
    }
    declared = (
        'profile: shop\nversion: "1"\nreviewed: false\nmodules:\n'
        "  - {id: core, file: core.txt, title: Core, always: true}\n"
        "  - {id: tea, file: tea.txt, title: Tea, tools: [brew]}\n"
        "  - {id: oil, file: oil.txt, title: Oil, tools: [press]}\n"
    )
    write_profile(tmp_path, "shop", declared, files)
    said = [{"role": "system", "content": "".join(files.values())}, {"role": "user", "content": "how long for tea?"}]
    tools = [{"type": "function", "function": {"name": "brew"}}]
    body = json.dumps({"model": "gpt-4.1", "messages": said, "tools": tools})
    document = json.loads(run("rewrite", "-", "--explain", "--json", "--profiles", tmp_path, stdin=body).stdout)
    assert (document["reviewed"], document["fallback_reason"]) == (False, "not calibrated")
    review, fit, *_ = document["to_change_it"]
    assert review.startswith("read `prompt-router review shop`, then accept it with `prompt-router review shop --acc")
    assert fit.startswith("a fit on labelled messages (`prompt-router examples`, then `prompt-router fit`)")
    details = {module["module"]: (module["is_selected"], module["detail"]) for module in document["modules"]}
    assert details == {
        "core": (True, ""),
        "tea": (True, "not calibrated"),
        "oil": (False, "none of its tools is in the request"),
    }
    lines = run("rewrite", "-", "--explain", "--profiles", tmp_path, stdin=body).stdout.splitlines()
    assert "review       not reviewed: the proxy decides and records, and sends the prompt as it came" in lines
    routed = run("route", "--messages", "-", "--profiles", tmp_path, "--json", stdin=body).stdout
    assert json.loads(routed)["left_out"] == [{"module": "oil", "why": "none of its tools is in the request"}]
    assert json.loads(routed)["to_change_it"] == document["to_change_it"]


@pytest.mark.parametrize("command", ["rewrite", "route"])
def test_nothing_is_left_out_without_a_fit(command: str, run: Run, tmp_path: Path) -> None:
    """So nothing is rewritten, and what would change that is told once."""
    files = {"core.txt": "Be brief and kind. " * 100, "tea.txt": "Brew the tea. " * 400, "oil.txt": "Press it. " * 400}
    declared = (
        'profile: shop\nversion: "1"\nmodules:\n  - {id: core, file: core.txt, title: Core, always: true}\n'
        "  - {id: tea, file: tea.txt, title: Tea}\n  - {id: oil, file: oil.txt, title: Oil}\n"
    )
    write_profile(tmp_path, "shop", declared, files)
    said = [{"role": "system", "content": "".join(files.values())}, {"role": "user", "content": "how long for tea?"}]
    body = json.dumps({"model": CLAUDE, "messages": said})
    arguments = ("rewrite", "-", "--explain") if command == "rewrite" else ("route", "--messages", "-")
    document = json.loads(run(*arguments, "--json", "--profiles", tmp_path, stdin=body).stdout)
    assert (document["gate"]["rule"], document["gate"]["sent"]) == ("everything", None)
    assert document["gate"]["decided"] == (
        "leaves the request as it came: nothing is left out without a fit, so nothing is rewritten"
    )
    (change,) = document["to_change_it"]
    assert "`prompt-router fit`" in change
    assert "`optional: true`" in change
    if command == "rewrite":
        assert (document["outcome"], document["reason"]) == ("passthrough", "not_worth_it")


def test_advice_names_commands_that_exist() -> None:
    """Of single requests, and of the report; which has words for each reason that it advises about."""
    near = passthrough_advice("unrecognised", is_near=True, profile="toy")
    texts = " ".join((near, *PASSTHROUGHS.values(), *FALLBACKS.values(), *NEXT_STEPS.values()))
    named = set(re.findall(r"`prompt-router ([\w-]+)", texts))
    assert {"update", "fit", "review"} <= named <= set(COMMANDS)
    assert set(NEXT_STEPS) <= set(HINDRANCES)
