"""The cost gate: what a conversation's first turn decides, and that nothing later changes it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from litellm_prompt_router.authoring.check.lint import lint
from litellm_prompt_router.profile.profile import Economics, ObservedUse, Placement
from litellm_prompt_router.request.cost_gate import modules_to_send
from litellm_prompt_router.request.expected_use import (
    CALLS_PER_MESSAGE,
    USUAL,
    ExpectedUse,
    declares_tools,
    expected_use,
)
from litellm_prompt_router.request.pipeline import Pipeline
from litellm_prompt_router.request.types import Passthrough, Rewritten, Target, Turn
from tests.made_profiles import HARBOUR, NO_MARKS, PROMPT, TAKES_MARKS, count_words

CLAUDE = replace(TAKES_MARKS, cache_read_share=0.1, cache_write_share=1.25)
NO_CACHE_PRICES = replace(CLAUDE, cache_read_share=1.0, cache_write_share=1.0)
CHEAP_WRITES = replace(CLAUDE, cache_read_share=0.5, cache_write_share=1.0)
TOKENS = (0, 400, 400, 400, 400, 400, 400, 400, 400, 400, 400)
"""Ten modules of 400 beside a core of 2,000."""
CORE_TOKENS = 2_000
EVERY = frozenset(range(1, 11))


TOOLS = [{"type": "function", "function": {"name": "berth_plan"}}]


def gate(
    target: Target, *selected: int, economics: Economics | None = None, expected: ExpectedUse = USUAL
) -> frozenset[int] | None:
    return modules_to_send(economics, target, frozenset(selected), TOKENS, CORE_TOKENS, expected=expected)


@pytest.mark.parametrize(
    ("target", "selected", "expected"),
    [
        pytest.param(CLAUDE, (1,), {1}, id="a small selection pays"),
        pytest.param(CLAUDE, (), set(), id="the core alone pays"),
        # 5 calls at 0.1 save 0.5 x what is left out; a cold set costs 1.15 x its size more than a warm one.
        pytest.param(CLAUDE, (1, 2, 3), {1, 2, 3}, id="2,800 left out for 1,200"),
        pytest.param(CLAUDE, (1, 2, 3, 4), EVERY, id="2,400 left out for 1,600"),
        pytest.param(CHEAP_WRITES, (1, 2, 3, 4, 5, 6), EVERY, id="less than a third left out"),
        pytest.param(CLAUDE, tuple(EVERY), EVERY, id="everything stays everything"),
        pytest.param(
            replace(CLAUDE, cache_write_share=1.0, cache_read_share=0.5), (1, 2, 3, 4), {1, 2, 3, 4}, id="cheap writes"
        ),
        pytest.param(replace(CLAUDE, takes_cache_key=True), (1, 2), None, id="dear writes, each set under its own key"),
        pytest.param(NO_CACHE_PRICES, (1, 2, 3, 4, 5, 6), {1, 2, 3, 4, 5, 6}, id="no cache price"),
        pytest.param(NO_MARKS, (1, 2, 3), {1, 2, 3}, id="no prices known, a small selection"),
        pytest.param(NO_MARKS, (1, 2, 3, 4), EVERY, id="no prices known, a large one"),
        pytest.param(replace(CLAUDE, cache_read_share=0.05), (1,), None, id="reading costs next to nothing"),
        pytest.param(replace(CLAUDE, cache_lifetime_seconds=86_400), (1,), None, id="kept for a day"),
        pytest.param(replace(CLAUDE, cache_lifetime_seconds=1_800), (1,), {1}, id="kept for half an hour"),
        pytest.param(
            replace(NO_CACHE_PRICES, cache_lifetime_seconds=86_400), (1, 2), {1, 2}, id="kept, but not cheaper for it"
        ),
        pytest.param(replace(CLAUDE, min_cache_tokens=8_000), (1, 2, 3), {1, 2, 3}, id="too short to be cached at all"),
        pytest.param(replace(CLAUDE, min_cache_tokens=2_500), (1,), None, id="only the full prompt can be cached"),
        pytest.param(replace(CLAUDE, min_cache_tokens=2_100), (1, 2), None, id="a core too short to be shared"),
    ],
)
def test_untuned(target: Target, selected: tuple[int, ...], expected: set[int] | None) -> None:
    """By prompt size, share selected, model minimum and prices."""
    assert gate(target, *selected) == expected


@pytest.mark.parametrize(
    ("economics", "selected", "expected"),
    [
        pytest.param(Economics(), (1, 2, 3), {1, 2, 3}, id="exact sets"),
        pytest.param(Economics(min_dropped=9.0), (1,), {1}, id="nine left out for one"),
        pytest.param(Economics(min_dropped=9.1), (1,), EVERY, id="not enough left out"),
        pytest.param(Economics(rewrites=False), (1,), None, id="no rewriting"),
        pytest.param(Economics(bundles=()), (1,), EVERY, id="every module"),
        pytest.param(
            Economics(bundles=(frozenset({1, 2, 3}), frozenset({1, 2}))), (1,), {1, 2}, id="the smallest bundle"
        ),
        pytest.param(Economics(bundles=(frozenset({1, 2}),)), (3,), EVERY, id="no bundle holds it"),
    ],
)
def test_tuned(economics: Economics, selected: tuple[int, ...], expected: set[int] | None) -> None:
    """Prices have no say any more."""
    assert gate(CLAUDE, *selected, economics=economics) == expected
    assert gate(NO_MARKS, *selected, economics=economics) == expected


@pytest.mark.parametrize(
    ("target", "selected", "expected"),
    [
        pytest.param(CLAUDE, tuple(EVERY), None, id="everything"),
        pytest.param(NO_CACHE_PRICES, tuple(EVERY), None, id="everything, no cache price"),
        pytest.param(NO_MARKS, tuple(EVERY), None, id="everything, no prices known"),
        pytest.param(replace(CLAUDE, min_cache_tokens=8_000), tuple(EVERY), None, id="everything, never cached"),
        pytest.param(CLAUDE, (1, 2), {1, 2}, id="a selection that pays"),
        pytest.param(CLAUDE, (1, 2, 3, 4, 5, 6), None, id="one that doesn't"),
    ],
)
@pytest.mark.parametrize("economics", [None, Economics(), Economics(bundles=())], ids=["untuned", "exact", "every"])
def test_without_a_fit(
    economics: Economics | None, target: Target, selected: tuple[int, ...], expected: set[int] | None
) -> None:
    """Every module in another order than the client's is never sent, unless tuning said so of smaller selections."""
    sent = modules_to_send(economics, target, frozenset(selected), TOKENS, CORE_TOKENS, is_fitted=False)
    if economics is None or len(selected) == len(EVERY):
        assert sent == expected
    else:
        assert sent == gate(target, *selected, economics=economics)


