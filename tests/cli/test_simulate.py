"""``simulate``: what each policy would have cost."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from litellm_prompt_router.analysis.simulate import POLICIES, Workload, arrivals, simulate_synthetic
from litellm_prompt_router.cli.model_accounts import account_for
from tests.cli.conftest import TOY, TOY_FILES, TOY_PROMPT, Run, write_profile

PRICES = json.dumps(
    {
        "input_usd_per_mtok": 1,
        "cache_read_usd_per_mtok": 0.1,
        "cache_write_5m_usd_per_mtok": 1.25,
        "cache_write_1h_usd_per_mtok": 2,
    }
)
MODEL = "claude-sonnet-4-5"
NEVER_ASKED_FOR = " Nobody ever asks for this either." * 8
PROMPT = TOY_PROMPT + NEVER_ASKED_FOR
SMALL = ("--synthetic", "--conversations", "20", "--turns", "2")


def line(ts: float, *texts: str, system: str = PROMPT, model: str = MODEL) -> str:
    said = [{"role": "user" if n % 2 == 0 else "assistant", "content": text} for n, text in enumerate(texts)]
    request = {"model": model, "messages": [{"role": "system", "content": system}, *said]}
    return json.dumps({"ts": ts, "key": "k", "conversation": "c", "request": request})


def write(folder: Path, *lines: str) -> Path:
    file = folder / "traffic.jsonl"
    file.write_text("".join(f"{text}\n" for text in lines))
    return file


@pytest.fixture
def toy_root(tmp_path: Path) -> Path:
    """The profile ``toy`` with more to leave out."""
    files = {**TOY_FILES, "orphan.txt": TOY_FILES["orphan.txt"] + NEVER_ASKED_FOR}
    write_profile(tmp_path / "profiles", "toy", TOY, files)
    return tmp_path / "profiles"


@pytest.fixture
def traffic(tmp_path: Path) -> Path:
    """Three calls, of which the last has a prompt that nobody knows."""
    strange = line(20, "hello", system="Somebody else's prompt.")
    return write(tmp_path, line(0, "sum up this csv"), line(9, "sum up this csv", "Done.", "on the web"), strange)


def test_table(traffic: Path, toy_root: Path, run: Run) -> None:
    """A row for each policy, in plain columns, and what was left alone. So short a prompt is never cached."""
    result = run("simulate", traffic, "--profiles", toy_root, "--prices", PRICES)
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[:4] == [
        f"{MODEL}: 1 USD per million tokens, cached 0.1, written 1.25 (1h 2)",
        "cache: Claude, modelled by its documentation",
        "",
        "calls: 3, conversations: 1",
    ]
    assert " ".join(lines[4].split()) == (
        "policy USD USD/conversation read written uncached mean prompt vs full-cached"
    )
    assert [row.split()[0] for row in lines[5:11]] == list(POLICIES)
    assert lines[5].split()[-1] == "+0.0%"
    assert lines[11:16] == [
        "",
        "as they came, the prompts are 89.3% system text, 0.0% tools and 10.7% history, in tokens; routing shortens"
        " system text, so that 0.0% and 10.7% go out whatever it does",
        "",
        "left as they came under auto: 1 of 3 calls (unrecognised 1)",
        "",
    ]
    assert lines[16].startswith("toy: no clear gain, it may be chance. auto costs ")
    assert lines[17:] == [
        "More conversations would tell. Until then this has the cost gate leave toy alone:",
        f"  prompt-router simulate {traffic} --profiles {toy_root} --prices '{PRICES}' --profile toy --tune",
    ]


def test_json_gives_the_same(traffic: Path, toy_root: Path, run: Run) -> None:
    document = json.loads(run("simulate", traffic, "--profiles", toy_root, "--json", "--profile", "toy").stdout)
    assert (document["model"], document["calls"], document["conversations"]) == (MODEL, 3, 1)
    assert document["prices"]["cache_read_usd_per_mtok"] == "0.3"
    parts = document["parts"]
    assert (parts["tools_tokens"], parts["system_tokens"] > parts["history_tokens"] > 0) == (0, True)
    rows = {row["policy"]: row for row in document["policies"]}
    assert tuple(rows) == POLICIES
    full, ours = rows["full"], rows["append"]
    assert Decimal(full["usd"]) == Decimal(3) * full["uncached_input_tokens"] / 1_000_000
    assert full["mean_prompt_tokens"] == full["uncached_input_tokens"] / 3
    assert sum(parts.values()) == full["uncached_input_tokens"]
    assert ours["passthroughs"] == {"unrecognised": 1}
    assert ours["mean_prompt_tokens"] < full["mean_prompt_tokens"]
    assert rows["full-cached"]["versus_full_cached"] == 0


def test_other_wires(tmp_path: Path, toy_root: Path, run: Run) -> None:
    """The traffic's own model names what it is accounted as; ``--model`` goes first."""
    file = write(tmp_path, line(0, "sum up this csv", model="gpt-4.1"))
    document = json.loads(run("simulate", file, "--profiles", toy_root, "--json").stdout)
    assert (document["model"], document["prices"]["input_usd_per_mtok"]) == ("gpt-4.1", "2")
    document = json.loads(run("simulate", file, "--profiles", toy_root, "--json", "--model", MODEL).stdout)
    assert document["model"] == MODEL


