"""Anthropic's rules, each as calls with exact bills.

Source of all rows, checked 2026-11: platform.claude.com/docs/en/build-with-claude/prompt-caching, section in the
row's comment.
"""

from __future__ import annotations

import pytest

from litellm_prompt_router.cache_model import Block, MarkedPrefixes, anthropic_rules
from tests.cache_model.calls import Call, block, filler, marked_at, replay

RULES = MarkedPrefixes(min_tokens=1_000)

SYSTEM = block("system", 2_000, section="system")
MARKED = SYSTEM._replace(mark="5m")
HOUR = SYSTEM._replace(mark="1h")
HI = block("hi", 10)
LOOK = 20


def grown(blocks: int, *marks: int) -> list[Block]:
    """A history of 100-token blocks behind a 1,000-token one, so that each prefix is long enough."""
    return marked_at([block("head", 1_000), *filler(blocks - 1)], *marks)


CASES = [
    # "Cache writes happen only at your breakpoint"; "input_tokens: tokens after the last cache breakpoint"
    pytest.param(
        [Call(0, [MARKED, HI], (10, 0, 2_000, 0)), Call(1, [MARKED, block("yo", 7)], (7, 2_000, 0, 0))],
        id="write-then-read",
    ),
    pytest.param(
        [Call(0, [SYSTEM, HI], (2_010, 0, 0, 0)), Call(1, [SYSTEM, HI], (2_010, 0, 0, 0))],
        id="no-mark-no-cache",
    ),
    pytest.param(
        [Call(0, grown(10, 10), (0, 0, 1_900, 0)), Call(1, grown(10, 5), (500, 0, 1_400, 0))],
        id="nothing-written-ahead-of-the-mark",
    ),
    # "changing any block at or before the breakpoint produces a different hash"
    pytest.param(
        [
            Call(0, [block("tool", 500, section="tools"), MARKED], (0, 0, 2_500, 0)),
            Call(1, [block("loot", 500, section="tools"), MARKED], (0, 0, 2_500, 0)),
        ],
        id="a-changed-tool-changes-all-behind-it",
    ),
    # "Cache limitations": shorter prompts are processed without caching, no error
    pytest.param(
        [Call(0, [block("s", 999, "5m")], (999, 0, 0, 0)), Call(1, [block("s", 999, "5m")], (999, 0, 0, 0))],
        id="below-the-minimum",
    ),
    pytest.param([Call(0, [block("s", 1_000, "5m")], (0, 0, 1_000, 0))], id="at-the-minimum"),
    pytest.param(
        [Call(0, [block("s", 600, "5m"), block("m", 500, "5m"), HI], (10, 0, 1_100, 0))],
        id="a-short-first-mark-is-inert",
    ),
    # "Lookback in a growing conversation": the documented example, turn by turn
    pytest.param(
        [
            Call(0, grown(10, 10), (0, 0, 1_900, 0)),
            Call(1, grown(15, 15), (0, 1_900, 500, 0)),
            Call(2, grown(35, 35), (0, 0, 4_400, 0)),
        ],
        id="documented-example",
    ),
    pytest.param(
        [
            Call(0, grown(10, 10), (0, 0, 1_900, 0)),
            Call(1, grown(15, 15), (0, 1_900, 500, 0)),
            Call(2, grown(35, 15, 35), (0, 2_400, 2_000, 0)),
        ],
        id="documented-example-with-a-second-mark",
    ),
    # "at most 20 positions per breakpoint, counting the breakpoint itself as the first"
    pytest.param(
        [
            Call(0, grown(10, 10), (0, 0, 1_900, 0)),
            Call(1, grown(10 + LOOK - 1, 10 + LOOK - 1), (0, 1_900, 1_900, 0)),
        ],
        id="the-20th-position",
    ),
    pytest.param(
        [Call(0, grown(10, 10), (0, 0, 1_900, 0)), Call(1, grown(10 + LOOK, 10 + LOOK), (0, 0, 3_900, 0))],
        id="the-21st-position",
    ),
    # "a run of consecutive tool_use blocks counts as one position, and so does a run of tool_result blocks"
    pytest.param(
        [
            Call(0, grown(10, 10), (0, 0, 1_900, 0)),
            Call(
                1,
                [
                    *grown(10),
                    *filler(30, start=100, run="tool_use"),
                    *marked_at(filler(30, start=200, run="tool_result"), 30),
                ],
                (0, 1_900, 6_000, 0),
            ),
        ],
        id="parallel-tool-calls-are-two-positions",
    ),
    pytest.param(
        [
            Call(0, grown(10, 10), (0, 0, 1_900, 0)),
            Call(
                1,
                [
                    *grown(10),
                    *(
                        block(f"{run}{n}", 100, "5m" if (n, run) == (9, "tool_result") else None, run=run)
                        for n in range(10)
                        for run in ("tool_use", "tool_result")
                    ),
                ],
                (0, 0, 3_900, 0),
            ),
        ],
        id="ten-sequential-tool-calls-are-twenty",
    ),
    # "Common mistake: Breakpoint on content that changes every request"
    pytest.param(
        [
            Call(0, [SYSTEM, block("noon", 50, "5m")], (0, 0, 2_050, 0)),
            Call(1, [SYSTEM, block("one", 50, "5m")], (0, 0, 2_050, 0)),
        ],
        id="a-mark-on-what-varies-never-reads",
    ),
    # "the cache has a 5-minute lifetime ... refreshed for no additional cost each time the cached content is used"
    pytest.param(
        [Call(0, [MARKED], (0, 0, 2_000, 0)), Call(299.9, [MARKED], (0, 2_000, 0, 0))],
        id="5m-alive",
    ),
    pytest.param(
        [Call(0, [MARKED], (0, 0, 2_000, 0)), Call(300, [MARKED], (0, 0, 2_000, 0))],
        id="5m-over",
    ),
    pytest.param(
        [Call(240.0 * n, [MARKED], (0, 2_000, 0, 0) if n else (0, 0, 2_000, 0)) for n in range(10)],
        id="5m-refreshed-by-reads",
    ),
    pytest.param(
        [
            Call(0, [HOUR], (0, 0, 0, 2_000)),
            Call(3_599, [HOUR], (0, 2_000, 0, 0)),
            Call(7_100, [HOUR], (0, 2_000, 0, 0)),
        ],
        id="1h-refreshed-by-reads",
    ),
    pytest.param(
        [Call(0, [HOUR], (0, 0, 0, 2_000)), Call(3_600, [HOUR], (0, 0, 0, 2_000))],
        id="1h-over",
    ),
    pytest.param(
        [
            Call(0, grown(10, 10), (0, 0, 1_900, 0)),
            Call(200, grown(15, 15), (0, 1_900, 500, 0)),
            Call(400, [*grown(10), block("other", 100, "5m")], (0, 1_900, 100, 0)),
        ],
        id="an-entry-found-by-the-lookback-is-refreshed",
    ),
    # "Mixing different TTLs": A read, B - A written for an hour, C - B for five minutes
    pytest.param(
        [Call(0, [HOUR, block("m", 300, "5m"), HI], (10, 0, 300, 2_000))],
        id="mixed-nothing-cached",
    ),
    pytest.param(
        [
            Call(0, [HOUR, HI], (10, 0, 0, 2_000)),
            Call(1, [HOUR, block("m", 300, "5m"), HI], (10, 2_000, 300, 0)),
            Call(2, [HOUR, block("m", 300, "5m"), block("n", 40, "5m")], (0, 2_300, 40, 0)),
        ],
        id="mixed-system-cached",
    ),
    pytest.param(
        [
            Call(0, [HOUR, block("m", 300, "5m")], (0, 0, 300, 2_000)),
            Call(400, [HOUR, block("m", 300, "5m")], (0, 2_000, 300, 0)),
        ],
        id="mixed-the-short-one-over",
    ),
    # "a cache entry only becomes available after the first response begins"
    pytest.param(
        [
            Call(0, [MARKED], (0, 0, 2_000, 0), first_token_seconds=2),
            Call(1, [MARKED], (0, 0, 2_000, 0), first_token_seconds=2),
            Call(2, [MARKED], (0, 2_000, 0, 0), first_token_seconds=2),
        ],
        id="parallel-requests-all-write",
    ),
    # "The lifetime is measured from the start of the request"
    pytest.param(
        [
            Call(0, [MARKED], (0, 0, 2_000, 0), first_token_seconds=100),
            Call(300, [MARKED], (0, 0, 2_000, 0)),
        ],
        id="from-the-start-of-the-request",
    ),
    # "Cache storage and sharing"
    pytest.param(
        [
            Call(0, [MARKED], (0, 0, 2_000, 0), scope="a"),
            Call(1, [MARKED], (0, 0, 2_000, 0), scope="b"),
            Call(2, [MARKED], (0, 2_000, 0, 0), scope="a"),
        ],
        id="workspaces-share-nothing",
    ),
]

