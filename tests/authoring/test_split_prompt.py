"""Onboarding: what is structure, what varies, and what is said of each module."""

from __future__ import annotations

import pytest

from litellm_prompt_router.authoring.split import Draft, DraftModule, split_prompt
from litellm_prompt_router.authoring.split.line_structure import read_lines
from litellm_prompt_router.authoring.split.review_sheet import review_of
from litellm_prompt_router.authoring.split.slot_finding import find_slots
from litellm_prompt_router.authoring.split.titles import slug, unique
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.profile.patterns import compile_pattern
from tests.made_prompts import (
    ANSWERS,
    BINDING,
    DELIVERY,
    FENCE,
    INVOICES,
    LAYOUT,
    OPENING,
    PAPER,
    PROMPT,
    RULES,
    VALUES,
    VERSIONS,
)

SIZES = {"target_chars": 250, "min_chars": 60, "max_chars": 500, "max_share": 0.4}


def count_words(text: str) -> int:
    return len(text.split())


def split(text: str, **options: object) -> Draft:
    return split_prompt([text], name="quill", count_tokens=count_words, **{**SIZES, **options})  # type: ignore[arg-type]


def holding(draft: Draft, words: str) -> DraftModule:
    """The one module whose text holds these words."""
    (found,) = (module for module in draft.modules if words in module.text)
    return found


# Structure


LINES = {
    "h1": ("# Tools\n", "heading", "Tools"),
    "h6 with closing marks": ("###### Tools ######\n", "heading", "Tools"),
    "no space, no heading": ("#Tools\n", "text", ""),
    "setext": ("Tools\n=====\n", "heading", "Tools"),
    "setext of the second level": ("Tools\r\n-----\r\n", "heading", "Tools"),
    "capitals": ("TOOL USE\nYou have tools.\n", "heading", "TOOL USE"),
    "capitals in a sentence": ("NEVER DO THIS.\n", "text", ""),
    "Cyrillic capitals": ("ПРАВИЛА РАБОТЫ\nТекст.\n", "heading", "ПРАВИЛА РАБОТЫ"),
    "bold line": ("**Tools:**\n", "heading", "Tools"),
    "bold words": ("**Tools** are useful\n", "text", ""),
    "numbered section": ("4.2 Delivery times\nText.\n", "heading", "4.2 Delivery times"),
    "numbered list": ("1. first do this\n2. then that\n", "item", ""),
    "named section": ("Section 3: Tools\nText.\n", "heading", "Section 3: Tools"),
    "Chinese section": ("第三章 工具\n内容。\n", "heading", "第三章 工具"),
    "Chinese brackets": ("【输出格式】\n内容。\n", "heading", "输出格式"),
    "rule": ("====\n", "heading", ""),
    "bullet": ("- a bullet\n", "item", ""),
    "table row": ("| a | b |\n", "row", ""),
    "tag": ("<rules>\ntext\n</rules>\n", "open", "rules"),
    "tag with attributes": ('<rules level="2">\ntext\n</rules>\n', "open", "rules"),
    "placeholder": ("<your name>\ntext\n", "text", ""),
    "tag that nothing closes": ("<rules>\ntext\n", "text", ""),
    "fence": ("~~~~ python\n# no heading\n~~~\n~~~~\n", "fence", ""),
    "fence that nothing closes": ("```\ntext\n", "text", ""),
}


@pytest.mark.parametrize(("text", "kind", "title"), LINES.values(), ids=LINES.keys())
def test_first_line_is(text: str, kind: str, title: str) -> None:
    line = read_lines(text)[0]
    assert (line.kind, line.title) == (kind, title)


def test_nothing_in_a_nested_fence_is_structure() -> None:
    text = "````md\n```js\n# a\n```\n# b\n````\n# c\n"
    assert [line.title for line in read_lines(text) if line.kind == "heading"] == ["c"]


def test_an_inner_fence_with_a_language_has_its_own_end() -> None:
    text = "```md\n```js\n# a\n```\n# b\n```\n# c\n"
    assert [line.title for line in read_lines(text) if line.kind == "heading"] == ["c"]


def test_fences_stay_whole() -> None:
    assert FENCE in holding(split(PROMPT, target_chars=60, min_chars=1, max_chars=80), "Not a heading").text


