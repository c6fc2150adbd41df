"""What varies between the versions of a prompt -> its slots: where they stand, their names and patterns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from litellm_prompt_router.authoring.split.draft import DraftSlot, PlacedSlot
from litellm_prompt_router.authoring.split.titles import slug
from litellm_prompt_router.authoring.split.value_kinds import KINDS, kind_of, pattern_of
from litellm_prompt_router.authoring.split.version_alignment import VersionGap, gaps_of, merged
from litellm_prompt_router.request.route.triggers import is_unspaced

NEARBY_CHARS = 200
"""How far around a difference a date or a path is looked for that it is part of."""
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
    """The slots of the first version, and the numbers of the versions that are of some other prompt.

    ``coarseness``: from 1 on, what differs on one line is one slot; then on neighbouring lines; then nearby.
    """
    first = samples[0]
    found, strangers = gaps_of(_with_one_line_ending(samples))
    gaps = [gap for gap in found if any(value.strip() for value in gap.values)]
    gaps = _widened(first, _in_words(first, gaps))
    gaps = _without_weak_islands(first, gaps, coarseness)
    kept = [sample for number, sample in enumerate(samples) if number not in strangers]
    return tuple(_named(first, gaps, kept)), strangers


def slots_at(first: str, spans: Iterable[tuple[int, int]]) -> tuple[PlacedSlot, ...]:
    """Slots over these spans of the only version there is."""
    gaps = [VersionGap(start, end, (first[start:end],)) for start, end in spans]
    return tuple(_named(first, gaps, [first]))


def _with_one_line_ending(samples: Sequence[str]) -> list[str]:
    """The versions with the first one's line endings, which recognition doesn't care about."""
    first = samples[0]
    if "\r\n" not in first:
        return [sample.replace("\r\n", "\n") if "\n" in first else sample for sample in samples]
    if "\n" in first.replace("\r\n", ""):
        return list(samples)
    return [first, *(re.sub(r"(?<!\r)\n", "\r\n", sample) for sample in samples[1:])]


# Where a slot begins and ends


def _in_words(first: str, gaps: Sequence[VersionGap]) -> list[VersionGap]:
    """Gaps that begin and end outside words; several in one word are one."""
    out: list[tuple[int, int, list[VersionGap]]] = []
    for gap in gaps:
        start, end = _to_words(first, gap)
        if out and start <= out[-1][1]:
            before, until, inside = out[-1]
            out[-1] = (min(before, start), max(until, end), [*inside, gap])
        else:
            out.append((start, end, [gap]))
    return [merged(first, inside, start, end) for start, end, inside in out]


def _to_words(first: str, gap: VersionGap) -> tuple[int, int]:
    """Where the gap would have to begin and end so as not to be inside a word."""
    start, end = gap.start, gap.end
    if any(value and _in_word(value[0]) for value in gap.values) or _inside(first, start, end):
        while start > 0 and _in_word(first[start - 1]):
            start -= 1
    if any(value and _in_word(value[-1]) for value in gap.values) or _inside(first, start, end):
        while end < len(first) and _in_word(first[end]):
            end += 1
    if any("/" in value or "\n" in value for value in gap.values) and gap.end == end:
        # Files often end alike: what follows a name without a space is part of it.
        end = _FILE_END.match(first, end).end()  # type: ignore[union-attr]  # it matches nothing, too
    return start, end


def _inside(first: str, start: int, end: int) -> bool:
    return start == end and 0 < start < len(first) and _in_word(first[start - 1]) and _in_word(first[start])


def _in_word(character: str) -> bool:
    return (character.isalnum() or character == "_") and not is_unspaced(character)


def _widened(first: str, gaps: Sequence[VersionGap]) -> list[VersionGap]:
    """Gaps that cover the whole date, path or number that they are part of."""
    out: list[VersionGap] = []
    rest = _apart(first, gaps)
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


def _apart(first: str, gaps: Sequence[VersionGap]) -> list[VersionGap]:
    """The same gaps, those that touch as one."""
    out: list[VersionGap] = []
    for gap in gaps:
        if out and gap.start <= out[-1].end:
            out[-1] = merged(first, [out[-1], gap], out[-1].start, gap.end)
        else:
            out.append(gap)
    return out


def _without_weak_islands(first: str, gaps: Sequence[VersionGap], coarseness: int) -> list[VersionGap]:
    out: list[VersionGap] = []
    for gap in _apart(first, gaps):
        if out and _is_weak(first[out[-1].end : gap.start], out[-1], gap, coarseness):
            out[-1] = merged(first, [out[-1], gap], out[-1].start, gap.end)
        else:
            out.append(gap)
    return out


def _is_weak(island: str, left: VersionGap, right: VersionGap, coarseness: int) -> bool:
    """True when what two gaps have between them is there by chance, or too little to tell them apart by."""
    newlines = island.count("\n") + island.count("\r")
    if (
        (coarseness >= 1 and not newlines)
        or (coarseness >= 2 and newlines <= 2)
        or (coarseness >= 3 and newlines <= 12)
    ):
        return True
    if newlines and any(_MARKUP.match(line) for line in island.splitlines()):
        return False
    values = (*left.values, *right.values)
    letters = sum(character.isalnum() for character in island)
    if any("\n" in value for value in values):
        shapes = {_shape(line) for value in values for line in value.splitlines()}
        lines = [line for line in island.splitlines() if line.strip()]
        if newlines and all(_shape(line) in shapes for line in lines):
            return True
        return letters < LITTLE_TEXT and _STRUCTURE.search(island.strip()) is None
    if newlines:
        return False
    if island.strip() in _JOINT:
        return True
    if letters >= FEW_LETTERS or _STRUCTURE.search(island):
        return False
    if not any(character.isspace() for character in island):
        return True
    return any(" " in value.strip() for value in values)


def _shape(line: str) -> str:
    for runs, letter in _RUNS:
        line = runs.sub(letter, line)
    return re.sub(r"a(?:[ -]a)+", "a", line.strip())


# What a slot is called


def _named(first: str, gaps: Sequence[VersionGap], samples: Sequence[str]) -> Iterable[PlacedSlot]:
    taken: set[str] = set()
    known: dict[tuple[tuple[str, ...], str], DraftSlot] = {}
    unnamed = 0
    for number, gap in enumerate(gaps):
        before = first[max(gaps[number - 1].end if number else 0, gap.start - NEARBY_CHARS) : gap.start]
        after = first[gap.end : gaps[number + 1].start if number + 1 < len(gaps) else len(first)]
        pattern, max_chars = pattern_of(gap.values, before, after)
        slot = known.get((gap.values, pattern))
        if slot is None:
            base = _name(gap.values, before)
            if base is None:
                unnamed += 1
                base = f"slot_{unnamed}"
            slot = known[gap.values, pattern] = DraftSlot(
                name=_free(base, taken, samples),
                pattern=pattern,
                sample=gap.values[0],
                volatile=len(gap.values) > 1
                and len(set(gap.values)) == len(gap.values)
                and not _is_place_in_a_line(first, gap),
                description=_description(gap.values, before),
                max_chars=max_chars,
            )
        yield PlacedSlot(start=gap.start, end=gap.end, slot=slot, values=gap.values)


def _is_place_in_a_line(first: str, gap: VersionGap) -> bool:
    """A path that words stand around: one for the whole conversation, and at the prompt's end nobody knew whose."""
    kind = kind_of(gap.values)
    line_start = max(first.rfind("\n", 0, gap.start), first.rfind("\r", 0, gap.start)) + 1
    has_words = first[line_start : gap.start].strip() or first[gap.end : gap.end + 1].strip("\r\n")
    return kind is not None and kind.name == "path" and bool(has_words)


def _free(base: str, taken: set[str], samples: Sequence[str]) -> str:
    """A name that no other slot has and that the prompt itself doesn't have between double braces."""
    name, number = base, 1
    while name in taken or any(f"{{{{{name}}}}}" in sample for sample in samples):
        number += 1
        name = f"{base}_{number}"
    taken.add(name)
    return name


def _name(values: Sequence[str], before: str) -> str | None:
    """What the content says it is, else the label or tag it stands behind."""
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
    comes = ", and is not always there" if any(not value.strip() for value in values) else ""
    return f"{distinct} values in {len(values)} samples{comes}."
