"""Recognition of prompts as agents really send them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.recognise import Catalogue
from litellm_prompt_router.request.types import Recognition
from tests.made_profiles import (
    ALL,
    BERTHS,
    FEES,
    HARBOUR,
    IDENTITY,
    LETTERS,
    PROMPT,
    TIDES,
    check_partition,
    layout,
    module,
    profile,
    slot,
    texts_of,
)


def recognised(text: str, *profiles: Profile, only: str | None = None) -> Recognition:
    found = Catalogue(profiles or (HARBOUR,)).recognise(text, only=only)
    assert found is not None
    check_partition(found, text)
    return found


def halves(text: str) -> str:
    """A module torn in the middle of its second paragraph, as if over two blocks with stripped ends."""
    cut = text.index("\n", text.index("\n\n") + 2)
    return text[:cut].rstrip() + text[cut:].lstrip()


WHOLE = {
    "plain": PROMPT,
    "stripped": PROMPT.strip(),
    "blank lines around": f"\n\n  {PROMPT}\n\n\n",
    "CRLF": PROMPT.replace("\n", "\r\n"),
    "lone CR": PROMPT.replace("\n", "\r"),
    "mixed line ends": PROMPT.replace("\n", "\r\n", 5),
    "white space at line ends": PROMPT.replace("\n", "  \n"),
    "indentation lost": PROMPT.replace("\n  - ", "\n- "),
    "indented as a whole": PROMPT.replace("\n", "\n    "),
    "blank lines lost": PROMPT.replace("\n\n", "\n"),
    "no space left between modules": "".join(part.text.strip() for part in HARBOUR.modules),
    "torn inside a module": IDENTITY + halves(BERTHS) + TIDES + FEES + LETTERS,
    "torn inside every module": "".join(halves(part.text) for part in HARBOUR.modules),
    "no-break space for a space": PROMPT.replace("the date", "the\u00a0date"),
}


@pytest.mark.parametrize("text", WHOLE.values(), ids=WHOLE.keys())
def test_whole_prompts_have_no_residue(text: str) -> None:
    """White space may differ anywhere; everything else is there."""
    found = recognised(text)
    assert layout(found) == ALL
    assert found.coverage == 1.0


PARTIAL = {
    "wrapped by lines": (f"Outer frame.\n\n{PROMPT}\nOuter end.", ["?", *ALL, "?"]),
    "wrapped inline": (
        f"You are Coder. {PROMPT.strip()} Your personal goal is: sail.",
        ["?", *ALL, "?"],
    ),
    "wrapped inline without a space": (f"Role:{PROMPT.strip()}Goal:sail", ["?", *ALL, "?"]),
    "wrapped in CRLF": (
        f"Outer frame.\n\n{PROMPT}\nOuter end.".replace("\n", "\r\n"),
        ["?", *ALL, "?"],
    ),
    "repeated": (PROMPT + PROMPT, [*ALL, *ALL]),
    "repeated, stripped, with a rule between": (
        f"{PROMPT.strip()}\n---\n{PROMPT.strip()}",
        [*ALL, "?", *ALL],
    ),
    "repeated in CRLF": (f"{PROMPT}\n{PROMPT}".replace("\n", "\r\n"), [*ALL, *ALL]),
    "without the first module": (BERTHS + TIDES + FEES + LETTERS, ALL[1:]),
    "without the last module": (IDENTITY + BERTHS + TIDES + FEES, ALL[:-1]),
    "without one in the middle": (IDENTITY + BERTHS + FEES + LETTERS, ["identity", "berths", "fees", "letters"]),
    "without two in the middle": (IDENTITY + FEES + LETTERS, ["identity", "fees", "letters"]),
    "only the last module": (LETTERS.strip(), ["letters"]),
    "reordered": (IDENTITY + FEES + TIDES + LETTERS + BERTHS, ["identity", "fees", "tides", "letters", "berths"]),
    "backwards": (LETTERS + "\n" + FEES + TIDES + BERTHS + IDENTITY, ALL[::-1]),
    "text between modules": (
        IDENTITY + BERTHS + "## Today\nThe crane is broken.\n\n" + TIDES + FEES + LETTERS,
        ["identity", "berths", "?", "tides", "fees", "letters"],
    ),
    "text between all modules": (
        "\nNOTE\n".join(part.text for part in HARBOUR.modules),
        ["identity", "?", "berths", "?", "tides", "?", "fees", "?", "letters"],
    ),
    "edited module": (
        PROMPT.replace("ninety metres", "eighty metres"),
        ["identity", "?", "tides", "fees", "letters"],
    ),
    "edited head of a module": (
        PROMPT.replace("## Tides and", "## Tide and"),
        ["identity", "berths", "?", "fees", "letters"],
    ),
    "edited first module": (PROMPT.replace("a small port", "a big port"), ["?", *ALL[1:]]),
    "edited last module": (PROMPT.replace("its subject", "the subject"), [*ALL[:-1], "?"]),
    "text inside a module": (
        PROMPT.replace("only fits", "really only fits"),
        ["identity", "?", "tides", "fees", "letters"],
    ),
    "a module quoted in the frame": (
        f"Mind this:\n{BERTHS}Now the prompt.\n\n{PROMPT}",
        ["?", *ALL],
    ),
    "a heading repeated before its module": (
        IDENTITY + "## Berths\n\nUse `berth_plan` to see which quay is shut.\n\n" + BERTHS + TIDES + FEES + LETTERS,
        ["identity", "?", "berths", "tides", "fees", "letters"],
    ),
}


@pytest.mark.parametrize(("text", "expected"), PARTIAL.values(), ids=PARTIAL.keys())
def test_known_parts_are_placed_and_the_rest_is_residue(text: str, expected: list[str]) -> None:
    """Each module is found wherever it stands; what is unknown stays where it was."""
    assert layout(recognised(text)) == expected


def test_coverage_is_the_known_share_of_the_characters() -> None:
    """White space behind a known span belongs to it."""
    text = f"{PROMPT}\n\nUNKNOWN"
    assert recognised(text).coverage == (len(PROMPT) + 2) / (len(PROMPT) + 9)


def test_edited_module_costs_its_own_length() -> None:
    text = PROMPT.replace("ninety metres", "eighty metres")
    assert recognised(text).coverage == 1 - len(BERTHS) / len(PROMPT)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n\t ",
        "Hello.",
        "# Another office\n\nYou plan railway timetables for the whole of a country.\n" * 40,
        "x" * 100_000,
    ],
    ids=["empty", "blank", "short", "foreign", "one long line"],
)
def test_foreign_text_is_not_recognised(text: str) -> None:
    assert Catalogue([HARBOUR]).recognise(text) is None


# Slots

DATE = slot("date", r"Today is \d{4}-\d{2}-\d{2}\.", "Today is 2026-11-22.", volatile=True)
LISTING = slot("listing", r"[^<]*", "in/a.csv\nout/", volatile=True)
ANYTHING = slot("anything", r"[\s\S]*", "quay 1\nquay 2")
USER = slot("user", r"[A-Za-z ]+", "Ada")
NUMBER = slot("number", r"#\d+", "#17")

HEAD = "# Lighthouse\n\nYou keep the log of a lighthouse and answer ships that call.\n\n"
RULES = "## Rules of the log\n\nOne line for each ship that passes, newest at the end.\n\n"
CLOSING = "## Closing the log\n\nAt noon the page is signed and a new page begins.\n"

DATED = profile(module("head", HEAD, DATE, "\n\n"), module("rules", RULES), module("closing", CLOSING), name="dated")
LISTED = profile(
    module("head", HEAD, "<files>\n", LISTING, "\n</files>\nUse the listing to find a page of the log.\n\n"),
    module("rules", RULES),
    module("closing", CLOSING),
    name="listed",
)
TRAILING = profile(module("head", HEAD), module("rules", RULES, ANYTHING, "\n\n"), module("closing", CLOSING))
LEADING = profile(module("head", DATE, "\n\n", HEAD), module("rules", RULES), module("closing", CLOSING))
NAMED = profile(
    module("head", "You are ", USER, ", keeper of the lighthouse at the end of the long pier.\n\n"),
    module("rules", RULES),
    module("closing", CLOSING),
)
INNER_LEADING = profile(module("head", HEAD), module("rules", DATE, "\n", RULES), module("closing", CLOSING))
LAST = profile(module("head", HEAD), module("rules", RULES), module("closing", CLOSING, "\n", ANYTHING))
ADJACENT = profile(
    module("head", HEAD, "Keeper: ", USER, NUMBER, "\nAnswer in the keeper's name whatever the ship asks.\n\n"),
    module("rules", RULES),
    module("closing", CLOSING),
)
LINES = profile(
    module("head", HEAD, "Pages:\n", slot("pages", r"[^#]*\n", "one\ntwo\n"), "#end of the pages of this log\n\n"),
    module("rules", RULES),
    module("closing", CLOSING),
)

AROUND: dict[str, Callable[[str], str]] = {
    "as it is": lambda text: text,
    "stripped": str.strip,
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "wrapped": lambda text: f"Frame begins.\n{text}\nFrame ends.",
    "wrapped in CRLF": lambda text: f"Frame begins.\n{text}\nFrame ends.".replace("\n", "\r\n"),
}

SLOTS: dict[str, tuple[Profile, str, str, list[str]]] = {
    "date": (DATED, "date", "Today is 1999-01-31.", ["head", "<date>", "rules", "closing"]),
    "listing": (LISTED, "listing", "a\n\nb\n  c", ["head", "<listing>", "head", "rules", "closing"]),
    "listing between blank lines": (
        LISTED,
        "listing",
        "\n  a\n",
        ["head", "<listing>", "head", "rules", "closing"],
    ),
    "trailing slot": (TRAILING, "anything", "quay 9", ["head", "rules", "<anything>", "closing"]),
    "trailing slot with the next heading in it": (
        TRAILING,
        "anything",
        "## Closing the log\n\nis told below",
        ["head", "rules", "<anything>", "closing"],
    ),
    "leading slot of a later module": (
        INNER_LEADING,
        "date",
        "Today is 2001-02-03.",
        ["head", "<date>", "rules", "closing"],
    ),
    "two slots side by side": (
        ADJACENT,
        "user",
        "Bo Derry",
        ["head", "<user>", "<number>", "head", "rules", "closing"],
    ),
    "value that ends with its newline": (LINES, "pages", "x\ny\nz\n", ["head", "<pages>", "head", "rules", "closing"]),
    "name in the first words": (NAMED, "user", "Grace Hopper", ["head", "<user>", "head", "rules", "closing"]),
    "leading slot": (LEADING, "date", "Today is 2001-02-03.", ["<date>", "head", "rules", "closing"]),
}


def filled(sample: Profile, name: str, value: str) -> str:
    """The profile's prompt with this value in that slot."""
    parts = (part for module in sample.modules for part in module.parts)
    return "".join(p if isinstance(p, str) else value if p.name == name else p.sample for p in parts)


