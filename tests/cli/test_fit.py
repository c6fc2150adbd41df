"""``fit``, and what ``evaluate``, ``route`` and ``check`` make of a fitted profile."""

from __future__ import annotations

import json
import random
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from litellm_prompt_router.documents.bundled import CHECKOUT
from tests.authoring.test_fitted_routing import TOPICS, labelled, message
from tests.cli.conftest import Run

CORE = "You run the office of a small harbour and answer briefly.\n\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with the profile ``harbour``: a core and a module a topic, each with a tool."""
    folder = tmp_path / "profiles" / "harbour"
    folder.mkdir(parents=True)
    chance = random.Random(2)
    modules: list[dict[str, Any]] = [{"id": "core", "file": "core.txt", "title": "Core", "always": True}]
    (folder / "core.txt").write_text(CORE)
    for name, words in TOPICS.items():
        (folder / f"{name}.txt").write_text(f"## {name}\n" + f"Rules about {words} and {name}.\n" * 5 + "\n")
        examples = [message(chance, name) for _ in range(12)]
        modules.append(
            {"id": name, "file": f"{name}.txt", "title": name, "tools": [f"use_{name}"], "examples": examples}
        )
    (folder / "profile.yaml").write_text(yaml.safe_dump({"profile": "harbour", "version": "1", "modules": modules}))
    return tmp_path / "profiles"


def _lines(path: Path, documents: Iterable[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(document) + "\n" for document in documents))
    return path


def _labelled(path: Path, count: int, seed: int = 5) -> Path:
    return _lines(path, (case.model_dump() for _, case in labelled(count, seed)))


def _prompt(root: Path) -> str:
    return "".join((root / "harbour" / f"{name}.txt").read_text() for name in ("core", *TOPICS))


def test_fit_evaluate_route_check(root: Path, tmp_path: Path, run: Run) -> None:
    """As a user would: fit, measure on other messages, look at one decision, change a module."""
    where = ("--profile", "harbour", "--profiles", root)
    result = run("fit", _labelled(tmp_path / "fit.jsonl", 420), *where)
    assert (result.exit_code, "Traceback" in result.stderr) == (0, False)
    lines = result.stdout.splitlines()
    assert lines[0] == "harbour 1"
    assert (
        lines[2]
        == "promise      guaranteed at 90% confidence: coverage of at least 95.0% of messages with a first need"
    )
    assert lines[6] == "holds for    traffic like these messages, as long as it stays like them"
    assert lines[-1] == f"stored in {root / 'harbour'}: router.json, router.npz"
    stored = json.loads((root / "harbour" / "router.json").read_text())
    assert stored["calibration"]["promise"] == "guaranteed"
    assert stored["calibration"]["messages"] >= 230

    held_out = _labelled(tmp_path / "held_out.jsonl", 200, seed=77)
    document = json.loads(run("evaluate", held_out, *where, "--plot", tmp_path / "curve.svg", "--json").stdout)
    standings = {row["router"]: row for row in document["comparison"]["standings"]}
    assert list(standings) == ["all modules", "triggers only", "lexical", "oracle"]
    assert standings["lexical"]["coverage"] >= 0.97
    assert max(standings["oracle"]["kept_tokens"], standings["lexical"]["kept_tokens"]) < 0.5
    assert standings["oracle"]["coverage"] == standings["all modules"]["kept_tokens"] == 1
    low, high = document["comparison"]["coverage_interval"]
    assert low <= standings["lexical"]["coverage"] <= high
    kept = [point["kept_tokens"] for point in document["comparison"]["curve"]]
    covered = [point["coverage"] for point in document["comparison"]["curve"]]
    assert kept == sorted(kept, reverse=True)
    assert covered == sorted(covered, reverse=True)
    assert (tmp_path / "curve.svg").read_text().startswith("<?xml")

    text = "please check the tide and the gauge for me"
    routed = run("route", text, *where)
    row = next(line.split() for line in routed.stdout.splitlines() if line.startswith("tides"))
    assert row[:2] == ["tides", "score"]
    assert float(row[2]) >= stored["calibration"]["threshold"]
    assert "or more selects; next would be " in routed.stdout
    explained = json.loads(run("route", text, *where, "--json").stdout)
    scores = {item["module"]: item["score"] for item in explained["scores"]}
    assert max(scores, key=scores.__getitem__) == "tides"
    threshold = explained["threshold"]
    assert {e["module"] for e in explained["selected"] if e["evidence"] == "score"} == {
        id for id, value in scores.items() if value >= threshold
    }

    (root / "harbour" / "crew.txt").write_text("## crew\nSomething else entirely about sailors.\n")
    checked = run("check", "--profiles", root)
    assert checked.exit_code == 1
    assert checked.stderr == (
        "profiles/harbour/router.json: made for other module texts, triggers or tools than the profile's; "
        "run `prompt-router fit` again, or delete router.json to route by triggers alone\n"
    )
    assert run("fit", tmp_path / "fit.jsonl", *where).exit_code == 0
    assert run("check", "--profiles", root).exit_code == 0


