"""Where a replay shows no gain: `simulate` says so, `--tune` has the gate believe it, and until when it does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from typing import Any

import litellm
import pytest
from litellm.caching.caching import DualCache
from litellm.proxy._types import UserAPIKeyAuth
from litellm.proxy.utils import ProxyLogging

from litellm_prompt_router.files import load_profile, load_profiles
from litellm_prompt_router.files.profile_editor import ProfileEditor
from litellm_prompt_router.gateway.plugin import PromptRouter
from litellm_prompt_router.policy.active import active_configuration
from litellm_prompt_router.policy.settings import load_settings
from litellm_prompt_router.request.pipeline import Pipeline
from tests.cli.conftest import Run, write_profile
from tests.gateway.left_facts import left_facts

MODEL = "claude-sonnet-4-5"
SUBJECTS = ("harbour", "lantern", "meadow", "violin", "glacier", "orchard", "compass", "saddle")
TEXTS = {name: f"# {name}\n" + f"Of a {name} one should know a thing or two. " * 75 for name in SUBJECTS}
CORE = "You are a keeper of things.\n" + "Be brief and kind to all who ask. " * 300
PAIRS = tuple(combinations(SUBJECTS, 2))
PROMPT = CORE + "".join(TEXTS.values())
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}


def line(number: int, subjects: Sequence[str], pause_seconds: float) -> str:
    """One conversation of a single call."""
    asked = {"role": "user", "content": f"Tell me of {' and '.join(subjects)}"}
    request = {"model": MODEL, "messages": [{"role": "system", "content": PROMPT}, asked], "tools": [TOOL]}
    call = {"ts": number * pause_seconds, "key": "k", "conversation": f"c{number}", "request": request}
    return json.dumps(call) + "\n"


def traffic(folder: Path, conversations: int, *, pause_seconds: float = 9.0) -> Path:
    """Every conversation asks for another two sections. In quick succession only the full prompt stays warm."""
    file = folder / f"traffic-{conversations}-{pause_seconds:g}.jsonl"
    file.write_text("".join(line(n, PAIRS[n % len(PAIRS)], pause_seconds) for n in range(conversations)))
    return file


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A profile whose sections a person marked optional, so that words alone may leave them out."""
    modules = "".join(
        f"  - {{id: {name}, file: {name}.txt, title: {name}, triggers: [{name}], optional: true}}\n"
        for name in SUBJECTS
    )
    declared = (
        'profile: keeper\nversion: "1"\nmodules:\n  - {id: core, file: core.txt, title: Core, always: true}\n' + modules
    )
    files = {"core.txt": CORE, **{f"{name}.txt": text for name, text in TEXTS.items()}}
    write_profile(tmp_path / "profiles", "keeper", declared, files)
    return tmp_path / "profiles"


def bills(run: Run, file: Path, root: Path, *options: str) -> dict[str, Decimal]:
    document = json.loads(run("simulate", file, "--profiles", root, "--json", *options).stdout)
    return {row["policy"]: Decimal(row["usd"]) for row in document["policies"]}


def test_the_table_ends_with_the_command_that_makes_the_gate_believe_it(tmp_path: Path, root: Path, run: Run) -> None:
    """In plain words, and the command does it when it is run as it stands."""
    file = traffic(tmp_path, 8)
    result = run("simulate", file, "--profiles", root)
    assert (result.exit_code, result.stderr) == (0, "")
    before = bills(run, file, root)
    assert before["auto"] > before["full-cached"]
    said, _, command = result.stdout.splitlines()[-3:]
    assert said.startswith("keeper: no gain. auto costs 0.")
    assert said.endswith("%), on 8 conversations")
    assert command == f"  prompt-router simulate {file} --profiles {root} --profile keeper --tune"
    tuned = run(*command.split()[1:])
    assert (tuned.exit_code, tuned.stderr) == (0, "")
    assert tuned.stdout.splitlines()[-3:] == [
        said,
        "keeper is left alone: 40 conversations or more might find a way that pays",
        f"written to {root / 'keeper' / 'profile.yaml'}",
    ]
    after = bills(run, file, root)
    assert after["auto"] == after["full-cached"] == before["full-cached"]
    again = run("simulate", file, "--profiles", root).stdout.splitlines()
    assert again[-1] == "keeper: left alone: no gain in simulate on 8 conversations"
    assert again[-3] == "left as they came under auto: 8 of 8 calls (not_worth_it 8)"


