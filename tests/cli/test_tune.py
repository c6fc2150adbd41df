"""``tune`` and ``simulate`` on a ledger: what they find, say, write and refuse."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from litellm_prompt_router.analysis.report.columns import frame_of
from litellm_prompt_router.files import load_profile
from litellm_prompt_router.profile.profile import ObservedUse, Profile
from litellm_prompt_router.profile.tokens import token_counter
from tests.analysis.ledger_traffic import answer, line_of, user
from tests.cli.conftest import Run
from tests.cli.test_simulate import PRICES, line, toy_root, write

__all__ = ["toy_root"]

CONVERSATIONS = 42


def records_of(profile: Profile, conversations: int = CONVERSATIONS, **more: Any) -> list[Mapping[str, Any]]:
    """Each conversation asks for the web, and then again; every sixth needs tables later."""
    records: list[Mapping[str, Any]] = []
    for number in range(conversations):
        asked = [user(f"look {number} up")]
        again = [*asked, answer("found"), user("and that")]
        late = ["tools/csv", "tools/files"] if number % 6 == 0 else []
        for at, (turns, later) in enumerate(((asked, []), (again, late))):
            at_seconds = 1000.0 * number + 60 * at
            told = {"wanted": ["tools/web"], "late": later, "conversation": f"c-{number}", **more}
            records.append(line_of(turns, profile, at=at_seconds, number=2 * number + at, **told))
    return records


@pytest.fixture
def toy(toy_root: Path) -> Profile:
    return load_profile(toy_root / "toy", token_counter())


def written(folder: Path, records: Sequence[Mapping[str, Any]], name: str = "prompt_router.jsonl") -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / name
    raw = "".join(f"{json.dumps(record)}\n" for record in records).encode()
    file.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    return file


def test_it_says_what_it_found_and_on_what(toy: Profile, toy_root: Path, tmp_path: Path, run: Run) -> None:
    """Nothing is written unasked."""
    ledger = written(tmp_path / "logs", records_of(toy))
    before = (toy_root / "toy" / "profile.yaml").read_bytes()
    result = run("tune", ledger, "--profiles", toy_root, "--prices", PRICES)
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines.pop(2).startswith("cache: ")
    assert lines[:4] == [
        "toy: 42 conversations of 84 calls in 84 records",
        "anthropic/claude-sonnet-4-5: 1 USD per million tokens, cached 0.1, written 1.25 (1h 2)",
        "",
        "on the first half                              vs full-cached  clearly cheaper",
    ]
    assert lines[4].split()[:2] == ["exact", "sets"]
    assert lines[4].split()[-1] == "yes"
    said = next(line for line in lines if "on the second half" in line)
    assert said.startswith("exact module sets; on the second half -")
    assert "calls for each user message: 1" in lines
    assert ["tools/csv", "16.7%"] in [line.split() for line in lines]
    assert lines[-1] == "nothing written; --write does"
    assert (toy_root / "toy" / "profile.yaml").read_bytes() == before


def test_what_is_written_is_read_again(toy: Profile, toy_root: Path, tmp_path: Path, run: Run) -> None:
    """The tuning with its prices, what it holds for, and how the profile is used."""
    ledger = written(tmp_path / "logs", records_of(toy))
    result = run("tune", ledger, "--profiles", toy_root, "--prices", PRICES, "--profile", "toy", "--write")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == f"written to {toy_root / 'toy' / 'profile.yaml'}"
    tuned = load_profile(toy_root / "toy", token_counter())
    assert tuned.outdated_tuning is None
    economics = tuned.economics_in_force
    assert economics is not None
    assert (economics.rewrites, economics.bundles, economics.conversations) == (True, None, CONVERSATIONS)
    assert (economics.read_share, economics.write_share) == (0.1, 1.25)
    assert economics.use == ObservedUse(
        calls_per_message=1.0, later_chances={"tools/csv": 0.1667, "tools/files": 0.1667, "tools/orphan": 0.0}
    )


def test_few_conversations_leave_use_for_the_untuned_rule(
    toy: Profile, toy_root: Path, tmp_path: Path, run: Run
) -> None:
    ledger = written(tmp_path / "logs", records_of(toy, 30))
    result = run("tune", ledger, "--profiles", toy_root, "--write")
    assert result.exit_code == 0
    assert "tuning takes 40 conversations of profile 'toy'; there are 30" in result.stdout.splitlines()
    section = yaml.safe_load((toy_root / "toy" / "profile.yaml").read_text("utf-8"))["economics"]
    assert section["choice"] == "untuned"
    assert section["use"]["later_chances"]["tools/csv"] == pytest.approx(5 / 30, abs=1e-4)
    tuned = load_profile(toy_root / "toy", token_counter())
    assert tuned.economics_in_force is None
    assert tuned.left_alone is None
    assert tuned.economics is not None
    assert tuned.economics.use is not None


@pytest.mark.parametrize("kind", ["folder", "compressed", "parquet"])
def test_it_reads_what_report_reads(kind: str, toy: Profile, toy_root: Path, tmp_path: Path, run: Run) -> None:
    """All with the same result."""
    logs = tmp_path / "logs"
    records = records_of(toy)
    if kind == "parquet":
        logs.mkdir()
        frame_of(records).write_parquet(logs / "day.parquet")
    elif kind == "compressed":
        written(logs, records[:50], "prompt_router.1.jsonl.gz")
        written(logs, records[50:])
    else:
        written(logs, records)
    [found] = json.loads(run("tune", logs, "--profiles", toy_root, "--prices", PRICES, "--json").stdout)
    plain = written(tmp_path / "plain", records)
    [wanted] = json.loads(run("tune", plain, "--profiles", toy_root, "--prices", PRICES, "--json").stdout)
    assert found == wanted
    assert (found["choice"], found["conversations"], found["records"]) == ("exact", CONVERSATIONS, 84)
    assert found["models"] == {"anthropic/claude-sonnet-4-5": 84}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        pytest.param(("nowhere.jsonl",), "nowhere.jsonl: no such file; check the path", id="no file"),
        pytest.param(
            ("empty.jsonl",),
            "empty.jsonl: no record of a recognised prompt; a proxy writes them in shadow mode and when it rewrites",
            id="empty",
        ),
        pytest.param(
            ("other.jsonl",),
            "the ledger has other profiles than those loaded: other (2); loaded: toy; see --profiles",
            id="other profiles",
        ),
        pytest.param(
            ("traffic.jsonl",),
            "traffic.jsonl: captured traffic, not a ledger: `simulate --tune` reads it",
            id="captured traffic",
        ),
        pytest.param(("other.jsonl", "--profile", "tuy"), "tuy: no such profile; did you mean 'toy'?", id="profile"),
    ],
)
def test_mistakes_are_told_in_a_line(
    arguments: Sequence[str], problem: str, toy: Profile, toy_root: Path, run: Run
) -> None:
    Path("empty.jsonl").write_text("")
    written(Path(), [{**record, "profile": "other"} for record in records_of(toy, 1)], "other.jsonl")
    write(Path(), line(0, "hello"))
    result = run("tune", *arguments, "--profiles", toy_root)
    assert (result.exit_code, result.stderr.strip()) == (1, problem)


def test_several_models_are_named(toy: Profile, toy_root: Path, tmp_path: Path, run: Run) -> None:
    records = [
        {**record, "model": "gpt-5.5", "provider": "openai"} if number % 4 == 0 else record
        for number, record in enumerate(records_of(toy))
    ]
    result = run("tune", written(tmp_path / "logs", records), "--profiles", toy_root)
    assert (
        "calls by model: anthropic/claude-sonnet-4-5 63, openai/gpt-5.5 21; accounted as if all were the most frequent;"
        " --model names another"
    ) in result.stdout.splitlines()


def test_simulate_tells_a_ledger_from_traffic(toy: Profile, toy_root: Path, tmp_path: Path, run: Run) -> None:
    """It shows the policies that a ledger can tell, what it can't know, and how to go on."""
    ledger = written(tmp_path / "logs", records_of(toy))
    result = run("simulate", ledger, "--profiles", toy_root, "--prices", PRICES)
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines.pop(1).startswith("cache: ")
    assert lines[2] == "toy: calls: 84, conversations: 42"
    assert [row.split()[0] for row in lines[4:9]] == ["full", "full-cached", "grow", "append", "auto"]
    assert lines[6].split()[-1].startswith("-")
    assert f"to have the cost gate go by it: prompt-router tune {ledger} --profile toy --write" in lines
    assert lines[-1].startswith("A ledger holds no text: what `latest` would send isn't in it")
    [document] = json.loads(run("simulate", tmp_path / "logs", "--profiles", toy_root, "--json").stdout)
    assert (document["calls"], document["conversations"]) == (84, 42)


