"""Tells a prompt's own modules from module text that somebody quotes in it.

A prompt has each module once, in an order of its own. What stands inside foreign delimiters, such as a tag, a fence
or quotation marks that open in text that the profile doesn't know, is a quotation; so is a module that stood
in the text before. Two things look like that and aren't: a frame around the prompt, and a prompt that is there twice.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, islice
from typing import NamedTuple

from litellm_prompt_router.profile.profile import Slot
from litellm_prompt_router.request.recognise.own_order import Occurrence, in_own_order, occurrences
from litellm_prompt_router.request.recognise.placing import PlacedSpan

MAX_DELIMITERS = 20_000
"""Delimiters looked at in one text, so that one made of nothing else stays cheap."""

MAX_UNPREPARED_CHARS = 4_000
"""Of unknown text, looked through character by character before all places where a delimiter may begin are found."""
MAX_SCANNED_CHARS = 400_000
"""Characters of unknown text that are looked through for them; several times the longest prompt seen."""

# Every repetition is bounded or gives nothing back, so that no line takes more than its length.
_DELIMITER = re.compile(
    r"<(?P<close>/?)(?P<tag>[^\W\d][\w.:-]*+)(?:\s[^<>]*+)?(?<!/)>"
    r"|\[(?P<closes>/?)(?P<bracket>[^\W\d][\w -]{0,40})\]"
    r"|\{\{(?P<ends>/?)[#^]?(?P<block>[^\W\d][\w.-]{0,40}+)(?:[ ][^{}\r\n]{0,80}+)?\}\}"
    r"|(?P<comment><!--|-->)"
    r"|^(?:[ \t]{0,40}+(?P<fence>`{3,}+|~{3,}+|\"{3}|'{3})(?P<info>[^`\r\n]*+)$"
    r"|(?P<last>#{1,6}+)[ \t]{1,4}+end[ \t#]{0,20}+$"
    r"|[^\w\r\n]{0,40}(?P<edge>begin|start|end)(?:[ _-]of)?[ :_-]{1,20}(?P<name>\w[^\r\n]{0,200}?)[^\w\r\n]{0,20}$"
    r"|(?P<rule>[-=*#~]{3,40})[ \t]{0,20}+(?P<title>\w[^\r\n]{0,200}?)[ \t]{0,20}(?P=rule)[ \t]{0,20}+$"
    r"|(?P<level>#{1,6}+)[ \t]{1,4}+(?P<heading>\w[^\r\n]{0,200}?)[ \t#]{0,20}$)",
    re.MULTILINE | re.IGNORECASE,
)
# Where one of those may begin: what is looked for first, since this takes a tenth of the time.
_MAY_BEGIN = {
    "<": re.compile(r"<(?=/?[^\W\d]|!--)"),
    "[": re.compile(r"\[(?=/?[^\W\d])"),
    "{{": re.compile(r"\{(?=\{)"),
    "-->": re.compile(r"-(?=->)"),
}
_LINE_MAY_BEGIN = r"[ \t]{0,40}(?:`{3}|~{3}|\"{3}|'{3})|\#{1,6}[ \t]|[-=*#~]{3}|[^\w\r\n]{0,40}(?i:begin|start|end)"
_LATER_LINE = re.compile(rf"\n(?={_LINE_MAY_BEGIN})")
_FIRST_LINE = re.compile(_LINE_MAY_BEGIN)
_QUOTED_LINE = re.compile(r"[ \t]*(?:[>|][ \t]?)+(?:[-*+][ \t]+)?\Z")
_QUOTATION_MARKS = dict(zip("\"“„«»「『`‘'", "\"”“»«」』`’'", strict=True))
"""What closes a quotation that each of these opens."""


class _Opened(NamedTuple):
    """A foreign delimiter that waits for the one that closes it. ``behind``: how many occurrences stand before it."""

    keys: tuple[str, ...]
    size: int
    start: int
    behind: int


class Delimiter(NamedTuple):
    """One delimiter ``[start, end)``: the keys of what closes it, the key of what it may close."""

    start: int
    end: int
    opens: tuple[str, ...]
    closes: str
    size: int
    is_tag: bool


class Delimiters:
    """The delimiters of one text. Where they may begin, and which they are, is found once for all profiles."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._places: list[int] | None = None
        self._scanned = 0
        self._known: dict[int, tuple[Delimiter | None, int]] = {}
        """By where one may begin: the one that does, and where its line ends."""

    def between(self, at: int, end: int) -> Iterator[Delimiter]:
        """Those in ``[at, end)``, as ``_DELIMITER`` finds them one after the other."""
        if self._places is None:
            self._scanned += end - at
            if self._scanned <= MAX_UNPREPARED_CHARS:
                return map(delimiter, _DELIMITER.finditer(self._text, at, end))
            self._places = _places_of_delimiters(self._text)
        return self._at_places(self._places, at, end)

    def _at_places(self, places: list[int], at: int, end: int) -> Iterator[Delimiter]:
        for number in range(bisect_left(places, at), bisect_left(places, end)):
            place = places[number]
            if place >= at:
                mark, line_end = self._known.get(place) or self._look_at(place)
                if line_end > end or (mark is not None and mark.end > end):  # another one where the text is cut
                    match = _DELIMITER.match(self._text, place, end)
                    mark = None if match is None else delimiter(match)
                if mark is not None:
                    at = mark.end
                    yield mark

    def _look_at(self, place: int) -> tuple[Delimiter | None, int]:
        match = _DELIMITER.match(self._text, place)
        line_end = self._text.find("\n", place)
        known = (None if match is None else delimiter(match), line_end if line_end >= 0 else len(self._text))
        self._known[place] = known
        return known


