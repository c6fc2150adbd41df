"""``verify-cache`` against emulated providers: right rules fit, a wrong one is named, and no text is kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from litellm_prompt_router.cli import main, verify_cache_command
from tests.emulators.caching import EmulatedCache, VirtualClock
from tests.emulators.provider_rules import CacheRules, Longest, Marked
from tests.emulators.upstream import Upstream

CLAUDE, GPT = "anthropic/claude-sonnet-4-5", "openai/gpt-4.1"
Altered = Callable[[CacheRules], CacheRules]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "emulated")
    monkeypatch.setenv("OPENAI_API_KEY", "emulated")

    def invoke(*given: object, **options: Any) -> Result:
        return CliRunner().invoke(main, ["verify-cache", *map(str, given)], **options)

    return invoke


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Altered], str]]:
    """The address of an emulated provider whose rules are these, on the command's own clock."""
    clock = VirtualClock()
    monkeypatch.setattr(verify_cache_command, "CLOCK", lambda: clock.now_seconds)
    monkeypatch.setattr(verify_cache_command, "SLEEP", clock.advance)
    with Upstream() as upstream:

        def at(rules: Altered = lambda documented: documented) -> str:
            upstream.caching = EmulatedCache(clock=clock, rules=rules)
            return upstream.url

        yield at


def shorter(seconds: int) -> Altered:
    """Every entry lives for so long."""

    def altered(rules: CacheRules) -> CacheRules:
        if isinstance(rules, Marked):
            return replace(rules, lifetimes=(("5m", seconds), ("1h", seconds)))
        return replace(rules, lifetime=seconds)

    return altered


def larger(tokens: int) -> Altered:
    return lambda rules: replace(rules, least_tokens=tokens)


def nearer(positions: int) -> Altered:
    return lambda rules: replace(rules, lookback=positions) if isinstance(rules, Marked) else rules


def coarser(tokens: int) -> Altered:
    return lambda rules: replace(rules, step_tokens=tokens) if isinstance(rules, Longest) else rules


@pytest.mark.parametrize("model", [CLAUDE, GPT, "openai/gpt-5.6", "deepseek/deepseek-chat"])
def test_documented_rules_fit(run: Callable[..., Result], provider: Any, tmp_path: Path, model: str) -> None:
    """Recorded by calls, and read again from the file."""
    recording = tmp_path / "r.jsonl"
    url = provider() + ("/deepseek" if "deepseek" in model else "")
    made = run("--record", model, "--api-base", url, "--write", recording, "--yes", "--longest-pause", 2_500)
    assert made.exit_code == 0, made.output
    assert "The model fits" in made.stdout
    again = run(recording, "--json")
    assert again.exit_code == 0
    told = json.loads(again.stdout)
    assert told["misplaced_share"] < 0.005
    assert {one["name"] for one in told["classes"]} >= {"first", "within the lifetime", "all"}


@pytest.mark.parametrize(
    ("model", "rules", "named"),
    [
        (CLAUDE, shorter(60), "Rule: lifetime. It fits better if a 5-minute entry that nobody reads lives for"),
        (CLAUDE, larger(8_192), "Rule: minimum. It fits better if prompts are cached from"),
        (CLAUDE, nearer(2), "Rule: lookback. It fits better if an entry is found from"),
        (GPT, shorter(60), "Rule: lifetime. It fits better if an entry that nobody reads lives for"),
        (GPT, coarser(2_048), "tokens"),
        ("openai/gpt-5.6", shorter(60), "a 30-minute entry that nobody reads lives for"),
    ],
    ids=["lifetime", "minimum", "lookback", "openais-lifetime", "step", "breakpoints"],
)
def test_another_rule_is_named(
    run: Callable[..., Result], provider: Any, tmp_path: Path, model: str, rules: Altered, named: str
) -> None:
    recording = tmp_path / "r.jsonl"
    pause = 1_500 if "5.6" in model else 400
    url = provider(rules)
    made = run("--record", model, "--api-base", url, "--write", recording, "--yes", "--longest-pause", pause)
    assert made.exit_code == 1, made.output
    assert "The model doesn't fit" in made.stdout
    assert named in made.stdout
    assert run(recording).exit_code == 1
    assert run(recording, "--tolerance", 1).exit_code == 0


def test_it_says_first_what_it_sends(run: Callable[..., Result], provider: Any, tmp_path: Path) -> None:
    recording = tmp_path / "r.jsonl"
    made = run("--record", CLAUDE, "--api-base", provider(), "--write", recording, input="n\n")
    assert made.exit_code == 1
    assert "calls of made-up text, about" in made.stderr
    assert "at most 0." in made.stderr
    assert not recording.exists()


def call(at: float, text: str, read: int, written: int, *, uncached: int = 10, conversation: str = "c") -> str:
    usage = {
        "prompt_tokens": uncached + read + written,
        "completion_tokens": 3,
        "prompt_tokens_details": {"cached_tokens": read, "cache_creation_tokens": written},
    }
    system = [{"type": "text", "text": "secretive " * 3_000, "cache_control": {"type": "ephemeral"}}]
    messages = [{"role": "system", "content": system}, {"role": "user", "content": text}]
    request = {"model": "claude-sonnet-4-5", "messages": messages}
    line = {"ts": at, "key": "alpha", "conversation": conversation, "request": request, "response": {"usage": usage}}
    return json.dumps(line) + "\n"


