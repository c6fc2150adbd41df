"""Text that quotes a module is the user's: it arrives whole, in one piece and in place."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litellm_prompt_router.files import bundled_profiles, load_profile
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.compose import compose
from litellm_prompt_router.request.recognise import Catalogue
from litellm_prompt_router.request.types import Recognition
from tests.law_examples import examples
from tests.made_profiles import (
    ALL,
    BERTHS,
    FEES,
    HARBOUR,
    IDENTITY,
    LETTERS,
    PROMPT,
    TIDES,
    count_words,
    layout,
    system_request,
)

WORKBENCH = load_profile(bundled_profiles() / "workbench", count_words)
FRAMES: dict[str, Callable[[str], str]] = {
    "tag": lambda quote: f"<user_memory>The section below is out of date; never follow it:\n{quote}</user_memory>",
    "tag, nothing between": lambda quote: f"<user_memory>{quote.strip()}</user_memory>",
    "tag with attributes": lambda quote: f'<note from="Ada">\n\n{quote}\n\n</note>',
    "tag in a tag": lambda quote: f"<memory>\nOld:\n<item>\n{quote}</item>\nNew: see above.\n</memory>",
    "brackets": lambda quote: f"[user memory]\n{quote}[/user memory]",
    "fence": lambda quote: f"Never follow this:\n```\n{quote}```\nThat was it.",
    "fence with a language": lambda quote: f"~~~~ markdown\n{quote}~~~~",
    "three quotation marks": lambda quote: f'They wrote\n"""\n{quote}"""\nto us.',
    "quotation marks": lambda quote: f"They wrote “{quote.strip()}” to us.",
    "comment": lambda quote: f"<!-- was:\n{quote}-->",
    "begin and end": lambda quote: f"--- Begin of MEMORY.md ---\n{quote}\n--- End of MEMORY.md ---",
    "context from a file": lambda quote: (
        f"--- Context from: notes/MEMORY.md ---\n{quote}\n--- End of Context from: notes/MEMORY.md ---"
    ),
    "tag in capitals, closed in small letters": lambda quote: f"<USER_MEMORY>\n{quote}</user_memory>",
    "template": lambda quote: f"{{{{memory}}}}\n{quote}{{{{/memory}}}}",
    "template with a condition": lambda quote: f"{{{{#if memory}}}}\n{quote}{{{{/if}}}}",
    "headings": lambda quote: f"## User notes\nOld:\n\n{quote}\n## End",
    "headings with names": lambda quote: f"## User notes\n{quote}\n## End of user notes",
    "block quotation": lambda quote: "\n".join(f"> {line}" for line in quote.strip().splitlines()),
    "CRLF in it": lambda quote: f"<user_memory>Never: {quote}</user_memory>".replace("\n", "\r\n"),
}
PLACES = {
    "before": lambda frame: f"{frame}\n\n{PROMPT}",
    "behind": lambda frame: f"{PROMPT}\n{frame}",
    "between modules": lambda frame: f"{IDENTITY}{BERTHS}{frame}\n\n{TIDES}{FEES}{LETTERS}",
    "behind the module itself": lambda frame: f"{IDENTITY}{BERTHS}{TIDES}{frame}\n\n{FEES}{LETTERS}",
    "in front of the module itself": lambda frame: f"{IDENTITY}{frame}\n\n{BERTHS}{TIDES}{FEES}{LETTERS}",
}


def recognised(text: str, sample: Profile = HARBOUR) -> Recognition:
    found = Catalogue([sample]).recognise(text)
    assert found is not None
    return found


def sent(text: str, selected: set[str], sample: Profile = HARBOUR) -> str:
    """The system text as it would leave."""
    _, request = system_request(text)
    chosen = frozenset(n for n, each in enumerate(sample.modules) if each.always or each.id in selected)
    composition = compose(request, recognised(text, sample), chosen, count_words)
    pieces = (*composition.core, *composition.routed, *composition.varying)
    return "".join(text[piece.start : piece.end] for piece in pieces)


@pytest.mark.parametrize("needed", [set(), {"tides"}, set(ALL)], ids=["nothing", "the module", "everything"])
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_a_quotation_stays_whole_and_in_place(
    frame: Callable[[str], str], place: Callable[[str], str], needed: set[str]
) -> None:
    """Needed or not, there once or not: the block arrives as it came; the prompt's own module is there if needed."""
    block = frame(TIDES)
    for text in (place(block), place(block).replace(TIDES, "", place(block).count(TIDES) - 1)):
        if block not in text:  # the module of the prompt is what stays
            continue
        out = sent(text, needed)
        assert out.count(block) == 1
        own = text.replace(block, "").count(TIDES.strip())
        assert out.replace(block, "").count(TIDES.strip()) == (own if "tides" in needed else 0)


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_a_quotation_is_whole_where_the_prompt_lacks_the_module(frame: Callable[[str], str]) -> None:
    """A conditional section that isn't there today, but in the user's notes it is."""
    block = frame(TIDES)
    for text in (f"{IDENTITY}{BERTHS}{FEES}{LETTERS}\n{block}", f"{IDENTITY}{BERTHS}{block}\n\n{FEES}{LETTERS}"):
        assert "tides" not in layout(recognised(text))
        assert block in sent(text, set())


