"""The workbench's examples and labelled messages: enough of them, and what is held out is new."""

from __future__ import annotations

from litellm_prompt_router.authoring.examples import Message, routed
from litellm_prompt_router.authoring.examples.overlap import SeenMessages
from litellm_prompt_router.files import bundled_profiles, load_profile
from litellm_prompt_router.files.labelled_messages import Case, parse_cases

FOLDER = bundled_profiles() / "workbench"
PROFILE = load_profile(FOLDER, len, as_fitted=False)


def _cases(part: str) -> list[Case]:
    name = f"labelled_{part}.jsonl"
    return [case for _, case in parse_cases((FOLDER / name).read_text("utf-8"), name, PROFILE)]


def test_every_routed_module_has_thirty_examples_and_no_two_alike() -> None:
    for module in routed(PROFILE):
        assert len(module.examples) >= 30, module.id
        assert len(set(module.examples)) == len(module.examples), module.id


def test_both_parts_are_large_and_mixed() -> None:
    ids = {module.id for module in routed(PROFILE)}
    for part in ("fit", "heldout"):
        cases = _cases(part)
        assert len(cases) >= 150
        assert sum(bool(case.history) for case in cases) >= 30
        assert len({case.category for case in cases}) == 8
        assert {need for case in cases for need in case.needs} == ids, "no need of the core, and each of the others"
        assert sum(not case.needs for case in cases) >= 15


def test_nothing_held_out_resembles_what_is_learned_from() -> None:
    known = SeenMessages()
    for module in routed(PROFILE):
        for text in module.examples:
            known.add(Message(text=text, needs=()), module.id)
    for case in _cases("fit"):
        known.add(Message(text=case.text, history=case.history, needs=()), "fit")
    for case in _cases("heldout"):
        assert known.owners(Message(text=case.text, history=case.history, needs=())) == [], case.text


def test_no_conversation_is_in_both_parts() -> None:
    first = {part: {(case.history or (case.text,))[0] for case in _cases(part)} for part in ("fit", "heldout")}
    assert not first["fit"] & first["heldout"]