def test_sections_are_cut_where_they_begin() -> None:
    draft = split(PROMPT)
    for heading in ("# Paper weights", "# Binding", "## 4.2 Delivery", "<invoices>", "Example pages\n---"):
        assert any(module.text.startswith(heading) for module in draft.modules), heading


def test_only_an_indivisible_block_is_above_the_largest_share() -> None:
    text = PROMPT + "\n```\n" + "print the same line again\n" * 90 + "```\n"
    draft = split(text, max_share=0.15)
    large = [module for module in draft.modules if module.tokens > 0.15 * draft.tokens]
    assert [module.text.strip()[:3] for module in large] == ["```"]
    assert any(d.module == large[0].id and "fenced block, kept whole" in d.text for d in draft.doubts)


def test_a_long_paragraph_is_cut_at_sentences() -> None:
    sentences = [f"Sentence number {n} says what to do in case {n}." for n in range(200)]
    draft = split(" ".join(sentences), max_share=0.15)
    assert max(module.tokens for module in draft.modules) <= 0.15 * draft.tokens
    assert all(module.text.rstrip().endswith(".") for module in draft.modules)


def test_crumbs_join_a_neighbour() -> None:
    draft = split("".join(f"## Point {n}\n\nOne line.\n\n" for n in range(40)), min_chars=100)
    assert min(module.chars for module in draft.modules) >= 100


SLUGS = {
    "4.2 Data processing": "data_processing",
    "## `apply_patch`": "apply_patch",
    "Правила работы": "правила_работы",
    "工具使用": "工具使用",
    "नियम और शर्तें": "नियम_और_शर्तें",
    "Größe & Maße": "größe_maße",
    "🔐": "",
    "../../etc": "etc",
}


@pytest.mark.parametrize(("title", "name"), SLUGS.items())
def test_slugs(title: str, name: str) -> None:
    assert slug(title) == name


def test_ids_are_unique_whatever_their_case() -> None:
    assert unique(["a/b", "a/B", "a/b", "a/b_2"]) == ["a/b", "a/B_2", "a/b_3", "a/b_2_2"]


# Metadata


def test_roles_decide_what_is_core() -> None:
    draft = split(PROMPT)
    assert holding(draft, "You are Quill").reason == "identity"
    assert holding(draft, "quote prices with tax").reason == "rules"
    assert holding(draft, "in two sentences").reason == "output format"
    assert holding(draft, "in two sentences").id == "response/output_format"
    assert holding(draft, "glue binding one").reason == "no tool of its own"


def test_a_role_that_shares_its_module_with_tools_keeps_it_in_the_core() -> None:
    """A short section on answers that had to join one on tools isn't left out with it; the review says why."""
    tools = PAPER.replace("## paper_stock\n\n", "")
    text = f"{OPENING}{RULES}{BINDING}{DELIVERY}{INVOICES}{tools}# Answers\n\nBegin with the result.\n"
    draft = split(text, max_chars=600, tools=["paper_stock"])
    found = holding(draft, "Begin with the result.")
    assert "`paper_stock`" in found.text, "or this test shows nothing"
    assert (found.always, found.reason) == (True, "output format")
    assert f"`{found.id}`: output format and tools in one module, so in the core; cut it in two" in review_of(draft)


def test_what_the_core_refers_to_is_core() -> None:
    assert holding(split(PROMPT), "A courier delivery").reason == "the core refers to it (4.2)"


def test_a_cross_reference_is_a_requirement() -> None:
    draft = split(PROMPT)
    assert holding(draft, "# Paper weights").id in holding(draft, "# Binding").requires


def test_a_defined_tool_belongs_to_its_module() -> None:
    draft = split(PROMPT)
    assert holding(draft, "returns the stock of one paper").tools == ("paper_stock",)


def test_declared_tools_are_given_to_who_mentions_them_most() -> None:
    draft = split(PROMPT.replace("glue binding one.", "glue binding one. Use bind_book."), tools=["bind_book", "fax"])
    assert holding(draft, "# Binding").tools == ("bind_book",)
    wanted = "the prompt doesn't name 1 of the 2 tools that requests declare: fax"
    assert wanted in [doubt.text for doubt in draft.doubts]


