"""Recognition without any index: every profile, every module and every place one after the other.

The rules are those of ``request/recognise``, written down plainly. What is found there in one search over all profiles
is compared with this (``test_recognise_laws.py``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from litellm_prompt_router.profile.profile import Profile, Slot
from litellm_prompt_router.request.recognise.aligner import (
    MIN_SQUEEZE_RESIDUE_CHARS,
    MOSTLY_PLACED,
    NOWHERE,
    Aligner,
    _in_raw,
    _partition,
)
from litellm_prompt_router.request.recognise.catalogue import (
    MAX_ALIGNED,
    NEARLY_WHOLE,
    PROBE_CHARS,
    PROBES,
    WELL_PLACED,
    _sampled_lines,
)
from litellm_prompt_router.request.recognise.head_index import HEAD_CHARS
from litellm_prompt_router.request.recognise.line_index import MAX_LINE_CHARS, MIN_LINE_CHARS, MIN_VOTES
from litellm_prompt_router.request.recognise.placing import (
    MAX_CANDIDATES,
    MAX_RESYNCS,
    ModuleShape,
    PlacedSpan,
    is_in_tag,
    module_shape,
    skip_space,
)
from litellm_prompt_router.request.recognise.placing import PROBE_CHARS as MODULE_PROBE_CHARS
from litellm_prompt_router.request.recognise.quotations import _DELIMITER, Delimiter, Delimiters, delimiter, own_claims
from litellm_prompt_router.request.recognise.searched_text import RawText, SqueezedText
from litellm_prompt_router.request.types import Recognition

Space = RawText | SqueezedText


class PlainDelimiters(Delimiters):
    """Looked for character by character."""

    def between(self, at: int, end: int) -> Iterator[Delimiter]:
        return map(delimiter, _DELIMITER.finditer(self._text, at, end))


class PlainCatalogue:
    """All profiles, one after the other."""

    def __init__(self, profiles: Sequence[Profile]) -> None:
        self.profiles = tuple(sorted(profiles, key=lambda profile: profile.name))
        self._aligners = {profile.name: _PlainAligner(profile) for profile in self.profiles}
        self._by_line: dict[str, tuple[str, ...]] = {}
        self._lines = {profile.name: frozenset(_profile_lines(profile)) for profile in self.profiles}
        for profile in self.profiles:
            for line in self._lines[profile.name]:
                self._by_line[line] = (*self._by_line.get(line, ()), profile.name)
        self._probes = {profile.name: tuple(_profile_probes(profile)) for profile in self.profiles}
        self._by_head: dict[str, tuple[str, ...]] = {}
        for profile in self.profiles:
            head = profile.modules[0].parts[0]
            if isinstance(head, str) and len(head.strip()) >= HEAD_CHARS:
                start = head.strip()[:HEAD_CHARS]
                self._by_head[start] = (*self._by_head.get(start, ()), profile.name)

    def recognise(self, text: str, *, only: str | None = None) -> Recognition | None:
        if not text.strip():
            return None
        for name in self._likely(text) if only is None else (only,):
            found = self._aligners[name].align_quickly(text)
            if found is not None:
                return found
        return self._recognise_slowly(text, only)

    def _recognise_slowly(self, text: str, only: str | None) -> Recognition | None:
        likely = self._likely(text)[:MAX_ALIGNED] if only is None else (only,)
        aligned = {name: self._aligners[name].align(text) for name in likely}
        best = max(aligned.values(), key=lambda recognition: recognition.coverage, default=None)
        if best is not None and best.coverage >= NEARLY_WHOLE:
            return best
        names = likely if only is not None else self._candidates(text)
        found = [aligned.get(name) or self._aligners[name].align(text) for name in names]
        best = max(found, key=lambda recognition: recognition.coverage, default=None)
        if best is None or best.coverage >= WELL_PLACED:
            return best
        lines = {line.strip()[:MAX_LINE_CHARS] for line in text.splitlines()}
        measured = [replace(each, known_lines=self._known_lines(each.profile.name, lines)) for each in found]
        best = max(measured, key=lambda recognition: (recognition.coverage, recognition.known_lines))
        return best if best.coverage > 0 or best.known_lines > 0 else None

    def _known_lines(self, name: str, lines: set[str]) -> float:
        """The share of a profile's distinctive lines that are among ``lines``."""
        own = self._lines[name]
        return len(own & lines) / len(own) if own else 0.0

    def _likely(self, text: str) -> tuple[str, ...]:
        """Profiles that begin as the text does, else those whose lines are in it."""
        head = text[:HEAD_CHARS] if not text[:1].isspace() else text.lstrip()[:HEAD_CHARS]
        return self._by_head.get(head) or self._ranked(_sampled_lines(text))

    def _candidates(self, text: str) -> tuple[str, ...]:
        """The profiles to align, most promising first: by all lines, since samples may miss what sets them apart."""
        ranked = self._ranked(text.splitlines())
        if ranked:
            return ranked
        hits = {name: sum(probe in text for probe in probes) for name, probes in self._probes.items()}
        return tuple(sorted((n for n in hits if hits[n]), key=lambda n: (-hits[n], n))[:MAX_ALIGNED])

    def _ranked(self, lines: Iterable[str]) -> tuple[str, ...]:
        """Names by votes. A line that many profiles share weighs little."""
        votes: Counter[str] = Counter()
        weights: dict[str, float] = {}
        for line in lines:
            names = self._by_line.get(line.strip()[:MAX_LINE_CHARS], ())
            for name in names:
                votes[name] += 1
                weights[name] = weights.get(name, 0.0) + 1 / len(names)
        named = sorted((n for n in votes if votes[n] >= MIN_VOTES), key=lambda n: (-weights[n], n))
        return tuple(named[:MAX_ALIGNED])


