"""The walk of a split: structure -> tree -> cut -> slots -> metadata -> draft."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hooks.errors import ConfigurationError
from hooks.onboard.cut import MAX_SHARE, Piece, bounds_of, cut
from hooks.onboard.draft import DEFAULT_VERSION, Draft, DraftModule
from hooks.onboard.lines import read_lines
from hooks.onboard.slugs import slug, unique
from hooks.onboard.tree import grow
from hooks.tokens import token_counter


def split_prompt(
    samples: Sequence[str],
    *,
    name: str,
    tools: Sequence[str] = (),
    target_chars: int | None = None,
    min_chars: int | None = None,
    max_chars: int | None = None,
    max_share: float = MAX_SHARE,
    count_tokens: Callable[[str], int] | None = None,
) -> Draft:
    """A draft profile of the prompt whose versions are ``samples``; joined, it is the first of them.

    ``tools``: names of the tools that requests with this prompt declare. Sizes that aren't given follow from
    the prompt's. Raises ConfigurationError for a prompt without a character.
    """
    if not samples or not samples[0]:
        raise ConfigurationError([f"{name}: the prompt is empty; there is nothing to split"])
    count = count_tokens or token_counter()
    text = samples[0]
    root = grow(text, read_lines(text), count)
    bounds = bounds_of(
        len(text), root.tokens, target_chars=target_chars, min_chars=min_chars, max_chars=max_chars, max_share=max_share
    )
    pieces = cut(text, root, bounds, count)
    titles = [_title(piece, number) for number, piece in enumerate(pieces)]
    ids = unique(f"core/{slug(title) or 'part'}" for title in titles)
    modules = [
        DraftModule(
            id=id,
            file=f"{id}.txt",
            title=title,
            description="",
            always=True,
            reason="doubt",
            requires=(),
            tools=(),
            triggers=(),
            examples=(),
            text=text[piece.start : piece.end],
            chars=piece.chars,
            tokens=piece.tokens,
        )
        for id, title, piece in zip(ids, titles, pieces, strict=True)
    ]
    return Draft(
        name=name,
        version=DEFAULT_VERSION,
        description="",
        prompt=text,
        modules=tuple(modules),
        slots=(),
        proposals=(),
        doubts=(),
        sample_count=len(samples),
    )


def _title(piece: Piece, number: int) -> str:
    titles = piece.nodes[0].titles()
    return titles[-1] if titles else f"Part {number + 1}"
