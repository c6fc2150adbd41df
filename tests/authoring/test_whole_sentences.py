"""A value that varies moves with its whole sentence or not at all, and no slot takes rules that it never saw."""

from __future__ import annotations

import pytest

from litellm_prompt_router.authoring.split import split_prompt
from litellm_prompt_router.authoring.split.slot_finding import find_slots
from litellm_prompt_router.authoring.split.whole_sentences import obliges, whole_span
from litellm_prompt_router.profile.patterns import compile_pattern
from tests.made_prompts import ANSWERS, BINDING, DELIVERY, INVOICES, OPENING, PAPER, RULES

BODY = f"{RULES}{PAPER}{BINDING}{DELIVERY}{INVOICES}{ANSWERS}"
VALUES = ("2026-11-22", "2026-12-03", "2027-01-10")

# (text with the value in braces, what moves with it)
MOVES = {
    "a sentence": ("Today is {}. The shop is open.\n", "Today is {}."),
    "the second sentence": ("The shop is open. Today is {}. Paper is dear.\n", "Today is {}."),
    "a sentence on its own": ("The shop opens at eight.\n\nToday is {}\n\nPaper is dear.\n", "Today is {}"),
    "a label": ("OS: any\nDate: {}\nShell: any\n", "Date: {}"),
    "a bold label": ("**Local date:** {} UTC\n", "**Local date:** {} UTC"),
    "a list item": ("- Paper is dear.\n- Today is {}.\n- Ink is cheap.\n", "- Today is {}."),
    "a tag with data": ("<env>\nPlatform: any\nDate: {}\n</env>\n", "<env>\nPlatform: any\nDate: {}\n</env>"),
    "Chinese": ("商店开门了。今天是{}。纸很贵。\n", "今天是{}。"),
    "German": ("Der Laden ist offen. Heute ist der {}. Papier ist teuer.\n", "Heute ist der {}."),
}
STAYS = {
    "a rule": ("Orders before {} must not be deleted. The shop is open.\n", None),
    "a rule in German": ("Bestellungen vor dem {} niemals löschen. Der Laden ist offen.\n", None),
    "who the agent is": ("You are Quill, and today is {}. The shop is open.\n", None),
    "what the next sentence speaks of": ("Today is {}. It is a holiday.\n", None),
    "a sentence over two lines": ("The calendar in the shop says that today\nis {} already.\n", None),
    "a sentence that goes on": ("The calendar says {}\nand nothing else is known.\n", None),
    "a value without words": ("The date is this one:\n\n{}\n\nPaper is dear.\n", None),
    "an item below its title": ("Delete nothing that is older than:\n- the day {}\n", None),
    "a fence": ("```\nToday is {}.\n```\n", None),
    "a tag with rules": ("<rules>\nDate: {}\nNever print on a Sunday.\n</rules>\n", "Date: {}"),
    "an item with items of its own": ("- Today is {}:\n  - the shop is open\n", None),
}


@pytest.mark.parametrize(("form", "whole"), [*MOVES.values(), *STAYS.values()], ids=[*MOVES, *STAYS])
def test_the_whole_sentence_or_nothing(form: str, whole: str | None) -> None:
    texts = [f"{OPENING}{form.format(value)}\n{BODY}" for value in VALUES]
    (found,) = find_slots(texts)[0]
    assert found.slot.volatile == (whole is not None)
    assert found.slot.stays == (whole is None)
    assert found.values == tuple((whole or "{}").format(value) for value in VALUES)
    pattern = compile_pattern(found.slot.pattern)
    assert all(pattern.fullmatch(value) for value in found.values)
    assert pattern.fullmatch(f"{found.slot.sample} Never delete an order.") is None


def test_a_value_that_stays_is_a_doubt() -> None:
    """Its prefix breaks there, as the original's does; the review says so."""
    texts = [f"{OPENING}{STAYS['a rule'][0].format(value)}\n{BODY}" for value in VALUES]
    draft = split_prompt(texts, name="quill", count_tokens=len)
    assert any("slot date varies and stays where it is" in doubt.text for doubt in draft.doubts)


def test_a_span_is_never_more_than_what_is_there() -> None:
    assert whole_span("x", 0, 1) is None
    assert whole_span("", 0, 0) is None


SECTION = "# Deliveries abroad\n\n- You must ask before a parcel leaves the country.\n- Never ship paint.\n\n"
OTHER = "# Repairs\n\nNever open the laminator while it is hot.\n\n"
CONDITIONAL = {
    "there or not": (SECTION, ""),
    "one, both or none": (SECTION + OTHER, SECTION, ""),
    "one or the other": (SECTION, OTHER),
    "a sentence that is there or not": ("Never ship paint to customers abroad.\n", ""),
    "a rule that differs": ("Never ship paint.\n\nAsk first.\n", "Never ship ink.\n\nAsk later.\n"),
}
UNSEEN = (
    "# Refunds\n\nNever refund an order without its number.\n\n",
    "Never refund an order.\n",
    "- You must not refund orders.\n- Ask first.\n",
)


@pytest.mark.parametrize("sections", CONDITIONAL.values(), ids=CONDITIONAL)
def test_a_conditional_section_takes_no_other_rules(sections: tuple[str, ...]) -> None:
    """Every version is recognised; a section that no sample had fits no slot."""
    texts = [f"{OPENING}{RULES}{PAPER}{section}{BINDING}{DELIVERY}{INVOICES}{ANSWERS}" for section in sections]
    draft = split_prompt(texts, name="quill", count_tokens=len)
    assert not any("recognition doesn't place" in doubt.text for doubt in draft.doubts)
    assert draft.prompt == texts[0]
    for slot in draft.slots:
        pattern = compile_pattern(slot.pattern)
        for unseen in UNSEEN:
            assert pattern.fullmatch(unseen) is None, slot
            assert pattern.fullmatch(sections[0] + unseen) is None, slot


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("You must ask Ada.", True),
        ("Please keep the lid on", True),
        ("Prefer blue ink", True),
        ("Bitte nur blaue Tinte", True),
        ("Utilisez l'encre bleue", True),
        ("只能用蓝墨水", True),
        ("請必ず青で", True),
        ("The shop is in Hull", False),
        ("Non mescolare mai due toni", True),
        ("Mai due toni", True),
        ("Datum: 3. Mai", False),
        ("Date : 3 mai 2026", False),
        ("Date : mai 2026", False),
        ("今天是五月三日", False),
    ],
)
def test_commands_are_told_from_facts(text: str, expected: bool) -> None:
    """By the same words that rules are known by, and a few that only tell somebody what to do."""
    assert obliges(text) is expected
