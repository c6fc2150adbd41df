"""How likely conversations are to need a module later, as labels tell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from litellm_prompt_router.files.fit_files import FIT_FILE, fitted_files, read_fitted
from litellm_prompt_router.profile.later_chances import MIN_BEGUN, later_chances
from tests.authoring.test_fitted_routing import fitted

A, B = frozenset({"a"}), frozenset({"b"})


def test_chances_by_conversation() -> None:
    """Of those that begin without it; half a conversation each way is added, so that few prove nothing."""
    conversations = [*[[A, B]] * 3, *[[A, A, A]] * 6, [B]]
    assert later_chances(conversations, ("a", "b")) == {"b": pytest.approx(3.5 / 10)}


@pytest.mark.parametrize(("begun", "is_told"), [(MIN_BEGUN - 1, False), (MIN_BEGUN, True)])
def test_few_conversations_tell_nothing(begun: int, is_told: bool) -> None:
    assert ("b" in later_chances([[A]] * begun, ("a", "b"))) == is_told


def test_single_messages_need_nothing_later() -> None:
    assert later_chances([[A]] * 19, ("b",)) == {"b": pytest.approx(0.025)}


def test_a_fit_keeps_them(tmp_path: Path) -> None:
    """In router.json by module, read back as written; a file without them is one of before."""
    done = fitted()
    chances = done.fitted.later_chances
    modules = done.profile.modules
    assert chances is not None
    assert set(chances) <= {module.id for module in modules if not module.always}
    assert all(0 < chance < 0.6 for chance in chances.values())
    for name, raw in fitted_files(done.fitted, modules).items():
        (tmp_path / name).write_bytes(raw)
    again = read_fitted(tmp_path, "here", modules)
    assert again is not None
    assert dict(again.later_chances or {}) == {id: pytest.approx(chance, abs=1e-4) for id, chance in chances.items()}
    document = json.loads((tmp_path / FIT_FILE).read_bytes())
    del document["later"]
    (tmp_path / FIT_FILE).write_text(json.dumps(document))
    before = read_fitted(tmp_path, "here", modules)
    assert before is not None
    assert before.later_chances is None
