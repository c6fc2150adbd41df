"""Makes slots of the gaps between versions and of a machine's own values: names, patterns, what moves with them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from litellm_prompt_router.authoring.split.draft import DraftSlot, PlacedSlot
from litellm_prompt_router.authoring.split.neutral_text import OwnValue, limit_of, literal_pattern, without_marks
from litellm_prompt_router.authoring.split.slot_patterns import block_pattern, is_listing, neutral_sample, pattern_of
from litellm_prompt_router.authoring.split.titles import slug
from litellm_prompt_router.authoring.split.value_kinds import kind_of
from litellm_prompt_router.authoring.split.version_alignment import VersionGap, merged
from litellm_prompt_router.authoring.split.whole_sentences import whole_span
from litellm_prompt_router.profile.patterns import compile_pattern

NEARBY_CHARS = 200

_LABEL = re.compile(r"([^\W\d_][^\n\r:=：<>()\[\]]{0,40}?)[\"'`*_]*[ \t]*[:=：][ \t]*[\"'`*_(<\[]*\Z")
_TAG_BEFORE = re.compile(r"<([^\W\d][\w.:-]*)(?:\s[^<>]*)?>\s*\Z")
_TAGGED = re.compile(r"\s*<([^\W\d][\w.:-]*)[\s>]")
_USER = re.compile(
    r"\b(?:user|nutzer|benutzer|utilisateur|usuario|utente|gebruiker|пользовател)|用户|用戶|ユーザー", re.IGNORECASE
)
_USER_BEFORE = re.compile(
    r"(?:\b(?:user(?:'s)?(?: name)?|username|named|called|name|hello|hi|dear|assist|assisting|help|helping|for)(?: is)?"
    r"|用户|ユーザー)[\s:,\"'`*@]*\Z",
    re.IGNORECASE,
)
_NAME = re.compile(r"[^\W\d_][\w.'-]*(?: [^\W\d_][\w.'-]*){0,3}\Z")
_LISTING = re.compile(r"(?:list|files|folder|director|tree|workspace|dateien|fichiers|archivos)", re.IGNORECASE)
MADE_UP = "Of the machine or project that the sample came from; a made-up value stands here."


@dataclass(frozen=True, kw_only=True, slots=True)
class _Part:
    """A stretch of the first version that becomes a slot, or a part of one."""

    gap: VersionGap
    name: str | None
    pattern: str
    sample: str
    max_chars: int
    description: str
    varies: bool
    """It had another value in each version."""


def make_slots(
    first: str, gaps: Sequence[VersionGap], own: Sequence[OwnValue], samples: Sequence[str], *, widens: bool
) -> Iterable[PlacedSlot]:
    """The slots of the first version, in order. ``widens``: what varies takes its sentence with it, and moves."""
    count = len(gaps[0].values) if gaps else 1
    parts = _parts(first, gaps, own, count)
    taken: set[str] = set()
    known: dict[tuple[str, str, tuple[str, ...]], DraftSlot] = {}
    unnamed = 0
    for part in _widened(first, parts) if widens else [(part, False) for part in parts]:
        found, moves = part
        values = found.gap.values
        is_own = found.description == MADE_UP
        key = (found.name or "", found.pattern, () if is_own else values)
        slot = known.get(key)
        if slot is None:
            base = found.name
            if base is None:
                unnamed += 1
                base = f"slot_{unnamed}"
            slot = known[key] = DraftSlot(
                name=_unused_name(base, taken, samples),
                pattern=found.pattern,
                sample=found.sample,
                volatile=moves,
                description=found.description,
                max_chars=found.max_chars,
                stays=found.varies and not moves,
            )
        yield PlacedSlot(start=found.gap.start, end=found.gap.end, slot=slot, values=values)


def settled(prompt: str, placed: Sequence[PlacedSlot]) -> tuple[str, tuple[PlacedSlot, ...]]:
    """The prompt with each slot's sample in its place, and the slots where they then stand."""
    parts: list[str] = []
    out: list[PlacedSlot] = []
    at = size = 0
    for slot in placed:
        parts += (prompt[at : slot.start], slot.slot.sample)
        size += slot.start - at
        out.append(replace(slot, start=size, end=size + len(slot.slot.sample)))
        size += len(slot.slot.sample)
        at = slot.end
    return "".join([*parts, prompt[at:]]), tuple(out)


def _parts(first: str, gaps: Sequence[VersionGap], own: Sequence[OwnValue], count: int) -> list[_Part]:
    """Gaps and own values, in order; own values that a gap touches are part of it."""
    wider: list[VersionGap] = []
    rest = list(own)
    for gap in gaps:
        start, end = gap.start, gap.end
        inside = [value for value in rest if value.start < end and start < value.end]
        if inside:
            start, end = min(start, inside[0].start), max(end, inside[-1].end)
            rest = [value for value in rest if value not in inside]
        inner = [gap]
        if wider and start <= wider[-1].end and inside:
            inner.insert(0, wider.pop())
            start = min(start, inner[0].start)
        wider.append(merged(first, inner, start, max(end, inner[-1].end)))
    starts = sorted([gap.start for gap in wider] + [value.start for value in rest])
    parts = [_own_part(first, value, count) for value in rest]
    for number, gap in enumerate(wider):
        before = first[max(wider[number - 1].end if number else 0, gap.start - NEARBY_CHARS) : gap.start]
        following = next((start for start in starts if start >= gap.end and start > gap.start), len(first))
        parts.append(_gap_part(gap, before, first[gap.end : following], own))
    return sorted(parts, key=lambda part: part.gap.start)