def _as_draft(root: Path, *, optional: bool) -> Path:
    """``harbour`` with all but its last module in the core until labelled; with ``optional`` that one isn't."""
    file = root / "harbour" / "profile.yaml"
    document = yaml.safe_load(file.read_text())
    for entry in document["modules"][1 : -1 if optional else None]:
        entry |= {"always": True, "until_labelled": True}
    document["reviewed"] = False
    file.write_text(yaml.safe_dump(document))
    return file


@pytest.mark.parametrize("optional", [True, False])
def test_without_a_promise_nothing_leaves_the_core(optional: bool, root: Path, tmp_path: Path, run: Run) -> None:
    """A freed module would be missed where nothing calibrated chooses it; profile.yaml stays as it is."""
    file = _as_draft(root, optional=optional)
    before = file.read_bytes()
    arguments = (_labelled(tmp_path / "few.jsonl", 60), "--profile", "harbour", "--profiles", root)
    result = run("fit", *arguments, "--target", "0.99", "--keep-anyway")
    assert result.exit_code == (0 if optional else 1)
    assert "an expected promise takes 99, a guaranteed one 230; every module is sent until then" in result.stdout
    assert "stays in the core, as nothing is promised: tides: " in result.stdout
    assert "left the core" not in result.stdout
    assert file.read_bytes() == before
    assert (root / "harbour" / "router.json").exists() == optional
    last = "stored in" if optional else "not stored (every module stays in the core, so there is nothing to route)"
    assert result.stdout.splitlines()[-1].startswith(last)


@pytest.mark.parametrize("count", [1, 2, 8])
@pytest.mark.parametrize("needs", [True, False])
def test_a_handful_of_labels_ends_in_words(count: int, needs: bool, root: Path, tmp_path: Path, run: Run) -> None:
    """Also where none of them is left to calibrate with."""
    _as_draft(root, optional=True)
    cases = [
        {"text": f"number {n}, about the tide", "needs": ["tides"] if needs and n % 2 else []} for n in range(count)
    ]
    file = _lines(tmp_path / "few.jsonl", cases)
    result = run("fit", file, "--profile", "harbour", "--profiles", root)
    assert (result.exit_code, "Traceback" in result.stderr) == (1, False), result.stderr
    assert "0 calibration messages with a first need; an expected promise takes 19" in result.stdout
    assert result.stdout.splitlines()[-1].startswith("not stored (nothing is promised, so every module is sent with")


