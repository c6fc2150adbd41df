"""Requests in flight that several calls share, and what an attempt carried in place of what left."""

from __future__ import annotations

from typing import Any

from litellm_prompt_router.accounting.in_flight import InFlightRequests

ORIGINAL: dict[str, Any] = {"messages": [{"role": "system", "content": "all of it"}, {"role": "user", "content": "go"}]}
REWRITTEN: dict[str, Any] = {"messages": [{"role": "system", "content": "some"}, {"role": "user", "content": "go"}]}
OTHER: dict[str, Any] = {"messages": [{"role": "user", "content": "another thing"}], "model": "m"}


def kept() -> InFlightRequests:
    requests = InFlightRequests()
    requests.put("r", "acompletion", ORIGINAL, REWRITTEN, 1.0, is_sent=True)
    return requests


def test_each_call_takes_its_own() -> None:
    """And nothing is left behind, in number or size."""
    requests = kept()
    requests.share("r", "s")
    requests.share("nobody", "t")
    for name in ("s", "r"):
        packed = requests.take(name)
        assert packed is not None
        assert packed.unpacked().rewritten == REWRITTEN
    assert requests.take("t") is None
    assert (len(requests), requests.size_bytes, requests.dropped) == (0, 0, 0)


def test_an_attempt_with_another_body_was_not_changed() -> None:
    requests = kept()
    requests.share("r", "attempt")
    requests.change("attempt", original=OTHER)
    requests.change("nobody", original=OTHER)
    changed, left = requests.take("attempt"), requests.take("r")
    assert changed is not None
    assert left is not None
    assert (changed.unpacked().original, changed.unpacked().rewritten) == ({"messages": OTHER["messages"]}, None)
    assert (left.unpacked().original, left.unpacked().rewritten) == (ORIGINAL, REWRITTEN)
    assert requests.size_bytes == 0


def test_an_attempt_that_is_marked_otherwise() -> None:
    requests = kept()
    plain = {"messages": [{"role": "system", "content": "some"}]}
    requests.change("r", rewritten=plain)
    changed = requests.take("r")
    assert changed is not None
    assert (changed.unpacked().original, changed.unpacked().rewritten) == (ORIGINAL, plain)
    assert changed.is_sent
