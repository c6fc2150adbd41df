"""Places one profile's modules on a system text.

Three ways, each tried only when the one before left something unplaced:

1. *runs*: the text is the whole prompt, only slot values differ. A handful of prefix comparisons.
2. *walk*: modules one after the other wherever they are; skips what it doesn't know, so that wrapped,
   extended, reordered, shortened and repeated prompts are placed too.
3. *squeezed walk*: the same with all white space taken out of both sides, for changed line endings, lost
   indentation and modules torn apart by a seam.

Module text that is only quoted in the prompt (``quotations``) is unknown text to all of them.

Spans always point into the text as it came, so whatever is kept is kept byte for byte. White space between
two spans belongs to the first of them.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

from litellm_prompt_router.process_memory.bounded import register_memory
from litellm_prompt_router.profile.profile import Profile, Slot
from litellm_prompt_router.request.recognise.placing import (
    ModuleShape,
    PlacedSpan,
    ShapeIndex,
    module_shape,
    most_visible,
    place_modules,
    skip_space,
    slot_end,
)
from litellm_prompt_router.request.recognise.quotations import own_claims, stand_alike
from litellm_prompt_router.request.recognise.searched_prompt import SearchedPrompt
from litellm_prompt_router.request.recognise.searched_text import RawText, SqueezedText
from litellm_prompt_router.request.types import Recognition, Span

MIN_SQUEEZE_RESIDUE_CHARS = 16
"""Less unknown text than this isn't worth a second walk."""
MAX_EASY_GAPS = 4
MAX_EASY_CHARS = 8_000
"""More unknown text than that is asked first whether any missing module can be in it."""
MAX_BOUNDED_PLACES = 8
"""Of one module; with more of them nothing is said of what a profile can cover at most."""
MOSTLY_PLACED = 0.5
"""From this coverage on only the residue is walked again, not the whole text."""
NOWHERE = ModuleShape(parts=(), probe="", ahead=())
"""The shape of a module that isn't looked for."""
MAX_TAIL_CHARS = 64
"""Of a literal looked for from the end; where these are, the rest of it is or it isn't looked for any more."""
MAX_LAYOUTS = 256
"""Span positions remembered for whole prompts, by the lengths of their slot values."""


class _Run(NamedTuple):
    """Literal text between two slots of the whole prompt, and the module spans inside it, from its start."""

    text: str
    spans: tuple[Span, ...]
    slot: Span | None
    """The slot that follows the run; its positions are still to be filled in."""