class _PlainAligner:
    def __init__(self, profile: Profile) -> None:
        self._whole = Aligner(profile)
        self.align_quickly = self._whole.align_quickly
        self._raw = tuple(module_shape(module, squeezed=False) for module in profile.modules)
        self._squeezed = tuple(module_shape(module, squeezed=True) for module in profile.modules)
        self._literals = tuple("\n".join(p for p in module.parts if isinstance(p, str)) for module in profile.modules)

    def align(self, text: str) -> Recognition:
        claims = self._own(text, _placed(RawText(text), self._raw, skips_space=True))
        raw = self._whole._recognition(_partition(text, claims))
        residue = sum(len(text[s.start : s.end].strip()) for s in raw.spans if s.kind == "residue")
        placed = {claim.module for claim in claims}
        if len(placed) == len(self._raw) or residue < MIN_SQUEEZE_RESIDUE_CHARS:
            return raw
        if raw.coverage >= MOSTLY_PLACED:
            claims = self._with_gaps_filled(text, claims, raw, placed)
        else:
            space = SqueezedText(text)
            claims = [_in_raw(claim, space) for claim in _placed(space, self._squeezed, skips_space=False)]
        squeezed = self._whole._recognition(_partition(text, self._own(text, claims)))
        return squeezed if squeezed.coverage > raw.coverage else raw

    def _own(self, text: str, claims: list[PlacedSpan]) -> list[PlacedSpan]:
        return own_claims(text, claims, self._literals, PlainDelimiters(text))

    def _with_gaps_filled(
        self, text: str, claims: list[PlacedSpan], raw: Recognition, placed: set[int]
    ) -> list[PlacedSpan]:
        missing = tuple(NOWHERE if n in placed else shape for n, shape in enumerate(self._squeezed))
        filled = list(claims)
        for span in raw.spans:
            if span.kind == "residue" and span.end - span.start >= MIN_SQUEEZE_RESIDUE_CHARS:
                space = SqueezedText(text[span.start : span.end])
                for claim in _placed(space, missing, skips_space=False):
                    found = _in_raw(claim, space)
                    filled.append(found._replace(start=found.start + span.start, end=found.end + span.start))
        return sorted(filled, key=lambda claim: (claim.start, claim.end))


def _literals(profile: Profile) -> Iterable[str]:
    return (part for module in profile.modules for part in module.parts if isinstance(part, str))


def _profile_lines(profile: Profile) -> Iterable[str]:
    for literal in _literals(profile):
        for line in literal.splitlines():
            stripped = line.strip()
            if len(stripped) >= MIN_LINE_CHARS:
                yield stripped[:MAX_LINE_CHARS]


def _profile_probes(profile: Profile) -> Iterable[str]:
    """Pieces from the middle of the longest literals, for prompts whose lines were all changed."""
    longest = sorted(_literals(profile), key=len, reverse=True)[:PROBES]
    for literal in longest:
        if len(literal) >= PROBE_CHARS:
            middle = (len(literal) - PROBE_CHARS) // 2
            yield literal[middle : middle + PROBE_CHARS]


def _placed(space: Space, shapes: tuple[ModuleShape, ...], *, skips_space: bool) -> list[PlacedSpan]:
    """Claims in text order. After each placed module the next in prompt order is tried first."""
    claims: list[PlacedSpan] = []
    end = len(space.text)
    at = skip_space(space.text, 0) if skips_space else 0
    expected = 0
    resyncs = 0
    while at < end:
        here = _match_here(space, at, shapes, expected)
        if here is None:
            resyncs += 1
            here = _resync(space, at, shapes, expected) if resyncs <= MAX_RESYNCS else None
            if here is None:
                break
        claims.extend(here)
        at = here[-1].end
        if skips_space:
            at = skip_space(space.text, at)
        expected = here[-1].module + 1
    return claims


