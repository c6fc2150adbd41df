"""What an attempt carries of the body that left: by identity, by what it says, and with other messages behind."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_prompt_router.request.wire.carried import Carried, carried, prompt_text, sent_body

CHAT = {"messages": [{"role": "system", "content": "You route."}, {"role": "user", "content": "Go"}]}
BLOCKS = {
    "system": [{"type": "text", "text": "You "}, {"type": "text", "text": "route."}],
    "messages": [{"role": "user"}],
}
RESPONSES = {"instructions": "You route.", "input": [{"role": "user", "content": "Go"}]}
GEMINI = {"systemInstruction": {"parts": [{"text": "You route."}]}, "contents": [{"role": "user", "parts": []}]}
BODIES: dict[str, dict[str, Any]] = {"chat": CHAT, "messages": BLOCKS, "responses": RESPONSES, "gemini": GEMINI}
MASKED = {"messages": [CHAT["messages"][0], {"role": "user", "content": "***"}]}
OTHER = {"messages": [{"role": "system", "content": "You rout."}, {"role": "user", "content": "Go"}]}
LONGER = {"messages": [*CHAT["messages"], {"role": "assistant", "content": "Half an ans"}]}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_the_same_objects_and_their_copies(body: dict[str, Any]) -> None:
    """With LiteLLM's own parameters beside them."""
    sent = sent_body(body)
    assert prompt_text(body) == "You route."
    for attempt in (body, {**body, "model": "x"}, copy.deepcopy(body), {"model": "without messages"}):
        assert carried(sent, attempt, is_first=False) == "whole"


@pytest.mark.parametrize(
    ("attempt", "is_first", "expected"),
    [
        pytest.param(MASKED, True, "whole", id="edited by another callback"),
        pytest.param(MASKED, False, "prompt", id="other words, later"),
        pytest.param(LONGER, True, "prompt", id="an answer to be continued"),
        pytest.param(LONGER, False, "prompt", id="an answer to be continued, later"),
        pytest.param(OTHER, True, "other", id="another prompt"),
        pytest.param(OTHER, False, "other", id="another prompt, later"),
        pytest.param({"messages": []}, False, "other", id="nothing"),
        pytest.param({"messages": "nonsense"}, False, "other", id="nonsense"),
        pytest.param({"messages": [None, 7]}, False, "other", id="more of it"),
    ],
)
def test_what_others_carry(attempt: dict[str, Any], is_first: bool, expected: Carried) -> None:
    assert carried(sent_body(CHAT), attempt, is_first=is_first) == expected


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["role", "content", "text"]), inner),
    max_leaves=8,
)
bodies = st.dictionaries(st.sampled_from(["messages", "system", "input", "instructions", "contents"]), json_values)


@given(body=bodies, attempt=bodies, is_first=st.booleans())
def test_any_bodies_can_be_compared(body: dict[str, Any], attempt: dict[str, Any], is_first: bool) -> None:
    """Nothing is raised, a copy is the whole, and an attempt that says something else in its prompt never is."""
    sent = sent_body(body)
    assert carried(sent, copy.deepcopy(body), is_first=is_first) == "whole"
    merged = {**body, **{name: attempt[name] for name in body if name in attempt}}
    if prompt_text(merged) != prompt_text(body):
        assert carried(sent, attempt, is_first=is_first) == "other"
