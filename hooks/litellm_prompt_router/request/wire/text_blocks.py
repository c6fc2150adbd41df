"""A rewritten prompt in blocks: what every shape writes, in whichever dicts."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import NamedTuple

from litellm_prompt_router.request.types import SEAM, KeptPiece, Mark, Request, Rewritten


class OutBlock(NamedTuple):
    source: int
    """Index into ``Request.system``."""
    text: str
    mark: Mark | None


class LateText(NamedTuple):
    """Late modules as text, and where they stand: fields as of LateMessage."""

    turn: int
    text: str
    is_note: bool
    is_inside: bool


def late_texts(request: Request, rewritten: Rewritten) -> Iterator[LateText]:
    """The late modules in order of first need."""
    system = request.system_text
    for turn, pieces, introduction, is_inside in rewritten.composition.late:
        text = "".join((SEAM if piece.seam else "") + system[piece.start : piece.end] for piece in pieces)
        yield LateText(turn, introduction + text, bool(introduction), is_inside)


def out_blocks(request: Request, rewritten: Rewritten) -> Iterator[OutBlock]:
    """The output's blocks in order: cut at client blocks and behind breakpoints, joined everywhere else."""
    text = request.system_text
    seams = [0, *accumulate(len(block.text) for block in request.system)]
    composition, marks = rewritten.composition, rewritten.breakpoints
    # Where marks are taken the cut is there with or without one: what is cached goes by blocks. A text that stays
    # as it came keeps the client's own.
    cuts = rewritten.target.is_marking and not composition.is_unchanged(len(text))
    parts: list[str] = []
    source, end = -1, -1

    def flush(edge: Mark | None) -> Iterator[OutBlock]:
        if parts:
            untouched = source in marks.kept_blocks and end == seams[source + 1]
            own = request.system[source].mark if untouched else None
            yield OutBlock(source, "".join(parts), own or edge)
            parts.clear()

    for pieces, edge in (
        (composition.core, marks.core),
        (composition.routed, marks.routed),
        (composition.varying, marks.varying),
    ):
        for piece in pieces:
            for owner, start, stop in _cut(piece, seams):
                if owner != source:
                    yield from flush(None)
                if piece.seam and start == piece.start:
                    parts.append(SEAM)
                source, end = owner, stop
                parts.append(text[start:stop])
        if edge is not None or cuts:
            yield from flush(edge)
    yield from flush(None)


def without_blank(blocks: Iterable[OutBlock]) -> Iterator[OutBlock]:
    """The same with a blank block at the end of the one ahead of it, for providers that refuse blank text.

    Its mark goes with it where the other has none. A blank first block goes to the one behind it.
    """
    held: OutBlock | None = None
    for block in blocks:
        if held is None:
            held = block
        elif not block.text.strip():
            held = OutBlock(held.source, held.text + block.text, held.mark or block.mark)
        elif not held.text.strip():
            held = OutBlock(block.source, held.text + block.text, block.mark or held.mark)
        else:
            yield held
            held = block
    if held is not None:
        yield held


def _cut(piece: KeptPiece, seams: list[int]) -> Iterable[tuple[int, int, int]]:
    """``(block, start, end)`` for each client block that the piece touches."""
    if len(seams) == 2:
        return ((0, piece.start, piece.end),)
    return _cut_at_seams(piece, seams)


def _cut_at_seams(piece: KeptPiece, seams: list[int]) -> Iterator[tuple[int, int, int]]:
    start = piece.start
    while start < piece.end:
        block = bisect_right(seams, start) - 1
        end = min(piece.end, seams[block + 1])
        yield block, start, end
        start = end
