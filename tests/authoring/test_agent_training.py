"""What a fit learns of the agent's own words, from labels and from captured traffic, and what it stores of it."""

from __future__ import annotations

import dataclasses
import random
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from litellm_prompt_router.authoring.fit import Fit, FitOptions, fit
from litellm_prompt_router.authoring.fit.agent_training import MIN_TEXTS
from litellm_prompt_router.authoring.fit.traffic_labels import MAX_SAID, SAID_CHARS, cases_of
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.files.fit_files import FIT_FILE, fitted_files, read_fitted
from litellm_prompt_router.files.labelled_messages import Case, Numbered
from litellm_prompt_router.request.route import Router
from litellm_prompt_router.request.types import Turn
from tests.authoring.test_fitted_routing import TOPICS, harbour, labelled, message, silent
from tests.written_fit import write_fitted

TARGET = FitOptions(target=0.5, at_most="expected")


def with_words(count: int, *, said: bool) -> list[Numbered]:
    """Conversations whose first task needs a second topic as well, of which only the agent speaks.

    It is in the next message's ``assistant``, or with ``said`` in the message's own.
    """
    chance = random.Random(11)
    cases: list[Case] = []
    while len(cases) < count:
        one, hidden, other = chance.sample(sorted(TOPICS), 3)
        first = f"{message(chance, one)} {len(cases)}"
        needs = (one, hidden) if chance.random() < 0.4 else (one,)
        words = message(chance, needs[-1])
        cases.append(Case(text=first, needs=needs, said=(words,) if said else ()))
        told = "" if said else words
        cases.append(Case(text=message(chance, other), history=(first,), assistant=told, needs=(other,)))
    return list(enumerate(cases, 1))


@cache
def heard(*, said: bool) -> Fit:
    return fit(harbour(), with_words(500, said=said), TARGET, silent)


@pytest.mark.parametrize(
    "said",
    [pytest.param(False, id="before the next message", marks=pytest.mark.full), pytest.param(True, id="for this one")],
)
def test_words_of_a_task_bring_what_the_task_needs(said: bool) -> None:
    """From the next call on, where the user's own words said nothing of it; other words bring it not."""
    words = heard(said=said).fitted.agent_words
    assert words is not None
    assert words.texts >= MIN_TEXTS
    assert words.weights[0] > 0 or words.weights[1] > 0
    # Only what the words of the user surely speak for is there at the first call.
    found = heard(said=said).fitted
    strict = dataclasses.replace(found.calibration, threshold=0.0)
    router = Router(dataclasses.replace(harbour(), fitted=dataclasses.replace(found, calibration=strict)))
    asked = Turn("user", "please check the tide and the gauge for me")
    speaks, silent_one = (
        [asked, Turn("assistant", text, tool_calls=("other",), arguments=("",)), Turn("tool", "ok")]
        for text in ("I need the captain next to the mate", "the water level is wrong, look at its gauge again")
    )
    before = {item.module for item in router.decide([asked]).selected}
    assert "crew" not in before
    late = {item.module: item.kind for item in router.decide(speaks).selected if item.late}
    assert late["crew"] == "assistant"
    assert "crew" not in router.decide(silent_one).modules


@pytest.mark.full
def test_too_few_texts_teach_nothing() -> None:
    """Then what the agent says is scored nowhere."""
    assert fit(harbour(), labelled(200), TARGET, silent).fitted.agent_words is None
    assert fit(harbour(), with_words(60, said=False), TARGET, silent).fitted.agent_words is None


def test_the_threshold_is_one_of_cost() -> None:
    """The larger a module, the surer its need has to be: by the odds of its size in the whole prompt."""
    done = heard(said=False)
    words, columns = done.fitted.agent_words, done.fitted.table.columns
    assert words is not None
    tokens = np.array([module.tokens for module in harbour().modules])
    assert words.thresholds == pytest.approx(np.log(tokens[list(columns)] / tokens.sum()), abs=1e-4)


def test_it_is_stored_and_read_again(tmp_path: Path) -> None:
    """Bytes and all; thresholds of other modules are a damaged file."""
    done = heard(said=False).fitted
    write_fitted(tmp_path, done, harbour().modules)
    read = read_fitted(tmp_path, "harbour", harbour().modules)
    assert read is not None
    assert fitted_files(read, harbour().modules)[FIT_FILE] == (tmp_path / FIT_FILE).read_bytes()
    raw = (tmp_path / FIT_FILE).read_text()
    at = raw.index('"agent_words"')
    (tmp_path / FIT_FILE).write_text(raw[:at] + raw[at:].replace('"ships"', '"shops"', 1))
    with pytest.raises(ConfigurationError, match="agent_words: thresholds of other modules"):
        read_fitted(tmp_path, "harbour", harbour().modules)


def test_traffic_tells_what_was_said_in_a_tasks_loop() -> None:
    """Words and arguments of the calls for a message, capped; what ends the task is not among them."""
    loop = [
        turn
        for number in range(9)
        for turn in (
            Turn("assistant", f"step {number}", tool_calls=("use_tides",), arguments=('{"a": "' + "x" * 9000,)),
            Turn("tool", "stranger"),
        )
    ]
    turns = [Turn("user", "one"), *loop, Turn("assistant", "the end"), Turn("user", "two")]
    one, two = cases_of(turns, harbour())
    assert len(one.said) == MAX_SAID
    assert all(text.startswith("step") and len(text) <= SAID_CHARS for text in one.said)
    assert (one.needs, two.said) == (("tides",), ())