def delimiter(match: re.Match[str]) -> Delimiter:
    return Delimiter(
        start=match.start(),
        end=match.end(),
        opens=_opens(match),
        closes=_closes(match),
        size=len(match["fence"] or ""),
        is_tag=bool(match["tag"]),
    )


def _places_of_delimiters(text: str) -> list[int]:
    places = {match.end() for match in _LATER_LINE.finditer(text)}
    for opening, pattern in _MAY_BEGIN.items():
        if opening in text:
            places.update(match.start() for match in pattern.finditer(text))
    if _FIRST_LINE.match(text):
        places.add(0)
    return sorted(places)


def own_claims(
    text: str, claims: Sequence[PlacedSpan], literals: Sequence[str], delimiters: Delimiters
) -> list[PlacedSpan]:
    """The claims, in text order, without those of modules that are only quoted.

    ``literals``: each module's literal text, by which a tag of a module that was edited is known as the prompt's own.
    """
    found = occurrences(claims)
    if not found:
        return []
    found = _unquoted(text, found, literals, delimiters)
    found = in_own_order(text, found, literals)
    return [span for each in found for span in each.spans]


def stand_alike(claims: Sequence[PlacedSpan], others: Sequence[PlacedSpan]) -> bool:
    """True when both put the same modules at the same places, so that of both the same are quoted."""
    return [_place(each) for each in occurrences(claims)] == [_place(each) for each in occurrences(others)]


def _place(each: Occurrence) -> tuple[int, int, int, Slot | None]:
    """Where it is. With the slot that it ends with, if any: whose white space follows depends on that."""
    return each.start, each.end, each.module, each.spans[-1].slot


# Quotations by what is around them


def _unquoted(text: str, found: list[Occurrence], literals: Sequence[str], delimiters: Delimiters) -> list[Occurrence]:
    """The occurrences that no foreign block encloses."""
    ranges = {*_between_delimiters(text, found, literals, delimiters), *_between_quotation_marks(text, found)}
    quoted = set[int]()
    sizes = list(accumulate((each.end - each.start for each in found), initial=0))
    is_each_once = len({each.module for each in found}) == len(found)
    for first, last in ranges:
        inside = sizes[last] - sizes[first]
        is_frame = 2 * inside > sizes[-1] if is_each_once else _is_frame(found, first, last)
        if not is_frame:
            quoted.update(range(first, last))
    return [each for number, each in enumerate(found) if number not in quoted]


def _is_frame(found: Sequence[Occurrence], first: int, last: int) -> bool:
    """True when most of the prompt is in there and not outside: somebody put the prompt itself into a tag."""
    outside = {each.module: each.end - each.start for each in (*found[:first], *found[last:])}
    inside = {each.module: each.end - each.start for each in found[first:last] if each.module not in outside}
    return sum(inside.values()) > sum(outside.values())