def visible_layout(found: Recognition, text: str) -> list[str]:
    """The layout without what is only white space in the profile."""
    visible = tuple(s for s in found.spans if s.slot is not None or text[s.start : s.end].strip())
    return layout(replace(found, spans=visible))


def squeezed(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND.keys())
@pytest.mark.parametrize(("sample", "name", "value", "expected"), SLOTS.values(), ids=SLOTS.keys())
def test_slots_are_carried_with_their_values(
    sample: Profile, name: str, value: str, expected: list[str], around: Callable[[str], str]
) -> None:
    """A slot takes its value and nothing else, whatever is done to the prompt around it."""
    text = around(filled(sample, name, value))
    found = recognised(text, sample)
    frame = ["?"] if text.startswith("Frame") else []
    assert visible_layout(found, text) == [*frame, *expected, *frame]
    assert [squeezed(carried) for carried in texts_of(found, text, f"<{name}>")] == [squeezed(value)]


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND.keys())
@pytest.mark.parametrize(
    ("pattern", "sample"),
    [
        (r"^Page \d+$", "Page 7"),
        (r"\APage \d+\z", "Page 7"),
        (r"\bPage \d+\b", "Page 7"),
        (r"(?m)^Page \d+$", "Page 7"),
    ],
    ids=["line", "text", "words", "lines"],
)
def test_anchored_patterns_match_their_value_anywhere(pattern: str, sample: str, around: Callable[[str], str]) -> None:
    """An anchor means the value's end, whatever stands around it in the prompt."""
    found_in = profile(
        module("head", HEAD, "Read x", slot("page", pattern, sample), "x before you answer a ship that calls.\n\n"),
        module("rules", RULES),
        name="anchored",
    )
    text = around(filled(found_in, "page", "Page 12"))
    found = recognised(text, found_in)
    assert texts_of(found, text, "<page>") == ["Page 12"]
    assert [name for name in visible_layout(found, text) if name != "?"] == ["head", "<page>", "head", "rules"]


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND.keys())
def test_trailing_slot_of_the_whole_prompt_takes_the_rest(around: Callable[[str], str]) -> None:
    """A slot at the very end has nothing to stop it but its pattern and its size."""
    text = around(filled(LAST, "anything", "quay 4\n\nquay 5"))
    found = recognised(text, LAST)
    frame = ["?"] if text.startswith("Frame") else []
    assert visible_layout(found, text) == [*frame, "head", "rules", "closing", "<anything>"]
    assert squeezed(texts_of(found, text, "<anything>")[0]).startswith("quay4quay5")


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND.keys())
def test_empty_slot_leaves_its_neighbours_in_place(around: Callable[[str], str]) -> None:
    """A listing of nothing is a value too."""
    text = around(filled(LISTED, "listing", ""))
    found = recognised(text, LISTED)
    frame = ["?"] if text.startswith("Frame") else []
    assert [n for n in layout(found) if n != "<listing>"] in (
        [*frame, "head", "head", "rules", "closing", *frame],
        [*frame, "head", "rules", "closing", *frame],
    )
    assert all(not carried.strip() for carried in texts_of(found, text, "<listing>"))