def test_json_tells_it_by_profile(tmp_path: Path, root: Path, run: Run) -> None:
    file = traffic(tmp_path, 8)
    (told,) = json.loads(run("simulate", file, "--profiles", root, "--json").stdout)["profiles"]
    row = bills(run, file, root)
    assert (told["profile"], told["conversations"], told["calls"], told["shown"]) == ("keeper", 8, 8, "none")
    assert (Decimal(told["usd"]), Decimal(told["full_cached_usd"])) == (row["auto"], row["full-cached"])
    assert told["versus_full_cached"] == pytest.approx(float(row["auto"] / row["full-cached"]) - 1)
    assert told["command"] == f"prompt-router simulate {file} --profiles {root} --profile keeper --tune"


def test_a_gain_is_told_and_needs_no_command(tmp_path: Path, root: Path, run: Run) -> None:
    """An hour between conversations: nothing is warm, and less text costs less. Too few of them to tune by."""
    file = traffic(tmp_path, 8, pause_seconds=3_600)
    last = run("simulate", file, "--profiles", root).stdout.splitlines()[-1]
    assert last.startswith("keeper: a clear gain. auto costs 0.")
    declared = root / "keeper" / "profile.yaml"
    before = declared.read_text()
    result = run("simulate", file, "--profiles", root, "--profile", "keeper", "--tune")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines() == [
        f"{file}: tuning takes 40 conversations of profile 'keeper'; there are 8; record more",
        f"{last}; the untuned rule goes on",
    ]
    assert declared.read_text() == before


def test_one_conversation_shows_nothing(tmp_path: Path, root: Path, run: Run) -> None:
    """However much cheaper it was: that may be chance."""
    file = traffic(tmp_path, 1)
    (told,) = json.loads(run("simulate", file, "--profiles", root, "--json").stdout)["profiles"]
    assert told["versus_full_cached"] < -0.1
    assert (told["shown"], told["command"] is None) == ("unclear", False)
    assert told["sentence"].startswith("keeper: no clear gain, it may be chance. auto costs ")
    assert told["sentence"].endswith(", on 1 conversation")


def test_a_dry_run_writes_nothing(tmp_path: Path, root: Path, run: Run) -> None:
    declared = root / "keeper" / "profile.yaml"
    before = declared.read_text()
    tune = ("simulate", traffic(tmp_path, 8), "--profiles", root, "--profile", "keeper", "--tune", "--dry-run")
    assert run(*tune).stdout.splitlines()[-1] == "nothing written"
    document = json.loads(run(*tune, "--json").stdout)
    assert (document["choice"], document["economics"]["choice"]) == ("full", "full")
    assert declared.read_text() == before


# What the proxy then does


@pytest.fixture
def hook_of(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], PromptRouter]]:
    hooks: list[PromptRouter] = []

    def start() -> PromptRouter:
        settings = load_settings(None, {})
        pipeline = Pipeline(load_profiles(root, len), len, coverage_floor=settings.coverage_floor, gates_cost=True)
        hook = PromptRouter(active_configuration(settings, pipeline))
        hooks.append(hook)
        monkeypatch.setattr(litellm, "callbacks", [hook])
        return hook

    yield start
    for hook in hooks:
        hook.close()


async def dispatched() -> dict[str, Any]:
    """What LiteLLM goes on with after its pre-call hooks."""
    request = json.loads(line(0, PAIRS[0], 1))["request"]
    data = {**request, "metadata": {}, "litellm_call_id": "call-1"}
    key = UserAPIKeyAuth(api_key="0" * 64, key_alias="alpha")
    logging = ProxyLogging(user_api_key_cache=DualCache())
    out: dict[str, Any] = await logging.pre_call_hook(user_api_key_dict=key, data=data, call_type="acompletion")
    return out


