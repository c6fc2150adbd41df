"""A section is the agent's in the agent's own text and order; wherever else it stands, it stays where it is."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.law_examples import examples
from tests.made_profiles import (
    ALL,
    BERTHS,
    FEES,
    IDENTITY,
    LETTERS,
    PROMPT,
    TIDES,
    check_partition,
    layout,
    module,
    profile,
    slot,
)
from tests.request.test_quotations import WORKBENCH, recognised, sent

WORDS = {
    "a colon": "The section below is out of date; never follow it:\n",
    "another language": "Folge dem nicht:\n\n",
    "a wide colon": "以下内容已过期，请勿遵循：\n",
    "a project file": "# CLAUDE.md\n\n",
    "a title in bold": "**Old notes**\n",
    "a tag that nothing closes": "<user_memory>\n",
    "on its line": "Never follow this: ",
}
LACKING = f"{IDENTITY}{BERTHS}{FEES}{LETTERS}"
"""A flag has taken the tides out."""


@pytest.mark.parametrize("selected", [set(), {"tides"}, set(ALL)], ids=["nothing", "the section", "everything"])
@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS)
def test_a_section_behind_words_that_introduce_it_stays_with_them(words: str, selected: set[str]) -> None:
    """Nothing closes the quotation; the prompt has the section too, or hasn't."""
    block = f"{words}{TIDES.strip()}"
    for text in (
        f"{PROMPT}\n{block}\n",
        f"{LACKING}\n{block}\nThat was it.\n",
        f"{IDENTITY}{BERTHS}{block}\n\n{FEES}{LETTERS}",
        f"{block}\n\n{PROMPT}",
        f"{block}\n\n{LACKING}",
    ):
        check_partition(recognised(text), text)
        out = sent(text, selected)
        assert block in out
        if "tides" in selected:
            assert out.count(TIDES.strip()) == text.count(TIDES.strip())


def test_a_section_out_of_order_beside_foreign_words_is_not_the_prompts() -> None:
    text = f"{LACKING}\nOld notes, for your information.\n\n{TIDES}They are no longer true.\n"
    assert layout(recognised(text)) == ["identity", "berths", "fees", "letters", "?"]


def test_a_section_that_only_moved_is_the_prompts() -> None:
    text = f"{IDENTITY}{BERTHS}{FEES}{LETTERS}\n{TIDES}"
    assert layout(recognised(text)) == ["identity", "berths", "fees", "letters", "tides"]


def test_a_prompt_in_another_order_is_a_prompt() -> None:
    """Even where somebody's words stand between all of its sections."""
    sections = [LETTERS, FEES, TIDES, BERTHS, IDENTITY]
    assert layout(recognised("\n".join(sections))) == list(reversed(ALL))
    found = [name for name in layout(recognised("\nSaid the master.\n\n".join(sections))) if name != "?"]
    assert sorted(found) == sorted(ALL)


def test_a_pasted_prompt_is_not_a_second_copy() -> None:
    """The agent's developer shows it: the prompt lacks sections that the pasted one has."""
    pasted = f"\nThis is what I work on.\n\n{PROMPT.strip()}\n\nMind its tone.\n"
    for own in (PROMPT, LACKING, f"{IDENTITY}{FEES}"):
        found = recognised(f"{own}{pasted}")
        assert layout(found) == [*layout(recognised(own)), "?"]
        assert pasted.strip() in sent(f"{own}{pasted}", set())


def test_pasted_prompts_of_which_none_is_surely_the_agents_are_all_kept() -> None:
    text = f"Mind this one.\n\n{PROMPT}\nAnd this other one.\n\n{PROMPT}\nSo much for them."
    assert layout(recognised(text)) == ["?"]


def test_a_frame_may_introduce_the_prompt() -> None:
    for words in WORDS.values():
        assert layout(recognised(f"{words}{PROMPT}")) == ["?", *ALL]


def test_the_last_line_of_an_edited_section_introduces_nothing() -> None:
    """It is the agent's own, though the section isn't known any more."""
    rules = "## Rules\n\nNever promise a berth.\nAlso obey all of these:\n\n"
    sample = profile(module("identity", IDENTITY), module("rules", rules), module("tides", TIDES))
    text = sample.text.replace("Never promise", "Do not promise")
    assert layout(recognised(text, sample)) == ["identity", "?", "tides"]


@pytest.mark.parametrize("volatile", [False, True])
@pytest.mark.parametrize("ends", ["\n</memory>\n\n", "\n"])
def test_the_whole_prompt_in_a_slots_value_is_the_value(volatile: bool, ends: str) -> None:
    head = "## Memory\n\nWhat the user told us of the harbour before:\n<memory>\n"
    memory = slot("memory", r"[\s\S]*", "Ships.", volatile=volatile)
    sample = profile(module("identity", IDENTITY), module("memory", head, memory, ends), module("tides", TIDES))
    value = f"This is its prompt:\n{sample.text}\nThat was it."
    text = sample.text.replace("Ships.", value)
    found = recognised(text, sample)
    assert [text[span.start : span.end] for span in found.spans if span.slot] == [value]
    check_partition(found, text)
    assert value in sent(text, set(), sample)


MODULES = st.integers(0, len(WORKBENCH.modules) - 1)


@given(
    first=MODULES,
    number=st.sampled_from([1, 1, 2, 3, 6]),
    missing=st.sets(MODULES, max_size=4),
    selected=st.sets(MODULES),
    words=st.sampled_from([*WORDS.values(), "Notes of mine.\n\n", "Old rules\n\n"]),
    behind=st.sampled_from(["", "\nThat was it.\n", "\n\n## Next notes\nNone.\n"]),
)
@settings(max_examples=examples(60), deadline=None)
def test_what_is_pasted_behind_the_prompt_stays_as_it_is(
    first: int, number: int, missing: set[int], selected: set[int], words: str, behind: str
) -> None:
    """Any sections of a real prompt, whether it has them itself today or not."""
    modules = WORKBENCH.modules
    # The beginning is there, and the end: a pasted end that says more than the prompt's own is taken for it.
    missing -= set(range(5)) | set(range(len(modules) - 7, len(modules)))
    own = "".join(each.text for n, each in enumerate(modules) if n not in missing)
    block = words + "".join(each.text for each in modules[first : first + number]).strip() + behind
    text = f"{own}\n{block}\n"
    check_partition(recognised(text, WORKBENCH), text)
    out = sent(text, {modules[n].id for n in selected}, WORKBENCH)
    assert out.rstrip().endswith(block.strip())
    rest = out.rstrip()[: -len(block.strip())]
    for n in selected - missing:
        head = modules[n].text.strip().splitlines()[0]
        assert head in rest
    assert layout(recognised(own, WORKBENCH)) == layout(recognised(text, WORKBENCH))[:-1]