def test_huge_value_within_the_limit_is_carried() -> None:
    value = "file.txt\n" * 5_000
    text = filled(LISTED, "listing", value)
    found = recognised(text, LISTED)
    assert found.coverage == 1.0
    assert texts_of(found, text, "<listing>") == [value]


def test_value_over_the_limit_costs_its_module_only() -> None:
    """The module becomes residue, its neighbours stay known."""
    text = filled(LISTED, "listing", "file.txt\n" * 6_000)
    assert layout(recognised(text, LISTED)) == ["?", "rules", "closing"]


def test_value_that_the_pattern_refuses_costs_its_module_only() -> None:
    text = filled(DATED, "date", "Today is Sunday.")
    found = recognised(text, DATED)
    assert layout(found)[-2:] == ["rules", "closing"]
    assert "Today is Sunday." in "".join(texts_of(found, text, "?"))


GREEDY = profile(
    module("head", HEAD),
    module("rules", RULES, ANYTHING, "\n\n"),
    module("watch", "## Watches\n\nThe first watch begins at eight in the evening.\n\n"),
    module("closing", CLOSING),
)
FILLED = filled(GREEDY, "anything", "quay 9")


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND.keys())
@pytest.mark.parametrize(
    "text",
    [
        FILLED.replace("at eight", "at nine"),
        FILLED.replace("## Watches", "UNKNOWN\n\n## Watches"),
        FILLED.replace("## Watches\n\nThe first watch begins at eight in the evening.\n\n", ""),
    ],
    ids=["next module edited", "text behind the slot", "next module missing"],
)
def test_greedy_slot_does_not_swallow_known_modules(text: str, around: Callable[[str], str]) -> None:
    """A slot that takes anything ends where known text begins, also when what should follow it doesn't."""
    found = recognised(around(text), GREEDY)
    assert "closing" in layout(found)
    (value,) = texts_of(found, around(text), "<anything>")
    assert squeezed(CLOSING) not in squeezed(value)


