"""OpenAI's rules, before and from GPT-5.6, each as calls with exact bills.

Sources, checked 2026-11: developers.openai.com/api/docs/guides/prompt-caching (GUIDE) and
developers.openai.com/cookbook/examples/prompt_caching_201 (201).
"""

from __future__ import annotations

import pytest

from litellm_prompt_router.cache_model import (
    AutomaticPrefixes,
    Block,
    BreakpointPrefixes,
    openai_rules,
    takes_breakpoints,
)
from tests.cache_model.calls import Call, block, replay

SYSTEM = block("system", 2_000, section="system")


def user(name: str, tokens: int = 100) -> Block:
    return block(name, tokens, is_ending=True)


def reply(name: str, tokens: int = 50) -> Block:
    return block(name, tokens)


def points(count: int) -> list[Block]:
    """Blocks of 2,000 tokens with an explicit breakpoint each."""
    return [block(f"p{number}", 2_000, "30m") for number in range(count)]


AUTOMATIC = [
    # 201: "automatically for prompts that are 1024 tokens or longer", "in 128 token blocks"
    pytest.param(
        [Call(0, [block("a", 1_023)], (1_023, 0, 0, 0)), Call(1, [block("a", 1_023)], (1_023, 0, 0, 0))],
        id="1023-tokens",
    ),
    pytest.param(
        [Call(0, [block("a", 1_024)], (1_024, 0, 0, 0)), Call(1, [block("a", 1_024)], (0, 1_024, 0, 0))],
        id="1024-tokens",
    ),
    pytest.param(
        [Call(0, [block("a", 1_151)], (1_151, 0, 0, 0)), Call(1, [block("a", 1_151)], (127, 1_024, 0, 0))],
        id="1151-tokens-read-1024",
    ),
    pytest.param(
        [Call(0, [block("a", 1_152)], (1_152, 0, 0, 0)), Call(1, [block("a", 1_152)], (0, 1_152, 0, 0))],
        id="1152-tokens",
    ),
    pytest.param(
        [
            Call(0, [SYSTEM, block("x", 500)], (2_500, 0, 0, 0)),
            Call(1, [SYSTEM, block("y", 500), block("z", 9)], (2_509 - 1_920, 1_920, 0, 0)),
        ],
        id="up-to-the-first-difference",
    ),
    pytest.param(
        [
            Call(0, [block("a", 500), SYSTEM], (2_500, 0, 0, 0)),
            Call(1, [block("b", 500), SYSTEM], (2_500, 0, 0, 0)),
        ],
        id="a-changed-head-shares-nothing",
    ),
    pytest.param(
        [
            Call(0, [SYSTEM], (2_000, 0, 0, 0)),
            Call(1, [SYSTEM, block("x", 600)], (680, 1_920, 0, 0)),
            Call(2, [SYSTEM, block("x", 600)], (40, 2_560, 0, 0)),
        ],
        id="grows-with-the-conversation",
    ),
    # GUIDE: marks are not for these models
    pytest.param(
        [Call(0, [SYSTEM._replace(mark="30m")], (2_000, 0, 0, 0))],
        id="no-write-price",
    ),
    # GUIDE: "around 5 to 10 minutes of inactivity"; the short end
    pytest.param(
        [Call(0, [SYSTEM], (2_000, 0, 0, 0)), Call(300, [SYSTEM], (2_000, 0, 0, 0))],
        id="retention-over",
    ),
    pytest.param(
        [Call(250.0 * n, [SYSTEM], (80, 1_920, 0, 0) if n else (2_000, 0, 0, 0)) for n in range(5)],
        id="retention-refreshed",
    ),
    # GUIDE: prompt_cache_key "separates cache reuse between groups of requests"
    pytest.param(
        [
            Call(0, [SYSTEM], (2_000, 0, 0, 0), scope="a"),
            Call(1, [SYSTEM], (2_000, 0, 0, 0), scope="b"),
            Call(2, [SYSTEM], (80, 1_920, 0, 0), scope="b"),
        ],
        id="keys-share-nothing",
    ),
    pytest.param(
        [
            Call(0, [SYSTEM], (2_000, 0, 0, 0), first_token_seconds=2),
            Call(1, [SYSTEM], (2_000, 0, 0, 0), first_token_seconds=2),
            Call(2, [SYSTEM], (80, 1_920, 0, 0)),
        ],
        id="parallel-requests",
    ),
]


