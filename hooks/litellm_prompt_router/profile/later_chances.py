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
    return {
        name: (needed + SEEN_BEFOREHAND) / (begun + 2 * SEEN_BEFOREHAND)
        for name, (needed, begun) in later_counts(conversations, modules).items()
        if begun >= MIN_BEGUN
    }


def later_counts(
    conversations: Iterable[Sequence[Collection[Name]]], modules: Collection[Name]
) -> dict[Name, tuple[int, int]]:
    """By module: ``(conversations that need it later, of how many that begin without it)``."""
    needed = dict.fromkeys(modules, 0)
    begun = dict.fromkeys(modules, 0)
    for first, *others in conversations:
        later = {name for needs in others for name in needs}
        for name in modules:
            if name not in first:
                begun[name] += 1
                needed[name] += name in later
    return {name: (needed[name], begun[name]) for name in modules}