# Several profiles


def variant(number: int) -> Profile:
    """One of many modes of the harbour agent: only the last module is its own."""
    own = f"## Mode {number}\n\nIn mode {number} you only speak to ships of class {number}.\n"
    return profile(
        *(module(m.id, *m.parts) for m in HARBOUR.modules[:-1]), module("mode", own), name=f"variant_{number}"
    )


VARIANTS = tuple(variant(number) for number in range(8))


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND.keys())
@pytest.mark.parametrize("wanted", VARIANTS, ids=lambda sample: sample.name)
def test_profiles_that_share_text_are_told_apart(wanted: Profile, around: Callable[[str], str]) -> None:
    """The profile that covers most of the text is found, however many share the rest with it."""
    assert recognised(around(wanted.text), *VARIANTS).profile.name == wanted.name


def test_order_of_profiles_does_not_matter() -> None:
    text = PROMPT.replace("\n", "\r\n")
    names = {recognised(text, *order).profile.name for order in ((HARBOUR, DATED, LISTED), (LISTED, DATED, HARBOUR))}
    assert names == {"harbour"}


def test_pinned_profile_is_the_only_one_considered() -> None:
    """Also when another covers more."""
    text = VARIANTS[1].text
    found = recognised(text, *VARIANTS, only="variant_2")
    assert found.profile.name == "variant_2"
    assert layout(found) == [*ALL[:-1], "?"]