@pytest.mark.parametrize("calls", AUTOMATIC)
def test_automatic_bills(calls: list[Call]) -> None:
    """Before GPT-5.6, every call of the row is billed exactly what the rule says."""
    assert replay(AutomaticPrefixes(), calls) == [call.billed for call in calls]


def test_gpt_5_5_intervals() -> None:
    """GUIDE: GPT-5.5 places its breakpoints every 2,048 tokens and keeps entries around 30 minutes."""
    calls = [
        Call(0, [block("a", 6_000)], (6_000, 0, 0, 0)),
        Call(1_700, [block("a", 6_000)], (1_904, 4_096, 0, 0)),
        Call(1_701, [block("b", 2_000)], (2_000, 0, 0, 0)),
        Call(1_702, [block("b", 2_000)], (2_000, 0, 0, 0)),
    ]
    assert replay(openai_rules("gpt-5.5"), calls) == [call.billed for call in calls]


def test_reports_are_rounded_down() -> None:
    """GUIDE: ``cached_tokens`` of earlier models is rounded down to 128, wherever the breakpoint was."""
    calls = [Call(0, [block("a", 2_100)], (2_100, 0, 0, 0)), Call(1, [block("a", 2_100)], (180, 1_920, 0, 0))]
    assert replay(AutomaticPrefixes(interval_tokens=1_000), calls) == [call.billed for call in calls]


DEVELOPER = SYSTEM._replace(is_ending=True)
MARKED = SYSTEM._replace(mark="30m")

