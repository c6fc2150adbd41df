"""Examples for ``profile.yaml``, and which messages count as the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_prompt_router.authoring.examples import Message, add_to_profile
from litellm_prompt_router.authoring.examples.overlap import NEAR, SeenMessages, tokens
from litellm_prompt_router.files import load_profile

YAML = """\
profile: toy
version: "1"
modules:
  - {id: a, file: a.txt, title: A}   # ours
  - {id: b, file: b.txt, title: B}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "toy"
    folder.mkdir()
    for name, text in {"profile.yaml": YAML, "a.txt": "# A\n", "b.txt": "# B\n"}.items():
        (folder / name).write_text(text, "utf-8")
    return folder


def test_each_module_that_a_message_needs_gets_it(folder: Path) -> None:
    message = Message(text="both, please", needs=("a", "b"))
    assert add_to_profile(folder, [("a", message), ("b", message)]) == 2
    assert [module.examples for module in load_profile(folder, len).modules] == [("both, please",)] * 2
    assert add_to_profile(folder, [("a", message)]) == 0


def test_follow_ups_are_left_out(folder: Path) -> None:
    assert add_to_profile(folder, [("a", Message(text="yes", history=("x",), needs=("a",)))]) == 0
    assert (folder / "profile.yaml").read_text("utf-8") == YAML


@given(text=st.text(), figure=st.integers(0, 10**6))
def test_case_figures_and_punctuation_make_no_difference(text: str, figure: int) -> None:
    message = Message(text=f"{text} file 7", needs=())
    known = SeenMessages()
    known.add(message, "a")
    assert known.owners(Message(text=f"{text.replace('.', ' . ')}  FILE {figure}!", needs=())) == ["a"]


@pytest.mark.parametrize(
    ("one", "other", "is_near"),
    [
        pytest.param("rename the scans", "Rename the scans, please", True, id="a word more"),
        pytest.param("rename the scans", "rename the folder", False, id="another thing"),
        pytest.param(
            "把文件里的超时时间改成六十秒", "把文件里的超时时间改成七十秒", True, id="no spaces, one character"
        ),
        pytest.param("把文件改成六十秒", "今天天气怎么样", False, id="no spaces, another thing"),
        pytest.param("ＡＢＣ", "abc", True, id="width"),
        pytest.param("", "", True, id="empty"),
    ],
)
def test_near(one: str, other: str, is_near: bool) -> None:
    a, b = tokens(one), tokens(other)
    assert (not a | b or len(a & b) / len(a | b) >= NEAR) == is_near


def test_a_follow_up_is_compared_with_its_conversation() -> None:
    known = SeenMessages()
    known.add(Message(text="yes", history=("delete the old scans",), needs=()), "a")
    assert known.owners(Message(text="yes", history=("write a poem for my aunt",), needs=())) == []
    assert known.owners(Message(text="yes!", history=("Delete the old scans",), needs=())) == ["a"]
