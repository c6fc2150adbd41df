"""What varies in a recognised prompt, as hashes and places: whose prompts a provider's cache can share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from litellm_prompt_router.record.history_state import digest_of_text
from litellm_prompt_router.request.types import Recognition, Span

REMEMBERED = 256


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptState:
    """``placed`` is what stays where it is in a rewritten prompt, ``varying`` what goes to its end.

    ``*_at_chars``: where in the prompt as it came the first of it stands; None: there is none.
    """

    placed_state: str | None = None
    placed_at_chars: int | None = None
    varying_state: str | None = None
    varying_at_chars: int | None = None
    varying_chars: int | None = None


UNKNOWN_STATE = PromptState()


class _Places(NamedTuple):
    placed: tuple[tuple[int, int], ...]
    varying: tuple[tuple[int, int], ...]


def prompt_state_of(recognition: Recognition, text: str, scope: str) -> PromptState:
    """Of a prompt's slots and of the text that the profile doesn't know. ``scope`` stands for the key."""
    placed, varying = _places(recognition)
    return PromptState(
        placed_state=_state(placed, text, scope),
        placed_at_chars=placed[0][0] if placed else None,
        varying_state=_state(varying, text, scope),
        varying_at_chars=varying[0][0] if varying else None,
        varying_chars=sum([end - start for start, end in varying]),
    )


@lru_cache(maxsize=REMEMBERED)
def _places(recognition: Recognition) -> _Places:
    """As ``compose`` places them: volatile slots and residue behind all that is known go to the end."""
    spans = recognition.spans
    last_known = max((number for number, span in enumerate(spans) if span.kind != "residue"), default=-1)
    found: tuple[list[tuple[int, int]], list[tuple[int, int]]] = ([], [])
    for number, span in enumerate(spans):
        if span.kind != "module" and span.end > span.start:
            found[_is_varying(span) or number > last_known].append((span.start, span.end))
    return _Places(tuple(found[0]), tuple(found[1]))


def _is_varying(span: Span) -> bool:
    return span.slot is not None and span.slot.volatile


def _state(places: tuple[tuple[int, int], ...], text: str, scope: str) -> str | None:
    if not places:
        return None
    return digest_of_text("\0".join([text[start:end] for start, end in places]), scope)
