"""Cuts the tree of a prompt into contiguous pieces of useful size, each of which becomes a module."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from litellm_prompt_router.authoring.split.draft import SlottedPrompt
from litellm_prompt_router.authoring.split.tree import Node, divide_leaf

USUAL_PIECES = 25
SMALLEST_TARGET_CHARS = 1_200
LARGEST_TARGET_CHARS = 8_000
MAX_SHARE = 0.15
SHARE_MARGIN = 0.95
"""Pieces are cut to this part of the largest share: a whole's tokens aren't the exact sum of its parts'."""
SMALL_PROMPT_TOKENS = 150
"""A prompt this small isn't worth cutting."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """Sizes of modules. ``max_tokens`` is the largest share of the prompt, in its tokens."""

    target_chars: int
    min_chars: int
    max_chars: int
    max_tokens: float


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptPiece:
    """``[start, end)`` of the prompt: whole neighbouring nodes. ``is_block``: one block that can't be divided."""

    nodes: tuple[Node, ...]
    is_block: bool = False

    @property
    def start(self) -> int:
        return self.nodes[0].start

    @property
    def end(self) -> int:
        return self.nodes[-1].end

    @property
    def chars(self) -> int:
        return self.end - self.start

    @property
    def tokens(self) -> int:
        return sum(node.tokens for node in self.nodes)


def bounds_of(
    chars: int,
    tokens: int,
    *,
    target_chars: int | None = None,
    min_chars: int | None = None,
    max_chars: int | None = None,
    max_share: float = MAX_SHARE,
) -> Bounds:
    """The bounds for a prompt of this size; what isn't given follows from it."""
    target = target_chars or min(max(chars // USUAL_PIECES, SMALLEST_TARGET_CHARS), LARGEST_TARGET_CHARS)
    largest = max_chars or max(2 * target, min_chars or 0)
    whole = tokens <= SMALL_PROMPT_TOKENS
    return Bounds(
        target_chars=min(target, largest),
        min_chars=min(min_chars if min_chars is not None else target // 3, largest),
        max_chars=max(largest, chars) if whole else largest,
        max_tokens=tokens if whole else max_share * SHARE_MARGIN * tokens,
    )


def cut_prompt(
    prompt: SlottedPrompt, root: Node, bounds: Bounds, count_tokens: Callable[[str], int]
) -> list[PromptPiece]:
    """The prompt in pieces, in order and without gaps. Only what can't be divided is over the bounds."""
    pieces = _pieces(prompt, root, bounds, count_tokens)
    return without_blanks(prompt, _with_whole_slots(prompt, pieces))


def _with_whole_slots(prompt: SlottedPrompt, pieces: Sequence[PromptPiece]) -> list[PromptPiece]:
    """Pieces none of which begins inside a slot: a slot may hold headings and blocks of its own."""
    whole: list[PromptPiece] = []
    for piece in pieces:
        if whole and prompt.is_inside(piece.start):
            whole[-1] = _merged(whole[-1], piece)
        else:
            whole.append(piece)
    return whole


def _pieces(prompt: SlottedPrompt, node: Node, bounds: Bounds, count_tokens: Callable[[str], int]) -> list[PromptPiece]:
    if node.chars <= bounds.max_chars and node.tokens <= bounds.max_tokens:
        return [PromptPiece(nodes=(node,))]
    children = node.children or divide_leaf(prompt.text, node, count_tokens, prompt.is_inside)
    if not children:
        return [PromptPiece(nodes=(node,), is_block=True)]
    pieces: list[PromptPiece] = []
    for child in children:
        pieces.extend(_pieces(prompt, child, bounds, count_tokens))
    # Lines and sentences are joined further up, so that a heading isn't left without any of them.
    return _joined(pieces, bounds) if node.children or node.parent is None else pieces


def _joined(pieces: Sequence[PromptPiece], bounds: Bounds) -> list[PromptPiece]:
    """Joins headings with what follows them, closing tags with what they close, small pieces with a neighbour."""
    glued: list[PromptPiece] = []
    for piece in pieces:
        if (
            glued
            and (_closes_previous(piece) or _introduces_next(glued[-1]))
            and _fits_together(glued[-1], piece, bounds)
        ):
            glued[-1] = _merged(glued[-1], piece)
        else:
            glued.append(piece)
    packed: list[PromptPiece] = []
    for piece in glued:
        if packed and _may_join(packed[-1], piece, bounds):
            packed[-1] = _merged(packed[-1], piece)
        else:
            packed.append(piece)
    return _without_small_pieces(packed, bounds)


def _may_join(left: PromptPiece, right: PromptPiece, bounds: Bounds) -> bool:
    """True for two small pieces, and for untitled siblings that together stay under the target size."""
    if not _fits_together(left, right, bounds) or left.is_block or right.is_block:
        return False
    together = left.chars + right.chars
    if left.chars < bounds.min_chars and right.chars < bounds.min_chars:
        return True
    siblings = left.nodes[-1].parent is right.nodes[0].parent
    return siblings and not _is_titled(right) and not _is_titled(left) and together <= bounds.target_chars


def _without_small_pieces(pieces: list[PromptPiece], bounds: Bounds) -> list[PromptPiece]:
    number = 0
    while number < len(pieces) and len(pieces) > 1:
        piece = pieces[number]
        if piece.chars >= bounds.min_chars:
            number += 1
            continue
        near = [n for n in (number - 1, number + 1) if 0 <= n < len(pieces)]
        near = [n for n in near if _fits_together(piece, pieces[n], bounds) and not pieces[n].is_block]
        if not near:
            number += 1
            continue
        other = max(
            near, key=lambda n: (_shared_ancestors(pieces[min(n, number)], pieces[max(n, number)]), -pieces[n].chars)
        )
        first = min(number, other)
        pieces[first : first + 2] = [_merged(pieces[first], pieces[first + 1])]
        number = first
    return pieces


def without_blanks(prompt: SlottedPrompt, pieces: Sequence[PromptPiece]) -> list[PromptPiece]:
    """The pieces, those without visible literal text joined to a neighbour, whatever its size."""
    kept: list[PromptPiece] = []
    lead: PromptPiece | None = None
    for piece in pieces:
        if not prompt.literal(piece.start, piece.end).strip():
            if kept:
                kept[-1] = _merged(kept[-1], piece)
            else:
                lead = piece if lead is None else _merged(lead, piece)
        else:
            kept.append(piece if lead is None or kept else _merged(lead, piece))
    return kept or list(pieces[:1])


def _merged(left: PromptPiece, right: PromptPiece) -> PromptPiece:
    return PromptPiece(nodes=(*left.nodes, *right.nodes), is_block=left.is_block or right.is_block)


def _fits_together(left: PromptPiece, right: PromptPiece, bounds: Bounds) -> bool:
    return left.chars + right.chars <= bounds.max_chars and left.tokens + right.tokens <= bounds.max_tokens


def _shared_ancestors(left: PromptPiece, right: PromptPiece) -> int:
    """How many sections and blocks contain both the end of the left piece and the beginning of the right one."""
    holders = set(left.nodes[-1].ancestors())
    return sum(node in holders for node in right.nodes[0].ancestors())


def _introduces_next(piece: PromptPiece) -> bool:
    """True when the piece ends with a heading."""
    return piece.nodes[-1].kind == "heading"


def _closes_previous(piece: PromptPiece) -> bool:
    return piece.nodes[0].kind == "closing"


def _is_titled(piece: PromptPiece) -> bool:
    return any(node.kind in ("section", "tag") for node in piece.nodes)
