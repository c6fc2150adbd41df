"""Whether a replay shows a gain: by conversation, by profile, and more than chance."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_prompt_router.analysis.simulate import RecordedCall, Replay, economics_of, replay, rewrites_of
from litellm_prompt_router.analysis.simulate.gain import MIN_CLEAR, GainTally, ProfileGain, Shown, margin_of
from litellm_prompt_router.analysis.simulate.replay import uncached
from litellm_prompt_router.cache_model import BlockReader, openai_rules
from litellm_prompt_router.request.types import Target
from tests.analysis.test_replay import PRICES
from tests.made_profiles import NO_MARKS, count_words, module, profile

SIZES = (100, 20, 3_000, 450, 80, 1_200, 60, 700)
"""Conversations are of any length."""


def gain(full: list[float], ours: list[float]) -> ProfileGain:
    tally = GainTally(PRICES)
    for number, (before, after) in enumerate(zip(full, ours, strict=True)):
        tally.add("p", ("k", str(number)), uncached(int(before * 1_000)), uncached(int(after * 1_000)), None)
    (only,) = tally.gains()
    return only


@pytest.mark.parametrize(
    ("full", "ours", "shown"),
    [
        pytest.param(SIZES, [0.8 * size for size in SIZES], "cheaper", id="each saves a fifth, whatever its length"),
        pytest.param(SIZES, [1.05 * size for size in SIZES], "none", id="each costs more"),
        pytest.param(SIZES, SIZES, "none", id="nothing changes"),
        pytest.param(SIZES, [0.995 * size for size in SIZES], "none", id="less than a hundredth"),
        pytest.param([100] * 8, [10, 180] * 4, "unclear", id="perhaps by chance"),
        pytest.param([100] * 4, [50] * 4, "unclear", id="too few to tell"),
        pytest.param([100] * 5, [50] * 5, "cheaper", id="enough"),
    ],
)
def test_what_is_shown(full: list[float], ours: list[float], shown: Shown) -> None:
    assert gain(full, ours).shown == shown


@given(st.lists(st.tuples(st.integers(1, 10_000), st.integers(0, 12_000)), min_size=1, max_size=30))
def test_only_a_saving_is_clear(bills: list[tuple[int, int]]) -> None:
    full, ours = ([Decimal(each) for each in column] for column in zip(*bills, strict=True))
    share, is_sure = margin_of(full, ours)
    assert share == pytest.approx(float(sum(ours) / sum(full)) - 1)
    assert not is_sure or (share < 0 and len(bills) >= MIN_CLEAR)


def test_each_profile_is_judged_by_its_own_calls() -> None:
    """The profile that costs most comes first; what nobody's profile is counts for none."""
    first, second = (
        profile(
            module("core", f"{name} " * 40, always=True), module("a", "letter " * size, triggers=("alpha",)), name=name
        )
        for name, size in (("small", 40), ("large", 400))
    )
    asked = [first, second, first, None]
    calls = [
        RecordedCall(
            line=number + 1,
            at_seconds=float(number),
            key="k",
            conversation=str(number),
            request={
                "model": "m",
                "messages": [
                    {"role": "system", "content": "nobody's" if one is None else one.text},
                    {"role": "user", "content": "alpha"},
                ],
            },
        )
        for number, one in enumerate(asked)
    ]
    rewrites = rewrites_of([first, second], count_words, NO_MARKS, coverage_floor=0.5)
    report = replay(
        calls, Replay(rewrites, BlockReader(count_words).openai, openai_rules("gpt-4.1")), PRICES, "traffic"
    )
    assert [(one.profile, one.conversations, one.calls) for one in report.gains] == [("large", 1, 1), ("small", 2, 2)]
    recognised = sum((one.full_cached_usd for one in report.gains), Decimal(0))
    assert 0 < recognised < report["full-cached"].usd


def test_what_is_written_names_all_that_it_depends_on() -> None:
    """So that it ends with a fit, a version, a mark, or other prices."""
    target = Target(
        takes_marks=True, min_cache_tokens=0, input_usd_per_token=None, cache_read_share=0.1, cache_write_share=1.25
    )
    tuned = replace(profile(module("core", "word", always=True)), version="7", router="0123456789ab", routing="fed")
    advice = economics_of(gain([100.0] * 6, [104.0] * 6), tuned, target, "claude")
    assert advice.section == {
        "choice": "full",
        "cache_read_share": 0.1,
        "cache_write_share": 1.25,
        "tuned_on": {
            "model": "claude",
            "profile_version": "7",
            "router": "0123456789ab",
            "routing": "fed",
            "conversations": 6,
            "calls": 6,
            "calls_per_conversation": 1.0,
            "full_cached_usd": "0.600000",
            "usd": "0.624000",
            "versus_full_cached": "+4.00%",
        },
    }
    assert not advice.is_gain
    assert advice.sentence == (
        "sample: no gain. auto costs 0.624000 USD where full-cached costs 0.600000 (+4.0%), on 6 conversations"
    )


def test_without_a_fit_there_is_little_to_gain() -> None:
    target = replace(NO_MARKS, cache_read_share=0.5)
    advice = economics_of(gain([100.0] * 6, [100.0] * 6), profile(module("core", "word", always=True)), target, "m")
    assert advice.sentence.endswith("on 6 conversations; there is no fit, without which nearly every module is sent")
