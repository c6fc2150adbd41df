"""Numbers in sentences."""

from __future__ import annotations


def many(number: int, noun: str) -> str:
    """``1 damaged line``, ``1,200 damaged lines``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
