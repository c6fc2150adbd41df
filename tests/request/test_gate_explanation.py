"""The explanation of the cost gate: it never tells of another decision than the gate's, and its figures balance."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litellm_prompt_router.profile.profile import Economics, Profile
from litellm_prompt_router.request.cost_gate import modules_to_send
from litellm_prompt_router.request.expected_use import ExpectedUse
from litellm_prompt_router.request.gate_explanation import GateExplanation, explain_gate, explain_rewrite
from litellm_prompt_router.request.pipeline import Pipeline
from litellm_prompt_router.request.types import Passthrough, Rewritten, Target
from litellm_prompt_router.request.untuned_rule import weigh_against_full
from tests.law_examples import examples
from tests.made_profiles import HARBOUR, PROMPT, TAKES_MARKS, count_words

SIZES = st.integers(0, 4_000)
SHARES = st.one_of(st.none(), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0]))
WRITES = st.one_of(st.none(), st.sampled_from([1.0, 1.25, 2.0]))
TARGETS = st.builds(
    lambda read, write, hour, minimum, key: replace(
        TAKES_MARKS,
        cache_read_share=read,
        cache_write_share=write,
        cache_write_1h_share=hour,
        min_cache_tokens=minimum,
        takes_cache_key=key,
    ),
    SHARES,
    WRITES,
    WRITES,
    st.sampled_from([0, 1_024, 4_096]),
    st.booleans(),
)
EXPECTED = st.builds(
    ExpectedUse,
    declares_tools=st.booleans(),
    calls_per_message=st.sampled_from([1.0, 2.5, 6.0]),
    later_chances=st.one_of(st.none(), st.tuples(*[st.floats(0, 1)] * 6)),
)
MODULES = st.frozensets(st.integers(0, 5))
ECONOMICS = st.one_of(
    st.none(),
    st.builds(
        Economics,
        rewrites=st.booleans(),
        min_dropped=st.sampled_from([0.0, 1.0, 4.0]),
        bundles=st.one_of(st.none(), st.lists(MODULES, max_size=3).map(tuple)),
        read_share=SHARES,
        write_share=WRITES,
    ),
)


def implied(
    explained: GateExplanation, tokens: list[int], economics: Economics | None, is_fitted: bool
) -> frozenset[int] | None:
    """What is sent, by nothing but the rule that the explanation names."""
    every = frozenset(module for module, size in enumerate(tokens) if size) | explained.selected
    match explained.rule:
        case "left_alone" | "no_way" | "everything" | "no_tools" | "low_read_price" | "long_cache":
            return None
        case "may_need_all":
            return every if is_fitted else None
        case "likely":
            return explained.selected | explained.likely
        case "every" | "widened":
            return every
        case "bundle":
            assert economics is not None
            holding = [bundle & every for bundle in economics.bundles or () if bundle >= explained.selected]
            return min(holding, key=lambda bundle: sum(tokens[module] for module in bundle))
        case _:
            return explained.selected


@settings(max_examples=examples(400), deadline=None)
@given(
    economics=ECONOMICS,
    target=TARGETS,
    selected=MODULES,
    tokens=st.lists(SIZES, min_size=6, max_size=6),
    core=SIZES,
    is_hour=st.booleans(),
    is_fitted=st.booleans(),
    expected=EXPECTED,
)
def test_it_agrees_with_the_gate(
    economics: Economics | None,
    target: Target,
    selected: frozenset[int],
    tokens: list[int],
    core: int,
    is_hour: bool,
    is_fitted: bool,
    expected: ExpectedUse,
) -> None:
    """The rule alone implies what the gate sends, and the inequality shown is the one that decided."""
    selected = frozenset(module for module in selected if tokens[module])
    sent = modules_to_send(
        economics, target, selected, tokens, core, is_hour=is_hour, is_fitted=is_fitted, expected=expected
    )
    explained = explain_gate(
        economics, target, selected, tokens, core, is_hour=is_hour, is_fitted=is_fitted, expected=expected
    )
    assert explained.sent == sent == implied(explained, tokens, economics, is_fitted)
    assert sent is None or sent >= selected
    assert explained.full_tokens == core + sum(tokens)
    assert explained.dropped_tokens + explained.selected_tokens == sum(tokens)
    if explained.rule in ("pays", "likely", "may_need_all", "widened", "no_way"):
        assert explained.pays == (explained.rule in ("pays", "likely", "may_need_all"))
    weighed = explained.weighing
    if weighed.cold_tokens is not None:
        read, write = explained.read_share, explained.write_share
        assert weighed.saved == pytest.approx(explained.calls * read * explained.compared_tokens)
        assert weighed.extra == pytest.approx((write - read) * weighed.cold_tokens)


@settings(max_examples=100, deadline=None)
@given(
    target=TARGETS,
    selected=MODULES,
    tokens=st.lists(st.integers(0, 400), min_size=6, max_size=6),
    core=st.integers(0, 2_000),
)
def test_at_the_break_even_it_turns(target: Target, selected: frozenset[int], tokens: list[int], core: int) -> None:
    """One call or token fewer, or a cheaper cached token, and the rule doesn't send the selection."""
    selected = frozenset(module for module in selected if tokens[module])
    explained = explain_gate(None, target, selected, tokens, core)
    turning, optional = explained.break_even, sum(tokens)
    if explained.rule not in ("pays", "widened", "no_way"):
        return
    assert (explained.rule == "pays") <= (turning.calls is not None and turning.calls <= explained.calls)
    if turning.calls is not None:
        saves = {}
        for calls in (turning.calls - 1, turning.calls):
            weighed = weigh_against_full(target, core, explained.selected_tokens, optional, is_hour=False, calls=calls)
            saves[calls] = weighed.saved >= weighed.extra
        assert saves[turning.calls]
        assert turning.calls == 1 or not saves[turning.calls - 1]
    if turning.dropped_tokens is not None:
        parts = [optional - turning.dropped_tokens, turning.dropped_tokens]
        assert explain_gate(None, target, frozenset({0}), parts, core).pays
        if turning.dropped_tokens:
            parts = [parts[0] + 1, parts[1] - 1]
            assert not explain_gate(None, target, frozenset({0}), parts, core).pays
    if turning.read_share is not None:
        dearer = replace(target, cache_read_share=turning.read_share)
        assert explain_gate(None, dearer, selected, tokens, core).pays
        if turning.read_share:
            cheaper = replace(target, cache_read_share=round(turning.read_share - 0.001, 3))
            assert not explain_gate(None, cheaper, selected, tokens, core).pays