@pytest.mark.parametrize("placement", ["append", "grow", "latest"])
def test_what_leaves_nothing_out_goes_as_it_came(placement: Placement) -> None:
    """A prompt whose modules stand in another order than the profile's would otherwise be sent in the profile's."""
    whole = replace(HARBOUR, modules=tuple(replace(each, optional=False) for each in HARBOUR.modules))
    pipeline = Pipeline([whole], count_words, coverage_floor=0.6, gates_cost=True, placement=placement)
    for turns in (1, 3, 5):
        body = {"messages": [{"role": "system", "content": PROMPT}, *TALK[:turns]]}
        walked = pipeline.walk(body, "acompletion", lambda: CLAUDE)
        assert isinstance(walked.outcome, Passthrough)
        assert walked.outcome.reason == "not_worth_it"
        assert walked.body == body


TALK = (
    {"role": "user", "content": "which quay is free?"},
    {"role": "assistant", "content": "The inner one."},
    {"role": "user", "content": "and the tide table?"},
    {"role": "assistant", "content": "High at noon."},
    {"role": "user", "content": "please write an invoice"},
)


def walk(
    economics: Economics | None, turns: int, target: Target = CLAUDE, *, adds_marks: bool = False
) -> Passthrough | Rewritten:
    tuned = replace(HARBOUR, economics=economics)
    pipeline = Pipeline([tuned], count_words, coverage_floor=0.6, gates_cost=True, adds_marks=adds_marks)
    body = {"messages": [{"role": "system", "content": PROMPT}, *TALK[:turns]], "tools": TOOLS}
    return pipeline.walk(body, "acompletion", lambda: target).outcome


