"""Follow-ups and small talk as people write them: with ids, names, links and emoji, in many languages."""

from __future__ import annotations

import time
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from litellm_prompt_router.files import bundled_profiles, load_profile
from litellm_prompt_router.profile.conversation_words import WORDS_FILE
from litellm_prompt_router.request.route import Router, follow_ups
from litellm_prompt_router.request.route.follow_ups import MAX_CHARS, kind_without_task
from litellm_prompt_router.request.route.triggers import folded, words_of
from litellm_prompt_router.request.types import RoutingDecision, Turn
from tests.authoring.test_fitted_routing import fitted
from tests.made_profiles import count_words
from tests.request.test_router import OFFICE

HERE = Path(__file__).parent
FOLLOW_UPS: Mapping[str, list[str]] = tomllib.loads((HERE / "follow_up_messages.toml").read_text("utf-8"))
SHORT_TASKS: list[str] = tomllib.loads((HERE / "short_tasks.toml").read_text("utf-8"))["messages"]
EVERY = [(language, text) for language, texts in FOLLOW_UPS.items() for text in texts]
WORKBENCH = load_profile(bundled_profiles() / "workbench", count_words)
ROUTERS = {
    "fitted": (Router(fitted().profile), "please check the tide and the gauge for me"),
    "fitted workbench": (Router(WORKBENCH), "Clean up in/orders.csv and plot revenue by month"),
    "not fitted": (Router(OFFICE), "merge the branch"),
}


VERBS = """
send write read fix build deploy translate search find open create delete add show run test install book email
schicke sende schreibe übersetze suche erstelle lösche envoie écris traduis cherche crée supprime envía escribe
traduce busca crea borra envia escreve traduz procura cria manda scrivi traduci cerca cancella wyślij napisz
przetłumacz znajdź gönder yaz çevir bul отправь напиши переведи найди भेजो लिखो 发 写 翻译 搜索 送って 書いて
"""


def kind(text: str, *, started: bool = True) -> str | None:
    form = folded(text)
    return kind_without_task(text, form, words_of(form), started=started)


def decided(router: str, text: str) -> RoutingDecision:
    """The message in a running conversation."""
    prepared, first = ROUTERS[router]
    return prepared.decide([Turn("user", first), Turn("assistant", "Done. Shall I go on?"), Turn("user", text)])


def test_the_tables_are_as_large_as_they_should_be() -> None:
    assert len(EVERY) >= 250
    assert len({text for _, text in EVERY}) == len(EVERY)
    assert len(FOLLOW_UPS) >= 12
    assert len(SHORT_TASKS) >= 60


@pytest.mark.parametrize("router", ROUTERS)
@pytest.mark.parametrize("language", FOLLOW_UPS)
def test_none_brings_everything(router: str, language: str) -> None:
    """Whatever stands around it: a follow-up in a running conversation sends what that had."""
    prepared, first = ROUTERS[router]
    before = prepared.decide([Turn("user", first)])
    most = len((OFFICE if router == "not fitted" else WORKBENCH).modules)
    for text in FOLLOW_UPS[language]:
        decision = decided(router, text)
        assert not decision.is_fallback, text
        is_all_before = router == "fitted" and set(decision.modules) == set(before.modules)
        assert len(decision.modules) < most or is_all_before, text


@pytest.mark.parametrize("language", FOLLOW_UPS)
def test_each_is_recognised(language: str) -> None:
    assert [text for text in FOLLOW_UPS[language] if kind(text) not in ("follow_up", "small_talk")] == []


def test_short_tasks_are_never_dismissed() -> None:
    """What only begins like a follow-up is read as a task, in a running conversation and at its beginning."""
    assert [text for text in SHORT_TASKS if kind(text) is not None or kind(text, started=False) is not None] == []


@pytest.mark.parametrize("text", ["512", "OPS-881", "by Friday please", "???", "the same", "hi, ticket 4711"])
def test_an_answer_by_itself_opens_no_conversation(text: str) -> None:
    """A number, a date or an id answers a question; where none was asked it is a task."""
    assert kind(text) is not None
    assert kind(text, started=False) is None


@pytest.mark.parametrize("text", ["https://example.com/a", "orders.csv", "src/app.py", "Docker"])
def test_what_says_what_it_is_about_is_scored(text: str) -> None:
    """A link or a file's name by itself is no mere answer."""
    assert kind(text) is None


@pytest.mark.parametrize("text", ["yes, go ahead (ref 512)", "please continue, Maria", "ja, Ticket 4711"])
def test_a_follow_up_that_opens_a_conversation_brings_everything(text: str) -> None:
    """What it follows up on isn't there."""
    for prepared, _ in ROUTERS.values():
        assert prepared.decide([Turn("user", text)]).fallback_reason == "nothing to follow up on"


def test_time_is_linear_in_a_message_made_to_be_slow() -> None:
    """Only short messages are looked at word by word; a long one is a task at once."""
    for unit in ("yes, ", "a.", "好", "@a-", "“", "x_", "(", "aaa"):
        assert kind(unit * (MAX_CHARS // len(unit))) in (None, "follow_up", "small_talk")
        began = time.perf_counter()
        kind(unit * 100_000)
        assert time.perf_counter() - began < 0.5


def test_no_word_names_what_somebody_wants_done() -> None:
    """Words for tasks would make follow-ups of them, in any language."""
    verbs = frozenset(VERBS.split())
    for language, lists in tomllib.loads(WORDS_FILE.read_text("utf-8")).items():
        for name, words in lists.items():
            listed = words.casefold().split()
            assert verbs.isdisjoint(listed), (language, name)


class _EveryWord(frozenset[str]):
    def __contains__(self, _: object) -> bool:
        return True


@pytest.mark.parametrize("started", [False, True])
def test_a_word_of_a_task_ends_the_reading_and_changes_nothing(started: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside reading every message to its end."""
    told = [*[text for _, text in EVERY], *SHORT_TASKS, *VERBS]
    told += [f"{one} {other}" for one, other in zip(told, reversed(told), strict=True)]

    def kinds() -> list[str | None]:
        return [kind_without_task(text, folded(text), words_of(folded(text)), started=started) for text in told]

    found = kinds()
    monkeypatch.setattr(follow_ups, "_WITHOUT_TASK", _EveryWord())
    assert found == kinds()
    assert {None, "follow_up", "small_talk"} == set(found)


def test_the_words_behind_a_task_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    plain = follow_ups._parts_of_chunk

    def noting(chunk: str, is_apart: bool, is_before: bool) -> Iterator[Any]:
        read.append(chunk)
        return plain(chunk, is_apart, is_before)

    monkeypatch.setattr(follow_ups, "_parts_of_chunk", noting)
    text = "please " + "frobnicate the gauge " * 9
    assert kind_without_task(text, text, words_of(text), started=True) is None
    assert read == ["please", "frobnicate"]
