"""Finds the slots of a prompt from what varies between its versions: positions, names and patterns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from litellm_prompt_router.authoring.split.draft import DraftSlot, PlacedSlot
from litellm_prompt_router.authoring.split.titles import slug
from litellm_prompt_router.authoring.split.value_kinds import KINDS, kind_of, pattern_of
from litellm_prompt_router.authoring.split.version_alignment import VersionGap, find_gaps, merged
from litellm_prompt_router.request.route.triggers import is_unspaced

NEARBY_CHARS = 200
"""How far around a difference to look for the date or path that it is part of."""
FEW_LETTERS = 4
LITTLE_TEXT = 24
COARSEST = 3

_STRUCTURE = re.compile(r"[:=<>\"'`()\[\]{}#|：（）「」\n\r]")
_FILE_END = re.compile(r"(?:[./\\_-]+\w+)*")
_MARKUP = re.compile(r"\s*(?:</?[^\W\d]|#|={3}|-{3}|`{3}|~{3})")
_JOINT = frozenset(("", "-", "/", ":", ".", ",", "_", "+", "@", "\\", "'"))
_LABEL = re.compile(r"([^\W\d_][^\n\r:=：<>()\[\]]{0,40}?)[\"'`*_]*[ \t]*[:=：][ \t]*[\"'`*_(<\[]*\Z")
_TAG_BEFORE = re.compile(r"<([^\W\d][\w.:-]*)(?:\s[^<>]*)?>\s*\Z")
_TAGGED = re.compile(r"\s*<([^\W\d][\w.:-]*)[\s>]")
_USER = re.compile(
    r"\b(?:user|nutzer|benutzer|utilisateur|usuario|utente|gebruiker|пользовател)|用户|用戶|ユーザー", re.IGNORECASE
)
_USER_BEFORE = re.compile(
    r"(?:\b(?:user(?:'s)?(?: name)?|username|named|called|name|hello|hi|dear|assist|assisting|help|helping|for)(?: is)?|用户|ユーザー)[\s:,\"'`*@]*\Z",
    re.IGNORECASE,
)
_NAME = re.compile(r"[^\W\d_][\w.'-]*(?: [^\W\d_][\w.'-]*){0,3}\Z")
_LISTING = re.compile(r"(?:list|files|folder|director|tree|workspace|dateien|fichiers|archivos)", re.IGNORECASE)
_ENTRY = re.compile(r"\s*(?:[-*+•├└│|]|\d+[.)])|.*[\w)][./\\]\w|.*[/\\]")
_RUNS = ((re.compile(r"[^\W\d_]+"), "a"), (re.compile(r"\d+"), "0"), (re.compile(r"[ \t]+"), " "))


def find_slots(samples: Sequence[str], coarseness: int = 0) -> tuple[tuple[PlacedSlot, ...], tuple[int, ...]]:
    """The slots of the first version, and the numbers of the versions that are of another prompt.

    ``coarseness``: from 1 on, what differs on one line is one slot; then on neighbouring lines; then nearby.
    """
    first = samples[0]
    found, unrelated = find_gaps(_with_one_line_ending(samples))
    gaps = [gap for gap in found if any(value.strip() for value in gap.values)]
    gaps = _widened(first, _whole_words(first, gaps))
    gaps = _joined_over_chance_matches(first, gaps, coarseness)
    kept = [sample for number, sample in enumerate(samples) if number not in unrelated]
    return tuple(_as_slots(first, gaps, kept)), unrelated


def slots_at(first: str, spans: Iterable[tuple[int, int]]) -> tuple[PlacedSlot, ...]:
    """Slots over these spans of the prompt's only version."""
    gaps = [VersionGap(start, end, (first[start:end],)) for start, end in spans]
    return tuple(_as_slots(first, gaps, [first]))