def test_a_bundle_is_there_from_the_first_turn() -> None:
    """What a later message needs is not late when the bundle holds it; what it doesn't hold still is."""
    bundle = frozenset({HARBOUR.order["berths"], HARBOUR.order["tides"]})
    for turns in (1, 3, 5):
        outcome = walk(Economics(bundles=(bundle,)), turns)
        assert isinstance(outcome, Rewritten)
        evidence = {e.module: (e.kind, e.late) for e in outcome.decision.selected}
        assert evidence["tides"] == (("bundle", False), ("trigger", False), ("inherited", False))[turns // 2]
        assert [late.turn for late in outcome.composition.late] == ([4] if turns == 5 else [])
        first = "".join(PROMPT[piece.start : piece.end] for piece in outcome.composition.routed)
        assert "Use `berth_plan`" in first
        assert "Use `tide_table`" in first


def test_a_conversation_that_is_left_alone_stays_so() -> None:
    """The reason is told, and so is what would have been needed."""
    for turns in (1, 3, 5):
        outcome = walk(Economics(rewrites=False), turns)
        assert isinstance(outcome, Passthrough)
        assert (outcome.reason, outcome.near, outcome.added_marks) == ("not_worth_it", None, 0)
        assert outcome.decision is not None
        assert "berths" in outcome.decision.modules
        assert ("tides" in outcome.decision.modules) == (turns > 1)


def test_latest_has_no_first_turn_to_go_by() -> None:
    """No bundle takes the place of a selection; but where nothing is to be rewritten nothing is."""
    body = {"messages": [{"role": "system", "content": PROMPT}, TALK[0]]}
    outcomes = []
    for economics in (Economics(bundles=()), Economics(rewrites=False)):
        tuned = replace(HARBOUR, economics=economics, placement="latest")
        pipeline = Pipeline([tuned], count_words, coverage_floor=0.6, gates_cost=True)
        outcomes.append(pipeline.walk(body, "acompletion", lambda: CLAUDE).outcome)
    bundled, left = outcomes
    assert isinstance(bundled, Rewritten)
    assert bundled.decision.modules == ("identity", "berths")
    assert isinstance(left, Passthrough)


def test_other_cache_prices_are_another_matter() -> None:
    """What was tuned where reading costs half counts for nothing where it costs a tenth."""
    full = Economics(rewrites=False, read_share=0.5, write_share=1.0)
    assert gate(CHEAP_WRITES, 1, economics=full) is None
    assert gate(CLAUDE, 1, economics=full) == frozenset({1})
    assert gate(NO_MARKS, 1, economics=full) is None


def test_a_bundle_brings_only_what_is_in_the_prompt() -> None:
    missing = replace(HARBOUR, economics=Economics(bundles=(frozenset({1, 2, 3, 4}),)))
    pipeline = Pipeline([missing], count_words, coverage_floor=0.3, gates_cost=True)
    prompt = PROMPT.replace(HARBOUR.modules[2].text, "")
    body = {"messages": [{"role": "system", "content": prompt}, TALK[0]]}
    outcome = pipeline.walk(body, "acompletion", lambda: CLAUDE).outcome
    assert isinstance(outcome, Rewritten)
    assert "tides" not in outcome.decision.modules


def test_an_hour_costs_more_to_write() -> None:
    """Profiles whose marks last an hour are judged by that price."""
    target = replace(CLAUDE, cache_write_1h_share=2.0)
    five = modules_to_send(None, target, frozenset({1, 2, 3}), TOKENS, CORE_TOKENS)
    assert five == frozenset({1, 2, 3})
    assert modules_to_send(None, target, frozenset({1, 2, 3}), TOKENS, CORE_TOKENS, is_hour=True) == EVERY


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        pytest.param(CLAUDE, 3, id="Claude"),
        pytest.param(replace(CLAUDE, takes_marks=False), 0, id="a provider that caches by itself"),
        pytest.param(
            replace(CLAUDE, injection_points=({"location": "message", "role": "system"},)), 0, id="LiteLLM marks"
        ),
    ],
)
def test_what_is_left_alone_is_marked_where_nobody_marks(target: Target, expected: int) -> None:
    """The text stays; the ends of tools, prompt and history get marks, as the full prompt's good caching would."""
    outcome = walk(Economics(rewrites=False), 1, target, adds_marks=True)
    assert isinstance(outcome, Passthrough)
    assert outcome.added_marks == expected


