"""From a recognition and a decision to the kept pieces in output order.

Core first, then the selected modules in profile order, then what varies. Residue keeps its place: ahead of
everything when it came first, last when it came last, else directly behind the module it followed, whether
or not that module stays. Slots stay with their text even when a module around them goes; volatile ones move
to the end.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

from litellm_prompt_router.request.types import (
    Composition,
    KeptPiece,
    LateMessage,
    LateModules,
    Recognition,
    Request,
    Span,
)

CORE, ROUTED, VARYING = 0, 1, 2
REMEMBERED = 256


class _Stretch(NamedTuple):
    """Neighbouring kept spans as one. ``continues``: it goes on with the text of the stretch before it."""

    start: int
    end: int
    module: int
    continues: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class _Arrangement:
    """What positions and selection alone decide."""

    groups: tuple[tuple[_Stretch, ...], ...]
    late: tuple[tuple[int, tuple[_Stretch, ...]], ...]
    """``(turn, stretches)``"""
    late_tokens: int
    late_counted: tuple[tuple[int, int], ...]
    known_tokens: tuple[int, int, int]
    dropped_tokens: int
    counted: tuple[tuple[int, int, int], ...]
    """``(group, start, end)`` of slots and residue: their sizes depend on the text."""
    residue_chars: int


def compose(
    request: Request,
    recognition: Recognition,
    selected: frozenset[int],
    count_tokens: Callable[[str], int],
    *,
    arrivals: tuple[LateModules, ...] = (),
    grows: bool = False,
) -> Composition:
    """Every slot, every residue and the modules whose index is in ``selected``, each byte once.

    Modules of ``arrivals`` are left out of that and come behind it in order of first need: as messages of
    their own or, when the prompt ``grows``, at its stable end. So what stands before them never changes. A late
    module comes whole, with the values of its slots, though those stay in their old places as well.

    Token figures add up the modules' known sizes and ``count_tokens`` of the rest.
    """
    text = request.system_text
    arranged = _arrange(recognition, selected, arrivals)
    tokens = list(arranged.known_tokens)
    for group, start, end in arranged.counted:
        tokens[group] += count_tokens(text[start:end])
    late_tokens = arranged.late_tokens
    for start, end in arranged.late_counted:
        late_tokens += count_tokens(text[start:end])
    ends = tuple(accumulate(len(block.text) for block in request.system))
    if grows:
        core, routed, varying = arranged.groups
        grown = [stretch for _, stretches in arranged.late for stretch in stretches]
        groups: tuple[tuple[_Stretch, ...], ...] = (core, (*routed, *grown), varying)
        tokens[ROUTED] += late_tokens
        original_tokens = sum(tokens) - late_tokens + arranged.dropped_tokens
        late_tokens = 0
        late: tuple[LateMessage, ...] = ()
    else:
        groups = arranged.groups
        original_tokens = sum(tokens) + arranged.dropped_tokens
        late = tuple(LateMessage(turn, _pieces(text, (stretches,), ends)[0]) for turn, stretches in arranged.late)
    pieces = _pieces(text, groups, ends)
    return Composition(
        core=pieces[CORE],
        routed=pieces[ROUTED],
        varying=pieces[VARYING],
        late=late,
        late_tokens=late_tokens,
        core_tokens=tokens[CORE],
        routed_tokens=tokens[ROUTED],
        varying_tokens=tokens[VARYING],
        original_tokens=original_tokens,
        residue_chars=arranged.residue_chars,
    )


@lru_cache(maxsize=REMEMBERED)
def _arrange(recognition: Recognition, selected: frozenset[int], arrivals: tuple[LateModules, ...]) -> _Arrangement:
    modules = recognition.profile.modules
    known = [0, 0, 0]
    dropped = residue_chars = 0
    counted: list[tuple[int, int, int]] = []
    groups: tuple[list[tuple[int, int, Span]], ...] = ([], [], [])
    turn_of = {module: arrival.turn for arrival in arrivals for module in arrival.modules}
    late: dict[int, list[tuple[int, int, Span]]] = {arrival.turn: [] for arrival in arrivals}
    late_counted: list[tuple[int, int]] = []
    counted_copies: set[tuple[int, int]] = set()
    for group, copy, module, span in homes(recognition):
        kept = span.kind != "module" or module in selected
        if span.kind == "module":
            # A module's literal text is counted once for each copy, at its first literal.
            size = 0 if (copy, module) in counted_copies else modules[module].tokens
            counted_copies.add((copy, module))
            if kept:
                known[group] += size
            else:
                dropped += size
        else:
            counted.append((group, span.start, span.end))
            residue_chars += (span.end - span.start) * (span.kind == "residue")
        if kept and span.end > span.start:
            groups[group].append((copy, module, span))
        if copy == 0 and module in turn_of and span.kind != "residue" and group != VARYING:
            late[turn_of[module]].append((copy, module, span))
            if span.kind == "slot":
                late_counted.append((span.start, span.end))
    return _Arrangement(
        groups=tuple(_stretches(_in_order(group)) for group in groups),
        late=tuple((turn, _stretches(_in_order(spans))) for turn, spans in late.items() if spans),
        late_tokens=sum(modules[module].tokens for module in turn_of),
        late_counted=tuple(late_counted),
        known_tokens=(known[CORE], known[ROUTED], known[VARYING]),
        dropped_tokens=dropped,
        counted=tuple(counted),
        residue_chars=residue_chars,
    )


def homes(recognition: Recognition) -> Iterable[tuple[int, int, int, Span]]:
    """``(group, copy, module, span)``: where each span goes. ``copy`` 1 is a module's second time in the prompt."""
    modules, spans = recognition.profile.modules, recognition.spans
    last_known = max((n for n, span in enumerate(spans) if span.kind != "residue"), default=-1)
    copies: dict[int, int] = {}
    home = (CORE, 0, -1)
    for number, span in enumerate(spans):
        if span.kind == "residue":
            yield (*((VARYING, 0, len(modules)) if number > last_known else home), span)
            continue
        if span.opens:
            copies[span.module] = copies.get(span.module, -1) + 1
            home = (CORE if modules[span.module].always else ROUTED, copies[span.module], span.module)
        if span.slot is not None and span.slot.volatile:
            yield (VARYING, home[1], span.module, span)
        else:
            yield (*home, span)