class Aligner:
    """One profile, prepared for placing."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self._runs = _runs(profile)
        self._layouts: dict[tuple[int, ...], Recognition] = {}
        register_memory(self, "prompt layouts", MAX_LAYOUTS, lambda it: len(it._layouts))

    # Copies of the profile's text, for prompts that aren't whole: made when the first of those comes.

    @cached_property
    def raw(self) -> ShapeIndex:
        return ShapeIndex([module_shape(module, squeezed=False) for module in self.profile.modules])

    @cached_property
    def squeezed(self) -> ShapeIndex:
        return ShapeIndex([module_shape(module, squeezed=True) for module in self.profile.modules])

    @cached_property
    def _literals(self) -> tuple[str, ...]:
        modules = self.profile.modules
        return tuple("\n".join(part for part in module.parts if isinstance(part, str)) for module in modules)

    @property
    def run_texts(self) -> tuple[str, ...]:
        """The whole prompt's literal texts between its slots, the last of them empty where it ends with a slot."""
        texts = tuple(run.text for run in self._runs)
        return (*texts, "") if self._runs[-1].slot is not None else texts

    def align_quickly(self, text: str) -> Recognition | None:
        """The recognition of a text that is the whole prompt but for slot values, else None."""
        at = len(text) - len(text.lstrip()) if text[:1].isspace() else 0
        end = len(text.rstrip()) if text[-1:].isspace() else len(text)
        cuts = [at]
        for number, run in enumerate(self._runs):
            if not text.startswith(run.text, at):
                break
            at += len(run.text)
            if run.slot is not None and run.slot.slot is not None:
                value_end = self._value_end(text, at, end, number, run.slot.slot)
                if value_end is None:
                    break
                at = value_end
            cuts.append(at)
        if at != end or len(cuts) <= len(self._runs):
            whole = self._cuts_around_a_long_value(text, cuts, end)
            if whole is None:
                return None
            cuts = whole
        key = (len(text), *cuts)
        known = self._layouts.get(key)
        if known is None:
            if len(self._layouts) >= MAX_LAYOUTS:
                self._layouts.pop(next(iter(self._layouts)), None)
            known = self._layouts[key] = self._recognition(_absorb_space(text, self._spans(cuts)))
        return known

    def align(self, prompt: SearchedPrompt) -> Recognition:
        """The best recognition of any text; coverage 0 when nothing of the profile is in it."""
        text = prompt.text
        all_claims = place_modules(prompt.raw, self.raw, skips_space=True)
        raw_claims = self._own(prompt, all_claims)
        raw = self._recognition(_partition(text, raw_claims))
        residue = sum(len(text[s.start : s.end].strip()) for s in raw.spans if s.kind == "residue")
        placed = {claim.module for claim in raw_claims}
        if len(placed) == len(self.raw.shapes) or residue < MIN_SQUEEZE_RESIDUE_CHARS:
            return raw
        if raw.coverage >= MOSTLY_PLACED:
            found = self._in_gaps(prompt, raw, placed)
            if not found:
                return raw
            claims = sorted((*raw_claims, *found), key=lambda claim: (claim.start, claim.end))
        else:
            space = prompt.squeezed
            claims = [_in_raw(claim, space) for claim in place_modules(space, self.squeezed, skips_space=False)]
            if stand_alike(claims, all_claims):  # they cover the same: what is between them has no white space left
                return raw
        squeezed = self._recognition(_partition(text, self._own(prompt, claims)))
        return squeezed if squeezed.coverage > raw.coverage else raw

    def most_coverage(self, prompt: SearchedPrompt) -> float:
        """What the coverage of a recognition can't exceed, found without placing anything.

        A module stands nowhere unless its probe does, and takes its own size and the largest values of its slots. What
        is visible beyond that is residue.
        """
        shapes = self.squeezed.shapes
        if any(shape.parts and not shape.probe for shape in shapes):
            return 1.0  # may stand without a probe
        space = prompt.squeezed
        space.look_for(self.squeezed.probes)
        residue = len(space.text)
        for shape in shapes:
            visible = _most_visible(prompt, shape) if shape.probe else 0
            if visible is None or visible >= residue:
                return 1.0
            residue -= visible
        return (len(prompt.text) - residue) / len(prompt.text)

    def _own(self, prompt: SearchedPrompt, claims: list[PlacedSpan]) -> list[PlacedSpan]:
        return own_claims(prompt.text, claims, self._literals, prompt.delimiters)

    def _in_gaps(self, prompt: SearchedPrompt, raw: Recognition, placed: set[int]) -> list[PlacedSpan]:
        """The claims of modules without a place that a squeezed walk finds in the residue alone."""
        missing = [NOWHERE if n in placed else shape for n, shape in enumerate(self.squeezed.shapes)]
        gaps = [
            span for span in raw.spans if span.kind == "residue" and span.end - span.start >= MIN_SQUEEZE_RESIDUE_CHARS
        ]
        begins_anywhere = bool(missing[0].parts) and not missing[0].probe
        probes: list[str] | None = None
        is_easy = len(gaps) <= MAX_EASY_GAPS and sum(s.end - s.start for s in gaps) <= MAX_EASY_CHARS
        if not begins_anywhere and (prompt.is_squeezed or not is_easy):
            whole = prompt.squeezed
            whole.look_for(self.squeezed.probes)
            probes = [shape.probe for shape in missing if shape.probe and _most_visible(prompt, shape) != 0]
            if not probes:
                return []
        index: ShapeIndex | None = None
        claims: list[PlacedSpan] = []
        for span in gaps:
            if probes is not None:  # nothing can be placed there unless a probe is in it
                start, end = whole.squeezed_at(span.start), whole.squeezed_at(span.end)
                if not any(0 <= whole.next_place(probe, start) <= end - len(probe) for probe in probes):
                    continue
            index = index or ShapeIndex(missing)
            space = SqueezedText(prompt.text[span.start : span.end])
            for claim in place_modules(space, index, skips_space=False):
                found = _in_raw(claim, space)
                claims.append(found._replace(start=found.start + span.start, end=found.end + span.start))
        return claims

    def _value_end(self, text: str, at: int, end: int, number: int, slot: Slot) -> int | None:
        space = RawText(text)
        if number + 1 < len(self._runs) and self._runs[number + 1].text:
            return slot_end(space, at, slot, self._runs[number + 1].text)
        return end if number + 1 == len(self._runs) and space.is_value(slot, at, end) else None

    def _cuts_around_a_long_value(self, text: str, cuts: list[int], end: int) -> list[int] | None:
        """The cuts where one slot's value has a text of the prompt itself in it, else None.

        ``cuts`` are right up to that value, which ended too early there. Those behind it are found from the end.
        """
        last = self._runs[-1]
        if len(self._runs) < 2 or last.slot is not None or not text.endswith(last.text, cuts[0], end):
            return None
        space = RawText(text)
        behind = [end]
        start = end - len(last.text)
        for number in range(len(self._runs) - 2, -1, -1):
            run = self._runs[number]
            assert run.slot is not None
            assert run.slot.slot is not None
            if number < len(cuts):
                at = cuts[number] + len(run.text)
                if at <= start and text.startswith(run.text, cuts[number]) and space.is_value(run.slot.slot, at, start):
                    return [*cuts[: number + 1], start, *behind]
            behind.insert(0, start)
            tail = run.text[-MAX_TAIL_CHARS:]
            found = text.rfind(tail, max(cuts[0], start - run.slot.slot.max_chars - len(tail)), start) if tail else -1
            start, value = found + len(tail) - len(run.text), found + len(tail)
            if found < 0 or start < cuts[0] or not text.startswith(run.text, start):
                return None
            if not space.is_value(run.slot.slot, value, behind[0]):
                return None
        return None

    def _spans(self, cuts: list[int]) -> list[Span]:
        spans: list[Span] = []
        for number, run in enumerate(self._runs):
            at = cuts[number]
            spans.extend(span._replace(start=span.start + at, end=span.end + at) for span in run.spans)
            if run.slot is not None:
                spans.append(run.slot._replace(start=at + len(run.text), end=cuts[number + 1]))
        return spans

    def _recognition(self, spans: tuple[Span, ...]) -> Recognition:
        known = sum(span.end - span.start for span in spans if span.kind != "residue")
        total = spans[-1].end if spans else 0
        return Recognition(profile=self.profile, spans=spans, coverage=known / total if total else 0.0)


