"""One search over all profiles finds what a search through each of them finds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litellm_prompt_router.profile.profile import Profile, Slot
from litellm_prompt_router.request.recognise import (
    Catalogue,
    aligner,
    catalogue,
    head_index,
    line_index,
    placing,
    quotations,
    searched_text,
    window_hashes,
)
from litellm_prompt_router.request.recognise.parting_texts import PartingTexts
from litellm_prompt_router.request.recognise.quotations import _DELIMITER, Delimiters, delimiter
from litellm_prompt_router.request.recognise.searched_prompt import SearchedPrompt
from litellm_prompt_router.request.recognise.searched_text import RawText, SqueezedText, squeeze
from litellm_prompt_router.request.recognise.window_hashes import PieceIndex
from litellm_prompt_router.request.types import Recognition
from tests.law_examples import examples
from tests.made_profiles import module, profile, slot
from tests.request.plain_recognition import PlainCatalogue

AT_ONCE: dict[str, list[tuple[Any, str, Any]]] = {
    "as it is": [],
    "as in long texts": [
        (searched_text, "MIN_HASHED_CHARS", 0),
        (catalogue, "MIN_BOUNDED_CHARS", 0),
        (quotations, "MAX_UNPREPARED_CHARS", 0),
        (placing, "MAX_NEAR_SEARCHES", 0),
        (aligner, "MAX_EASY_GAPS", 0),
    ],
    "as among many profiles": [
        (head_index, "MAX_UNFILTERED", 0),
        (catalogue, "MAX_UNFILTERED", 0),
        (line_index, "MAX_SINGLE_VOTES", 0),
        (window_hashes, "MAX_COMPARED", 0),
        (line_index, "MIN_LISTED_BY_OTHERS", 0),
    ],
}
"""What makes the ways for long texts and many profiles be taken by short and few ones."""


@pytest.fixture(scope="module", params=list(AT_ONCE))
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(searched_text, "MAX_PATTERN_CHARS", 10**12)  # what is bound otherwise: test_recognise_work.py
        for room, name, value in AT_ONCE[request.param]:
            patch.setattr(room, name, value)
        yield request.param


WORDS = ["alpha", "beta", "gamma", "rule", "tool", "never", "always", "the", "file", "a", "crane", "été", "数据"]
DELIMITERS = ("<a>", "</a>", "```", "<!-- x -->", "---", "BEGIN", "END", "## End", '"', "“", "”", "<alpha>", "</alpha>")
SLOTS = (
    slot("date", r"Today is \d{4}", "Today is 2026", volatile=True),
    slot("any", r"[\s\S]*", "quay 1\nquay 2", max_chars=60),
    slot("user", r"[A-Za-z ]+", "Ada"),
    slot("list", r"[^<]*", "in/a.csv\nout/", volatile=True),
)
VALUES = ("Today is 1999", "Bob", "a\nb", "", "<z>")


@st.composite
def lines(draw: st.DrawFn) -> str:
    start = draw(st.sampled_from(["- ", "", "  - ", "> ", "## ", "\t"]))
    return start + " ".join(draw(st.lists(st.sampled_from(WORDS), min_size=2, max_size=9)))


@st.composite
def sections(draw: st.DrawFn, stock: list[str]) -> list[str | Slot]:
    """The parts of a module: lines, most of them from a stock, and perhaps a slot."""
    picked = draw(st.lists(st.sampled_from(stock), min_size=1, max_size=6))
    if draw(st.integers(0, 9)) == 0:
        picked.insert(0, draw(st.sampled_from(["=" * 70, *DELIMITERS])))
    text = draw(st.sampled_from(["\n", "\n", "\r\n"])).join(picked) + draw(st.sampled_from(["\n", "\n\n"]))
    place = draw(st.integers(0, 9))
    if place > 2:
        return [text]
    at = (0, len(text), draw(st.integers(0, len(text))))[place]
    head = draw(st.sampled_from(["", "By: "])) if at == 0 else text[:at]
    gap = "\n" if at in (0, len(text)) else ""
    return [part for part in (head, draw(st.sampled_from(SLOTS)), gap + text[at:]) if part]


@st.composite
def profile_sets(draw: st.DrawFn) -> list[Profile]:
    """Profiles that share lines and sections; some are others with sections changed, moved or left out."""
    stock = draw(st.lists(lines(), min_size=4, max_size=20))
    pool = draw(st.lists(sections(stock), min_size=2, max_size=8))
    made: list[list[list[str | Slot]]] = []
    for _ in range(draw(st.sampled_from([1, 2, 4, 10]))):
        is_variant = draw(st.booleans())
        if made and is_variant:
            parts = list(draw(st.sampled_from(made)))
            at = draw(st.integers(0, len(parts) - 1))
            change = draw(st.sampled_from(["replace", "insert", "remove", "move", "none"]))
            if change == "replace":
                parts[at] = draw(st.sampled_from(pool))
            elif change == "insert":
                parts.insert(at, draw(sections(stock)))
            elif change == "remove" and len(parts) > 1:
                del parts[at]
            elif change == "move":
                parts.append(parts.pop(at))
        else:
            parts = draw(st.lists(st.sampled_from(pool) | sections(stock), min_size=1, max_size=6))
        made.append(parts)
    return [
        profile(*(module(f"m{n}", *each) for n, each in enumerate(parts)), name=f"p{number:02d}")
        for number, parts in enumerate(made)
    ]


@st.composite
def texts(draw: st.DrawFn, profiles: list[Profile]) -> str:
    """A profile's prompt with other values, and what becomes of it on the way; or pieces of many profiles."""
    chosen = draw(st.sampled_from(profiles))
    sections = [each.text for one in profiles for each in one.modules]
    every_line = [line for one in profiles for line in one.text.splitlines()] or ["x"]
    values = st.sampled_from(VALUES)
    parts = [part for each in chosen.modules for part in each.parts]
    text = "".join(
        part if isinstance(part, str) else draw(st.just(part.sample) | st.just(part.sample) | values) for part in parts
    )
    for kind in draw(st.lists(st.integers(0, 11), max_size=3)):
        at = draw(st.integers(0, len(text)))
        if kind == 0:
            text = "\n".join(draw(st.lists(st.sampled_from(every_line), min_size=1, max_size=30)))
        elif kind == 1:
            text = "\n".join(draw(st.lists(st.sampled_from(every_line), min_size=1, max_size=3)) * 40)
        elif kind == 2:
            text = "\n".join(draw(st.lists(st.sampled_from(sections), min_size=1, max_size=12)))
        elif kind == 3:
            mark = draw(st.sampled_from(["<a>", "```", '"', "> ", ""]))
            text += f"\n{mark}\n{draw(st.sampled_from(sections))}{mark.replace('<', '</')}\n{text}"
        elif kind == 4:
            text = text[:at] + draw(st.sampled_from([*WORDS, *DELIMITERS, "\n", "\r\n", "  "])) + text[at:]
        elif kind == 5:
            text = text[:at] + text[at + draw(st.integers(1, 60)) :]
        elif kind == 6:
            text = text.replace("\n", draw(st.sampled_from(["\r\n", " ", "\n\n", "\n  ", "\r"])))
        elif kind == 7:
            text = "\n".join(draw(st.permutations([each.text for each in chosen.modules])))
        elif kind == 8:
            text += draw(st.sampled_from(["", "\n---\n"])) + text
        elif kind == 9:
            text = "".join(each.text[: draw(st.integers(10, 90))] + "\n" for each in chosen.modules) * 8
        elif kind == 10:
            text = draw(st.sampled_from(["Frame.\n", "x ", "  "])) + text + draw(st.sampled_from(["", "\nEnd."]))
        else:
            text = " ".join(draw(st.lists(st.sampled_from(WORDS), max_size=60))) + text
    return text[:8_000]