def traffic(tmp_path: Path, *calls: str) -> Path:
    path = tmp_path / "traffic.jsonl"
    path.write_text("".join(calls), encoding="utf-8")
    return path


def test_from_captured_traffic(run: Callable[..., Result], tmp_path: Path) -> None:
    """No text, no key and no conversation get into it; two recordings of the same have no fingerprint in common."""
    path = traffic(tmp_path, call(1e9, "one", 0, 6_000), call(1e9 + 60, "two", 6_000, 0), call(2e9, "three", 0, 6_000))
    written = []
    for name in ("a.jsonl", "b.jsonl"):
        made = run("--from", path, "--write", tmp_path / name)
        assert made.exit_code == 0, made.output
        written.append((tmp_path / name).read_text(encoding="utf-8"))
    for text in written:
        assert not any(word in text for word in ("secretive", "alpha", "one", "two", "three"))
        header, *lines = map(json.loads, text.splitlines())
        assert header["model"] == "claude-sonnet-4-5"
        assert [line["at_seconds"] for line in lines] == [0, 60, 1e9]
    prints = [{block[0] for line in text.splitlines()[1:] for block in json.loads(line)["blocks"]} for text in written]
    assert not prints[0] & prints[1]
    assert "after a pause" in made.stdout


def test_nothing_is_checked_where_nothing_is_cached(run: Callable[..., Result], tmp_path: Path) -> None:
    """Canned answers, or prompts without marks, say nothing of a cache."""
    unmarked = call(0, "one", 0, 0).replace(', "cache_control": {"type": "ephemeral"}', "")
    made = run("--from", traffic(tmp_path, unmarked), "--write", tmp_path / "r.jsonl")
    assert "Nothing was checked: no call read or wrote a cache" in made.stdout
    assert "The model fits" not in made.stdout


def test_a_provider_that_keeps_longer(run: Callable[..., Result], tmp_path: Path) -> None:
    path = traffic(tmp_path, call(0, "one", 0, 6_000), call(500, "two", 6_000, 0))
    made = run("--from", path, "--write", tmp_path / "r.jsonl")
    assert made.exit_code == 1
    assert "Of 1 call the provider read more than the model says." in made.stdout
    assert "a 5-minute entry that nobody reads lives for 600 seconds" in made.stdout


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "r.jsonl: not a cache recording; `prompt-router verify-cache --from TRAFFIC --write FILE` makes one"),
        ('{"ts": 1}\n', "r.jsonl: not a cache recording"),
        ('{"cache_recording": 9}\n', "r.jsonl: written in another format; record it again with this version"),
        ('{"cache_recording": 1, "model": "m"}\n', "r.jsonl: line 1: provider: missing; add it"),
    ],
)
def test_files_that_are_none(
    run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, problem: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("r.jsonl").write_text(text, encoding="utf-8")
    told = run("r.jsonl")
    assert told.exit_code == 1
    assert problem in told.stderr
    assert "Traceback" not in told.output


def test_a_broken_line_is_named(run: Callable[..., Result], tmp_path: Path) -> None:
    path = traffic(tmp_path, call(0, "one", 0, 6_000))
    recording = tmp_path / "r.jsonl"
    run("--from", path, "--write", recording)
    header, line = recording.read_text(encoding="utf-8").splitlines()
    broken = json.loads(line)
    broken["usage"]["cache_read_tokens"] = -1
    broken["blocks"][0][5] = ["shiny"]
    recording.write_text("\n".join((header, line, json.dumps(broken), "{")) + "\n", encoding="utf-8")
    told = run(recording)
    assert told.exit_code == 1
    assert "line 3: usage.cache_read_tokens" in told.stderr
    assert "line 4: not valid JSON" in told.stderr


def test_calls_of_no_tokens_are_calls(run: Callable[..., Result], tmp_path: Path) -> None:
    path = traffic(tmp_path, call(0, "one", 0, 6_000))
    recording = tmp_path / "r.jsonl"
    run("--from", path, "--write", recording)
    header, line = recording.read_text(encoding="utf-8").splitlines()
    empty = json.loads(line)
    for block in empty["blocks"]:
        block[1] = 0
    empty["usage"] = dict.fromkeys(empty["usage"], 0)
    recording.write_text(f"{header}\n{json.dumps(empty)}\n", encoding="utf-8")
    told = run(recording)
    assert told.exception is None or isinstance(told.exception, SystemExit)
    assert "Traceback" not in told.output


def test_what_goes_together(run: Callable[..., Result], tmp_path: Path) -> None:
    assert run().exit_code == 2
    assert run("r.jsonl", "--write", "other.jsonl").exit_code == 2
    assert run("--from", "t.jsonl").exit_code == 2
    silent = json.loads(call(0, "one", 0, 1))
    del silent["response"]
    told = run("--from", traffic(tmp_path, json.dumps(silent) + "\n"), "--write", tmp_path / "r.jsonl")
    assert "no call has the usage that came back" in told.stderr