async def test_the_hook_leaves_it_alone(
    tmp_path: Path, root: Path, run: Run, hook_of: Callable[[], PromptRouter]
) -> None:
    """Rewritten before, left as it came after; and rewritten again once what selects modules has changed."""
    hook_of()
    assert left_facts((await dispatched())["metadata"])["outcome"] == "rewritten"
    run("simulate", traffic(tmp_path, 8), "--profiles", root, "--profile", "keeper", "--tune")
    hook_of()
    out = await dispatched()
    facts = left_facts(out["metadata"])
    assert (facts["outcome"], facts["reason"]) == ("passthrough", "not_worth_it")
    assert out["messages"][0]["content"] == PROMPT
    editor = ProfileEditor(root / "keeper")
    editor.add_examples({"harbour": ["where may ships stay?"]})
    editor.save()
    hook_of()
    assert left_facts((await dispatched())["metadata"])["reason"] == "not_worth_it"
    declared = root / "keeper" / "profile.yaml"
    declared.write_text(declared.read_text().replace("triggers: [saddle]", "triggers: [saddle, horse]"))
    hook_of()
    assert left_facts((await dispatched())["metadata"])["outcome"] == "rewritten"


# Until when it holds


def left_alone(root: Path, tmp_path: Path, run: Run) -> Path:
    """The folder of the profile, tuned to be left alone."""
    run("simulate", traffic(tmp_path, 8), "--profiles", root, "--profile", "keeper", "--tune")
    assert load_profile(root / "keeper", len).left_alone == "left alone: no gain in simulate on 8 conversations"
    return root / "keeper"


def doctor(run: Run, root: Path) -> tuple[str, str]:
    """What ``doctor`` says of the profile's economics, and what to do."""
    section = {"profiles": str(root), "status_dir": None, "ledger": {"path": None}}
    Path("proxy_config.yaml").write_text(json.dumps({"callback_settings": {"prompt_router": section}}))
    findings = json.loads(run("doctor", "--json").stdout)["findings"]
    (told,) = (each for each in findings if each["check"] == "economics keeper")
    assert told["level"] == "warn"
    return told["text"], told["todo"]


def test_a_fit_ends_it(tmp_path: Path, root: Path, run: Run) -> None:
    """`check` and the profile itself say that the tuning is older than the fit; the gate no longer goes by it."""
    folder = left_alone(root, tmp_path, run)
    check = run("check", "--profiles", root).stdout.splitlines()
    assert check[-1] == "note: keeper: economics: left alone: no gain in simulate on 8 conversations"
    cases = tmp_path / "cases.jsonl"
    rows = ({"text": f"Number {n}: tell me of {name}", "needs": [name]} for n in range(3) for name in SUBJECTS)
    cases.write_text("".join(json.dumps(row) + "\n" for row in rows))
    fit = run("fit", cases, "--profiles", root, "--profile", "keeper")
    assert fit.stdout.splitlines()[-1] == (
        "keeper was tuned before this fit, so its economics don't hold any more:"
        " `prompt-router simulate TRAFFIC.jsonl --profile keeper --tune`"
    )
    profile = load_profile(folder, len)
    assert (profile.left_alone, profile.economics_in_force) == (None, None)
    assert profile.outdated_tuning == "tuned before the last fit"
    warning = (
        "warning: keeper: economics: tuned before the last fit, so it doesn't hold: run `prompt-router simulate"
        " --tune` again"
    )
    assert warning in run("check", "--profiles", root).stdout.splitlines()
    assert doctor(run, root) == (
        "tuned before the last fit, so it doesn't hold",
        "run `prompt-router simulate --tune` again",
    )
    for name in ("router.json", "router.npz"):
        (folder / name).unlink()
    assert load_profile(folder, len).left_alone is not None
    assert doctor(run, root) == (
        "left alone: no gain in simulate on 8 conversations",
        "nothing, or `prompt-router simulate --tune` on newer traffic",
    )


