"""Where cache marks go, within the provider's budget.

Anthropic takes at most four ``cache_control`` marks in a request over tools, system, messages and top level,
wants 1-hour marks ahead of 5-minute ones, and ignores prefixes below a minimum length that depends on the
model (docs.anthropic.com, "Prompt caching", checked 2026-11; LiteLLM forwards a fifth mark, which the
provider answers with 400).

OpenAI's GPT-5.6 and later write an entry at the latest message by themselves and at up to three explicit
``prompt_cache_breakpoint`` blocks, all for 30 minutes; a prefix that no entry ends at isn't shared
(developers.openai.com/api/docs/guides/prompt-caching; the API reference's ``prompt_cache_options``; checked 2026-11).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from litellm_prompt_router.cache_model.rules import CLAUDE_LOOKBACK_POSITIONS, CLAUDE_MAX_MARKS
from litellm_prompt_router.request.types import (
    Breakpoints,
    Composition,
    KeptPiece,
    LateMessage,
    Mark,
    Recognition,
    Request,
    Target,
    Turn,
)

MAX_EXPLICIT = 3
"""Explicit breakpoints that OpenAI writes beside the implicit one; of more it writes the latest."""
EPHEMERAL: Mark = {"type": "ephemeral"}
EXPLICIT: Mark = {"mode": "explicit"}
Edge = Literal["core", "routed", "varying"]


def plan_breakpoints(
    request: Request,
    recognition: Recognition,
    composition: Composition,
    target: Target,
    *,
    adds_marks: bool = False,
) -> Breakpoints:
    """The client's marks, kept or moved to the nearest stable edge, plus ours where they pay and fit.

    With ``adds_marks`` the moving end of the history gets what is left, if the client marks nothing there; so it
    does where LiteLLM's automatic caching would have marked it.

    ``recognition`` must have its spans settled at the seams between the client's blocks.
    """
    blocks = _blocks(request)
    marked = [block for block in blocks if block.mark is not None and _is_of_use(block.mark, target)]
    if marked and composition.is_unchanged(blocks[-1].end):
        # The client laid out this very text for caching; nothing of it was replaced.
        return Breakpoints(
            core=None,
            routed=None,
            varying=None,
            kept_blocks=frozenset(block.number for block in marked),
            added=0,
            client=request.client_marks,
            total=request.client_marks,
        )
    kept = [block for block in blocks if block.mark is not None and _is_foreign(block, request, recognition)]
    moved = [block.mark for block in marked if block not in kept and block.mark is not None]
    layout = _Layout(composition, kept)
    homes = layout.homes(len(moved))
    edges: dict[Edge, Mark] = dict(zip(homes, moved[len(moved) - len(homes) :], strict=True))
    added = 0
    if target.is_marking:
        ours = EXPLICIT if target.takes_breakpoints else _lasting(EPHEMERAL, recognition.profile.cache_ttl == "1h")
        most = MAX_EXPLICIT if target.takes_breakpoints else CLAUDE_MAX_MARKS
        outside = len(request.marks_before) + len(request.marks_after) + len(kept)
        for edge, prefix_tokens in layout.ours():
            if edge not in edges and outside + len(edges) < most and prefix_tokens >= target.min_cache_tokens:
                edges[edge] = ours
                added += 1
    points = _Points(request, target, replaces=bool(edges or kept))
    if not target.takes_breakpoints:
        edges = _with_lifetimes(
            edges, layout, (*request.marks_before, *points.before), (*request.marks_after, *points.after)
        )
    room = CLAUDE_MAX_MARKS - len(request.marks_before) - len(request.marks_after) - len(kept) - len(edges)
    history: tuple[int, ...] = ()
    if adds_marks or (points.are_automatic and edges):
        wanted = planned_history_ends(request, composition, target)
        history = tuple(place for place in wanted if -place not in points.places)[: max(0, room - len(points.kept))]
    restates = target.takes_marks and (bool(history) or points.are_replaced or (bool(composition.late) and points.kept))
    return Breakpoints(
        core=edges.get("core"),
        routed=edges.get("routed"),
        varying=edges.get("varying"),
        kept_blocks=frozenset(block.number for block in kept),
        points=points.kept if restates and not request.states_points else None,
        history=points.at(history),
        added=added + len(history),
        client=request.client_marks,
        total=CLAUDE_MAX_MARKS - room + len(history) + max(0, min(points.reach, room - len(history))),
    )


def _is_of_use(mark: Mark, target: Target) -> bool:
    """True where the candidates read this kind of mark. Where they read neither it is the client's business."""
    return not target.is_marking or ("mode" in mark) == target.takes_breakpoints