def told(found: Recognition | None) -> object:
    if found is None:
        return None
    return found.profile.name, found.coverage, found.known_lines, [tuple(span) for span in found.spans]


@given(data=st.data())
@settings(max_examples=examples(200), deadline=None)
def test_all_profiles_at_once_or_one_after_the_other(way: str, data: st.DataObject) -> None:
    """The same profile, spans, coverage and share of known lines, whatever the profiles have in common."""
    profiles = data.draw(profile_sets())
    plain, indexed = PlainCatalogue(profiles), Catalogue(profiles)
    for _ in range(3):
        text = data.draw(texts(profiles))
        only = data.draw(st.none() | st.sampled_from([each.name for each in profiles]))
        expected = told(plain.recognise(text, only=only))
        assert told(indexed.recognise(text, only=only)) == expected
        assert told(indexed.recognise(text, only=only)) == expected


@given(data=st.data())
@settings(max_examples=examples(100), deadline=None)
def test_no_recognition_covers_more_than_is_said_to_be_possible(way: str, data: st.DataObject) -> None:
    profiles = data.draw(profile_sets())
    text = data.draw(texts(profiles)) or "x"
    for each in profiles:
        prepared = aligner.Aligner(each)
        assert prepared.most_coverage(SearchedPrompt(text)) >= prepared.align(SearchedPrompt(text)).coverage