BREAKPOINTS = [
    # GUIDE: "a breakpoint at the end of the latest eligible message"; writes 1.25x, reported exactly
    pytest.param(
        [
            Call(0, [SYSTEM, user("u1")], (0, 0, 2_100, 0)),
            Call(1, [SYSTEM, user("u1"), reply("a1"), user("u2")], (0, 2_100, 150, 0)),
        ],
        id="implicit-grows",
    ),
    pytest.param(
        [
            Call(0, [block("s", 900), user("u1")], (1_000, 0, 0, 0)),
            Call(1, [block("s", 900), user("u1")], (1_000, 0, 0, 0)),
            Call(2, [block("s", 900), user("u2", 124)], (0, 0, 1_024, 0)),
        ],
        id="minimum-1024",
    ),
    # GUIDE, and github.com/openai/codex/issues/35300: an unmarked stable prefix with a changing end is written anew
    pytest.param(
        [
            Call(0, [SYSTEM, user("u1")], (0, 0, 2_100, 0)),
            Call(1, [SYSTEM, user("u2")], (0, 0, 2_100, 0)),
        ],
        id="implicit-reads-no-unmarked-prefix",
    ),
    pytest.param(
        [
            Call(0, [MARKED, user("u1")], (0, 0, 2_100, 0)),
            Call(1, [MARKED, user("u2")], (0, 2_000, 100, 0)),
        ],
        id="explicit-mark-is-shared",
    ),
    # GUIDE: lookup takes in "the endpoint of the initial consecutive block of developer messages"; it is written
    # only where it is the latest eligible message
    pytest.param(
        [
            Call(0, [DEVELOPER], (0, 0, 2_000, 0)),
            Call(1, [DEVELOPER, user("u1")], (0, 2_000, 100, 0)),
        ],
        id="developer-block-is-looked-up",
    ),
    # GUIDE: explicit-only mode: "content after the last selected breakpoint is processed at the uncached rate"
    pytest.param(
        [
            Call(0, [MARKED, block("u1", 100)], (100, 0, 2_000, 0)),
            Call(1, [MARKED, block("u2", 100)], (100, 2_000, 0, 0)),
        ],
        id="explicit-only",
    ),
    pytest.param([Call(0, [SYSTEM, block("u1", 100)], (2_100, 0, 0, 0))], id="explicit-only-without-marks"),
    # GUIDE: "up to 20 earlier eligible message endings"
    pytest.param(
        [
            Call(0, [SYSTEM, user("u0")], (0, 0, 2_100, 0)),
            Call(1, [SYSTEM, *(user(f"u{n}") for n in range(21))], (0, 2_100, 2_000, 0)),
        ],
        id="20-endings-back",
    ),
    pytest.param(
        [
            Call(0, [SYSTEM, user("u0")], (0, 0, 2_100, 0)),
            Call(1, [SYSTEM, *(user(f"u{n}") for n in range(22))], (0, 0, 4_200, 0)),
        ],
        id="21-endings-back",
    ),
    pytest.param(
        [
            Call(0, [DEVELOPER], (0, 0, 2_000, 0)),
            Call(1, [DEVELOPER, *(user(f"u{n}") for n in range(30))], (0, 2_000, 3_000, 0)),
        ],
        id="developer-block-from-afar",
    ),
    # GUIDE: "the first 2 and latest 50 explicit breakpoints"
    pytest.param(
        [
            Call(0, points(2), (0, 0, 4_000, 0)),
            Call(1, points(60), (0, 4_000, 116_000, 0)),
        ],
        id="the-second-explicit-breakpoint-from-afar",
    ),
    pytest.param(
        [Call(0, points(3), (0, 0, 6_000, 0)), Call(1, points(52), (0, 6_000, 98_000, 0))],
        id="the-third-of-52",
    ),
    pytest.param(
        [Call(0, points(3), (0, 0, 6_000, 0)), Call(1, points(53), (0, 4_000, 102_000, 0))],
        id="the-third-of-53",
    ),
    # GUIDE: four writes, the implicit breakpoint being one; of the explicit ones the latest
    pytest.param(
        [
            Call(0, [*(block(f"p{n}", 2_000, "30m") for n in range(4)), user("u1")], (0, 0, 8_100, 0)),
            Call(1, [block("p0", 2_000, "30m"), user("v1")], (0, 0, 2_100, 0)),
            Call(2, [block("p0", 2_000), block("p1", 2_000, "30m"), user("w1")], (0, 4_000, 100, 0)),
        ],
        id="the-latest-three-are-written",
    ),
    # GUIDE: "30 minutes after its most recent write or reuse"
    pytest.param(
        [
            Call(0, [MARKED], (0, 0, 2_000, 0)),
            Call(1_799, [MARKED], (0, 2_000, 0, 0)),
            Call(3_500, [MARKED], (0, 2_000, 0, 0)),
            Call(5_300, [MARKED], (0, 0, 2_000, 0)),
        ],
        id="30-minutes",
    ),
]


@pytest.mark.parametrize("calls", BREAKPOINTS)
def test_breakpoint_bills(calls: list[Call]) -> None:
    """From GPT-5.6, every call of the row is billed exactly what the rule says."""
    assert replay(BreakpointPrefixes(), calls) == [call.billed for call in calls]


@pytest.mark.parametrize(
    ("model", "is_new"),
    [
        ("gpt-4o", False),
        ("gpt-4.1-mini", False),
        ("gpt-5", False),
        ("azure/gpt-5.5-pro", False),
        ("gpt-5.6", True),
        ("openai/gpt-5.6-sol", True),
        ("gpt-6-astra", True),
        ("o3", False),
        ("deepseek-chat", False),
    ],
)
def test_rules_by_model(model: str, is_new: bool) -> None:
    """GUIDE, "Summary of model differences"."""
    assert takes_breakpoints(model) is is_new
    assert isinstance(openai_rules(model), BreakpointPrefixes if is_new else AutomaticPrefixes)
