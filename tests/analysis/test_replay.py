"""Replays small enough to be billed by hand, and what holds for every replay."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litellm_prompt_router.analysis.simulate import POLICIES, Policy, RecordedCall, Replay, Report, replay, rewrites_of
from litellm_prompt_router.cache_model import BlockReader, MarkedPrefixes, Prices, openai_rules
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.gateway.deployments.translation import ClaudeWire
from litellm_prompt_router.profile.profile import Economics
from tests.cache_model.calls import buckets
from tests.made_profiles import NO_MARKS, TAKES_MARKS, count_words, module, profile

PRICES = Prices(
    input_usd_per_mtok=Decimal(1),
    cache_read_usd_per_mtok=Decimal("0.1"),
    cache_write_5m_usd_per_mtok=Decimal("1.25"),
    cache_write_1h_usd_per_mtok=Decimal(2),
    output_usd_per_mtok=Decimal(5),
)
EXACT = Economics()
"""Tuned: every selection is sent as it is."""
SAMPLE = replace(
    profile(
        module("core", "core " * 20, always=True),
        module("a", "letter " * 10, triggers=("alpha",), optional=True),
        module("b", "number " * 30, triggers=("beta",), tools=("count",), optional=True),
    ),
    economics=EXACT,
)
MODEL = "claude-opus-5"


def replayed(*, takes_marks: bool = True, min_tokens: int = 10) -> Replay:
    target = replace(TAKES_MARKS if takes_marks else NO_MARKS, late_form="message")
    rewrites = rewrites_of([SAMPLE], count_words, target, coverage_floor=0.5)
    reader = BlockReader(count_words)
    if not takes_marks:
        return Replay(rewrites, reader.openai, openai_rules("gpt-4.1"))
    wire = ClaudeWire(MODEL)
    return Replay(rewrites, lambda body: reader.anthropic(wire.body(body)), MarkedPrefixes(min_tokens=min_tokens))


def call(
    at_seconds: float, *messages: tuple[str, str], conversation: str = "c", key: str = "k", line: int = 1
) -> RecordedCall:
    said = [{"role": role, "content": text} for role, text in messages]
    body = {"model": "m", "messages": [{"role": "system", "content": SAMPLE.text}, *said]}
    return RecordedCall(line=line, at_seconds=at_seconds, key=key, conversation=conversation, request=body)


FIRST = ("user", "alpha please")
SECOND = (FIRST, ("assistant", "ok"), ("user", "beta please"))


def run(*calls: RecordedCall) -> Report:
    return replay(calls, replayed(), PRICES, "t")


def test_two_turns_by_hand() -> None:
    """A block costs its words and 4: system 64, core 24, a 14, b 34, user 6, answer 5."""
    report = run(call(0, FIRST), call(10, *SECOND))
    # uncached, read, written
    expected: dict[Policy, tuple[int, int, int]] = {
        "full": ((64 + 6) + (64 + 6 + 5 + 6), 0, 0),
        "full-cached": (0, 70, 70 + 11),
        "latest": (0, 24, (24 + 14 + 6) + (34 + 6 + 5 + 6)),
        "grow": (0, 24, (24 + 14 + 6) + (44 + 6 + 5 + 6)),
        "append": (0, 44, (24 + 14 + 6) + (5 + 6 + 34)),
        "auto": (0, 44, (24 + 14 + 6) + (5 + 6 + 34)),
    }
    assert {r.policy: buckets(r.usage)[:3] for r in report.results} == expected
    assert report["full"].usd == Decimal("0.000151")
    assert report["full-cached"].usd == Decimal("0.00010825")
    assert report["append"].usd == Decimal("0.00011565")
    assert report["append"].usd_per_conversation == report["append"].usd
    assert report["append"].mean_prompt_tokens == (44 + 89) / 2
    assert report.versus_baseline("append") == pytest.approx((115.65 - 108.25) / 108.25)


def test_keys_share_nothing_and_conversations_share_a_prefix() -> None:
    """The second conversation reads what the first wrote, unless another key asks or five minutes have passed."""
    for at_seconds, key, read in ((10.0, "k", 64), (10.0, "other", 0), (300.0, "k", 0)):
        report = run(call(0, FIRST), call(at_seconds, ("user", "alpha again please"), conversation="d", key=key))
        assert report["full-cached"].usage.cache_read_tokens == read
        assert report["full-cached"].conversations == 2


def test_unknown_prompts_go_as_they_came() -> None:
    """Nothing is claimed for calls that we leave alone: no marks, no reads, and the reason is told."""
    stranger = RecordedCall(
        line=1,
        at_seconds=0,
        key="k",
        conversation="c",
        request={"messages": [{"role": "system", "content": "someone else " * 20}, {"role": "user", "content": "hi"}]},
    )
    report = run(stranger)
    assert dict(report["auto"].passed) == {"unrecognised": 1}
    assert buckets(report["auto"].usage) == (44 + 5, 0, 0, 0)
    assert buckets(report["full-cached"].usage) == (0, 0, 49, 0)


def test_cache_keys_part_routed_sets() -> None:
    """OpenAI's cache key is part of the scope: the second set finds nothing of the first one's core."""
    long = "core " * 3_000
    sample = profile(module("core", long, always=True), *SAMPLE.modules[1:])
    target = replace(NO_MARKS, takes_cache_key=True)
    rewrites = rewrites_of([sample], count_words, target, coverage_floor=0.5)
    replaying = Replay(rewrites, BlockReader(count_words).openai, openai_rules("gpt-4.1"))
    reads = []
    for at, text in ((0.0, "alpha please"), (1.0, "beta please"), (2.0, "alpha please")):
        messages = [{"role": "system", "content": sample.text}, {"role": "user", "content": text}]
        one = RecordedCall(line=1, at_seconds=at, key="k", conversation=str(at), request={"messages": messages})
        reads.append({p: billed.usage.cache_read_tokens for p, billed in replaying.account(one).items()})
    assert [read["append"] > 0 for read in reads] == [False, False, True]
    assert [read["full-cached"] > 0 for read in reads] == [False, True, True]


def test_every_line_that_cannot_be_sent() -> None:
    bad: dict[str, Any] = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "nowhere"}}]}
    calls = [call(0, FIRST, line=3), call(1, FIRST, line=4), call(2, FIRST, line=9)]
    for broken in (calls[0], calls[2]):
        broken.request["messages"].append(bad)
    with pytest.raises(ConfigurationError) as error:
        run(*calls)
    assert [problem.partition(" (")[0] for problem in error.value.problems] == [
        "t: line 3: LiteLLM can't send it to the provider",
        "t: line 9: LiteLLM can't send it to the provider",
    ]


# Laws

TEXTS = st.sampled_from(["alpha please", "beta please", "yes", "alpha and beta please", "something else entirely"])


@st.composite
def recordings(draw: st.DrawFn) -> list[RecordedCall]:
    calls: list[RecordedCall] = []
    for number in range(draw(st.integers(1, 3))):
        at = draw(st.floats(0, 600))
        said: list[tuple[str, str]] = []
        for text in draw(st.lists(TEXTS, min_size=1, max_size=5)):
            said.append(("user", text))
            calls.append(call(at, *said, conversation=str(number)))
            said.append(("assistant", "ok"))
            at += draw(st.sampled_from([1.0, 100.0, 299.0, 301.0]))
    return sorted(calls, key=lambda one: one.at_seconds)


@settings(max_examples=40, deadline=None)
@given(recordings(), st.booleans())
def test_laws_of_every_replay(calls: list[RecordedCall], takes_marks: bool) -> None:
    """Buckets sum to the prompt; ``full`` caches nothing; replaying twice gives the same."""
    first = [replayed(takes_marks=takes_marks) for _ in range(2)]
    for one in calls:
        billed, again = (replaying.account(one) for replaying in first)
        assert billed == again
        assert tuple(billed) == POLICIES
        assert buckets(billed["full"].usage)[1:] == (0, 0, 0)
        assert billed["full"].usage.input_tokens == billed["full-cached"].usage.input_tokens
        for usage, _, _ in billed.values():
            assert min(buckets(usage)) >= 0
            assert sum(buckets(usage)) == usage.input_tokens


@settings(max_examples=40, deadline=None)
@given(st.lists(TEXTS, min_size=2, max_size=6))
def test_append_reads_what_the_prefix_law_promises(texts: list[str]) -> None:
    """Within the lifetime, each call of a conversation reads the whole prompt of the one before it."""
    replaying = replayed()
    said: list[tuple[str, str]] = []
    before = 0
    for number, text in enumerate(texts):
        said.append(("user", text))
        usage = replaying.account(call(number * 60.0, *said))["append"].usage
        assert usage.cache_read_tokens >= before
        before = usage.input_tokens
        said.append(("assistant", "ok"))