def _own_part(first: str, value: OwnValue, count: int) -> _Part:
    return _Part(
        gap=VersionGap(value.start, value.end, (first[value.start : value.end],) * count),
        name=value.name,
        pattern=value.pattern,
        sample=without_marks(first[value.start : value.end]),
        max_chars=value.max_chars,
        description=MADE_UP,
        varies=value.varies,
    )


def _gap_part(gap: VersionGap, before: str, after: str, own: Sequence[OwnValue]) -> _Part:
    name = _slot_name(gap.values, before)
    pattern = pattern_of(gap.values, before, after, own)
    return _Part(
        gap=gap,
        name=name,
        pattern=pattern,
        sample=neutral_sample(gap.values[0], name, pattern),
        max_chars=limit_of(gap.values),
        description=_description(gap.values),
        varies=len(gap.values) > 1 and len(set(gap.values)) == len(gap.values),
    )


def _widened(first: str, parts: Sequence[_Part]) -> list[tuple[_Part, bool]]:
    """The parts, and whether each moves: what varies takes its whole sentence with it, or stays."""
    out: list[tuple[_Part, bool]] = []
    number = 0
    while number < len(parts):
        part = parts[number]
        span = _span_to_move(first, part)
        if span is None or (out and out[-1][0].gap.end > span[0]):
            out.append((part, span is not None and (part.gap.start, part.gap.end) == span))
            number += 1
            continue
        last = number
        while last + 1 < len(parts) and parts[last + 1].gap.start < span[1]:
            last += 1
        if parts[last].gap.end > span[1]:
            out.append((part, False))
            number += 1
            continue
        joined = _joined(first, parts[number : last + 1], *span)
        if compile_pattern(joined.pattern).fullmatch(joined.sample) is None:
            out.append((part, False))
            number += 1
            continue
        out.append((joined, True))
        number = last + 1
    return out


def _span_to_move(first: str, part: _Part) -> tuple[int, int] | None:
    if not part.varies:
        return None
    gap = part.gap
    blocks = [value for value in gap.values if "\n" in value.strip() or "\r" in value.strip()]
    if blocks and all(_TAGGED.match(value) and value.rstrip().endswith(">") for value in gap.values if value.strip()):
        return gap.start, gap.end
    span = whole_span(first, gap.start, gap.end)
    if span is None:
        return None
    is_sentence = first[span[0] : span[0] + 1] != "<"
    kind = kind_of(gap.values)
    # A path is the same all through a conversation, and other sentences speak of it.
    return None if is_sentence and (blocks or (kind is not None and kind.name == "path")) else span


def _joined(first: str, parts: Sequence[_Part], start: int, end: int) -> _Part:
    """One part over ``[start, end)``: the patterns of these, and the text between them as it is."""
    patterns: list[str] = []
    samples: list[str] = []
    at = start
    for part in parts:
        between = first[at : part.gap.start]
        patterns += (literal_pattern(between), f"(?:{part.pattern})")
        samples += (between, part.sample)
        at = part.gap.end
    patterns.append(literal_pattern(first[at:end]))
    samples.append(first[at:end])
    named = next((part for part in parts if part.varies), parts[0])
    gap = merged(first, [part.gap for part in parts], start, end)
    pattern, sample = "".join(patterns), "".join(samples)
    name = named.name
    block = block_pattern(gap.values)
    if block is not None:  # in a tag any number of lines may vary
        name = "listing" if is_listing([value for value in gap.values if value]) else name
        pattern, sample = block, neutral_sample(sample, name, block) if name == "listing" else sample
    return _Part(
        gap=gap,
        name=name,
        pattern=pattern,
        sample=sample,
        max_chars=max(sum(part.max_chars for part in parts) + end - start, limit_of(gap.values)),
        description=named.description,
        varies=True,
    )


# What a slot is called


def _unused_name(base: str, taken: set[str], samples: Sequence[str]) -> str:
    """A name that no other slot has and that no sample holds in double braces."""
    name, number = base, 1
    while name in taken or any(f"{{{{{name}}}}}" in sample for sample in samples):
        number += 1
        name = f"{base}_{number}"
    taken.add(name)
    return name


def _slot_name(values: Sequence[str], before: str) -> str | None:
    """A slot's name by the kind of its values, else by the label or tag in front of it."""
    label = _label(before)
    kind = kind_of(values)
    if kind is not None and kind.name not in ("number", "id", "version"):
        return kind.name
    present = [value for value in values if value.strip()]
    if any(len(value.splitlines()) > 1 for value in present):
        tag = _TAGGED.match(present[0]) or _TAG_BEFORE.search(before)
        if (tag and _LISTING.search(tag[1])) or (label and _LISTING.search(label)) or is_listing(present):
            return "listing"
        return (slug(tag[1]) if tag else slug(label)) or None
    if (_USER.search(label) or _USER_BEFORE.search(before)) and all(_NAME.match(value) for value in present):
        return "user_name"
    return slug(label) or (kind.name if kind is not None else None)


def _label(before: str) -> str:
    line = before.splitlines()[-1] if before and before[-1] not in "\r\n" else ""
    match = _LABEL.search(line)
    if match is not None:
        words = match[1].strip(" \"'`*_-•").split()
        return " ".join(words[-3:])
    tag = _TAG_BEFORE.search(line)
    return tag[1] if tag else ""


def _description(values: Sequence[str]) -> str:
    if len(values) < 2:
        return "Proposed from one sample."
    distinct = len(set(values))
    absent = ", and is not always there" if any(not value.strip() for value in values) else ""
    return f"{distinct} values in {len(values)} samples{absent}."
