"""What a model's answers may change in a draft, and what not."""

from __future__ import annotations

import pytest

from litellm_prompt_router.authoring.split import Draft, split_prompt
from litellm_prompt_router.authoring.split.model_questions import (
    ModuleAnswer,
    key_of,
    question_of,
    read_answer,
    with_answers,
)
from litellm_prompt_router.authoring.split.write_draft import module_entry
from tests.made_prompts import PROMPT

LISTS = '{"description": "D", "requires": ["a"], "examples": ["x"]}'
REPLIES = {
    "plain": (LISTS, ModuleAnswer(description="D", when="", requires=("a",), examples=("x",))),
    "in a fence": (
        '```json\n{"description": " D\\n E "}\n```',
        ModuleAnswer(description="D E", when="", requires=(), examples=()),
    ),
    "wrong types": (
        '{"description": "D", "requires": "a", "examples": [1, "x"]}',
        ModuleAnswer(description="D", when="", requires=(), examples=("x",)),
    ),
    "when it is needed": (
        '{"description": "D", "when": " A file\\n is made. "}',
        ModuleAnswer(description="D", when="A file is made.", requires=(), examples=()),
    ),
    "no description": ('{"examples": ["x"]}', None),
    "no JSON": ("I can't say.", None),
    "cut off": ('{"description": "D", "exa', None),
    "a list": ("[1, 2]", None),
}


@pytest.mark.parametrize(("reply", "answer"), REPLIES.values(), ids=REPLIES.keys())
def test_read_answer(reply: str, answer: ModuleAnswer | None) -> None:
    assert read_answer(reply) == answer


@pytest.fixture(scope="module")
def draft() -> Draft:
    return split_prompt([PROMPT], name="quill", target_chars=250, min_chars=60, max_chars=500, max_share=0.4)


def answer(*requires: str) -> ModuleAnswer:
    return ModuleAnswer(
        description="Said by a model.", when="A book's to be bound.", requires=requires, examples=("Bind it", "Bind it")
    )


def test_requirements_stay_free_of_circles(draft: Draft) -> None:
    paper, binding = (next(m.id for m in draft.modules if words in m.text) for words in ("# Paper", "# Binding"))
    assert paper in next(m for m in draft.modules if m.id == binding).requires
    asked = with_answers(draft, {paper: answer(binding, "no/such", paper, "core/rules"), binding: answer(paper)})
    needs = {module.id: module.requires for module in asked.modules}
    assert (needs[paper], needs[binding]) == ((), (paper,))
    assert f"the model says it requires {binding}, which requires it" in [doubt.text for doubt in asked.doubts]


def test_examples_are_replaced_and_the_text_is_not(draft: Draft) -> None:
    binding = next(m.id for m in draft.modules if "# Binding" in m.text)
    asked = with_answers(draft, {binding: answer()})
    assert next(m for m in asked.modules if m.id == binding).examples == ("Bind it",)
    assert [module.text for module in asked.modules] == [module.text for module in draft.modules]


def test_an_unusable_answer_leaves_the_draft_and_says_so(draft: Draft) -> None:
    first = draft.modules[0]
    asked = with_answers(draft, {first.id: None})
    assert asked.modules == draft.modules
    assert asked.doubts[-1].text == "the model's answer was unusable; drafted from the text"


def test_all_questions_begin_alike_and_differ_by_model(draft: Draft) -> None:
    assert len({question_of(draft, module)[0] for module in draft.modules}) == 1
    assert len({key_of(draft, module, model) for module in draft.modules for model in "ab"}) == 2 * len(draft.modules)


def test_when_a_module_is_needed_is_drafted_for_all_that_may_go(draft: Draft) -> None:
    """The line of one that is always sent would say nothing to anybody."""
    asked = with_answers(draft, {module.id: answer() for module in draft.modules})
    for module in asked.modules:
        is_core = module.always and not module.until_labelled
        assert module_entry(module).get("when") == (None if is_core else "A book's to be bound.")
    assert any(module.always and not module.until_labelled for module in asked.modules)
