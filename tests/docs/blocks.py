"""The output blocks of README and docs, generated: ``python -m tests.docs.blocks`` writes them, the tests compare.

A block stands behind a comment ``<!-- generated: NAME -->``; ahead of that the page shows the command it is of.
Names behind the module's name make only those: ``python -m tests.docs.blocks before after``.
"""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import patch

import yaml
from click.testing import CliRunner

from litellm_prompt_router.cache_model import cache_of, deployed_model
from litellm_prompt_router.cache_model.host_caches import HOSTS, UNKNOWN_HOST
from litellm_prompt_router.cache_model.usage import Usage
from litellm_prompt_router.cli import main, verify_cache_command
from litellm_prompt_router.files import bundled_profiles, load_profiles
from litellm_prompt_router.gateway.deployments.capabilities import target_of_model
from litellm_prompt_router.gateway.deployments.translation import ClaudeWire
from litellm_prompt_router.policy.active import pipeline_of
from litellm_prompt_router.policy.settings import Settings
from litellm_prompt_router.profile.tokens import token_counter
from litellm_prompt_router.record.facts import facts_of
from litellm_prompt_router.record.record import Caller, Record
from litellm_prompt_router.request.types import Rewritten
from litellm_prompt_router.telemetry.secret_rules import PASSES
from tests.analysis.report_records import traffic, write
from tests.emulators.caching import EmulatedCache, VirtualClock
from tests.emulators.upstream import Upstream

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
DOCUMENTS = (README, *sorted((ROOT / "docs").glob("*.md")))
SHOWN_CHARS = 44
SHORT = ("--turns", "1", "--calls-per-turn", "3", "--modules", "6", "--core-share", "0.58")
BLOCK = re.compile(r"(<!-- generated: ([\w-]+) -->\n```\w*\n)(.*?)(\n```)", re.DOTALL)


def example() -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """``(request, body on Anthropic's wire, ledger record)`` of one call to claude-sonnet-4-5."""
    count = token_counter()
    profiles = load_profiles(bundled_profiles(), count)
    prompt = next(profile.text for profile in profiles if profile.name == "workbench")
    body = {
        "model": "claude-sonnet-4-5",
        "messages": [
            {"role": "system", "content": prompt},
            {"role": "user", "content": "Sum up in/orders.csv by month and plot it"},
        ],
        "tools": [{"type": "function", "function": {"name": "run_command", "parameters": {"type": "object"}}}],
    }
    target = target_of_model("anthropic/claude-sonnet-4-5")
    pipeline = pipeline_of(Settings(), profiles, count)
    walked = pipeline.walk(copy.deepcopy(body), "acompletion", lambda: target)
    assert isinstance(walked.outcome, Rewritten)
    caller = Caller(
        request_id="5f0c5f3a",
        call_id="a1b2",
        started_seconds=1795392000.0,
        endpoint="acompletion",
        stream=False,
        thread_id=None,
        key_alias="reports-agent",
        key_hash=None,
        team_id=None,
        model_group="claude-sonnet-4-5",
        tool_count=0,
    )
    usage = Usage(
        uncached_input_tokens=212,
        cache_read_tokens=5010,
        cache_write_5m_tokens=0,
        cache_write_1h_tokens=0,
        output_tokens=180,
    )
    record = Record(
        facts=facts_of(caller, "rewrite", walked.outcome, target, decision_us=120),
        finished_seconds=1795392004.2,
        status="success",
        error_type=None,
        model="claude-sonnet-4-5",
        provider="anthropic",
        usage=usage,
        usage_reason=None,
        billed_usd=Decimal("0.004839"),
        billed_reason=None,
        response_cached=False,
    )
    sent = ClaudeWire("anthropic/claude-sonnet-4-5").body(walked.body)
    wire = {name: sent[name] for name in ("model", "tools", "system", "messages")}
    return body, wire, json.loads(record.to_json())


def shortened(value: Any) -> Any:
    """The same JSON with long texts cut and their lengths said."""
    if isinstance(value, str) and len(value) > 2 * SHOWN_CHARS:
        return f"{value[:SHOWN_CHARS]}... ({len(value):,} chars)"
    if isinstance(value, list):
        return [shortened(item) for item in value]
    if isinstance(value, dict):
        return {key: shortened(item) for key, item in value.items()}
    return value


