"""The output blocks of README and docs, generated: ``python -m tests.docs.blocks`` writes them, the tests compare.

A block stands behind a comment ``<!-- generated: NAME -->``.
"""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from litellm_prompt_router.cache_model.usage import Usage
from litellm_prompt_router.files import bundled_profiles, load_profiles
from litellm_prompt_router.gateway.deployments.capabilities import target_of_model
from litellm_prompt_router.gateway.deployments.translation import ClaudeWire
from litellm_prompt_router.policy.active import pipeline_of
from litellm_prompt_router.policy.settings import Settings
from litellm_prompt_router.profile.tokens import token_counter
from litellm_prompt_router.record.facts import facts_of
from litellm_prompt_router.record.record import Caller, Record
from litellm_prompt_router.request.types import Rewritten
from tests.analysis.report_records import traffic, write

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
    wire = {name: sent[name] for name in ("model", "system", "messages")}
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


def before() -> str:
    return json.dumps(shortened(example()[0]), indent=1)


def after() -> str:
    return json.dumps(shortened(example()[1]), indent=1)


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


def command(*arguments: str) -> Callable[[], str]:
    """What ``prompt-router`` prints for these arguments."""

    def run() -> str:
        done = subprocess.run(
            [sys.executable, "-m", "litellm_prompt_router.cli", *arguments],
            cwd=ROOT, capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        return done.stdout.strip()

    return run


def report(*arguments: str) -> Callable[[], str]:
    """What ``prompt-router report`` prints for two weeks of made traffic."""

    def run() -> str:
        with tempfile.TemporaryDirectory() as folder:
            return command("report", str(write(Path(folder) / "ledger.jsonl", traffic())), *arguments)()

    return run


def upto(run: Callable[[], str], end: str) -> Callable[[], str]:
    return lambda: run().split(f"\n\n{end}")[0]


BLOCKS: Mapping[str, Callable[[], str]] = {
    "before": before,
    "after": after,
    "record": record,
    "evaluate": upto(command("evaluate"), "what other thresholds"),
    "heldout": upto(command("evaluate", "modules/workbench/labelled_heldout.jsonl"), "what other thresholds"),
    "simulate": command("simulate", "--synthetic", "--conversations", "300", "--rate", "200"),
    "tuned": command("simulate", "--synthetic", "--tune", "--conversations", "300", "--rate", "2000", *SHORT),
    "report": report("--by", "key"),
    "route": command("route", "Clean up in/orders.csv and plot revenue by month"),
}


def rendered(document: str) -> str:
    """The document with every generated block as it is today. Raises KeyError for a block nobody generates."""
    return BLOCK.sub(lambda match: match[1] + BLOCKS[match[2]]() + match[4], document)


if __name__ == "__main__":
    for document in DOCUMENTS:
        document.write_text(rendered(document.read_text(encoding="utf-8")), encoding="utf-8")
