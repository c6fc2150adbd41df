"""A wrong rule in the product's model of caches shows: its estimates no longer are what the emulated provider bills."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from litellm_prompt_router.accounting.rates import rates_of
from litellm_prompt_router.analysis.simulate import RecordedCall
from litellm_prompt_router.cache_model import cache_of
from litellm_prompt_router.cache_model import rules as rule_data
from tests.accounting.comparing import Compared, compared
from tests.emulators.providers import GROUPS
from tests.end_to_end.workbench import PROMPT, TOOLS

pytestmark = [
    pytest.mark.filterwarnings("ignore:Items? .* on TypedDict class:UserWarning"),
    pytest.mark.filterwarnings("ignore:Accessing the 'model_:DeprecationWarning"),
]

FIVE = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}

ACCOUNTING = "litellm_prompt_router.accounting"
Wrong = Callable[[pytest.MonkeyPatch], None]


def conversation(group: str, times: tuple[float, ...]) -> list[RecordedCall]:
    """One that asks anew after each pause; in its second turn 24 tools are called at once.

    The client of a Claude marks the prompt for an hour and its latest message for five minutes.
    """
    is_claude = group == "claude"
    prompt: Any = [{"type": "text", "text": PROMPT, "cache_control": HOUR}] if is_claude else PROMPT
    messages: list[dict[str, Any]] = [{"role": "system", "content": prompt}]
    calls = []
    for number, at_seconds in enumerate(times):
        asked = f"Sum up in/orders.csv by month ({number})"
        latest = [{"type": "text", "text": asked, "cache_control": FIVE}] if is_claude else asked
        body = {"model": group, "messages": [*messages, {"role": "user", "content": latest}], "tools": TOOLS}
        calls.append(RecordedCall(line=number, at_seconds=at_seconds, key="alpha", conversation="c", request=body))
        messages = [*messages, {"role": "user", "content": asked}, *(tools_at_once() if number == 1 else ())]
        messages.append({"role": "assistant", "content": f"Done {number}. " * 100})
    return calls


def tools_at_once() -> list[dict[str, Any]]:
    function = {"name": "load_table", "arguments": json.dumps({"path": "in/orders.csv"})}
    calls = [{"id": f"call_{n}", "type": "function", "function": function} for n in range(24)]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "row " * 50} for call in calls]
    return [{"role": "assistant", "content": None, "tool_calls": calls}, *results]


CLAUDE = (0.0, 100.0, 200.0, 1_000.0, 4_000.0, 8_000.0)
GPT = (0.0, 30.0, 230.0, 1_000.0, 1_310.0)
NEW_GPT = (0.0, 100.0, 1_800.0, 4_000.0)


def lifetime(mark: str, seconds: int) -> Wrong:
    lifetimes: Any = rule_data.LIFETIME_SECONDS
    return lambda patch: patch.setitem(lifetimes, mark, seconds)


def rule(**changed: Any) -> Wrong:
    """Another value of a field of the rules that accounting goes by."""

    def patched(patch: pytest.MonkeyPatch) -> None:
        def wrong(model: Any, **named: Any) -> Any:
            cache = cache_of(model, **named)
            rules = replace(cache.rules, **changed)
            return replace(cache, rules=rules, unsent_rules=rules)

        patch.setattr(f"{ACCOUNTING}.accountant.cache_of", wrong)

    return patched


def price(name: str, factor: float) -> Wrong:
    """The product's price of this bucket."""

    def wrong(*given: Any, **named: Any) -> Any:
        rates = rates_of(*given, **named)
        return None if rates is None else replace(rates, **{name: getattr(rates, name) * Decimal(factor)})

    return lambda patch: patch.setattr(f"{ACCOUNTING}.bill.rates_of", wrong)


async def estimated(folder: Path, group: str, times: tuple[float, ...]) -> list[Compared]:
    return await compared(folder, {group: conversation(group, times)}, settings={"cost_gate": False})


def is_right(calls: list[Compared]) -> bool:
    """To the digit, each call's price too."""
    assert calls
    return all(
        call.estimated_usd == call.true_usd and Decimal(call.record["priced_usd"]) == Decimal(call.record["billed_usd"])
        for call in calls
    )


@pytest.mark.parametrize(("group", "times"), [("claude", CLAUDE), ("gpt", GPT), ("gpt-new", NEW_GPT)])
async def test_the_rules_are_right(tmp_path: Path, group: str, times: tuple[float, ...]) -> None:
    assert group in GROUPS
    assert is_right(await estimated(tmp_path, group, times))


@pytest.mark.parametrize(
    ("group", "times", "wrong"),
    [
        pytest.param("claude", CLAUDE, lifetime("5m", 60), id="five-minutes-are-one"),
        pytest.param("claude", CLAUDE, lifetime("1h", 600), id="an-hour-is-ten-minutes", marks=pytest.mark.full),
        pytest.param("claude", CLAUDE, lifetime("1h", 7_200), id="an-hour-is-two", marks=pytest.mark.full),
        pytest.param("claude", CLAUDE, rule(min_tokens=60_000), id="minimum", marks=pytest.mark.full),
        pytest.param("claude", CLAUDE, rule(lookback_positions=2), id="lookback", marks=pytest.mark.full),
        pytest.param("claude", CLAUDE, rule(joins_tool_runs=False), id="tool-runs"),
        pytest.param("claude", CLAUDE, price("write_5m", 0.8), id="price-of-writes"),
        pytest.param("claude", CLAUDE, price("read", 2), id="price-of-reads", marks=pytest.mark.full),
        pytest.param("gpt", GPT, rule(retention_seconds=60), id="retention"),
        pytest.param("gpt", GPT, rule(retention_seconds=600), id="longer-retention", marks=pytest.mark.full),
        pytest.param("gpt", GPT, rule(interval_tokens=2_048), id="interval", marks=pytest.mark.full),
        pytest.param("gpt", GPT, rule(min_tokens=60_000), id="openais-minimum", marks=pytest.mark.full),
        pytest.param("gpt-new", NEW_GPT, lifetime("30m", 300), id="half-an-hour-is-five-minutes"),
        pytest.param("gpt-new", NEW_GPT, lifetime("30m", 3_600), id="half-an-hour-is-one", marks=pytest.mark.full),
        pytest.param("gpt-new", NEW_GPT, rule(earlier_endings=0, first_explicit=0, latest_explicit=0), id="lookups"),
    ],
)
async def test_a_wrong_one_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group: str, times: tuple[float, ...], wrong: Wrong
) -> None:
    wrong(monkeypatch)
    assert not is_right(await estimated(tmp_path, group, times))