def test_a_draft_that_labels_free_nothing_of_says_what_it_takes(root: Path, tmp_path: Path, run: Run) -> None:
    _as_draft(root, optional=False)
    file = _lines(tmp_path / "one.jsonl", [{"text": "when is high water?", "needs": ["tides"]}])
    result = run("fit", file, "--profile", "harbour", "--profiles", root)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.lstrip() == (
        "harbour: every module is in the core, and 1 labelled message takes none out of it, so that there is nothing "
        "to route; a module leaves it where at least 3 messages need it, 3 don't, and there are enough for a promise: "
        "19 for an expected one, 45 for a guaranteed one. Every module is sent until then\n"
    )


def test_too_few_messages_promise_nothing(root: Path, tmp_path: Path, run: Run) -> None:
    file = _labelled(tmp_path / "few.jsonl", 60)
    where = ("--profile", "harbour", "--profiles", root)
    result = run("fit", file, *where, "--target", "0.99", "--dry-run")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[2] == (
        "promise      none: 60 calibration messages with a first need; an expected promise takes 99, a guaranteed one "
        "230; every module is sent until then"
    )
    assert result.stdout.splitlines()[-1].startswith("not stored (--dry-run) (nothing is promised, so every module")
    refused = run("fit", file, *where, "--target", "0.99")
    assert (refused.exit_code, "--keep-anyway stores it" in refused.stdout) == (1, True)
    assert not (root / "harbour" / "router.json").exists()


def test_between_the_expected_promise(root: Path, tmp_path: Path, run: Run) -> None:
    file = _labelled(tmp_path / "some.jsonl", 160)
    where = ("--profile", "harbour", "--profiles", root)
    stated = json.loads(run("fit", file, *where, "--target", "0.99", "--json").stdout)
    assert (stated["calibration"]["promise"], stated["stored"]) == ("expected", True)
    assert stated["calibration"]["guaranteed_threshold"] is None


def test_traffic_is_labelled_by_the_tools_that_were_called(root: Path, tmp_path: Path, run: Run) -> None:
    """A module without tools can't be traced, and is sent with every task."""
    folder = root / "harbour"
    document = yaml.safe_load((folder / "profile.yaml").read_text())
    letters = next(module for module in document["modules"] if module["id"] == "letters")
    letters["tools"] = []
    (folder / "profile.yaml").write_text(yaml.safe_dump(document))
    chance, prompt = random.Random(4), _prompt(root)
    calls = []
    for number in range(150):
        topic = chance.choice([name for name in TOPICS if name != "letters"])
        called = {"id": "c", "type": "function", "function": {"name": f"use_{topic}", "arguments": "{}"}}
        messages = [
            {"role": "system", "content": prompt},
            {"role": "user", "content": f"{message(chance, topic)} {number}"},
        ]
        answer = {"role": "assistant", "content": None, "tool_calls": [called]}
        stamp = {"ts": number, "key": "k", "conversation": f"c{number}"}
        calls.append({**stamp, "request": {"model": "m", "messages": messages}, "response": {"message": answer}})
    cut = prompt[: prompt.rstrip().rindex("\n\n")]
    for number, system in enumerate(("Write a title of at most six words.", cut, None), 999):
        said = [{"role": "system", "content": system}, {"role": "user", "content": "x"}]
        request = {"model": "m", "messages": said if system else "none"}
        calls.append({"ts": number, "key": "k", "conversation": "other", "request": request})
    file = _lines(tmp_path / "traffic.jsonl", calls)
    result = run("fit", file, "--profile", "harbour", "--profiles", root)
    assert result.exit_code == 0
    assert [line for line in result.stderr.splitlines() if "skipped" in line] == [
        "153 calls, 3 skipped; 150 messages",
        "skipped: 1 with another prompt or none, as titles and other side calls have",
        "skipped: 1 without every module of the profile: rewritten ones, or of another version of the prompt",
        "skipped: 1 can't be read",
    ]
    assert "no tools, so traffic can't tell who needs them; sent with every task: letters" in result.stdout
    routed = json.loads(run("route", "please check the tide and the gauge for me", "--profiles", root, "--json").stdout)
    assert {"core", "tides", "letters"} <= {evidence["module"] for evidence in routed["selected"]}
    assert not routed["is_fallback"]


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        pytest.param("{}\n", "line 1: text: missing; add it\n{file}: line 1: needs: missing; add it", id="fields"),
        pytest.param(
            '{"text": "x", "needs": ["boats"]}\n',
            "line 1: needs[0]: unknown module 'boats'; `prompt-router check harbour` lists them",
            id="module",
        ),
        pytest.param(
            '{"ts": 1, "conversation": "c", "request": {"messages": []}}\n',
            "no call holds every module of harbour; capture in shadow mode",
            id="traffic",
        ),
    ],
)
def test_unusable_messages(content: str, wrong: str, root: Path, tmp_path: Path, run: Run) -> None:
    file = tmp_path / "messages.jsonl"
    file.write_text(content)
    result = run("fit", file, "--profile", "harbour", "--profiles", root)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-len(wrong.splitlines()) :] == f"{file}: {wrong}".format(file=file).splitlines()


