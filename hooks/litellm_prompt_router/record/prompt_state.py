"""What varies in a recognised prompt, as places and hashes: whose prompts a provider's cache can share.

The places are known with the decision. Hashing what stands there takes a millisecond where much of a prompt is unknown,
so it is done when the answer is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from litellm_prompt_router.record.history_state import digest_of_text
from litellm_prompt_router.request.compose import VARYING, homes
from litellm_prompt_router.request.types import Recognition

REMEMBERED = 256


class PromptPlaces(NamedTuple):
    """``placed`` is what stays where it is in a rewritten prompt, ``varying`` what goes to its end.

    Each as ``(start, end)`` in the prompt as it came, in order.
    """

    placed: tuple[tuple[int, int], ...] = ()
    varying: tuple[tuple[int, int], ...] = ()


@lru_cache(maxsize=REMEMBERED)
def places_of(recognition: Recognition) -> PromptPlaces:
    """Of slots, and of text that the profile doesn't know, where composing puts them."""
    found: tuple[list[tuple[int, int]], list[tuple[int, int]]] = ([], [])
    for group, _, _, span in homes(recognition):
        if span.kind != "module" and span.end > span.start:
            found[group == VARYING].append((span.start, span.end))
    return PromptPlaces(tuple(found[0]), tuple(found[1]))


def start_of(places: Sequence[tuple[int, int]]) -> int | None:
    """Where the first of them stands; None: there is none."""
    return places[0][0] if places else None


def state_of(places: Sequence[tuple[int, int]], text: str, scope: str) -> str | None:
    """A hash of what stands there. ``scope`` stands for the key."""
    if not places:
        return None
    return digest_of_text("\0".join([text[start:end] for start, end in places]), scope)
