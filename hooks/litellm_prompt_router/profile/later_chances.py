"""How likely a conversation that begins without a module is to need it later."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TypeVar

Name = TypeVar("Name")
MIN_BEGUN = 5
"""Conversations that begin without the module; of fewer nothing can be told."""
SEEN_BEFOREHAND = 0.5
"""Added to each of the two outcomes (Jeffreys' prior), so that few conversations prove nothing."""


def later_chances(conversations: Iterable[Sequence[Collection[Name]]], modules: Collection[Name]) -> dict[Name, float]:
    """By module, of those of which enough conversations tell. A conversation is what each of its messages needs."""
    begun = dict.fromkeys(modules, 0)
    needed = dict.fromkeys(modules, 0)
    for first, *others in conversations:
        later = {name for needs in others for name in needs}
        for name in modules:
            if name not in first:
                begun[name] += 1
                needed[name] += name in later
    return {
        name: (needed[name] + SEEN_BEFOREHAND) / (count + 2 * SEEN_BEFOREHAND)
        for name, count in begun.items()
        if count >= MIN_BEGUN
    }