def test_synthetic_table(run: Run) -> None:
    """One table for each rate; the same seed, the same output."""
    result = run("simulate", *SMALL, "--rate", "2", "--rate", "200")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == run("simulate", *SMALL, "--rate", "2", "--rate", "200").stdout
    assert result.stdout != run("simulate", *SMALL, "--rate", "2", "--rate", "200", "--seed", "1").stdout
    heads = [text for text in result.stdout.splitlines() if "an hour" in text]
    assert [head.partition(";")[0] for head in heads] == ["2 conversations an hour", "200 conversations an hour"]
    assert sum(text.startswith("append ") for text in result.stdout.splitlines()) == 2


def test_of_a_host_that_does_not_say_the_worst_is_shown(run: Run) -> None:
    """Of three lifetimes that its entries may have, the one in which rewriting fares worst; and it says so."""
    questions = ("--synthetic", "--conversations", "60", "--turns", "1", "--calls-per-turn", "3", "--rate", "20")
    document = json.loads(run("simulate", *questions, "--json", "--model", "xai/grok-4.3").stdout)
    assert document["cache"]["basis"] == "assumed"
    rows = {row["policy"]: Decimal(row["usd"]) for row in document["runs"][0]["policies"]}
    account = account_for("xai/grok-4.3", None)
    workload = Workload(conversations=60, turns=1, calls_per_turn=3, conversations_per_hour=20)
    calls = arrivals(workload)
    shares = [
        simulate_synthetic(workload, calls, rules, account.prices, account.target).versus_baseline("auto")
        for rules in account.cache.possible_rules
    ]
    assert len(set(shares)) == 3
    assert float(rows["auto"] / rows["full-cached"] - 1) == pytest.approx(max(share or 0 for share in shares))
    assert "cache: xAI, assumed; how long entries live isn't published: the worst of 5 min, 30 min and 2 h\n" in (
        run("simulate", *SMALL, "--model", "xai/grok-4.3").stdout
    )


def test_synthetic_json(run: Run) -> None:
    document = json.loads(run("simulate", *SMALL, "--json", "--model", "gemini/gemini-2.5-pro").stdout)
    (only,) = document["runs"]
    assert (only["conversations_per_hour"], only["conversations"], only["seed"]) == (60.0, 20, 0)
    rows: dict[str, Any] = {row.pop("policy"): row for row in only["policies"]}
    assert tuple(rows) == POLICIES
    assert Decimal(rows["auto"]["usd"]) < Decimal(rows["full-cached"]["usd"])
    tuned = json.loads(run("simulate", *SMALL[:2], "80", *SMALL[3:], "--json", "--tune").stdout)["runs"][0]
    rows = {row["policy"]: row for row in tuned["policies"]}
    assert Decimal(rows["auto"]["usd"]) <= Decimal(rows["full-cached"]["usd"])
    assert tuned["tuned"]["choice"] in ("exact", "bundles", "full")


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        ((), "Give either TRAFFIC.jsonl or --synthetic."),
        (("t.jsonl", "--synthetic"), "Give either TRAFFIC.jsonl or --synthetic."),
        (("t.jsonl", "--core-share", "0.5"), "--core-share needs --synthetic."),
        (("t.jsonl", "--rate", "2"), "--rate needs --synthetic."),
        (("--synthetic", "--dry-run"), "--dry-run needs --tune."),
        (("t.jsonl", "--tune"), "--tune needs --profile: what it finds is written there."),
        (("--synthetic", "--profile", "toy"), "--profile, --profiles and routing models need TRAFFIC.jsonl."),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], wrong: str, run: Run) -> None:
    result = run("simulate", *arguments)
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (2, f"Error: {wrong}")