@given(
    owners=st.lists(st.sets(st.integers(0, 11), min_size=1), min_size=1, max_size=12),
    data=st.data(),
)
@settings(max_examples=examples(300), deadline=None)
def test_ranks_are_those_of_votes_added_one_by_one(way: str, owners: list[set[int]], data: st.DataObject) -> None:
    """To the last bit: sums of 1/3 and 1/7 in another order would decide ties otherwise."""
    line = "the line with number {} of the stock".format
    profiles = [
        profile(module("m", *["\n".join(line(n) for n, have in enumerate(owners) if number in have) or "-"]), name=name)
        for number, name in enumerate(f"p{n:02d}" for n in range(12))
    ]
    picked = data.draw(st.lists(st.integers(0, len(owners) - 1), max_size=60))
    text = "\n".join(line(n) for n in picked)
    ranked = line_index.LineIndex(profiles).ranked(line_index.line_hashes(text.splitlines()))
    assert [f"p{number:02d}" for number in ranked] == list(PlainCatalogue(profiles)._ranked(text.splitlines()))


MARKUP = ["<", "</", "a", "ſtart", "begin of x", "END y", "\n", "```", "~~~", "  ", "{{", "}}", "#", "/", "-->", "<!--"]
MARKUP += ["[", "]", "[x]", "<b>", "</b>", "###", " end", "====", " t ", "-", "\r", '"""', "'''", "> ", "é", "{{#x}}"]


CUTS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=4)


@given(pieces=st.lists(st.sampled_from(MARKUP), max_size=30), cuts=CUTS)
def test_delimiters_are_those_that_the_pattern_finds(way: str, pieces: list[str], cuts: list[tuple[int, int]]) -> None:
    """Whatever was asked about the text before."""
    text = "".join(pieces)
    delimiters = Delimiters(text)
    for cut in cuts:
        assert list(delimiters.between(*cut)) == [delimiter(mark) for mark in _DELIMITER.finditer(text, *cut)]


@given(
    texts=st.lists(st.text(st.sampled_from("ab"), max_size=12), max_size=12),
    text=st.text(st.sampled_from("ab"), max_size=16),
    cut=st.tuples(st.integers(0, 4), st.integers(0, 4)),
)
def test_texts_that_part_are_found_by_how_they_begin_or_end(
    way: str, texts: list[str], text: str, cut: tuple[int, int]
) -> None:
    start, end = min(cut[0], len(text)), max(min(cut[0], len(text)), len(text) - cut[1])
    numbered = list(enumerate(texts))
    beginnings = PartingTexts(numbered, from_end=False).found_in(text, start, end)
    endings = PartingTexts(numbered, from_end=True).found_in(text, start, end)
    assert len(set(beginnings)) == len(beginnings)
    assert {n for n, each in numbered if text[start:end].startswith(each)} <= set(beginnings)
    assert {n for n, each in numbered if text[start:end].endswith(each)} <= set(endings)
    for number, each in numbered:
        assert number in PartingTexts(numbered, from_end=False).found_in(each, 0, len(each))
        assert number in PartingTexts(numbered, from_end=True).found_in(each, 0, len(each))


SPACES = "ab \t\n\x0b\x0c\r\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2000\u200a\u200b\u2028\u2029\u202f\u205f\u3000é数\ud800"


@given(st.text(st.sampled_from(SPACES)))
def test_a_squeezed_text_knows_where_its_characters_were(way: str, text: str) -> None:
    space = SqueezedText(text)
    assert space.text == squeeze(text) == "".join(text.split())
    for at, character in enumerate(space.text):
        assert text[space.raw_start(at)] == character
        assert space.raw_end(at + 1) == space.raw_start(at) + 1
        assert space.squeezed_at(space.raw_start(at)) == at


@given(text=st.text(st.sampled_from("ab=")), piece=st.text(st.sampled_from("ab="), min_size=12, max_size=20))
def test_a_probe_is_found_at_each_of_its_places(way: str, text: str, piece: str) -> None:
    text += piece + text + piece
    space = RawText(text)
    space.look_for(searched_text.Probes([piece]))
    for at in range(len(text)):
        assert space.next_place(piece, at) == text.find(piece, at)
        assert space.next_place(piece, at, at + 15) == text.find(piece, at, at + 15)
        assert space.next_piece(piece, at) == text.find(piece, at)


@given(
    text=st.text(st.sampled_from("ab"), max_size=60),
    pieces=st.lists(st.text(st.sampled_from("ab"), min_size=6, max_size=6)),
)
def test_pieces_are_found_wherever_they_stand(way: str, text: str, pieces: list[str]) -> None:
    found = PieceIndex(enumerate(pieces), 6).owners_in(text)
    assert sorted(found) == [number for number, piece in enumerate(pieces) if piece in text]