@pytest.mark.parametrize("placement", ["append", "grow", "latest", None])
@pytest.mark.parametrize("holds", [False, True])
def test_no_placement_changes_what_stands_ahead_of_bound_thinking(holds: bool, placement: Placement | None) -> None:
    """A setting can't make a request fail."""
    pipeline = Pipeline([HARBOUR], count_words, coverage_floor=0.6, placement=placement)
    body = {"messages": [{"role": "system", "content": PROMPT}, *TALK]}
    outcome = pipeline.walk(body, "acompletion", lambda: replace(CLAUDE, holds_to_prefix=holds)).outcome
    assert isinstance(outcome, Rewritten)
    expected = "append" if holds or placement is None else placement
    assert (outcome.placement, bool(outcome.composition.late)) == (expected, expected == "append")


@pytest.mark.parametrize(("tuned", "warned"), [("1", False), ("0.9", True), (None, False)])
def test_check_tells_of_stale_tuning(tuned: str | None, warned: bool) -> None:
    profile = replace(HARBOUR, economics=Economics(profile_version=tuned))
    told = [line for line in lint(profile).warnings if "economics" in line]
    assert bool(told) == warned


def test_a_large_core_is_no_reason_to_leave_a_prompt_alone() -> None:
    """Where too little can be left out every module is sent."""
    core_tokens = 9 * CORE_TOKENS
    assert modules_to_send(None, CLAUDE, frozenset({1}), TOKENS, core_tokens) == EVERY
    assert modules_to_send(None, CLAUDE, frozenset(), TOKENS, core_tokens) == EVERY
    assert modules_to_send(None, CLAUDE, frozenset(), (0, 0), core_tokens) is None


NO_TOOLS = ExpectedUse(declares_tools=False)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        pytest.param(CLAUDE, None, id="Claude"),
        pytest.param(NO_MARKS, None, id="no prices known"),
        pytest.param(CHEAP_WRITES, {1}, id="what is cached costs half"),
        pytest.param(NO_CACHE_PRICES, {1}, id="nothing is cheaper for being cached"),
    ],
)
def test_talk_without_tools(target: Target, expected: frozenset[int] | None) -> None:
    """It stays as it came where a late module costs more than two messages save."""
    assert gate(target, 1, expected=NO_TOOLS) == expected
    assert gate(target, 1, expected=ExpectedUse(calls_per_message=1.4)) == expected
    assert gate(target, 1, economics=Economics(), expected=NO_TOOLS) == frozenset({1})


def test_a_set_that_shares_nothing_has_paid_after_one_message() -> None:
    """Its cache key keeps the core to itself: (1.25 - 0.1) x 2,400 is what 8 calls save at 0.1 x 3,600."""
    keyed = replace(CLAUDE, takes_cache_key=True)
    assert gate(keyed, 1, expected=ExpectedUse(calls_per_message=7.6)) is None
    assert gate(keyed, 1, expected=ExpectedUse(calls_per_message=7.7)) == frozenset({1})
    assert gate(CLAUDE, 1, expected=ExpectedUse(calls_per_message=2.0)) == frozenset({1})


def test_what_is_likely_goes_along() -> None:
    """From the chance on at which writing it late costs more than its absence saves: 5 x 0.1 / 1.15."""
    chances = (0.0, 0.0, 0.43, 0.44, *[0.0] * 7)
    assert gate(CLAUDE, 1, expected=ExpectedUse(later_chances=chances)) == frozenset({1, 3})
    assert gate(CLAUDE, 1, expected=ExpectedUse(later_chances=chances, calls_per_message=2.0)) == EVERY
    assert gate(CLAUDE, 1, expected=ExpectedUse(later_chances=(0.9,) * 11)) == EVERY
    assert gate(CLAUDE, 1, expected=ExpectedUse(later_chances=(0.9,) * 11, calls_per_message=6.0)) == frozenset({1})