def test_every_bad_line(tmp_path: Path, toy_root: Path, run: Run) -> None:
    file = write(tmp_path, line(0, "hi"), "{}", "nonsense")
    result = run("simulate", file, "--profiles", toy_root)
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        *(f"{file}: line 2: {name}: missing; add it" for name in ("ts", "key", "conversation", "request")),
        f"{file}: line 3: not valid JSON at column 1: Expecting value",
    ]


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (("--profile", "nope"), "nope: no such profile; there are: toy"),
        (
            ("--model", "nobody/knows"),
            "--model: LiteLLM has no prices for 'nobody/knows'; name another or give --prices",
        ),
        (("--prices", "{}"), "--prices: input_usd_per_mtok: missing; add it"),
        (("--prices", "nowhere.json"), "nowhere.json: can't be read (No such file or directory); check the path"),
    ],
)
def test_mistakes(arguments: tuple[str, ...], wrong: str, traffic: Path, toy_root: Path, run: Run) -> None:
    result = run("simulate", traffic, "--profiles", toy_root, *arguments)
    assert (result.exit_code, result.stderr.splitlines()[0]) == (1, wrong)


def test_several_models(tmp_path: Path, toy_root: Path, run: Run) -> None:
    file = write(tmp_path, line(0, "hi"), line(1, "hi", model="gpt-4.1"))
    result = run("simulate", file, "--profiles", toy_root)
    wrong = f"--model: the traffic names several ({MODEL}, gpt-4.1); say which one\n"
    assert (result.exit_code, result.stderr) == (1, wrong)


def test_impossible_shapes(run: Run) -> None:
    result = run("simulate", "--synthetic", "--rate", "0", "--core-share", "2")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "--core-share: must be from 0 to 1",
        "--rate: must be more than 0",
    ]


def test_tuning_takes_enough_conversations(traffic: Path, toy_root: Path, run: Run) -> None:
    strange = write(traffic.parent, line(0, "hello", system="Somebody else's prompt."))
    result = run("simulate", strange, "--profiles", toy_root, "--profile", "toy", "--tune")
    wrong = f"{traffic}: tuning takes 40 conversations of profile 'toy'; there are 0; record more\n"
    assert (result.exit_code, result.stderr) == (1, wrong)
    result = run("simulate", *SMALL, "--tune")
    assert (result.exit_code, result.stderr) == (1, "--conversations: tuning takes 80 or more\n")


def dense(folder: Path) -> Path:
    """Single calls in quick succession, each for a section of its own: every exact set is cold."""
    big = "Nobody ever asks for this either. " * 700
    files = {**TOY_FILES, "csv.txt": "Load a table. " * 900, "web.txt": "Search first. " * 900, "orphan.txt": big}
    write_profile(folder / "dense", "toy", TOY, files)
    system = "".join(files.values()).replace("{{date}}", "2026-01-31")
    asks = ("sum up this csv", "look it up on the web")
    calls = (line(number * 9.0, asks[number % 2], system=system) for number in range(60))
    documents = ({**json.loads(call), "conversation": f"c{number}"} for number, call in enumerate(calls))
    return write(folder, *map(json.dumps, documents))


def test_tuning_writes_what_is_cheapest_into_the_profile(tmp_path: Path, run: Run) -> None:
    """Other bytes of profile.yaml stay; the tuned profile loads, and costs what tuning said."""
    file = dense(tmp_path)
    path = tmp_path / "dense" / "toy" / "profile.yaml"
    before = path.read_text()
    tune = ("simulate", file, "--profiles", tmp_path / "dense", "--profile", "toy", "--tune")
    dry = json.loads(run(*tune, "--dry-run", "--json").stdout)
    assert path.read_text() == before
    assert (dry["choice"], dry["economics"]["choice"]) == ("exact", "exact")
    result = run(*tune)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines()[-1] == f"written to {path}"
    after = path.read_text()
    at = after.index("economics:")
    assert after[:at] + after[after.index("\n\n", at) + 2 :] == before
    assert run(*tune).exit_code == 0
    assert path.read_text() == after
    rows = {
        row["policy"]: Decimal(row["usd"])
        for row in json.loads(run("simulate", file, "--profiles", tmp_path / "dense", "--json").stdout)["policies"]
    }
    assert rows["auto"] == rows["append"] < rows["full-cached"]
