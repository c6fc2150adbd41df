"""Facts and records: what the ledger line says, and what survives LiteLLM's metadata bag."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from litellm_prompt_router.cache_model.usage import Usage
from litellm_prompt_router.record.facts import NO_LIST_PRICE, facts_of
from litellm_prompt_router.record.record import Caller, Facts, Record
from litellm_prompt_router.request.pipeline import Pipeline
from litellm_prompt_router.request.types import Evidence, Rewritten, Target
from tests.made_profiles import BERTHS, HARBOUR, IDENTITY, PROMPT, TIDES, count_words, module, profile

CALLER = Caller(
    request_id="r1",
    call_id="c1",
    started_seconds=1.5,
    endpoint="acompletion",
    stream=True,
    thread_id=None,
    key_alias="alpha",
    key_hash=None,
    team_id=None,
    model_group="sonnet",
    tool_count=2,
)
PRICED = Target(takes_marks=True, min_cache_tokens=0, input_usd_per_token=Decimal("0.000003"))
UNPRICED = Target(takes_marks=True, min_cache_tokens=0, input_usd_per_token=None)


def facts(
    system: str = PROMPT, text: str = "Which berth is free?", *, target: Target = PRICED, sample: Any = HARBOUR
) -> tuple[Facts, str]:
    """The facts of one walked request, and the system text as it left."""
    body = {"messages": [{"role": "system", "content": system}, {"role": "user", "content": text}]}
    walked = Pipeline([sample], count_words, coverage_floor=0.6).walk(body, "acompletion", lambda: target)
    content = walked.body["messages"][0]["content"]
    out = content if isinstance(content, str) else "".join(block["text"] for block in content)
    return facts_of(CALLER, "rewrite", walked.outcome, target, 42), out


def record(of: Facts, **changes: Any) -> Record:
    made = Record(
        facts=of,
        finished_seconds=2.5,
        status="success",
        error_type=None,
        model="claude-sonnet-4-5",
        provider="anthropic",
        usage=Usage(
            uncached_input_tokens=10,
            cache_read_tokens=20,
            cache_write_5m_tokens=30,
            cache_write_1h_tokens=0,
            output_tokens=5,
        ),
        usage_reason=None,
        billed_usd=Decimal("0.000000123"),
        billed_reason=None,
        response_cached=False,
    )
    return replace(made, **changes)


def test_facts_of_a_rewrite() -> None:
    found, out = facts()
    assert (found.outcome, found.reason, found.profile) == ("rewritten", None, "harbour")
    assert found.modules == (
        Evidence(module="identity", kind="always"),
        Evidence(module="berths", kind="trigger", detail="berth*"),
    )
    assert (found.original_chars, found.prompt_chars) == (len(PROMPT), len(out))
    assert found.original_tokens == count_words(PROMPT)
    assert found.prompt_tokens == count_words(IDENTITY + BERTHS)
    assert (found.breakpoints_added, found.breakpoints_client) == (2, 0)
    assert (found.coverage, found.is_fallback, found.is_drift) == (1.0, False, False)


@pytest.mark.parametrize("text", ["Which berth is free?", "hello", "the tide and the fees"])
def test_prompt_chars_are_those_of_the_prompt_that_left(text: str) -> None:
    """Paragraph breaks that were put in are part of it."""
    bare = profile(
        *(module(m.id, m.text.strip(), always=m.always, triggers=m.triggers) for m in HARBOUR.modules), name="harbour"
    )
    found, out = facts(bare.text, text, sample=bare)
    assert found.prompt_chars == len(out)


def test_list_price_saving_is_exact_and_signed() -> None:
    """Removed tokens at the plain price; with no price, the reason."""
    found, _ = facts()
    removed = count_words(PROMPT) - count_words(IDENTITY + BERTHS)
    assert found.list_price_saved_usd is not None
    assert Decimal(found.list_price_saved_usd) == removed * Decimal("0.000003")
    assert "E" not in found.list_price_saved_usd
    unpriced, _ = facts(target=UNPRICED)
    assert (unpriced.list_price_saved_usd, unpriced.list_price_saved_reason) == (None, NO_LIST_PRICE)


def test_tiny_sums_of_money_are_plain_text() -> None:
    line = json.loads(record(facts()[0], billed_usd=Decimal("1E-9")).to_json())
    assert line["billed_usd"] == "0.000000001"


def test_facts_of_a_passthrough() -> None:
    found, _ = facts("Another agent's prompt altogether.")
    assert (found.outcome, found.reason, found.profile) == ("passthrough", "unrecognised", None)
    assert found.modules == ()
    assert (found.prompt_chars, found.prompt_tokens, found.list_price_saved_usd) == (None, None, None)
    assert not found.is_drift


def test_facts_of_drift() -> None:
    found, _ = facts(IDENTITY + BERTHS + "word " * 200)
    assert (found.outcome, found.reason, found.profile) == ("passthrough", "unrecognised", "harbour")
    assert found.is_drift
    assert found.coverage is not None
    assert 0.2 <= found.coverage < 0.6


@pytest.mark.parametrize(
    ("prompt", "absent", "is_drift"),
    [
        pytest.param(PROMPT, (), False, id="as it is"),
        pytest.param(PROMPT + "\nThe user is in a hurry.", (), False, id="a note"),
        pytest.param(PROMPT + "\n# Pilots\n" + "A pilot boards at the buoy.\n" * 8, (), True, id="a new section"),
        pytest.param(PROMPT.replace(BERTHS, ""), ("berths",), True, id="a section gone"),
        pytest.param(PROMPT.replace(BERTHS, BERTHS[:-9] + "changed.\n"), ("berths",), True, id="a section edited"),
    ],
)
def test_a_prompt_that_moved_on_is_drift_though_it_is_rewritten(
    prompt: str, absent: tuple[str, ...], is_drift: bool
) -> None:
    """Edited, new and missing sections."""
    found, _ = facts(prompt)
    assert (found.outcome, found.absent_modules, found.is_drift) == ("rewritten", absent, is_drift)


def test_shadow_says_what_would_have_left() -> None:
    body = {"messages": [{"role": "system", "content": PROMPT}, {"role": "user", "content": "tide"}]}
    walked = Pipeline([HARBOUR], count_words, coverage_floor=0.6).walk(body, "acompletion", lambda: PRICED)
    assert isinstance(walked.outcome, Rewritten)
    found = facts_of(CALLER, "shadow", walked.outcome, PRICED, 1)
    assert (found.mode, found.outcome) == ("shadow", "shadow")
    assert found.prompt_chars == len(IDENTITY + TIDES)


def test_ledger_line() -> None:
    """One line of plain JSON; unknown is null with a reason beside it."""
    found, _ = facts(text="tide and fees")
    line = record(found).to_json()
    assert "\n" not in line
    row = json.loads(line)
    assert row["request_id"] == "r1"
    assert row["model_group"] == "sonnet"
    assert row["modules"][0] == {"id": "identity", "evidence": "always", "detail": None, "late": False}
    assert line.isascii()
    assert row["module_count"] == 4
    assert row["late_modules"] == []
    assert (row["uncached_input_tokens"], row["cache_read_tokens"], row["cache_write_5m_tokens"]) == (10, 20, 30)
    assert row["billed_usd"] == "0.000000123"
    assert "caller" not in row


def test_unknown_usage_is_null_in_every_bucket() -> None:
    row = json.loads(
        record(facts()[0], usage=None, usage_reason="gone", billed_usd=None, billed_reason="no price").to_json()
    )
    names = [
        name
        for name in row
        if name.endswith("_tokens") and not name.startswith(("original", "prompt", "routing", "history", "tools"))
    ]
    assert len(names) == 10
    assert all(row[name] is None for name in names)
    assert (row["usage_reason"], row["billed_usd"], row["billed_reason"]) == ("gone", None, "no price")


def test_answers_from_the_response_cache_saved_nothing_by_us() -> None:
    row = json.loads(record(facts()[0], response_cached=True).to_json())
    assert row["list_price_saved_usd"] is None
    assert row["list_price_saved_reason"] == "answered from the response cache"


def test_numbers_that_json_has_no_word_for_are_an_error() -> None:
    """``NaN`` in a ledger would break its readers."""
    with pytest.raises(ValueError, match="Out of range float values"):
        record(facts()[0], finished_seconds=float("nan")).to_json()


def test_ledger_line_holds_no_message_and_no_prompt() -> None:
    secret = "berth for the SWORDFISH"
    line = record(facts(f"{PROMPT}\nSWORDFISH", secret)[0]).to_json()
    assert "SWORDFISH" not in line
    assert "harbour office" not in line