def _lines_of(name: str, items: list[Any]) -> str:
    """A list with an item a line."""
    return f' "{name}": [\n' + ",\n".join(f"  {json.dumps(item, ensure_ascii=False)}" for item in items) + "]"


def before() -> str:
    body = shortened(example()[0])
    return f"{_first_line(body)}\n{_lines_of('messages', body['messages'])}}}"


def after() -> str:
    body = shortened(example()[1])
    lines = ",\n".join(_lines_of(name, body[name]) for name in ("system", "messages"))
    return f"{_first_line(body)}\n{lines}}}"


def _first_line(body: Mapping[str, Any]) -> str:
    """The model and the declared tools: without any an untuned profile leaves the request as it came."""
    return f'{{"model": {json.dumps(body["model"])}, "tools": {json.dumps(body["tools"])},'


def record() -> str:
    shown = "key_alias model profile coverage modules original_chars prompt_chars original_tokens prompt_tokens "
    shown += "breakpoints_added uncached_input_tokens cache_read_tokens cache_write_5m_tokens output_tokens billed_usd"
    full = example()[2]
    lines = []
    for name in [*shown.split(), "list_price_saved_usd", "decision_us"]:
        value = full[name]
        if name == "modules":
            value = [f"{m['id']} ({m['evidence']}{': ' + m['detail'] if m['detail'] else ''})" for m in value]
        lines.append(f' "{name}": {json.dumps(value, ensure_ascii=False)}')
    return "{\n" + ",\n".join(lines) + "\n}"


def settings() -> str:
    """Every setting with its default, as it stands in the proxy's configuration.

    But ``status_dir``, whose default can't be written: null would switch it off.
    """
    defaults = Settings().model_dump(mode="json", exclude={"status_dir"})
    document = {"callback_settings": {"prompt_router": defaults}}
    return yaml.safe_dump(document, sort_keys=False, default_flow_style=None, width=110).strip()


def money() -> str:
    """The two bills at the end of the demo."""
    with tempfile.TemporaryDirectory() as folder:
        printed = run_command("demo", "--out", str(Path(folder) / "out"))
    lines = printed.splitlines()
    end = next(number for number, line in enumerate(lines) if line.startswith("Routing saved "))
    start = next(number for number, line in enumerate(lines) if line.split()[:2] == ["calls", "uncached"])
    return "\n".join(lines[start : end + 1])