def _most_visible(prompt: SearchedPrompt, shape: ModuleShape) -> int | None:
    """The most that a module can take at all its places together; None where those are too many to say."""
    literal = shape.parts[0] if len(shape.parts) == 1 else None
    if isinstance(literal, str) and literal in prompt.visible:
        return prompt.visible[literal]
    space = prompt.squeezed
    places = space.all_places(shape.probe, MAX_BOUNDED_PLACES)
    total = None
    if len(places) < MAX_BOUNDED_PLACES:
        total = sum(most_visible(space.text, shape, place) for place in places)
    if isinstance(literal, str):
        prompt.visible[literal] = total
    return total


def _in_raw(claim: PlacedSpan, space: SqueezedText) -> PlacedSpan:
    start = space.raw_start(claim.start)
    # An empty value has no last character to end behind.
    return claim._replace(start=start, end=space.raw_end(claim.end) if claim.end > claim.start else start)


def _runs(profile: Profile) -> tuple[_Run, ...]:
    """The whole prompt, outer white space off, cut at its slots."""
    pieces = [(i, part) for i, module in enumerate(profile.modules) for part in module.parts]
    if pieces and isinstance(pieces[0][1], str):
        pieces[0] = (pieces[0][0], pieces[0][1].lstrip())
    if pieces and isinstance(pieces[-1][1], str):
        pieces[-1] = (pieces[-1][0], pieces[-1][1].rstrip())
    runs: list[_Run] = []
    text, spans = "", list[Span]()
    previous = -1
    for module, part in pieces:
        opens, previous = module != previous, module
        if isinstance(part, Slot):
            runs.append(_Run(text, tuple(spans), Span("slot", 0, 0, module, part, opens)))
            text, spans = "", []
        elif part:
            spans.append(Span("module", len(text), len(text) + len(part), module, None, opens))
            text += part
    if text or not runs:
        runs.append(_Run(text, tuple(spans), None))
    return tuple(runs)


def _partition(text: str, claims: list[PlacedSpan]) -> tuple[Span, ...]:
    """Claims in text order plus residue between them, covering the whole text."""
    spans: list[Span] = []
    at = 0
    for start, end, module, slot, opens in claims:
        _append_residue(text, at, start, spans)
        spans.append(Span("slot" if slot else "module", start, end, module, slot, opens))
        at = end
    _append_residue(text, at, len(text), spans)
    return _absorb_space(text, spans)


def _append_residue(text: str, start: int, end: int, spans: list[Span]) -> None:
    visible = skip_space(text, start)
    if visible < end:
        # With the white space its first line begins with: that may mean something.
        start = max(start, text.rfind("\n", start, visible) + 1)
        spans.append(Span("residue", start, end, -1, None, True))


def _absorb_space(text: str, spans: list[Span]) -> tuple[Span, ...]:
    """The same spans without gaps: white space goes to the span before it, leading space to the first.

    Behind a volatile slot it goes to the span that follows: the slot will leave, its surroundings stay.
    """
    if not spans:
        return (Span("residue", 0, len(text), -1, None, True),) if text else ()
    if spans[0].start > 0:
        spans[0] = spans[0]._replace(start=0)
    for number in range(len(spans) - 1):
        here, after = spans[number], spans[number + 1]
        if here.end != after.start and here.slot is not None and here.slot.volatile:
            spans[number + 1] = after._replace(start=here.end)
        elif here.end != after.start:
            spans[number] = here._replace(end=after.start)
    if spans[-1].end != len(text):
        spans[-1] = spans[-1]._replace(end=len(text))
    return tuple(spans)
