"""Made-up traffic: its shape, its determinism, and figures that can be followed by hand."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litellm_prompt_router.analysis.simulate import POLICIES, Report, Workload, arrivals, simulate_synthetic
from litellm_prompt_router.analysis.simulate.layouts import Layouts
from litellm_prompt_router.analysis.simulate.workload import SyntheticCall
from litellm_prompt_router.cache_model import (
    AutomaticPrefixes,
    BreakpointPrefixes,
    MarkedPrefixes,
    anthropic_rules,
    openai_rules,
)
from litellm_prompt_router.profile.profile import Economics
from litellm_prompt_router.request.types import Target
from tests.analysis.test_replay import PRICES
from tests.cache_model.calls import buckets
from tests.law_examples import examples

SMALL = Workload(conversations=60, turns=3, calls_per_turn=3)
EXACT = Economics()
"""Tuned: every selection is sent as it is."""
APPEND = Target(takes_marks=True, min_cache_tokens=0, input_usd_per_token=None)
"""Without prices the cost gate lets everything pass."""
KEYED = replace(APPEND, takes_cache_key=True)
"""Each routed set goes out under a cache key of its own."""
SIZES = Workload(prompt_tokens=1_000, core_share=0.4, modules=3, spread=0.0, conversations=1)
"""Core 400, three modules of 200."""


def run(workload: Workload) -> Report:
    return simulate_synthetic(workload, arrivals(workload), MarkedPrefixes(), PRICES, APPEND, economics=EXACT)


def arrival(at: float, number: int, selection: int, *, opens: bool = True, is_last: bool = False) -> SyntheticCall:
    added = (10 if number else 0, 20) if opens else (5, 50)
    return SyntheticCall(at, 0, number, 0, opens, selection, added, is_last)


def test_three_calls_by_hand() -> None:
    """First two of three modules, a tool result, then the third module as well."""
    calls = [arrival(0, 0, 0b011), arrival(5, 1, 0b011, opens=False), arrival(9, 2, 0b100, is_last=True)]
    report = simulate_synthetic(SIZES, calls, MarkedPrefixes(min_tokens=1), PRICES, APPEND, economics=EXACT)
    seen = {result.policy: buckets(result.usage)[:3] for result in report.results}
    head, history = 800, 20 + 55 + 30
    assert seen == {
        "full": (3 * 1_000 + 20 + 75 + 105, 0, 0),
        "full-cached": (0, 1_020 + 1_075, 1_000 + history),
        "latest": (0, 820 + 400, head + 75 + (200 + history)),
        "grow": (0, 820 + 400, head + 75 + (600 + history)),
        "append": (0, 820 + 875, head + 75 + (30 + 200)),
        "auto": (0, 820 + 875, head + 75 + (30 + 200)),
    }


def test_three_calls_by_hand_with_openais_breakpoints() -> None:
    """GPT-5.6: written and read at the two stable ends and at the history's; a late message at the very end is not."""
    calls = [arrival(0, 0, 0b011), arrival(5, 1, 0b011, opens=False), arrival(9, 2, 0b100, is_last=True)]
    report = simulate_synthetic(SIZES, calls, BreakpointPrefixes(min_tokens=1), PRICES, KEYED, economics=EXACT)
    seen = {result.policy: buckets(result.usage)[:3] for result in report.results}
    head, history = 800, 20 + 55 + 30
    assert seen == {
        "full": (3 * 1_000 + 20 + 75 + 105, 0, 0),
        "full-cached": (0, 1_020 + 1_075, 1_000 + history),
        # Another routed set is another cache key, and keys share nothing: all of the third call is written.
        "latest": (0, 820, head + 75 + (400 + 200 + history)),
        # The same key; the core is read again, what follows it is written.
        "grow": (0, 820 + 400, head + 75 + (600 + history)),
        "append": (200, 820 + 875, head + 75 + 30),
        "auto": (200, 820 + 875, head + 75 + 30),
    }


def test_sets_without_a_cache_key_share_the_core() -> None:
    """A host that takes no key of ours keeps the core of another set: nothing but the third module is new."""
    calls = [arrival(0, 0, 0b011), arrival(5, 1, 0b100, is_last=True)]
    rules = AutomaticPrefixes(min_tokens=1, interval_tokens=1, reported_step_tokens=1)
    read = [
        simulate_synthetic(SIZES, calls, rules, PRICES, target)["latest"].usage.cache_read_tokens
        for target in (APPEND, KEYED)
    ]
    assert read == [400, 0]


def test_other_conversations_share_the_full_prompt_and_the_core() -> None:
    """What the explicit breakpoints are for: another conversation reads the prompt that the first one wrote."""
    calls = [arrival(0, 0, 0b011, is_last=True), SyntheticCall(5, 1, 0, 0, True, 0b011, (0, 20), True)]
    report = simulate_synthetic(SIZES, calls, BreakpointPrefixes(min_tokens=1), PRICES, KEYED, economics=EXACT)
    assert buckets(report["full-cached"].usage)[:3] == (0, 1_000, 1_020 + 20)
    assert buckets(report["append"].usage)[:3] == (0, 800, 820 + 20)


