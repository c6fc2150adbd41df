"""Where cache marks go, within the provider's budget.

Anthropic takes at most four ``cache_control`` marks in a request over tools, system, messages and top level,
wants 1-hour marks ahead of 5-minute ones, and ignores prefixes below a minimum length that depends on the
model (docs.anthropic.com, "Prompt caching", checked 2026-11; LiteLLM forwards a fifth mark, which the
provider answers with 400).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from hooks.data import LOOKBACK_BLOCKS, MAX_MARKS, Breakpoints, Composition, Mark, Piece, Recognition, Request, Target

Edge = Literal["core", "routed", "varying"]


def plan_breakpoints(
    request: Request,
    recognition: Recognition,
    composition: Composition,
    target: Target,
    *,
    gives_hints: bool = False,
) -> Breakpoints:
    """The client's marks, kept or moved to the nearest stable edge, plus ours where they pay and fit.

    With ``gives_hints`` the moving end of the history gets what is left, if the client marks nothing there.

    ``recognition`` must have its spans settled at the seams between the client's blocks.
    """
    blocks = _blocks(request)
    marked = [block for block in blocks if block.mark is not None]
    if marked and composition.is_unchanged(blocks[-1].end):
        # The client laid out this very text for caching; nothing of it was replaced.
        return Breakpoints(
            core=None,
            routed=None,
            varying=None,
            kept_blocks=frozenset(block.number for block in marked),
            history=(),
            added=0,
            client=request.client_marks,
            total=request.client_marks,
        )
    kept = [block for block in marked if _is_foreign(block, request, recognition)]
    moved = [block.mark for block in marked if block not in kept and block.mark is not None]
    layout = _Layout(composition, kept)
    homes = layout.homes(len(moved))
    edges: dict[Edge, Mark] = dict(zip(homes, moved[len(moved) - len(homes) :], strict=True))
    added = 0
    if target.takes_marks:
        outside = len(request.marks_before) + len(request.marks_after) + len(kept)
        for edge, prefix_tokens in layout.ours():
            if edge not in edges and outside + len(edges) < MAX_MARKS and prefix_tokens >= target.min_cache_tokens:
                edges[edge] = _lasting({"type": "ephemeral"}, is_hour=recognition.profile.cache_ttl == "1h")
                added += 1
    edges = _with_lifetimes(edges, layout, request)
    history: tuple[int, ...] = ()
    if gives_hints and target.takes_marks and not request.marks_after and composition.tokens >= target.min_cache_tokens:
        room = MAX_MARKS - len(request.marks_before) - len(kept) - len(edges) - len(target.injection_points)
        history = _history(request, composition)[: max(0, room)]
    return Breakpoints(
        core=edges.get("core"),
        routed=edges.get("routed"),
        varying=edges.get("varying"),
        kept_blocks=frozenset(block.number for block in kept),
        history=history,
        added=added + len(history),
        client=request.client_marks,
        total=len(request.marks_before) + len(request.marks_after) + len(kept) + len(edges) + len(history),
    )


class _Block(NamedTuple):
    """A client block and where it lies in the system text."""

    number: int
    start: int
    end: int
    mark: Mark | None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Place:
    """Something in the output that can bear a mark: an edge of ours, or a client block that stays."""

    edge: Edge | None
    block: _Block | None


class _Layout:
    """The edges and the client blocks that stay, in output order."""

    def __init__(self, composition: Composition, kept: list[_Block]) -> None:
        self.places: list[_Place] = []
        self._tokens: dict[Edge, int] = {}
        tokens = 0
        groups: tuple[tuple[Edge, tuple[Piece, ...], int], ...] = (
            ("core", composition.core, composition.core_tokens),
            ("routed", composition.routed, composition.routed_tokens),
            ("varying", composition.varying, composition.varying_tokens),
        )
        for edge, pieces, size in groups:
            tokens += size
            inside = [block for piece in pieces for block in kept if piece.start < block.end <= piece.end]
            self.places += [_Place(edge=None, block=block) for block in inside]
            # A block that ends where the group ends bears that edge's mark already.
            if pieces and not (inside and inside[-1].end == pieces[-1].end):
                self.places.append(_Place(edge=edge, block=None))
                self._tokens[edge] = tokens

    def ours(self) -> Iterable[tuple[Edge, int]]:
        """Stable edges in order of worth, with the tokens of the system prompt up to each."""
        return [(edge, tokens) for edge, tokens in self._tokens.items() if edge != "varying"]

    def homes(self, count: int) -> list[Edge]:
        """Edges for moved marks, in output order: the last stable one first, then those before it, then the end."""
        stable = [edge for edge in self._tokens if edge != "varying"]
        preferred = [*reversed(stable), *(edge for edge in self._tokens if edge == "varying")][:count]
        return [edge for edge in self._tokens if edge in preferred]


def _history(request: Request, composition: Composition) -> tuple[int, ...]:
    """The moving end of the history and, when the provider wouldn't look back that far, where it was before.

    The call before this one ended ahead of the latest assistant message; what it cached there is found again
    only from a mark there or within LOOKBACK_BLOCKS behind it.
    """
    turns = request.turns
    answers = [number for number, turn in enumerate(turns) if turn.role == "assistant"]
    if not turns:
        return ()
    if not answers or answers[-1] == 0:
        return (1,)
    since = turns[answers[-1] :]
    late = sum(message.turn >= answers[-1] for message in composition.late)
    blocks = sum(1 + len(turn.tool_calls) for turn in since) + late
    return (1,) if blocks < LOOKBACK_BLOCKS else (1, len(since) + late + 1)


def _blocks(request: Request) -> list[_Block]:
    blocks: list[_Block] = []
    start = 0
    for number, block in enumerate(request.system):
        blocks.append(_Block(number, start, start + len(block.text), block.mark))
        start += len(block.text)
    return blocks


def _is_foreign(block: _Block, request: Request, recognition: Recognition) -> bool:
    """True for a block that is all residue: not our text, so its mark stays."""
    known = any(s.kind != "residue" and s.start < block.end and s.end > block.start for s in recognition.spans)
    return not known and bool(request.system[block.number].text.strip())


def _with_lifetimes(edges: dict[Edge, Mark], layout: _Layout, request: Request) -> dict[Edge, Mark]:
    """The same marks with 1h nowhere behind 5m: as long as what follows needs, as short as what stands before."""
    fixed = [mark.get("ttl") == "1h" for mark in request.marks_before]
    short_before = not all(fixed)
    capped: set[Edge] = set()
    for place in layout.places:
        if place.edge is not None and short_before:
            capped.add(place.edge)
        if place.block is not None and place.block.mark is not None and place.block.mark.get("ttl") != "1h":
            short_before = True
    hour_behind = any(mark.get("ttl") == "1h" for mark in request.marks_after)
    out: dict[Edge, Mark] = {}
    for place in reversed(layout.places):
        if place.block is not None and place.block.mark is not None:
            hour_behind = hour_behind or place.block.mark.get("ttl") == "1h"
        if place.edge is None or place.edge not in edges:
            continue
        mark = edges[place.edge]
        is_hour = place.edge not in capped and (hour_behind or mark.get("ttl") == "1h")
        hour_behind = hour_behind or is_hour
        out[place.edge] = _lasting(mark, is_hour=is_hour)
    return out


def _lasting(mark: Mark, *, is_hour: bool) -> Mark:
    """The mark with this lifetime; a bare one means five minutes."""
    if (mark.get("ttl") == "1h") == is_hour:
        return mark
    rest = {key: value for key, value in mark.items() if key != "ttl"}
    return {**rest, "ttl": "1h"} if is_hour else rest