def run_command(*arguments: str) -> str:
    """What ``prompt-router`` prints for these arguments."""
    done = subprocess.run(
        [sys.executable, "-m", "litellm_prompt_router.cli", *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return done.stdout.strip()


@dataclass(frozen=True, kw_only=True, slots=True)
class GeneratedBlock:
    """``command``: what a reader types for it, where there is such a thing."""

    make: Callable[[], str]
    command: str | None = None
    is_slow: bool = False


def command(*arguments: str, upto: str | None = None, is_slow: bool = False) -> GeneratedBlock:
    """What ``prompt-router`` prints for these arguments, up to the paragraph that begins with ``upto``."""

    def make() -> str:
        printed = run_command(*arguments)
        return printed if upto is None else printed.split(f"\n\n{upto}")[0]

    shown = " ".join(f'"{each}"' if " " in each else each for each in arguments)
    return GeneratedBlock(make=make, command=f"prompt-router {shown}", is_slow=is_slow)


def report() -> str:
    """What ``prompt-router report`` prints for two weeks of made traffic."""
    with tempfile.TemporaryDirectory() as folder:
        return run_command("report", str(write(Path(folder) / "ledger.jsonl", traffic())), "--by", "key")


def verify_cache() -> str:
    """What ``prompt-router verify-cache`` prints of calls to an emulated provider, without waiting."""
    clock = VirtualClock()
    with (
        tempfile.TemporaryDirectory() as folder,
        Upstream(caching=EmulatedCache(clock=clock)) as upstream,
        patch.object(verify_cache_command, "CLOCK", lambda: clock.now_seconds),
        patch.object(verify_cache_command, "SLEEP", clock.advance),
        patch.object(verify_cache_command, "SALT", lambda: b"the same each time"),
        patch.dict(os.environ, {"ANTHROPIC_API_KEY": "emulated"}),
    ):
        where = ["--write", str(Path(folder) / "recording.jsonl"), "--api-base", upstream.url, "--yes"]
        done = CliRunner().invoke(main, ["verify-cache", "--record", VERIFIED, *where], catch_exceptions=False)
    return done.stdout.strip()


VERIFIED = "anthropic/claude-sonnet-4-5"
CACHED_MODELS = (
    *("anthropic/claude-sonnet-4-6", "bedrock/us.anthropic.claude-opus-4-7", "vertex_ai/claude-opus-4-8"),
    *("openai/gpt-4.1", "openai/gpt-5.5", "openai/gpt-5.6", "azure/gpt-4.1", "azure/gpt-5.6"),
    *("dashscope/qwen3.7-max", "gemini/gemini-2.5-pro", "gemini/gemini-3.8-flash", "vertex_ai/gemini-2.5-pro"),
)
"""Models whose rules have numbers of their own; other hosts have one set of rules each."""


def caches() -> str:
    """Each host's caching rules, with what is taken where nothing is published, and the page they are from."""
    named = {name: cache_of(deployed_model(*name.split("/", 1)[::-1])) for name in CACHED_MODELS}
    by_host = {cache.host: cache for cache in (*HOSTS.values(), UNKNOWN_HOST)}
    rows = [*named.items(), *((None, cache) for cache in by_host.values())]
    return "\n\n".join(
        "\n".join(
            [
                f"{cache.host}{f' ({name})' if name else ''}: {_LABELS[cache.basis]}",
                *textwrap.wrap(cache.says, 110, initial_indent="    ", subsequent_indent="    "),
                *textwrap.wrap(cache.source, 110, initial_indent="    from ", subsequent_indent="    "),
            ]
        )
        for name, cache in rows
    )


def masked() -> str:
    """What capture masks by its own rules, as kinds of secrets."""
    rows = [(rule.kind, rule.what) for group in PASSES for rule in group.rules if rule.what]
    rows += [("card number", "payment cards by issuer, length and check digit")]
    rows += [("field", "the text of a JSON field whose name is one of those: `password`, `api_key`, `cookie`")]
    return "\n".join(
        line
        for kind, what in rows
        for line in textwrap.wrap(what, 110, initial_indent=f"{kind:<18}", subsequent_indent=" " * 18)
    )


_LABELS = {"documented": "modelled", "assumed": "assumed"}
THRESHOLDS = "what other thresholds"
BLOCKS: Mapping[str, GeneratedBlock] = {
    "before": GeneratedBlock(make=before),
    "after": GeneratedBlock(make=after),
    "record": GeneratedBlock(make=record),
    "money": GeneratedBlock(make=money, command="prompt-router demo", is_slow=True),
    "settings": GeneratedBlock(make=settings),
    "evaluate": command("evaluate", upto=THRESHOLDS),
    "heldout": command("evaluate", "modules/workbench/labelled_heldout.jsonl", upto=THRESHOLDS, is_slow=True),
    "simulate": command("simulate", "--synthetic", "--conversations", "300", "--rate", "200", is_slow=True),
    "tuned": command(
        "simulate", "--synthetic", "--tune", "--conversations", "300", "--rate", "2000", *SHORT, is_slow=True
    ),
    "caches": GeneratedBlock(make=caches),
    "masked": GeneratedBlock(make=masked),
    "report": GeneratedBlock(make=report, command="prompt-router report"),
    "verify-cache": GeneratedBlock(
        make=verify_cache, command=f"prompt-router verify-cache --record {VERIFIED} --write recording.jsonl"
    ),
    "route": command("route", "Clean up in/orders.csv and plot revenue by month"),
}


def rendered(document: str, names: Collection[str] = BLOCKS) -> str:
    """The document with these blocks as they are today. Raises KeyError for a block nobody generates."""

    def block(match: re.Match[str]) -> str:
        made = BLOCKS[match[2]]
        return match[1] + made.make() + match[4] if match[2] in names else match[0]

    return BLOCK.sub(block, document)


if __name__ == "__main__":
    for document in DOCUMENTS:
        text = rendered(document.read_text(encoding="utf-8"), sys.argv[1:] or BLOCKS)
        document.write_text(text, encoding="utf-8")