def _slot_end(space: Space, at: int, slot: Slot, following: str) -> int | None:
    """Where the slot's value ends before the literal that follows it."""
    head = following[:MODULE_PROBE_CHARS]
    limit = min(len(space.text), at + slot.max_chars + len(head))
    found = at - 1
    in_tag = None
    for _ in range(MAX_CANDIDATES if head else 0):
        found = space.text.find(head, found + 1, limit)
        if found < 0:
            break
        if space.text.startswith(following, found) and space.is_value(slot, at, found):
            if not is_in_tag(space.text, at, found):
                return found
            in_tag = found if in_tag is None else in_tag
    return in_tag


def _match_here(space: Space, at: int, shapes: tuple[ModuleShape, ...], expected: int) -> list[PlacedSpan] | None:
    """The claims of the module that stands at ``at``: the expected one, else the longest that fits."""
    if expected < len(shapes):
        claims = _match(space, at, shapes, expected)
        if claims:
            return claims
    best: list[PlacedSpan] | None = None
    for module, shape in enumerate(shapes):
        if shape.probe and not shape.ahead and space.text.startswith(shape.probe, at):
            claims = _match(space, at, shapes, module)
            if claims and (best is None or claims[-1].end > best[-1].end):
                best = claims
    return best


def _resync(space: Space, at: int, shapes: tuple[ModuleShape, ...], expected: int) -> list[PlacedSpan] | None:
    """The claims of the module that begins soonest behind ``at``; None when there is none."""
    best: list[PlacedSpan] | None = None
    limit = len(space.text)
    for module in (*range(expected, len(shapes)), *range(min(expected, len(shapes)))):
        shape = shapes[module]
        found = at
        for _ in range(MAX_CANDIDATES if shape.probe else 0):
            found = space.text.find(shape.probe, found + 1, limit + len(shape.probe))
            if found < 0:
                break
            claims = _match_around(space, at, found, shapes, module)
            if claims and (best is None or claims[0].start < limit or claims[-1].end > best[-1].end):
                best, limit = claims, claims[0].start
                break
    return best


def _match_around(
    space: Space, at: int, found: int, shapes: tuple[ModuleShape, ...], module: int
) -> list[PlacedSpan] | None:
    """The claims of ``module`` whose probe stands at ``found`` and which begins at ``at`` or behind it."""
    match shapes[module].ahead:
        case ():
            return _match(space, found, shapes, module)
        case (Slot() as slot,):
            start = space.value_start(slot, at, found)
            return None if start is None else _match(space, start, shapes, module)
        case (str() as head, Slot() as slot):
            start = found
            for _ in range(MAX_CANDIDATES):
                start = space.text.rfind(head, max(at, found - slot.max_chars - len(head)), start)
                claims = _match(space, start, shapes, module) if start >= 0 else None
                if claims or start < 0:
                    return claims
    return None


def _match(space: Space, at: int, shapes: tuple[ModuleShape, ...], module: int) -> list[PlacedSpan] | None:
    """The claims of ``module`` placed exactly at ``at``, or None."""
    parts = shapes[module].parts
    claims: list[PlacedSpan] = []
    for number, part in enumerate(parts):
        if isinstance(part, str):
            if not space.text.startswith(part, at):
                return None
            claims.append(PlacedSpan(at, at + len(part), module, None, not claims))
            at += len(part)
            continue
        end = _slot_end(space, at, part, _literal_after(shapes, module, number))
        if end is None and (number + 1 == len(parts) or isinstance(parts[number + 1], Slot)):
            end = _open_end(space, at, part, shapes)
        if end is None and part.volatile:
            # Lifted out already, by a walk before this one; what follows has to stand right here.
            continue
        if end is None:
            return None
        claims.append(PlacedSpan(at, end, module, part, not claims))
        at = end
    return claims


def _literal_after(shapes: tuple[ModuleShape, ...], module: int, part: int) -> str:
    """The literal that follows a slot: in its own module or, at the end of that, in the next one."""
    rest = shapes[module].parts[part + 1 :] or (shapes[module + 1].parts if module + 1 < len(shapes) else ())
    return rest[0] if rest and isinstance(rest[0], str) else ""


def _open_end(space: Space, at: int, slot: Slot, shapes: tuple[ModuleShape, ...]) -> int | None:
    """Where a value ends that no literal of its own closes: where known text begins, else where its pattern ends."""
    limit = min(len(space.text), at + slot.max_chars)
    for shape in shapes:
        if shape.probe:
            found = space.text.find(shape.probe, at, min(len(space.text), limit + len(shape.probe)))
            limit = found if found >= 0 else limit
    if limit < at + slot.max_chars and space.is_value(slot, at, limit):
        return limit
    return space.value_end(slot, at, limit)