def _with_one_line_ending(samples: Sequence[str]) -> list[str]:
    """The versions with the line endings of the first; recognition takes either."""
    first = samples[0]
    if "\r\n" not in first:
        return [sample.replace("\r\n", "\n") if "\n" in first else sample for sample in samples]
    if "\n" in first.replace("\r\n", ""):
        return list(samples)
    return [first, *(re.sub(r"(?<!\r)\n", "\r\n", sample) for sample in samples[1:])]


# Where a slot begins and ends


def _whole_words(first: str, gaps: Sequence[VersionGap]) -> list[VersionGap]:
    """Gaps that begin and end outside words; several in one word are one."""
    out: list[tuple[int, int, list[VersionGap]]] = []
    for gap in gaps:
        start, end = _word_edges(first, gap)
        if out and start <= out[-1][1]:
            before, until, inside = out[-1]
            out[-1] = (min(before, start), max(until, end), [*inside, gap])
        else:
            out.append((start, end, [gap]))
    return [merged(first, inside, start, end) for start, end, inside in out]


def _word_edges(first: str, gap: VersionGap) -> tuple[int, int]:
    """The gap's start and end moved outwards to the edges of words."""
    start, end = gap.start, gap.end
    if any(value and _is_word_character(value[0]) for value in gap.values) or _splits_word(first, start, end):
        while start > 0 and _is_word_character(first[start - 1]):
            start -= 1
    if any(value and _is_word_character(value[-1]) for value in gap.values) or _splits_word(first, start, end):
        while end < len(first) and _is_word_character(first[end]):
            end += 1
    if any("/" in value or "\n" in value for value in gap.values) and gap.end == end:
        # Files often end alike: what follows a name without a space is part of it.
        end = _FILE_END.match(first, end).end()  # type: ignore[union-attr]  # it matches nothing, too
    return start, end


def _splits_word(first: str, start: int, end: int) -> bool:
    return (
        start == end
        and 0 < start < len(first)
        and _is_word_character(first[start - 1])
        and _is_word_character(first[start])
    )


def _is_word_character(character: str) -> bool:
    return (character.isalnum() or character == "_") and not is_unspaced(character)


def _widened(first: str, gaps: Sequence[VersionGap]) -> list[VersionGap]:
    """Gaps that cover the whole date, path or number that they are part of."""
    out: list[VersionGap] = []
    rest = _merged_where_touching(first, gaps)
    while rest:
        gap = rest.pop(0)
        low = max(gap.start - NEARBY_CHARS, out[-1].end if out else 0)
        window = first[low : gap.end + NEARBY_CHARS]
        wider: VersionGap | None = None
        for kind in KINDS:
            for match in kind.finder.finditer(window):
                start, end = low + match.start(), low + match.end()
                if start > gap.start or end < gap.end or (start == end):
                    continue
                inside = [gap, *(other for other in rest if other.start <= end)]
                candidate = merged(first, inside, start, max(end, inside[-1].end))
                if candidate.end == end and all(kind.is_value(value) for value in candidate.values if value):
                    wider = candidate
                    break
            if wider is not None:
                break
        if wider is None:
            out.append(gap)
        else:
            rest = [other for other in rest if other.start > wider.end]
            out.append(wider)
    return out


def _merged_where_touching(first: str, gaps: Sequence[VersionGap]) -> list[VersionGap]:
    """The same gaps, with those that touch joined into one."""
    out: list[VersionGap] = []
    for gap in gaps:
        if out and gap.start <= out[-1].end:
            out[-1] = merged(first, [out[-1], gap], out[-1].start, gap.end)
        else:
            out.append(gap)
    return out


def _joined_over_chance_matches(first: str, gaps: Sequence[VersionGap], coarseness: int) -> list[VersionGap]:
    """The gaps, joined where the text between two is equal by chance only."""
    out: list[VersionGap] = []
    for gap in _merged_where_touching(first, gaps):
        if out and _is_chance_match(first[out[-1].end : gap.start], out[-1], gap, coarseness):
            out[-1] = merged(first, [out[-1], gap], out[-1].start, gap.end)
        else:
            out.append(gap)
    return out