def _between_delimiters(
    text: str, found: Sequence[Occurrence], literals: Sequence[str], delimiters: Delimiters
) -> Iterable[tuple[int, int]]:
    """``(first, last)``: which occurrences stand between two delimiters that are in unknown text."""
    opened: list[_Opened] = []
    depths: dict[str, list[int]] = {}
    placed = {each.module for each in found}
    at = seen = scanned = 0
    for number in range(len(found) + 1):
        until = found[number].start if number < len(found) else len(text)
        end = min(max(at, until), at + MAX_SCANNED_CHARS - scanned)
        scanned += end - at
        for mark in islice(delimiters.between(at, end), MAX_DELIMITERS - seen):
            seen += 1
            waiting = depths.get(mark.closes)
            if waiting and opened[waiting[-1]].size <= mark.size:
                start, behind = opened[waiting[-1]][2:]
                for closed in reversed(opened[waiting[-1] :]):
                    for key in closed.keys:
                        depths[key].pop()
                    opened.pop()
                if behind == number:
                    continue
                first = found[behind - 1].module + 1 if behind else 0
                missing = [module for module in range(first, found[behind].module) if module not in placed]
                if not (missing and mark.is_tag and _is_of_any(missing, text, start, literals)):
                    yield behind, number
            elif mark.opens:
                for key in mark.opens:
                    depths.setdefault(key, []).append(len(opened))
                opened.append(_Opened(mark.opens, mark.size, mark.start, number))
        at = max(at, found[number].end) if number < len(found) else until


def _opens(mark: re.Match[str]) -> tuple[str, ...]:
    """The keys of what closes the delimiter that this one opens; none when it can't open one."""
    if mark["tag"]:
        return () if mark["close"] else (f"<{mark['tag'].lower()}",)
    if mark["bracket"]:
        return () if mark["closes"] else (f"[{mark['bracket'].lower()}",)
    if mark["block"]:
        return () if mark["ends"] else (f"{{{{{mark['block'].lower()}",)
    if mark["fence"]:
        return (mark["fence"][0],)
    if mark["comment"]:
        return ("<!--",) if mark["comment"] == "<!--" else ()
    if mark["edge"]:
        return () if mark["edge"].lower() == "end" else (f"begin {mark['name'].lower()}",)
    if mark["heading"]:
        return mark["level"], f"begin {mark['heading'].lower()}"
    return (f"begin {mark['title'].lower()}",) if mark["title"] else ()


def _closes(mark: re.Match[str]) -> str:
    """The key of the delimiter that this one may close; empty when it closes none."""
    if mark["close"]:
        return f"<{mark['tag'].lower()}"
    if mark["closes"]:
        return f"[{mark['bracket'].lower()}"
    if mark["ends"]:
        return f"{{{{{mark['block'].lower()}"
    if mark["fence"] and (
        not mark["info"].strip() or mark["info"][0] in "#<-*"
    ):  # the next block may begin on its line
        return mark["fence"][0]
    if mark["comment"] == "-->":
        return "<!--"
    if mark["last"]:
        return mark["last"]
    return f"begin {mark['name'].lower()}" if mark["edge"] and mark["edge"].lower() == "end" else ""


def _is_of_any(missing: Sequence[int], text: str, start: int, literals: Sequence[str]) -> bool:
    """True when a module that should stand where the tag was opened, and doesn't, has that tag: it was edited."""
    opener = text[start : text.find(">", start) + 1]
    return any(opener in literals[module] for module in missing)


def _between_quotation_marks(text: str, found: Sequence[Occurrence]) -> Iterable[tuple[int, int]]:
    """Neighbouring modules between quotation marks, and modules on a line that is marked as quoted."""
    number = 0
    while number < len(found):
        last = number
        while last + 1 < len(found) and not text[found[last].end : found[last + 1].start].strip():
            last += 1
        start, end = found[number].start, found[last].end
        low = found[number - 1].end if number else 0
        before, behind = text[max(low, start - 200) : start], text[end : end + 200]
        mark = before.rstrip()[-1:]
        closing = _QUOTATION_MARKS.get(mark)
        line = before[max(before.rfind("\n"), before.rfind("\r")) + 1 :]
        if (closing and behind.lstrip()[:1] == closing) or (line and _QUOTED_LINE.match(line)):
            yield number, last + 1
        number = last + 1