TALKS = (
    ("which quay is free?",),
    ("please write an invoice",),
    ("hello",),
    ("which quay is free?", "and the tide table?"),
    ("what about the moon?",),
)


@pytest.mark.parametrize("talk", TALKS, ids=" / ".join)
@pytest.mark.parametrize(
    "tuned",
    [
        pytest.param(HARBOUR, id="untuned"),
        pytest.param(replace(HARBOUR, economics=Economics(rewrites=False)), id="left alone"),
        pytest.param(replace(HARBOUR, economics=Economics(bundles=(frozenset({1, 2}),))), id="a bundle"),
        pytest.param(replace(HARBOUR, economics=Economics(bundles=())), id="every module"),
        pytest.param(
            replace(HARBOUR, economics=Economics(rewrites=False, profile_version="0.1")), id="tuned on another version"
        ),
        pytest.param(replace(HARBOUR, placement="latest"), id="latest"),
        pytest.param(
            replace(HARBOUR, placement="latest", economics=Economics(rewrites=False)), id="latest, left alone"
        ),
    ],
)
@pytest.mark.parametrize(("minimum", "read"), [(0, 0.1), (40, 0.1), (0, 0.9), (10_000, 0.1)])
@pytest.mark.parametrize("has_tools", [True, False])
def test_it_agrees_with_the_pipeline(
    talk: tuple[str, ...], tuned: Profile, minimum: int, read: float, has_tools: bool
) -> None:
    """From what would be sent without the gate it tells what is sent with it."""
    target = replace(TAKES_MARKS, cache_read_share=read, cache_write_share=1.25, min_cache_tokens=minimum)
    tools = [{"type": "function", "function": {"name": "look_up"}}] if has_tools else []
    said = [{"role": "user", "content": text} for text in talk]
    body = {"messages": [{"role": "system", "content": PROMPT}, *said], **({"tools": tools} if tools else {})}
    gated, ungated = (
        Pipeline([tuned], count_words, coverage_floor=0.6, gates_cost=gates).walk(body, "acompletion", lambda: target)
        for gates in (True, False)
    )
    assert isinstance(ungated.outcome, Rewritten)
    explained = explain_rewrite(ungated.outcome, declares_tools=has_tools)
    assert isinstance(gated.outcome, Passthrough) == (explained.sent is None)
    if isinstance(gated.outcome, Rewritten) and explained.sent is not None and explained.rule != "latest":
        late = {module for arrival in gated.outcome.decision.arrivals for module in arrival.modules}
        sent = {tuned.order[id] for id in gated.outcome.decision.modules} - late
        assert explained.sent == {module for module in sent if not tuned.modules[module].always}
    assert (explained.ignored_economics is None) == (tuned.outdated_tuning is None)
    off = explain_rewrite(ungated.outcome, gates_cost=False)
    assert (off.rule, off.sent) == ("off", off.selected)