def test_module_sizes_add_up_to_the_prompt() -> None:
    for seed in range(20):
        workload = Workload(seed=seed, prompt_tokens=10_001, modules=7, spread=1.0)
        assert workload.core_tokens + sum(workload.module_tokens()) == 10_001
    assert SIZES.module_tokens() == (200, 200, 200)


def test_the_traffic_has_its_shape() -> None:
    workload = Workload(conversations=3_000, seed=4)
    calls = arrivals(workload)
    assert [call.at_seconds for call in calls] == sorted(call.at_seconds for call in calls)
    per_conversation = Counter(call.conversation for call in calls)
    turns = Counter(call.conversation for call in calls if call.opens_turn)
    assert fmean(turns.values()) == pytest.approx(5, rel=0.1)
    assert len(calls) / sum(turns.values()) == pytest.approx(6, rel=0.1)
    assert sum(call.is_last for call in calls) == len(per_conversation) == 3_000
    starts = [call.at_seconds for call in calls if call.number == 0]
    assert 3_000 / starts[-1] * 3_600 == pytest.approx(60, rel=0.1)
    popular = [sum(call.selection >> module & 1 for call in calls) for module in (0, 19)]
    assert popular[0] > 2 * popular[1]


@settings(max_examples=examples(15), deadline=None)
@given(
    st.builds(
        Workload,
        conversations=st.integers(1, 30),
        conversations_per_hour=st.sampled_from([1.0, 60.0, 3_000.0]),
        turns=st.sampled_from([1.0, 4.0]),
        calls_per_turn=st.sampled_from([1.0, 5.0]),
        keys=st.integers(1, 3),
        modules=st.integers(1, 12),
        core_share=st.sampled_from([0.0, 0.3, 1.0]),
        tools_tokens=st.sampled_from([0, 2_000]),
        seed=st.integers(0, 9),
    ),
    st.sampled_from(["claude-sonnet-4-5", "gpt-4.1", "gpt-5.6"]),
)
def test_laws(workload: Workload, model: str) -> None:
    """The same workload gives the same figures; buckets sum; ``full`` is the prompt at its list price."""
    rules = anthropic_rules(model) if "claude" in model else openai_rules(model)
    calls = arrivals(workload)
    report = simulate_synthetic(workload, calls, rules, PRICES, APPEND, economics=EXACT)
    assert calls == arrivals(workload)
    assert report == simulate_synthetic(workload, calls, rules, PRICES, APPEND, economics=EXACT)
    assert tuple(result.policy for result in report.results) == POLICIES
    assert report["full"].usage.uncached_input_tokens == report["full-cached"].usage.input_tokens
    assert replace(report["append"], policy="auto") == report["auto"]
    for result in report.results:
        assert result.calls == len(calls)
        assert sum(buckets(result.usage)) == result.usage.input_tokens
        # Selections drawn anew may bring every module; no policy ever sends more than the full prompt.
        assert result.usage.input_tokens <= report["full"].usage.input_tokens


def test_appended_layouts_are_prefixes_of_the_next() -> None:
    """The prefix law, on blocks."""
    layouts = Layouts(SMALL, MarkedPrefixes(), placement="append", admit=lambda selection: selection)
    before: dict[int, list[int]] = {}
    for call in arrivals(SMALL):
        layouts.take(call)
        blocks, _ = layouts.layout("append")
        keys = [block.key for block in blocks]
        known = before.get(call.conversation, [])
        assert keys[: len(known)] == known
        before[call.conversation] = keys


def test_another_seed_is_other_traffic() -> None:
    assert run(SMALL) == run(SMALL)
    assert run(SMALL) != run(replace(SMALL, seed=1))


def test_fine_modules_pay_and_rewriting_every_turn_does_not() -> None:
    """The kind of figures that the placements were chosen by."""
    coarse = run(Workload(modules=4, core_share=0.58, conversations=200))
    fine = run(Workload(conversations=200))
    for report, saves in ((coarse, 0.0), (fine, 0.1)):
        append, latest = report.versus_baseline("append"), report.versus_baseline("latest")
        assert append is not None
        assert latest is not None
        assert append < -saves
        assert append < latest - 0.1


def test_every_problem_at_once() -> None:
    with pytest.raises(ValueError, match="turns") as error:
        Workload(turns=0.5, core_share=1.5, modules=0, conversations_per_hour=0, seed=3)
    assert str(error.value).splitlines() == [
        "turns: must be 1 or more",
        "core_share: must be from 0 to 1",
        "conversations_per_hour: must be more than 0",
        "modules: must be from 1 to 200",
    ]