def test_only_a_module_that_may_be_left_out_has_triggers() -> None:
    """Words of it alone; where nothing is left out, they would say nothing."""
    draft = split(TOOLS_PROMPT, tools=["bind_book", "paper_stock"])
    triggers = [trigger for module in draft.modules for trigger in module.triggers]
    assert len(triggers) == len(set(triggers))
    assert "binding*" in holding(draft, "# Binding").triggers or "bind*" in holding(draft, "# Binding").triggers
    assert all(not module.triggers for module in draft.modules if module.always)


def test_examples_hold_words_of_their_module() -> None:
    """Those of a module in the core too, unless it is there for good: labels may take it out."""
    draft = split(PROMPT)
    binding = holding(draft, "# Binding")
    assert binding.until_labelled
    assert binding.examples
    assert all(any(word in example.lower() for word in ("bind", "glue", "thread")) for example in binding.examples)
    assert not holding(draft, "quote prices with tax").examples


# What is in the core


TOOLS_PROMPT = (
    f"{OPENING}{INVOICES}{DELIVERY}{LAYOUT}# Binding\n\nUse `bind_book` to bind a book. "
    "The binding parameter is thread or glue, and the binding tool returns the binding time.\n\n"
    "# Paper\n\nThe `paper_stock` tool returns the stock of one "
    f"paper. Always pass an exact colour to paper_stock.\n\n{ANSWERS}"
)


def test_a_module_of_declared_tools_goes_where_they_are_missing() -> None:
    """With its evidence; a rule that names its tool has no object without it."""
    draft = split(TOOLS_PROMPT, tools=["bind_book", "paper_stock"], max_chars=250)
    paper = holding(draft, "Always pass")
    assert (paper.always, paper.until_labelled, paper.tools) == (False, False, ("paper_stock",))
    assert paper.evidence == "its tools paper_stock are declared by the request it was drafted with"


def test_without_a_request_all_is_core() -> None:
    """Until labels show who needs it; not even a section on a tool is left out."""
    draft = split(TOOLS_PROMPT, max_chars=250)
    assert all(module.always for module in draft.modules)
    paper = holding(draft, "Always pass")
    assert (paper.until_labelled, paper.reason) == (True, "no request seen declares paper_stock")
    assert holding(draft, "You are Quill").until_labelled is False


def test_a_rule_that_names_no_tool_keeps_its_module_in_the_core() -> None:
    rule = "Never promise a delivery before the proof is signed."
    draft = split(TOOLS_PROMPT.replace("Always pass", f"{rule} Always pass"), tools=["paper_stock"], max_chars=280)
    assert holding(draft, "Always pass").reason == f'more than its tools: "{rule}"'


@pytest.mark.parametrize(
    ("section", "reason"),
    [
        ("## Proofs\n\nAutomatic hints on parameters of proofs.\n\n", 'more than its tools: its section "Proofs"'),
        ("### Examples\n\nParameters of an example call.\n\n", ""),
        ("## More on paper_stock\n\nParameters of a call.\n\n", ""),
    ],
    ids=["of something else", "inside the tool's own", "names the tool"],
)
def test_a_section_that_names_no_tool_keeps_its_module_in_the_core(section: str, reason: str) -> None:
    """Two small sections make one module: the one beside the tool's isn't left out with it."""
    paper = "## Paper\n\nUse `paper_stock` for the stock of a paper. The paper_stock parameter is a colour.\n\n"
    draft = split(f"{OPENING}{INVOICES}{DELIVERY}{LAYOUT}{paper}{section}{ANSWERS}", tools=["paper_stock"])
    module = holding(draft, "Use `paper_stock`")
    assert section.strip() in module.text
    assert (module.reason, module.always) == (reason, bool(reason))


def test_a_language_that_is_not_known_keeps_its_module_in_the_core() -> None:
    """Its rules wouldn't be seen."""
    polish = "Narzędzie paper_stock zwraca stan jednego papieru. Nigdy nie obiecuj dostawy przed podpisaniem projektu."
    draft = split(TOOLS_PROMPT.replace("The `paper_stock` tool", f"{polish} The tool"), tools=["paper_stock"])
    assert holding(draft, "Narzędzie").always


def test_a_text_that_stands_twice_is_left_out_twice() -> None:
    """A copy goes where the first goes: into the core with it, or out and back in with it. Neither loses its words."""
    alone = split(PROMPT)
    draft = split(f"{PROMPT}\n<again>\n{PROMPT}</again>\n")
    for module in alone.modules:
        words = module.text.strip()
        first, *copies = (m for m in draft.modules if words in m.text)
        assert first.always == module.always, words
        assert copies, words
        for copy in copies:
            assert copy.always == first.always, words
            assert first.always or copy.id in first.requires