def _in_order(group: Iterable[tuple[int, int, Span]]) -> list[tuple[int, int, Span]]:
    return sorted(group, key=lambda item: (item[0], item[1], item[2].start))


def _stretches(group: Iterable[tuple[int, int, Span]]) -> tuple[_Stretch, ...]:
    stretches: list[_Stretch] = []
    for _, module, span in group:
        last = stretches[-1] if stretches else None
        if last is not None and last.end == span.start:
            stretches[-1] = last._replace(end=span.end, module=module)
        else:
            # Only a slot that was lifted out parts two literals of one module.
            continues = span.kind == "module" and last is not None and last.module == module and not span.opens
            stretches.append(_Stretch(span.start, span.end, module, continues))
    return tuple(stretches)


def _pieces(
    text: str, groups: tuple[tuple[_Stretch, ...], ...], ends: tuple[int, ...]
) -> tuple[tuple[KeptPiece, ...], ...]:
    """Pieces in order, with a paragraph break where two would touch that didn't in the original.

    ``ends`` of the client's blocks: pieces of two blocks stay in blocks of their own and so don't touch.
    """
    out: list[tuple[KeptPiece, ...]] = []
    end = -1
    for group in groups:
        pieces: list[KeptPiece] = []
        for stretch in group:
            touches = end >= 0 and stretch.start != end and not stretch.continues
            if touches and len(ends) > 1:
                touches = bisect_right(ends, end - 1) == bisect_right(ends, stretch.start)
            seam = touches and text[end - 1] not in "\r\n" and text[stretch.start] not in "\r\n"
            pieces.append(KeptPiece(stretch.start, stretch.end, seam))
            end = stretch.end
        out.append(tuple(pieces))
    return tuple(out)


def with_space_behind_seams(request: Request, recognition: Recognition) -> Recognition:
    """The same recognition; white space behind a seam between two client blocks goes to the span that follows."""
    if len(request.system) == 1:
        return recognition
    text = request.system_text
    settled = list(recognition.spans)
    starts = [span.start for span in settled]
    for seam in accumulate(len(block.text) for block in request.system[:-1]):
        number = bisect_right(starts, seam) - 1
        span = settled[number]
        if number + 1 < len(settled) and span.start < seam < span.end and text[seam : span.end].isspace():
            settled[number] = span._replace(end=seam)
            settled[number + 1] = settled[number + 1]._replace(start=seam)
            starts[number + 1] = seam
    return replace(recognition, spans=tuple(settled))
