"""How much is done to find a prompt's profile among many: counted, since times depend on the machine."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace
from functools import cache
from types import FrameType
from typing import Any

import pytest

from litellm_prompt_router.profile.patterns import compile_pattern
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.recognise import Aligner, Catalogue, searched_text
from litellm_prompt_router.request.recognise.searched_text import MAX_PATTERN_CHARS
from tests.benchmarks.recognising import cases, made_profiles
from tests.made_profiles import layout, module, profile, slot

FEW, MANY = 16, 160
CHARS = 12_000
KINDS = ("apart", "versions", "shared")
NAMES = tuple(cases(made_profiles("apart", 1, CHARS), CHARS))


@cache
def loaded(kind: str, number: int) -> tuple[list[Profile], Catalogue]:
    profiles = made_profiles(kind, number, CHARS)
    return profiles, Catalogue(profiles)


def work(catalogue: Catalogue, text: str) -> Counter[str]:
    """Python functions entered, by name, and all of them together."""
    counted: Counter[str] = Counter()

    def count(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call":
            counted[frame.f_code.co_qualname] += 1
            counted["all"] += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        catalogue.recognise(text)
    finally:
        sys.setprofile(before)
    return counted


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", KINDS)
def test_ten_times_as_many_profiles_are_no_more_work(kind: str, name: str) -> None:
    """At most six profiles are placed, whatever is shared; that takes the steps that it takes in a small catalogue."""
    counts = []
    for number in (FEW, MANY):
        profiles, catalogue = loaded(kind, number)
        texts = [cases(profiles, CHARS)[name](at) for at in (1, 2, 3)]
        for text in texts:
            catalogue.recognise(text)  # what is made once for each profile
        catalogue._memo.clear()
        counts.append([work(catalogue, text) for text in texts])
    few, many = counts
    assert max(each["Aligner.align"] for each in many) <= 6
    assert max(each["Aligner.align_quickly"] for each in many) <= 8
    assert max(each["all"] for each in many) <= 2 * max(each["all"] for each in few) + 2_500


def test_a_known_prompt_is_compared_with_one_or_two_of_many_versions() -> None:
    """The line that it alone has says which."""
    profiles, catalogue = loaded("versions", MANY)
    for each in (profiles[0], profiles[70], profiles[-1]):
        done = work(catalogue, each.text.replace("2026-11-22", "2027-01-01"))
        assert done["Aligner.align_quickly"] <= 2  # a line beside a slot tells nothing
        assert done["Aligner.align"] == 0


def test_versions_that_only_leave_out_a_line_are_told_apart_by_its_neighbours() -> None:
    lines = [f"- rule number {number} of the harbour office, as it always was" for number in range(40)]
    whole = "# The harbour office and all of its many rules for ships\n\n"
    versions = [
        profile(
            module("m", whole + "\n".join(lines[:n] + lines[n + 1 :]) + "\nThe end of the rules."), name=f"v{n:02d}"
        )
        for n in range(1, 39)
    ]
    catalogue = Catalogue(versions)
    for version in versions:
        found = catalogue.recognise(version.text)
        assert found is not None
        assert found.profile is version
        assert work(catalogue, version.text)["Aligner.align_quickly"] <= 2


def test_a_remembered_prompt_is_not_placed_again() -> None:
    profiles, catalogue = loaded("versions", MANY)
    text = cases(profiles, CHARS)["sections of many shuffled"](9)
    first = catalogue.recognise(text)
    done = work(catalogue, "".join([text[:100], text[100:]]))
    assert done["Aligner.align"] == 0
    assert catalogue.recognise(text) is first


def test_what_only_some_prompts_need_is_made_for_their_profiles_alone() -> None:
    """1,000 loaded profiles don't each keep two more copies of their text."""
    profiles = made_profiles("apart", 4, CHARS)
    catalogue = Catalogue(profiles)
    assert catalogue.recognise(f"Frame.\n{profiles[1].text}") is not None
    made = ["squeezed" in vars(each) or "raw" in vars(each) for each in catalogue._aligners]
    assert made[1]
    assert made.count(True) <= 3
    assert isinstance(catalogue._aligners[0], Aligner)


class CountingPattern:
    """A slot's pattern that counts what it is given."""

    def __init__(self, pattern: Any) -> None:
        self.pattern = pattern
        self.groups = pattern.groups
        self.chars = 0

    def fullmatch(self, text: str) -> Any:
        self.chars += len(text)
        return self.pattern.fullmatch(text)

    def match(self, text: str) -> Any:
        self.chars += len(text)
        return self.pattern.match(text)

    def search(self, text: str) -> Any:
        self.chars += len(text)
        return self.pattern.search(text)

    def finditer(self, text: str) -> Any:
        self.chars += len(text)
        return self.pattern.finditer(text)


HEAD, TAIL = "# The files of the harbour office\n<files>\n", "\n</files>\n"
PLAIN = "# The rules of it\nNever leave one out.\n"
TURNED_AWAY = (f"{HEAD}- a\n<b>{TAIL}" * 40 + PLAIN) * 40


@pytest.mark.parametrize("before", ["", "A frame of some length.\n"])
def test_near_misses_of_a_module_with_a_large_slot_are_given_up(before: str) -> None:
    """Each of 1,280 beginnings is tried with 32 ends: without a bound in three walks 158 million characters."""
    counting = CountingPattern(compile_pattern(r"[^<]*"))
    listing = replace(slot("files", r"[^<]*", "in/a.csv"), pattern=counting)
    known = profile(module("files", HEAD, listing, TAIL), module("rules", PLAIN))
    found = Catalogue([known]).recognise(before + TURNED_AWAY + PLAIN)
    assert found is not None
    walks, quick = 2, 1
    assert counting.chars <= (walks + quick) * MAX_PATTERN_CHARS
    assert "rules" in layout(found)


def test_behind_the_bound_a_module_with_a_slot_is_unknown_text_and_others_are_still_placed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = profile(module("files", HEAD, slot("files", r"[^<]*", "in/a.csv"), TAIL), module("rules", PLAIN))
    text = f"Frame of the prompt.\n{HEAD}{'in/b.csv ' * 20}{TAIL}{PLAIN}"
    whole = Catalogue([known]).recognise(text)
    assert whole is not None
    assert layout(whole) == ["?", "files", "<files>", "files", "rules"]
    monkeypatch.setattr(searched_text, "MAX_PATTERN_CHARS", 100)
    less = Catalogue([known]).recognise(text)
    assert less is not None
    assert layout(less) == ["?", "rules"]
    assert "".join(text[span.start : span.end] for span in less.spans) == text