CHOICES = [
    # Not documented; see the head of cache_model/prefix_cache.py.
    pytest.param(
        [
            Call(0, [MARKED, block("m", 300, "5m")], (0, 0, 2_300, 0)),
            Call(200, [MARKED, block("m", 300, "5m")], (0, 2_300, 0, 0)),
            Call(400, [MARKED, block("n", 300)], (300, 2_000, 0, 0)),
        ],
        id="a-mark-ahead-of-the-hit-keeps-its-entry-alive",
    ),
    pytest.param(
        [
            Call(0, [SYSTEM, block("m", 300, "5m")], (0, 0, 2_300, 0)),
            Call(1, [MARKED, block("m", 300, "5m")], (0, 2_300, 0, 0)),
            Call(2, [MARKED, block("n", 300)], (300, 2_000, 0, 0)),
        ],
        id="a-mark-ahead-of-the-hit-adds-an-entry",
    ),
    pytest.param(
        [Call(0, [MARKED], (0, 0, 2_000, 0)), Call(1, [HOUR], (0, 2_000, 0, 0)), Call(301, [HOUR], (0, 0, 0, 2_000))],
        id="an-hour-mark-does-not-lengthen-a-5m-entry",
    ),
    pytest.param(
        [
            Call(0, [HOUR], (0, 0, 0, 2_000), first_token_seconds=2),
            Call(1, [MARKED], (0, 0, 2_000, 0), first_token_seconds=2),
            Call(400, [MARKED], (0, 2_000, 0, 0)),
        ],
        id="of-two-writes-at-once-the-longer-lifetime-stays",
    ),
    pytest.param(
        [
            Call(0, [SYSTEM, block("m", 300, "5m")], (0, 0, 2_300, 0)),
            Call(1, [HOUR, block("m", 300, "5m")], (0, 2_300, 0, 0)),
            Call(302, [HOUR], (0, 0, 0, 2_000)),
        ],
        id="an-entry-added-for-nothing-lives-no-longer-than-what-was-read",
    ),
]


