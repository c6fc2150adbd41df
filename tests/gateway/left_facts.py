"""The facts that our hook left of a request, found by the seal in LiteLLM's metadata bag."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from litellm_prompt_router.gateway import metadata_bag
from litellm_prompt_router.record.record import Facts


def facts_left_in(bag: Mapping[str, Any]) -> Facts:
    """Raises AssertionError where there are none."""
    left = metadata_bag.left_in(bag)
    assert left is not None
    return left.facts


def left_facts(bag: Mapping[str, Any]) -> dict[str, Any]:
    """The facts by name, the caller's under ``caller``."""
    facts = facts_left_in(bag)
    told = {each.name: getattr(facts, each.name) for each in fields(facts)}
    return {**told, "caller": {each.name: getattr(facts.caller, each.name) for each in fields(facts.caller)}}