OWN = {
    "in a tag": f"<system_prompt>\n{PROMPT}</system_prompt>",
    "in a fence": f"```\n{PROMPT}\n```",
    "in a tag, with a quotation": f"<all>{PROMPT}<memory>{TIDES}</memory></all>",
    "most of it in a tag": f"{IDENTITY}<sections>\n{BERTHS}{TIDES}{FEES}{LETTERS}</sections>",
    "between tags that nothing closes": f"<name>\n{PROMPT}<date>",
    "twice": f"{PROMPT}\n{PROMPT}",
    "shortened and twice": f"{IDENTITY}{TIDES}{LETTERS}\n---\n{IDENTITY}{TIDES}{LETTERS}",
}


@pytest.mark.parametrize("text", OWN.values(), ids=OWN)
def test_a_frame_around_the_prompt_quotes_nothing(text: str) -> None:
    found = [name for name in layout(recognised(text)) if name != "?"]
    wanted = [name for name in ALL if name in found]
    assert found in (wanted, wanted * 2)
    assert len(wanted) >= 3


def test_a_tag_of_an_edited_module_encloses_no_quotation() -> None:
    """The prompt's own tag, opened in one module and closed in another, both of another version."""
    from tests.made_profiles import module, profile

    opens = "<office>\nThe office is open from eight to five on every day of the week.\n\n"
    ends = "The office is closed on the first of May and at no other time.\n</office>\n\n"
    sample = profile(
        module("identity", IDENTITY),
        module("berths", BERTHS),
        module("opens", opens),
        module("tides", TIDES),
        module("ends", ends),
        module("fees", FEES),
    )
    text = sample.text.replace("eight", "nine").replace("first of May", "last of May")
    assert layout(recognised(text, sample)) == ["identity", "berths", "?", "tides", "?", "fees"]


NAMES = st.sampled_from(["user_memory", "note", "rules", "old-section", "Erinnerung"])
WORDS = st.sampled_from(["", "Never follow this:\n", "The section quoted below is out of date:\n\n", "Old: "])


@given(
    module=st.integers(0, len(WORKBENCH.modules) - 1),
    gap=st.integers(0, len(WORKBENCH.modules)),
    missing=st.sets(st.integers(0, len(WORKBENCH.modules) - 1), max_size=3),
    selected=st.sets(st.integers(0, len(WORKBENCH.modules) - 1)),
    name=NAMES,
    before=WORDS,
    behind=WORDS,
    fenced=st.booleans(),
)
@settings(max_examples=examples(60), deadline=None)
def test_wherever_a_quotation_stands_it_arrives_in_one_piece(
    module: int, gap: int, missing: set[int], selected: set[int], name: str, before: str, behind: str, fenced: bool
) -> None:
    """Any module of a real prompt, quoted at any place of it, with sections of the prompt there or not."""
    quote = WORKBENCH.modules[module].text
    inside = f"{before}{quote}{behind}"
    block = f"``````{name}\n{inside}\n``````\n" if fenced else f"<{name}>{inside}</{name}>\n"
    texts = [each.text if n not in missing else "" for n, each in enumerate(WORKBENCH.modules)]
    text = "".join([*texts[:gap], block, *texts[gap:]])
    out = sent(text, {WORKBENCH.modules[n].id for n in selected}, WORKBENCH)
    assert block.strip() in out
    rest = out.replace(block.strip(), "", 1)
    for number, each in enumerate(WORKBENCH.modules):
        # Nothing of the prompt itself is lost to the block, or stays for it.
        head = each.text.strip().splitlines()[0]
        if number in selected and number not in missing and "{{" not in head:
            assert head in rest


@pytest.mark.parametrize(
    "line",
    [
        "---x" + " " * 1_000_000 + "y",
        "begin" + "_" * 1_000_000 + "a" * 400,
        "~" * 1_000_000 + "`",
        "# " + "a " * 500_000,
    ],
    ids=["a rule", "an edge", "a fence", "a heading"],
)
def test_a_long_line_is_read_once(line: str) -> None:
    """A quarter of a square of these would take minutes."""
    started = time.process_time()
    found = recognised(f"{PROMPT}\n{line}\n")
    assert time.process_time() - started < 2
    assert [name for name in layout(found) if name != "?"] == ALL


@pytest.mark.parametrize("unit", ["<a>", "```x\n", "[a]", "!", "-", "> ", "begin x\n", "</a>"])
def test_a_text_of_delimiters_is_looked_through_once(unit: str) -> None:
    """However many there are: the prompt in front of them is recognised, and no step is repeated for each."""
    noise = unit * (1_000_000 // len(unit))
    started = time.process_time()
    found = recognised(f"{PROMPT}\n{noise}")
    assert time.process_time() - started < 5  # a square of these would take hours
    assert [name for name in layout(found) if name != "?"] == ALL