@pytest.mark.parametrize(
    ("option", "problem"),
    [
        pytest.param(
            "--tune", "--tune reads captured traffic; of a ledger it is `prompt-router tune LEDGER`.", id="tune"
        ),
        pytest.param(
            "--routing-model=gpt", "routing models can't be asked about a ledger, which holds no text.", id="routing"
        ),
    ],
)
def test_what_a_ledger_can_not_do(
    option: str, problem: str, toy: Profile, toy_root: Path, tmp_path: Path, run: Run
) -> None:
    ledger = written(tmp_path / "logs", records_of(toy, 1))
    result = run("simulate", ledger, "--profiles", toy_root, "--profile", "toy", option)
    assert result.exit_code == 2
    assert problem in result.stderr


def test_a_ledger_of_an_earlier_version_says_what_is_missing(
    toy: Profile, toy_root: Path, tmp_path: Path, run: Run
) -> None:
    """`report` reads it as before; tuning and replaying can't."""
    new = {"history_state", "wanted_modules", "previous_history_states", "history_tokens", "profile_router"}
    old = [{name: value for name, value in record.items() if name not in new} for record in records_of(toy)]
    ledger = written(tmp_path / "logs", old)
    result = run("tune", ledger, "--profiles", toy_root)
    assert (
        "tuning takes 40 conversations of profile 'toy'; there are none in 84 records (84 written by an earlier version"
        " or without accounting)"
    ) in result.stdout.splitlines()
    assert result.stdout.splitlines()[-1] == "nothing to write"
    replayed = run("simulate", ledger, "--profiles", toy_root)
    assert replayed.exit_code == 1
    assert "toy: no call that can be replayed (84 written by an earlier version" in replayed.stderr