def _is_chance_match(between: str, left: VersionGap, right: VersionGap, coarseness: int) -> bool:
    """True when the text between two gaps is equal by chance, or too little to separate two slots."""
    newlines = between.count("\n") + between.count("\r")
    if (
        (coarseness >= 1 and not newlines)
        or (coarseness >= 2 and newlines <= 2)
        or (coarseness >= 3 and newlines <= 12)
    ):
        return True
    if newlines and any(_MARKUP.match(line) for line in between.splitlines()):
        return False
    values = (*left.values, *right.values)
    letters = sum(character.isalnum() for character in between)
    if any("\n" in value for value in values):
        shapes = {_shape(line) for value in values for line in value.splitlines()}
        lines = [line for line in between.splitlines() if line.strip()]
        if newlines and all(_shape(line) in shapes for line in lines):
            return True
        return letters < LITTLE_TEXT and _STRUCTURE.search(between.strip()) is None
    if newlines:
        return False
    if between.strip() in _JOINT:
        return True
    if letters >= FEW_LETTERS or _STRUCTURE.search(between):
        return False
    if not any(character.isspace() for character in between):
        return True
    return any(" " in value.strip() for value in values)


def _shape(line: str) -> str:
    for runs, letter in _RUNS:
        line = runs.sub(letter, line)
    return re.sub(r"a(?:[ -]a)+", "a", line.strip())


# What a slot is called


def _as_slots(first: str, gaps: Sequence[VersionGap], samples: Sequence[str]) -> Iterable[PlacedSlot]:
    taken: set[str] = set()
    known: dict[tuple[tuple[str, ...], str], DraftSlot] = {}
    unnamed = 0
    for number, gap in enumerate(gaps):
        before = first[max(gaps[number - 1].end if number else 0, gap.start - NEARBY_CHARS) : gap.start]
        after = first[gap.end : gaps[number + 1].start if number + 1 < len(gaps) else len(first)]
        pattern, max_chars = pattern_of(gap.values, before, after)
        slot = known.get((gap.values, pattern))
        if slot is None:
            base = _slot_name(gap.values, before)
            if base is None:
                unnamed += 1
                base = f"slot_{unnamed}"
            slot = known[gap.values, pattern] = DraftSlot(
                name=_unused_name(base, taken, samples),
                pattern=pattern,
                sample=gap.values[0],
                volatile=len(gap.values) > 1
                and len(set(gap.values)) == len(gap.values)
                and not _is_path_inside_line(first, gap),
                description=_description(gap.values, before),
                max_chars=max_chars,
            )
        yield PlacedSlot(start=gap.start, end=gap.end, slot=slot, values=gap.values)


def _is_path_inside_line(first: str, gap: VersionGap) -> bool:
    """True for a path with other words on its line: moved to the prompt's end, it would lose their explanation."""
    kind = kind_of(gap.values)
    line_start = max(first.rfind("\n", 0, gap.start), first.rfind("\r", 0, gap.start)) + 1
    has_words = first[line_start : gap.start].strip() or first[gap.end : gap.end + 1].strip("\r\n")
    return kind is not None and kind.name == "path" and bool(has_words)


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
        if (tag and _LISTING.search(tag[1])) or (label and _LISTING.search(label)) or _is_listing(present):
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


def _is_listing(values: Sequence[str]) -> bool:
    lines = [line for value in values for line in value.splitlines() if line.strip()]
    return len(lines) > 1 and sum(_ENTRY.match(line) is not None for line in lines) * 2 > len(lines)


def _description(values: Sequence[str], before: str) -> str:
    if len(values) < 2:
        return "Proposed from one sample."
    distinct = len(set(values))
    absent = ", and is not always there" if any(not value.strip() for value in values) else ""
    return f"{distinct} values in {len(values)} samples{absent}."
