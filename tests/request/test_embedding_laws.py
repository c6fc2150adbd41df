"""Laws of routing by meaning: pure in the vectors passed in, growing, and by words alone where there are none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litellm_prompt_router.files.fit_files import read_fitted
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.route import MessageEmbedding, Router, weigh
from litellm_prompt_router.request.types import Turn
from tests.authoring.test_fitted_routing import labelled
from tests.made_embeddings import embedded_profile, lookup, meanings
from tests.written_fit import write_fitted

TEXTS = [case.text for _, case in labelled(40, seed=12)] + ["yes, go on", "hi", "qwxz vbnk", ""]
TURNS = st.lists(st.builds(Turn, role=st.sampled_from(["user", "assistant"]), text=st.sampled_from(TEXTS)), max_size=6)
KNOWN = st.frozensets(st.sampled_from(TEXTS))


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Profile:
    return embedded_profile(tmp_path_factory.mktemp("profiles"), "m", 1.0)


@given(turns=TURNS, known=KNOWN)
@settings(max_examples=60, deadline=None)
def test_a_decision_is_a_function_of_turns_and_vectors(
    profile: Profile, turns: list[Turn], known: frozenset[str]
) -> None:
    """The same from a router that has seen other conversations and other vectors; and it only grows."""

    def some(_model: str, texts: Sequence[str]) -> Mapping[str, MessageEmbedding]:
        return meanings([text for text in texts if text in known])

    worn = Router(profile)
    worn.decide(turns)
    worn.decide(turns, lookup=lookup)
    seen: set[str] = set()
    for end in range(1, len(turns) + 1):
        decision = worn.decide(turns[:end], lookup=some)
        assert decision == Router(profile).decide(turns[:end], lookup=some)
        if any(turn.role == "user" for turn in turns[: end - 1]):
            assert seen <= set(decision.modules)
        seen = set(decision.modules)


@given(turns=TURNS)
@settings(max_examples=40, deadline=None)
def test_without_vectors_words_alone_decide(profile: Profile, turns: list[Turn]) -> None:
    assert profile.fitted is not None
    plain = replace(profile, fitted=replace(profile.fitted, semantics=None))
    assert Router(profile).decide(turns) == Router(plain).decide(turns, lookup=lookup)


@given(turns=TURNS)
@settings(max_examples=40, deadline=None)
def test_a_vector_of_another_size_is_none(profile: Profile, turns: list[Turn]) -> None:
    odd = MessageEmbedding.of([1.0, 0.0])
    assert odd is not None
    decision = Router(profile).decide(turns, lookup=lambda _model, texts: dict.fromkeys(texts, odd))
    assert decision == Router(profile).decide(turns)


def test_weighing_agrees_with_deciding(profile: Profile) -> None:
    """What is calibrated with vectors is what runs with them, and the best guess where nothing is selected."""
    assert profile.fitted is not None
    assert profile.fitted.semantics is not None
    threshold, router = profile.fitted.semantics.calibration.threshold, Router(profile)
    for _, case in labelled(80, seed=8):
        seen = weigh(router, profile, [Turn("user", case.text)], lookup)
        weighed = {m.id for m, is_in in zip(profile.modules, seen.selected(threshold), strict=True) if is_in}
        chosen = set(seen.decision.modules)
        assert seen.is_fused
        best = profile.modules[int(seen.values.argmax())].id
        is_guess = weighed == {"core"} and chosen == {"core", best}
        assert weighed == chosen or is_guess or (seen.decision.is_fallback and weighed <= chosen)


def test_stored_and_read_again(profile: Profile, tmp_path: Path) -> None:
    """Vectors and fused calibration come back as they were, and the same fit gives the same bytes."""
    assert profile.fitted is not None
    write_fitted(tmp_path, profile.fitted, profile.modules)
    read = read_fitted(tmp_path, "profiles/harbour", profile.modules)
    assert read is not None
    assert read.semantics is not None
    assert profile.fitted.semantics is not None
    assert read.semantics.calibration == profile.fitted.semantics.calibration
    again = tmp_path / "again"
    again.mkdir()
    write_fitted(again, read, profile.modules)
    for name in ("router.json", "router.npz"):
        assert (again / name).read_bytes() == (tmp_path / name).read_bytes()
    for _, case in labelled(40, seed=31):
        turns = [Turn("user", case.text)]
        assert Router(replace(profile, fitted=read)).decide(turns, lookup=lookup) == Router(profile).decide(
            turns, lookup=lookup
        )