def test_says_how_to_install_what_is_missing(
    root: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a clone with its lock, so that nothing else is changed."""
    monkeypatch.setitem(sys.modules, "sklearn", None)
    arguments = ("fit", _labelled(tmp_path / "few.jsonl", 5), "--profile", "harbour", "--profiles", root)
    result = run(*arguments)
    way = f"pip install -c '{CHECKOUT}/requirements.lock' -e '{CHECKOUT}[fit]'"
    expected = f"fit: needs scikit-learn; install the extra: {way}"
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (1, expected)
    monkeypatch.chdir(CHECKOUT)
    assert run(*arguments).stderr.splitlines()[-1].endswith(": pip install -c requirements.lock -e '.[fit]'")
    monkeypatch.setattr("litellm_prompt_router.documents.bundled.CHECKOUT", tmp_path)
    assert run(*arguments).stderr.splitlines()[-1].endswith(": pip install 'litellm-prompt-router[fit]'")


def test_a_plot_needs_a_fitted_profile(toy_root: Path, tmp_path: Path, run: Run) -> None:
    file = _lines(tmp_path / "cases.jsonl", [{"text": "a csv", "needs": ["tools/csv"]}])
    result = run("evaluate", file, "--profile", "toy", "--profiles", toy_root, "--plot", tmp_path / "x.png")
    assert result.exit_code == 1
    assert result.stderr == "--plot: no threshold can be varied before `prompt-router fit`; leave it out\n"


def test_labels_take_modules_out_of_a_drafts_core(root: Path, tmp_path: Path, run: Run) -> None:
    """Those marked `until_labelled` that some messages need; the fit is for the profile as it is then."""
    path = root / "harbour" / "profile.yaml"
    document = yaml.safe_load(path.read_text())
    first, second, *_, last = document["modules"][1:]
    for module in document["modules"][1:]:
        module |= {"always": True, "until_labelled": module is not last}
        if module is last:
            del module["until_labelled"]
    path.write_text(f"# ours\n{yaml.safe_dump(document)}")
    before = path.read_text()
    messages = _labelled(tmp_path / "fit.jsonl", 200)
    where = ("--profile", "harbour", "--profiles", root)

    kept = run("fit", messages, *where, "--keep-core")
    assert kept.exit_code == 1
    assert "every module is in the core" in kept.stderr
    dry = run("fit", messages, *where, "--dry-run")
    assert f"would leave the core: {first['id']}: " in dry.stdout
    assert path.read_text() == before

    done = run("fit", messages, *where)
    needed = sum(first["id"] in json.loads(line)["needs"] for line in messages.read_text().splitlines())
    evidence = f"{needed} of 200 labelled messages need it"
    assert f"left the core: {first['id']}: {evidence}\n" in done.stdout
    written = {module["id"]: module for module in yaml.safe_load(path.read_text())["modules"]}
    assert written[first["id"]]["evidence"] == evidence
    assert "always" not in written[second["id"]]
    assert written[last["id"]]["always"] is True
    assert path.read_text().startswith("# ours\n")
    assert run("check", "harbour", "--profiles", root).exit_code == 0
    assert first["id"] in json.loads((root / "harbour" / "router.json").read_text())["gate"]["offsets"]


def test_what_is_served_by_the_second_call(root: Path, tmp_path: Path, run: Run) -> None:
    """As a promise; in the table beside the first call, and with what is stored; and `evaluate` measures it."""
    where = ("--profile", "harbour", "--profiles", root)
    chance = random.Random(6)
    labels = [case.model_dump() for _, case in labelled(300)]
    hidden = [{**case, "needs": [chance.choice(sorted(TOPICS))]} for case in labels[::3]]
    file = _lines(tmp_path / "fit.jsonl", [*hidden, *labels[1::3], *labels[2::3]])
    result = run("fit", file, *where, "--promise", "served", "--target", "0.9")
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    second = "have all they need by the second call of their task"
    assert lines[2] == f"promise      served: 90.0% of messages with a first need {second}, on average"
    assert lines[4].startswith("served ")
    assert f"{second}, " in lines[4]
    assert lines[8].split() == ["target", "promise", "kept", "by", "words", "first", "call", "served"]
    stored = json.loads((root / "harbour" / "router.json").read_text())["calibration"]
    assert stored["promise"] == "served"
    assert 0 <= stored["unserved_at_best"] <= stored["unserved"] < stored["misses"]
    measured = run("evaluate", file, *where)
    header = next(line for line in measured.stdout.splitlines() if line.startswith("router"))
    assert header.split() == ["router", "coverage", "at", "first", "needs", "served", "tokens", "kept"]
    assert run("check", "harbour", "--profiles", root).exit_code == 0


def test_the_fields_of_the_json_output(root: Path, tmp_path: Path, run: Run) -> None:
    """Scripts read them by name."""
    where = ("--profile", "harbour", "--profiles", root)
    result = run("fit", _labelled(tmp_path / "fit.jsonl", 60), *where, "--dry-run", "--json")
    assert list(json.loads(result.stdout)) == [
        "profile",
        "calibration",
        "fused_calibration",
        "messages",
        "targets",
        "recommended_target",
        "doubts",
        "cascade",
        "left_core",
        "kept_in_core",
        "stored",
        "why_not_stored",
    ]


@pytest.mark.full
def test_what_each_target_would_keep(root: Path, tmp_path: Path, run: Run) -> None:
    """Before anything is stored; and the target from the other side."""
    where = ("--profile", "harbour", "--profiles", root)
    file = _labelled(tmp_path / "fit.jsonl", 200)
    stated = json.loads(run("fit", file, *where, "--json").stdout)
    kept = [row["routers"]["words"]["kept"] for row in stated["targets"]]
    assert [row["target"] for row in stated["targets"]] == [0.8, 0.9, 0.95, 0.98, 0.99]
    assert kept == sorted(kept)
    assert stated["recommended_target"] in (0.9, 0.95, 0.98, 0.99)
    share = (kept[1] + kept[2]) / 2
    within = json.loads(run("fit", file, *where, "--max-kept", f"{share:.3f}", "--json").stdout)
    assert within["stored"]
    assert 0.9 <= within["calibration"]["target_coverage"] <= 0.95
    refused = run("fit", file, *where, "--max-kept", "0.01")
    assert refused.exit_code == 1
    said = refused.stderr.strip()
    tells = "no promise keeps so few tokens; a target of 50% keeps [\\d.]+%, and the core alone is [\\d.]+%"
    assert re.fullmatch(rf"--max-kept 0\.01: {tells}", said)
    rows = [line for line in run("fit", file, *where).stdout.splitlines() if line.startswith("95.0%")]
    assert len(rows) == 1
    assert "chosen" in rows[0]
