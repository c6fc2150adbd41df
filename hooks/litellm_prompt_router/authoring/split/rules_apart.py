"""Sections that every request needs, cut off from the pieces that they stand in: the rest may be left out then."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from litellm_prompt_router.authoring.split.draft import SlottedPrompt
from litellm_prompt_router.authoring.split.essential_text import first_essential
from litellm_prompt_router.authoring.split.pieces import PromptPiece, without_blanks
from litellm_prompt_router.authoring.split.roles import role_of
from litellm_prompt_router.authoring.split.tree import Node

MIN_ESSENTIAL_CHARS = 40
"""A section smaller than this stays where it is: its text might be found elsewhere too."""

_Unit = tuple[Node, ...]


def with_rules_apart(prompt: SlottedPrompt, pieces: Sequence[PromptPiece], min_chars: int) -> list[PromptPiece]:
    """The pieces, those that hold both cut where sections that every request needs meet others.

    Nothing smaller than ``min_chars`` is set free, no section is cut through, and none is a slot alone.
    """
    return without_blanks(prompt, [part for piece in pieces for part in _parts(prompt, piece, min_chars)])


def _parts(prompt: SlottedPrompt, piece: PromptPiece, min_chars: int) -> Iterable[PromptPiece]:
    units: list[_Unit] = []
    for unit in (unit for node in piece.nodes for unit in _sections(node)):
        if units and (prompt.is_inside(unit[0].start) or unit[0].kind == "closing" or _is_bare_heading(units[-1])):
            units[-1] = (*units[-1], *unit)
        else:
            units.append(unit)
    flagged = [(number == 0 == piece.start or _is_essential(prompt, unit), unit) for number, unit in enumerate(units)]
    grouped = groupby(flagged, key=lambda each: each[0])
    runs = [(flag, [node for _, unit in run for node in unit]) for flag, run in grouped]
    runs = [(flag or _chars(nodes) < min_chars, nodes) for flag, nodes in runs]
    is_tiny = any(flag and _chars(nodes) < MIN_ESSENTIAL_CHARS for flag, nodes in runs)
    if is_tiny or len({flag for flag, _ in runs}) == 1:
        yield piece
        return
    for _, run in groupby(runs, key=lambda each: each[0]):
        yield PromptPiece(nodes=tuple(node for _, nodes in run for node in nodes), is_block=piece.is_block)


def _sections(node: Node) -> Iterable[_Unit]:
    """The sections inside a section, each with what stands in it before further ones."""
    if node.kind != "section" or not any(child.kind == "section" for child in node.children):
        yield (node,)
        return
    own: list[Node] = []
    for child in node.children:
        if child.kind == "section":
            if own:
                yield tuple(own)
            own = []
            yield from _sections(child)
        else:
            own.append(child)
    if own:
        yield tuple(own)


def _is_essential(prompt: SlottedPrompt, unit: _Unit) -> bool:
    start, end = unit[0].start, unit[-1].end
    holder = unit[0].parent if unit[0].kind == "heading" else unit[0]
    own = [holder.title] if holder is not None and holder.title else []
    enclosing = [node.title for node in unit[0].ancestors() if node.title]
    text = prompt.literal(start, end)
    has_slot = prompt.file_text(start, end) != text
    if has_slot or role_of(own, [], text, is_first=False) is not None:
        return True
    return first_essential(text, [*own, *enclosing[:1]]) is not None


def _is_bare_heading(unit: _Unit) -> bool:
    return all(node.kind == "heading" for node in unit)


def _chars(nodes: Sequence[Node]) -> int:
    return sum(node.chars for node in nodes)