class _Points:
    """LiteLLM's injection points for a request that states none, without those that marks of ours replace.

    LiteLLM injects only where nothing is marked yet, so a point on every system message would take late modules'
    messages for the prompt and leave no mark for the history's end.
    """

    def __init__(self, request: Request, target: Target, *, replaces: bool) -> None:
        configured: tuple[Mark, ...] = () if request.states_points else target.injection_points
        self.are_automatic = bool(target.auto_points) and not (
            configured or request.states_points or request.client_marks
        )
        given = configured
        if self.are_automatic and replaces:
            given = target.auto_points
        self.kept = tuple(point for point in given if not (replaces and _is_for_system_prompt(point)))
        self.are_replaced = len(self.kept) < len(given)
        self.before = tuple(_control(point) for point in given if point.get("location") == "tool_config")
        self.after = tuple(_control(point) for point in self.kept if point.get("location") != "tool_config")
        self.reach = sum(
            1 if point.get("role") is None else _bearers(request.turns, point["role"]) for point in self.kept
        )
        """Messages that they mark, as far as there is room."""
        self.places = {point.get("index") for point in self.kept}

    def at(self, places: tuple[int, ...]) -> tuple[Mark, ...]:
        """A point for each place, counted from the end: as lasting as those it may stand before."""
        hour = {"control": {**EPHEMERAL, "ttl": "1h"}}
        control = hour if any(mark.get("ttl") == "1h" for mark in self.after) else {}
        return tuple({"location": "message", "index": -place, **control} for place in places)


def _bearers(turns: Sequence[Turn], role: object) -> int:
    """The messages with this role, of which no more are marked than the provider takes marks."""
    bearers = 0
    for number in range(len(turns)):
        bearers += turns[number].role == role
        if bearers == CLAUDE_MAX_MARKS:
            break
    return bearers


def _is_for_system_prompt(point: Mark) -> bool:
    return point.get("role") in ("system", "developer") and point.get("index") is None


def _control(point: Mark) -> Mark:
    control = point.get("control")
    return control if isinstance(control, dict) else EPHEMERAL


def planned_history_ends(request: Request, composition: Composition, target: Target) -> tuple[int, ...]:
    """``history_ends`` where marks of ours there are of use; none where they aren't."""
    is_of_use = target.takes_marks and target.places_points and not request.marks_after
    if not is_of_use or composition.tokens < target.min_cache_tokens:
        return ()
    return history_ends(request.turns, composition.late)


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
        groups: tuple[tuple[Edge, tuple[KeptPiece, ...], int], ...] = (
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


def history_ends(turns: Sequence[Turn], late: Sequence[LateMessage] = ()) -> tuple[int, ...]:
    """The moving end of the history and, when the provider wouldn't look back that far, where it was before.

    As messages counted from the end, those of late modules included. The call before this one ended ahead of the
    latest assistant message; what it cached there is found again only from a mark there or within
    CLAUDE_LOOKBACK_POSITIONS behind it.
    """
    if not turns:
        return ()
    answer = next((number for number in range(len(turns) - 1, -1, -1) if turns[number].role == "assistant"), 0)
    if answer == 0:
        return (1,)
    since = [turns[number] for number in range(answer, len(turns))]
    arrived = [message for message in late if message.turn >= answer]
    blocks = sum(turn.blocks + len(turn.tool_calls) for turn in since) + len(arrived)
    own_messages = sum(not message.is_inside for message in arrived)
    return (1,) if blocks < CLAUDE_LOOKBACK_POSITIONS else (1, len(since) + own_messages + 1)


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


def _with_lifetimes(
    edges: dict[Edge, Mark], layout: _Layout, before: tuple[Mark, ...], after: tuple[Mark, ...]
) -> dict[Edge, Mark]:
    """The same marks with 1h nowhere behind 5m: as long as what follows needs, as short as what stands before."""
    short_before = not all(mark.get("ttl") == "1h" for mark in before)
    capped: set[Edge] = set()
    for place in layout.places:
        if place.edge is not None and short_before:
            capped.add(place.edge)
        if place.block is not None and place.block.mark is not None and place.block.mark.get("ttl") != "1h":
            short_before = True
    hour_behind = any(mark.get("ttl") == "1h" for mark in after)
    out: dict[Edge, Mark] = {}
    for place in reversed(layout.places):
        if place.block is not None and place.block.mark is not None:
            hour_behind = hour_behind or place.block.mark.get("ttl") == "1h"
        if place.edge is None or place.edge not in edges:
            continue
        mark = edges[place.edge]
        is_hour = place.edge not in capped and (hour_behind or mark.get("ttl") == "1h")
        hour_behind = hour_behind or is_hour
        out[place.edge] = _lasting(mark, is_hour)
    return out


def _lasting(mark: Mark, is_hour: bool) -> Mark:
    """The mark with this lifetime; a bare one means five minutes."""
    if (mark.get("ttl") == "1h") == is_hour:
        return mark
    rest = {key: value for key, value in mark.items() if key != "ttl"}
    return {**rest, "ttl": "1h"} if is_hour else rest