@pytest.mark.parametrize("calls", [*CASES, *CHOICES])
def test_bills(calls: list[Call]) -> None:
    """Every call of the row is billed exactly what the rule says."""
    assert replay(RULES, calls) == [call.billed for call in calls]


def test_tool_runs_count_one_by_one_elsewhere() -> None:
    """Where a platform doesn't join runs, a burst of parallel tool calls loses the earlier entry."""
    calls = [
        Call(0, grown(10, 10), (0, 0, 1_900, 0)),
        Call(1, [*grown(10), *marked_at(filler(20, start=100, run="tool_result"), 20)], (0, 0, 3_900, 0)),
    ]
    rules = MarkedPrefixes(min_tokens=1_000, joins_tool_runs=False)
    assert replay(rules, calls) == [call.billed for call in calls]


@pytest.mark.parametrize(
    ("model", "min_tokens"),
    [
        ("claude-opus-5", 512),
        ("claude-opus-5-5-20260930", 512),
        ("claude-fable-5-1", 512),
        ("claude-mythos-5", 512),
        ("claude-sonnet-5-5", 512),
        ("claude-haiku-5-5", 512),
        ("claude-opus-4-8", 1_024),
        ("claude-sonnet-5", 1_024),
        ("anthropic/claude-sonnet-4-5-20250929", 1_024),
        ("claude-opus-4-20250514", 1_024),
        ("claude-opus-4-7", 2_048),
        ("claude-mythos-preview", 2_048),
        ("claude-3-5-haiku-20241022", 2_048),
        ("claude-opus-4-6", 4_096),
        ("us.anthropic.claude-opus-4-5-20251101-v1:0", 4_096),
        ("claude-haiku-4-5", 4_096),
        ("something-new", 1_024),
    ],
)
def test_minimum_by_model(model: str, min_tokens: int) -> None:
    """ "Cache limitations": the minimum cacheable prompt length."""
    assert anthropic_rules(model).min_tokens == min_tokens