def test_a_large_selection_of_a_large_prompt_may_need_all() -> None:
    """Where nobody knows what is needed later; labels or a ledger say better."""
    tokens, core = tuple(size * 12 for size in TOKENS), CORE_TOKENS * 12
    one, two = frozenset({1}), frozenset({1, 2})
    small = (0, *[1_000] * 9, 60_000)
    assert modules_to_send(None, CLAUDE, frozenset({1}), small, core) == frozenset({1})
    assert modules_to_send(None, CLAUDE, one, tokens, core) == EVERY
    assert modules_to_send(None, CLAUDE, two, tokens, core) == EVERY
    known = ExpectedUse(later_chances=(0.0,) * 11)
    assert modules_to_send(None, CLAUDE, two, tokens, core, expected=known) == two
    assert modules_to_send(None, CLAUDE, two, TOKENS, CORE_TOKENS) == two
    assert modules_to_send(None, CLAUDE, two, tokens, core, is_fitted=False) is None


def test_what_is_expected_of_a_profile() -> None:
    """Calls by the ledger; chances by the ledger, too, where no labels tell; unknown modules by the mean."""
    assert expected_use(HARBOUR) == USUAL
    use = ObservedUse(calls_per_message=4.0, later_chances={"berths": 0.2, "tides": 0.4})
    known = expected_use(replace(HARBOUR, economics=Economics(use=use)))
    assert known.calls_per_message == 4.0
    assert known.later_chances is not None
    by_id = dict(zip((module.id for module in HARBOUR.modules), known.later_chances, strict=True))
    assert (by_id["berths"], by_id["tides"]) == (0.2, 0.4)
    assert all(
        by_id[module.id] == (0.0 if module.always else pytest.approx(0.3))
        for module in HARBOUR.modules
        if module.id not in ("berths", "tides")
    )
    nothing = expected_use(replace(HARBOUR, economics=Economics(use=ObservedUse())))
    assert (nothing.calls_per_message, nothing.later_chances) == (CALLS_PER_MESSAGE, None)


@pytest.mark.parametrize(
    ("data", "turns", "expected"),
    [
        pytest.param({}, (), False, id="none"),
        pytest.param({"tools": []}, (Turn(role="user", text="hi"),), False, id="an empty list"),
        pytest.param({"tools": TOOLS}, (), True, id="declared"),
        pytest.param({"mcp_servers": [{}]}, (), True, id="a server's"),
        pytest.param({}, (Turn(role="assistant", text="", tool_calls=("a",)),), True, id="called before"),
        pytest.param({}, (Turn(role="tool", text="1"),), True, id="a result in the history"),
    ],
)
def test_whether_a_conversation_has_tools(data: dict[str, object], turns: tuple[Turn, ...], expected: bool) -> None:
    """A last call without them, which only sums up, doesn't make talk of a tool loop."""
    assert declares_tools(data, turns) == expected


@pytest.mark.parametrize("chances", [None, {"tides": 0.9}, {"tides": 0.1}])
@pytest.mark.parametrize("has_tools", [True, False])
def test_every_call_of_a_conversation_is_decided_alike(chances: dict[str, float] | None, has_tools: bool) -> None:
    """What stands in the system prompt, or that nothing is rewritten, is the same on every call."""
    profile = replace(HARBOUR, economics=Economics(read_share=0.9, use=ObservedUse(later_chances=chances)))
    pipeline = Pipeline([profile], count_words, coverage_floor=0.6, gates_cost=True)
    prompts = set()
    for turns in (1, 3, 5):
        messages = [{"role": "system", "content": PROMPT}, *TALK[:turns]]
        body: dict[str, object] = {"messages": messages, **({"tools": TOOLS} if has_tools else {})}
        outcome = pipeline.walk(body, "acompletion", lambda: CLAUDE).outcome
        prompts.add(outcome.composition.pieces if isinstance(outcome, Rewritten) else outcome.reason)
    assert len(prompts) == 1
    assert (prompts == {"not_worth_it"}) == (not has_tools)