@pytest.mark.parametrize(
    ("old", "new", "outdated"),
    [
        pytest.param('version: "1"', 'version: "2"', "tuned on version 1", id="another version"),
        pytest.param(
            "title: saddle, triggers: [saddle], optional: true",
            "title: saddle, triggers: [saddle]",
            "tuned before modules, their triggers, tools or marks were changed",
            id="a person's mark",
        ),
        pytest.param(
            "file: saddle.txt",
            "file: saddle.txt, requires: [violin]",
            "tuned before modules, their triggers, tools or marks were changed",
            id="a requirement",
        ),
        pytest.param(
            "router: none",
            "router: 0123456789ab",
            "tuned with a fit that is gone",
            id="a fit that is gone",
        ),
        pytest.param("title: saddle", "title: The saddle", None, id="a title selects nothing"),
    ],
)
def test_what_ends_it(old: str, new: str, outdated: str | None, tmp_path: Path, root: Path, run: Run) -> None:
    declared = left_alone(root, tmp_path, run) / "profile.yaml"
    text = declared.read_text()
    assert text.count(old) == 1
    declared.write_text(text.replace(old, new))
    profile = load_profile(root / "keeper", len)
    assert profile.outdated_tuning == outdated
    assert (profile.left_alone is None) == (outdated is not None)
    before = bills(run, traffic(tmp_path, 8), root)
    assert (before["auto"] > before["full-cached"]) == (outdated is not None)


def test_economics_by_hand_hold_and_say_so(root: Path) -> None:
    """Nothing is stated that could have changed."""
    editor = ProfileEditor(root / "keeper")
    editor.set_section("economics", {"choice": "full"})
    editor.save()
    assert load_profile(root / "keeper", len).left_alone == "left alone: its economics say so"


def test_other_cache_prices_are_another_matter(tmp_path: Path, root: Path, run: Run) -> None:
    """What was found for Claude says nothing of a model that reads at half the price; the replay says so again."""
    left_alone(root, tmp_path, run)
    prices = json.dumps(
        {
            "input_usd_per_mtok": 1,
            "cache_read_usd_per_mtok": 0.5,
            "cache_write_5m_usd_per_mtok": 1.25,
            "cache_write_1h_usd_per_mtok": 2,
        }
    )
    result = run("simulate", traffic(tmp_path, 8), "--profiles", root, "--prices", prices, "--json")
    (told,) = json.loads(result.stdout)["profiles"]
    assert "left alone" not in told["sentence"]
    assert told["versus_full_cached"] != 0


# A profile that nobody reviewed


def test_an_unreviewed_profile_is_replayed_as_if_it_were_reviewed_and_that_is_said(
    tmp_path: Path, root: Path, run: Run
) -> None:
    """In the terminal and in JSON, with and without --tune; of a reviewed profile nothing is said."""
    file = traffic(tmp_path, 8)
    tune = ("--profile", "keeper", "--tune", "--dry-run")
    said = "keeper: not reviewed: replayed as if it were; on the wire nothing changes until it is"
    reviewed = bills(run, file, root)
    assert said not in run("simulate", file, "--profiles", root).stdout
    (told,) = json.loads(run("simulate", file, "--profiles", root, "--json").stdout)["profiles"]
    assert (told["reviewed"], told["note"]) == (True, None)
    declared = root / "keeper" / "profile.yaml"
    declared.write_text(declared.read_text().replace("profile: keeper\n", "profile: keeper\nreviewed: false\n"))
    assert bills(run, file, root) == reviewed
    assert said in run("simulate", file, "--profiles", root).stdout.splitlines()
    assert said in run("simulate", file, "--profiles", root, *tune).stdout.splitlines()
    (told,) = json.loads(run("simulate", file, "--profiles", root, "--json").stdout)["profiles"]
    assert (told["reviewed"], told["note"]) == (False, said.removeprefix("keeper: "))
    tuned = json.loads(run("simulate", file, "--profiles", root, *tune, "--json").stdout)
    assert (tuned["reviewed"], tuned["note"]) == (False, said.removeprefix("keeper: "))
