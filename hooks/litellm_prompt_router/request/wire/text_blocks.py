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
    composition, marks = rewritten.composition, rewritten.breakpoints
    # Where marks are taken the cut is there with or without one: what is cached goes by blocks. A text that stays
    # as it came keeps the client's own.
    cuts = rewritten.target.is_marking and not composition.is_unchanged(len(text))
    edges = (composition.core, marks.core), (composition.routed, marks.routed), (composition.varying, marks.varying)
    if len(request.system) == 1:
        return iter(_of_one_block(text, request.system[0].mark if marks.kept_blocks else None, edges, cuts=cuts))
    return _of_blocks(request, text, marks.kept_blocks, edges, cuts=cuts)


_Edges = tuple[tuple[tuple[KeptPiece, ...], Mark | None], ...]


def _of_one_block(text: str, kept: Mark | None, edges: _Edges, *, cuts: bool) -> list[OutBlock]:
    """As ``_of_blocks``, of a prompt that is one block: nearly all. ``kept``: its own mark, where it stays."""
    blocks: list[OutBlock] = []
    parts: list[str] = []
    end = -1
    for pieces, edge in edges:
        for start, end, seam in pieces:
            parts.append(SEAM + text[start:end] if seam else text[start:end])
        if parts and (edge is not None or cuts):
            own = kept if end == len(text) else None
            blocks.append(OutBlock(0, "".join(parts), own or edge))
            parts.clear()
    if parts:
        blocks.append(OutBlock(0, "".join(parts), kept if end == len(text) else None))
    return blocks


def _of_blocks(
    request: Request, text: str, kept_blocks: frozenset[int], edges: _Edges, *, cuts: bool
) -> Iterator[OutBlock]:
    seams = [0, *accumulate(len(block.text) for block in request.system)]
    parts: list[str] = []
    source, end = -1, -1

    def flush(edge: Mark | None) -> Iterator[OutBlock]:
        if parts:
            untouched = source in kept_blocks and end == seams[source + 1]
            own = request.system[source].mark if untouched else None
            yield OutBlock(source, "".join(parts), own or edge)
            parts.clear()

    for pieces, edge in edges:
        for piece in pieces:
            for owner, start, stop in _cut_at_seams(piece, seams):
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


def _cut_at_seams(piece: KeptPiece, seams: list[int]) -> Iterator[tuple[int, int, int]]:
    """``(block, start, end)`` for each client block that the piece touches."""
    start = piece.start
    while start < piece.end:
        block = bisect_right(seams, start) - 1
        end = min(piece.end, seams[block + 1])
        yield block, start, end
        start = end
