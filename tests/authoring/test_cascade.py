"""When a routing model is asked: bands found on messages with known values and answers, and what they do then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf
from pathlib import Path

import numpy as np
import pytest

from litellm_prompt_router.authoring.fit import FitOptions
from litellm_prompt_router.authoring.fit.cascade import ALWAYS, CascadeMessage, FoundBand, find_band
from litellm_prompt_router.authoring.fit.cascade_messages import ValuesOf, cascade_messages, find_cascade, values_from
from litellm_prompt_router.authoring.wavering_sections import wavering_sections
from litellm_prompt_router.files.fit_files import read_fitted
from litellm_prompt_router.files.labelled_messages import Conversations, Numbered
from litellm_prompt_router.profile.fitted import AskingBand, Cascade, Fitted, ModelLists
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.route import Lookup, Router, RoutingAnswer, RoutingQuestion, no_embeddings, weigh
from litellm_prompt_router.request.route.routing_question import words_in
from litellm_prompt_router.request.types import Turn
from tests.authoring.test_fitted_routing import TOPICS, labelled
from tests.made_embeddings import embedded_profile, lookup
from tests.request.test_routing_question import asking
from tests.written_fit import write_fitted

TOKENS = (100, 100, 100, 100)


def flags(*numbers: int) -> np.ndarray:
    found = np.zeros(len(TOKENS), dtype=np.bool_)
    found[list(numbers)] = True
    return found


def message(
    needs: Sequence[int],
    values: Sequence[float] | None,
    needed: Sequence[int] | None,
    perhaps: Sequence[int] = (),
    *,
    earlier: Sequence[int] = (),
    is_asked: bool = True,
) -> CascadeMessage:
    """Module 0 is the core."""
    return CascadeMessage(
        needed=flags(*needs),
        firm=flags(0),
        is_counted=bool(needs),
        values=None if values is None else np.array([-inf, *values]),
        is_asked=is_asked,
        needed_list=None if needed is None else flags(*needed),
        both_lists=None if needed is None else flags(*needed, *perhaps),
        earlier=tuple(earlier),
    )


def found(messages: Sequence[CascadeMessage], target: float = 0.95, lists: ModelLists | None = None):  # type: ignore[no-untyped-def]
    return find_band(messages, TOKENS, -2.0, target=target, confidence=0.9, lists=lists)


def test_nobody_is_asked_where_words_are_sure() -> None:
    """Clear messages stay with the words; only the doubtful third goes to the model."""
    clear = [message([1], [3.0, -9.0, -9.0], [1], [2, 3]) for _ in range(200)]
    open_ = [message([2], [-1.0, -3.0, -1.0], [2]) for _ in range(100)]
    result = found([*clear, *open_])
    assert result.promise == "guaranteed"
    assert result.chosen.asked_share == pytest.approx(1 / 3)
    assert (result.chosen.misses, result.chosen.lists) == (0, "needed")
    assert result.chosen.kept == pytest.approx(0.5)
    assert result.chosen.band.is_sure(np.array([-inf, 3.0, -9.0, -9.0]))
    assert not result.chosen.band.is_sure(np.array([-inf, -1.0, -3.0, -1.0]))


def test_a_message_of_which_nothing_is_selected_is_asked_about() -> None:
    assert not AskingBand(low=-2.0, high=1.0).is_sure(np.array([-5.0, -4.0]))


def test_the_lists_are_chosen_like_a_threshold() -> None:
    """Where the needed list misses too much both select, however much they keep."""
    messages = [message([2], [-1.0, -3.0, -1.0], [] if n % 4 == 0 else [2], [2, 3]) for n in range(200)]
    assert found(messages).chosen.lists == "both"
    assert found(messages, target=0.6).chosen.lists == "needed"
    assert found(messages, target=0.6, lists="both").chosen.lists == "both"


def test_where_needs_are_to_be_served_a_miss_costs_a_call() -> None:
    """The needed list alone, where a tool call brings what it misses; both where the next call still lacks it."""
    missed = message([2], [-3.0, -3.0, -3.0], [1], [2, 3])
    alone = replace(missed, brought=(flags(2),))
    among = replace(missed, brought=(flags(2), flags(1)))
    rest = [message([1], [-3.0, -3.0, -3.0], [1], [2, 3]) for _ in range(90)]

    def chosen(few: CascadeMessage) -> FoundBand:
        return find_band([*rest, *[few] * 10], TOKENS, -2.0, target=0.95, confidence=0.9, at_most="served")

    found_alone, found_among = chosen(alone), chosen(among)
    assert (found_alone.promise, found_alone.chosen.lists) == ("served", "needed")
    assert (found_alone.chosen.misses, found_alone.chosen.unserved) == (10, 0)
    assert (found_among.promise, found_among.chosen.lists) == ("served", "both")
    needed = found_among.always[0]
    assert (needed.misses, needed.unserved, needed.unserved_at_best) == (10, 10, 0)
    assert needed.served == (0.9, 1.0)


def test_what_nobody_finds_promises_nothing() -> None:
    """Then it is asked about everything, and both lists select: as without a fit."""
    result = found([message([2], [-9.0, -9.0, -9.0], [1]) for _ in range(200)])
    assert (result.promise, result.chosen.band, result.chosen.lists) == ("none", ALWAYS, "both")


def test_so_few_messages_promise_nothing() -> None:
    assert found([message([1], [3.0, -9.0, -9.0], [1]) for _ in range(5)]).promise == "none"


def test_a_message_without_an_answer_is_routed_by_its_words() -> None:
    messages = [message([1], [0.0, -9.0, -9.0], None) for _ in range(200)]
    assert found(messages).always[0].misses == 0
    unscored = [message([1], None, None) for _ in range(200)]
    assert found(unscored).always[0].misses == 200


def test_what_was_selected_earlier_in_the_conversation_stays() -> None:
    messages = [
        each
        for n in range(100)
        for each in (
            message([1], [-3.0, -9.0, -9.0], [1]),
            message([1], [-9.0, -9.0, -9.0], [], earlier=[2 * n], is_asked=False),
        )
    ]
    result = found(messages)
    assert result.always[0].misses == 0
    assert result.always[0].asked_share == 0.5


# With a fit


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Profile:
    return asking(embedded_profile(tmp_path_factory.mktemp("profiles"), "m", 1.0))


CASES = labelled(120, seed=5)
OPTIONS = FitOptions(target=0.9, over="messages", at_most="expected")


def knows(_model: str, question: RoutingQuestion) -> RoutingAnswer | None:
    """A model that knows the labels of the made messages."""
    said = words_in(question).message
    return next((RoutingAnswer(case.needs, tuple(TOPICS)[:1]) for _, case in CASES if case.text.strip() == said), None)


def values_of_last(
    profile: Profile,
    cases: Sequence[Numbered],
    conversations: Conversations,
    lookup: Lookup = no_embeddings,
    *,
    is_fused: bool = False,
) -> ValuesOf:
    """What a fitted profile makes of messages that had no part in its fit."""
    assert profile.fitted is not None
    semantics = profile.fitted.semantics
    gate = semantics.gate if is_fused and semantics is not None else profile.fitted.gate
    router = Router(profile)
    weighed = []
    for _, case in cases:
        turns = conversations.turns_of(case)
        seen = weigh(router, profile, turns, lookup)
        if (
            seen.seen
            and seen.seen[-1].turn == max(at for at, turn in enumerate(turns) if turn.role == "user")
            and seen.seen[-1].is_fused == is_fused
        ):
            weighed.append((case, seen, gate))
    return values_from(weighed)


def test_a_cascade_is_found_for_words_and_for_meaning(profile: Profile) -> None:
    conversations = Conversations(case for _, case in CASES)
    result = find_cascade(
        profile,
        CASES,
        conversations,
        knows,
        OPTIONS,
        values_of=values_of_last(profile, CASES, conversations),
        fused_values_of=values_of_last(profile, CASES, conversations, lookup, is_fused=True),
        lookup=lookup,
    )
    cascade = result.cascade
    assert (cascade.model, cascade.promise) == ("small", "expected")
    assert cascade.fused is not None
    assert result.fused is not None
    assert result.words.chosen.lists == result.fused.chosen.lists == cascade.lists
    assert cascade.misses <= 0.1 * cascade.messages


def test_what_a_cascade_is_found_on_is_what_runs(profile: Profile) -> None:
    """The bands that are tried select what the router selects with them."""
    assert profile.fitted is not None
    conversations = Conversations(case for _, case in CASES)
    values = values_of_last(profile, CASES, conversations)
    for band in (AskingBand(low=-6.0, high=2.0), AskingBand(low=-3.0, high=8.0)):
        routed = with_cascade(profile, band)
        router = Router(routed)
        for _, case in [each for each in CASES if not each[1].history][:40]:
            turns = conversations.turns_of(case)
            [seen] = cascade_messages(profile, [(1, case)], conversations, knows, OPTIONS, values)
            is_sure = seen.values is not None and band.is_sure(seen.values)
            asked = router.questions(turns)
            assert bool(asked) == (seen.is_asked and not is_sure)
            if asked and seen.needed_list is not None and seen.values is not None:
                chosen = seen.firm | seen.needed_list | (seen.values >= band.high)
                decided = set(router.decide(turns, answers=knows).modules)
                assert decided == {m.id for m, there in zip(profile.modules, chosen, strict=True) if there}


def with_cascade(profile: Profile, band: AskingBand, model: str = "small") -> Profile:
    assert profile.fitted is not None
    cascade = Cascade(
        model=model,
        lists="needed",
        words=band,
        fused=None,
        promise="expected",
        target_coverage=0.9,
        messages=120,
        misses=3,
        asked=40,
    )
    return replace(profile, fitted=replace(profile.fitted, cascade=cascade))


def test_an_answer_to_a_sure_message_changes_nothing(profile: Profile) -> None:
    """Recorded answers may hold more than was asked."""
    router = Router(with_cascade(profile, AskingBand(low=-1e6, high=-1e6)))
    turns = [Turn("user", CASES[0][1].text)]
    assert router.questions(turns) == {}
    assert router.decide(turns, answers=knows) == router.decide(turns, answers=lambda _model, _question: None)


def test_a_message_whose_meaning_is_known_has_a_band_of_its_own(profile: Profile) -> None:
    """Without one it is asked about always."""
    router = Router(with_cascade(profile, AskingBand(low=-1e6, high=-1e6)))
    turns = [Turn("user", CASES[0][1].text)]
    assert router.questions(turns, lookup=lookup).keys() == {0}


def test_stored_and_read_again(profile: Profile, tmp_path: Path) -> None:
    routed = with_cascade(profile, AskingBand(low=-inf, high=2.5))
    assert routed.fitted is not None
    write_fitted(tmp_path, routed.fitted, profile.modules)
    read = read_fitted(tmp_path, "profiles/harbour", profile.modules)
    assert isinstance(read, Fitted)
    assert read.cascade == routed.fitted.cascade


# Sections that the model wavers on


def test_a_section_that_is_used_and_seldom_named_as_needed() -> None:
    answered = [
        (RoutingAnswer(("web",), ("tasks",)), frozenset({"web", "tasks"})),
        (RoutingAnswer(("web",), ()), frozenset({"tasks"})),
        (RoutingAnswer(("tasks",), ()), frozenset({"web", "tasks"})),
    ]
    [wavering] = wavering_sections(answered, ("web", "tasks", "other"))
    assert (wavering.id, wavering.used, wavering.needed, wavering.perhaps, wavering.missed) == ("tasks", 3, 1, 1, 1)
    assert wavering.sentence == (
        "tasks: of 3 messages that used it the model named it as needed for 1, as perhaps needed for 1, and not at "
        "all for 1"
    )
    assert wavering_sections(answered[:2], ("web", "tasks")) == ()