def test_requirements_have_no_circle() -> None:
    text = "".join(
        f'# Chapter {name}\n\nAbout {name} things and {name} work, {name} again and {name}. See "Chapter {other}".\n\n'
        for name, other in (("binding", "printing"), ("printing", "folding"), ("folding", "binding"), ("cutting", "x"))
    )
    draft = split(f"You run a shop. {'Be kind. ' * 9}\n\n{text}", max_chars=120, target_chars=120)
    needs = {module.id: module.requires for module in draft.modules}
    for start in needs:
        seen, open_ids = set(), [*needs[start]]
        while open_ids:
            here = open_ids.pop()
            assert here != start
            if here not in seen:
                seen.add(here)
                open_ids += needs[here]


def test_a_prompt_without_a_character_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"^quill: the prompt is empty; there is nothing to split$"):
        split_prompt([""], name="quill")


def test_the_review_sheet_names_core_doubts_and_proposals() -> None:
    sheet = review_of(split(PROMPT + "\nThe archive is in /srv/print/archive since 2026-11-22.\n"))
    for wanted in ("## Doubts (", "| core/opening | ", "| identity |", "## Likely slots", "'/srv/print/archive'"):
        assert wanted in sheet.replace("`/", "'/").replace("archive`", "archive'"), wanted


# Slots


def test_slots_are_named_by_their_content() -> None:
    placed, strangers = find_slots(VERSIONS)
    assert strangers == ()
    assert [(found.slot.name, found.slot.volatile) for found in placed] == [
        ("date", True),
        ("user_name", False),
        ("path", False),
        ("listing", True),
        ("notice", False),
    ]
    for found, name in zip(placed, ("date", "user", "path", "listing", "notice"), strict=True):
        for value, values in zip(found.values, VALUES, strict=True):
            assert values[name].strip() in value


def test_a_path_stays_in_its_sentence() -> None:
    """A conversation has one, other sentences speak of it, and without words of its own it would say nothing."""
    for form in ("# Memory\n\nYour notes lie at `{}`. Keep them short.\n", "# Memory\n\n{}\n\nKeep notes short.\n"):
        (found,) = find_slots([form.format(path) for path in ("/home/ada/shop", "/srv/work/of/grace")])[0]
        assert (found.slot.name, found.slot.volatile, found.slot.stays) == ("path", False, True)


def test_patterns_stop_where_the_value_does() -> None:
    for found in find_slots(VERSIONS)[0]:
        pattern = compile_pattern(found.slot.pattern)
        assert all(pattern.fullmatch(value) for value in found.values)
        if found.slot.name in ("date", "path"):
            assert pattern.fullmatch(f"{found.slot.sample} and the words behind it") is None


def test_names_that_the_prompt_has_between_braces_are_not_used() -> None:
    texts = [
        f"# Use {{{{date}}}} here\n\nToday is {day}.\n\nThat is all there is to say.\n"
        for day in ("2026-01-02", "2026-03-04")
    ]
    draft = split_prompt(texts, name="quill", count_tokens=count_words)
    assert [slot.name for slot in draft.slots] == ["date_2"]
    assert "Use {{date}} here" in draft.modules[0].text


def test_a_sample_of_another_prompt_is_left_out() -> None:
    draft = split_prompt(
        [*VERSIONS, "Something else entirely.\n"], name="quill", count_tokens=count_words, max_chars=500
    )
    assert "sample 4 has too little in common with the first; it was left out" in [doubt.text for doubt in draft.doubts]
    assert len(draft.slots) == 5


def test_one_sample_has_proposals_and_no_slots() -> None:
    draft = split(VERSIONS[1])
    assert draft.slots == ()
    assert [(p.kind, p.value) for p in draft.proposals][:2] == [("date", "2026-12-03"), ("path", "/srv/orders/94/done")]


def test_proposals_become_slots_when_asked_for() -> None:
    draft = split(VERSIONS[1], apply_proposals=True)
    assert [slot.name for slot in draft.slots][:2] == ["date", "path"]
    assert draft.proposals == ()


def test_different_line_endings_are_no_difference() -> None:
    assert find_slots([PROMPT, PROMPT.replace("\n", "\r\n")]) == ((), ())