def test_pinned_profile_without_anything_in_common_is_no_recognition() -> None:
    assert Catalogue([HARBOUR, DATED]).recognise(PROMPT, only="dated") is None


def test_unknown_pinned_profile_is_an_error() -> None:
    with pytest.raises(KeyError, match="nowhere"):
        Catalogue([HARBOUR]).recognise(PROMPT, only="nowhere")


# Long lines

SENTENCES = [f"Rule {n} of the signal book says what flag {n * 7} means to a ship in sight. " for n in range(60)]
ONE_LINE = profile(*(module(f"m{n}", "".join(SENTENCES[n * 20 : n * 20 + 20])) for n in range(3)), name="one_line")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ONE_LINE.text, ["m0", "m1", "m2"]),
        (f"Frame. {ONE_LINE.text}Frame.", ["?", "m0", "m1", "m2", "?"]),
        (ONE_LINE.text.replace("Rule 25 of", "Rule XXV of"), ["m0", "?", "m2"]),
        ("".join(SENTENCES[20:]), ["m1", "m2"]),
        (ONE_LINE.text.replace(". Rule 31", ".\r\nRule 31"), ["m0", "m1", "m2"]),
        ("word " * 20_000 + ONE_LINE.text, ["?", "m0", "m1", "m2"]),
    ],
    ids=["plain", "wrapped inline", "edited", "shortened", "broken in two", "behind a longer line"],
)
def test_prompts_of_one_long_line_are_placed(text: str, expected: list[str]) -> None:
    assert layout(recognised(text, ONE_LINE)) == expected


# What is shared


def test_slot_values_of_equal_length_share_one_recognition() -> None:
    """What depends on positions alone is remembered by identity."""
    catalogue = Catalogue([DATED])
    first, second = (catalogue.recognise(filled(DATED, "date", f"Today is 2026-01-0{n}.")) for n in (1, 2))
    assert first is second


def test_recognition_does_not_depend_on_what_came_before() -> None:
    """The catalogue remembers results, never mixes them."""
    texts = [text for text, _ in PARTIAL.values()] + list(WHOLE.values())
    warm = Catalogue([HARBOUR, *VARIANTS])
    once = [layout(found) if (found := warm.recognise(text)) else None for text in texts]
    again = [layout(found) if (found := warm.recognise(text)) else None for text in reversed(texts)]
    fresh = [layout(f) if (f := Catalogue([HARBOUR, *VARIANTS]).recognise(text)) else None for text in texts]
    assert once == again[::-1] == fresh
