"""Examples in ``profile.yaml``: nothing else in the file changes. Near-duplicates: what counts as the same."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litellm_prompt_router.authoring.examples import Message, add_to_profile
from litellm_prompt_router.authoring.examples.overlap import NEAR, Known, tokens
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.documents.parsing import parse_yaml
from litellm_prompt_router.files import bundled_profiles

STYLES = {
    "block": "# top\nmodules:\n  # 1st\n  - id: a\n    examples:\n      - 'old'  # why\n      # last\n  - id: b  # b\n",
    "flush": "modules:\n- id: a\n  # mine\n  examples:\n  - old\n\n- id: b\n  tools: [t]\n",
    "flow": "modules: # all\n  - {id: a, examples: [old]}\n  - {id: b, tools: [t]}\n",
    "crlf": "modules:\r\n  - id: a\r\n    examples: []\r\n  # between\r\n  - id: b\r\n",
    "deep": "other: &x 1\n"
    if False
    else "modules:\n    - id: a\n      examples: [\n        old,\n      ]\n    - id: b\n",
}
TEXTS = st.lists(st.text(min_size=1, max_size=60), min_size=1, max_size=5, unique=True)


def _extended(raw: str, texts: list[str]) -> tuple[str, int]:
    messages = [("a", Message(text=text, needs=("a", "b"))) for text in texts]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "profile.yaml"
        path.write_bytes(raw.encode())
        added = add_to_profile(path, messages)
        return path.read_bytes().decode(), added


@pytest.mark.parametrize("style", STYLES)
@settings(max_examples=30, deadline=None)
@given(texts=TEXTS)
def test_the_rest_stays(style: str, texts: list[str]) -> None:
    """The document is the old one plus the examples, whatever is in them; every old line's comment is there."""
    raw = STYLES[style]
    text, _ = _extended(raw, texts)
    before, after = parse_yaml(raw, "before"), parse_yaml(text, "after")
    assert isinstance(before, dict)
    for module in before["modules"]:
        have = module.get("examples") or []
        module["examples"] = [*have, *(text for text in texts if text not in have)]
    assert after == before
    comments = [line[line.index("#") :].strip() for line in raw.splitlines() if "#" in line]
    assert all(comment in text for comment in comments)
    assert ("\r\n" in text) == ("\r\n" in raw)


def test_the_bundled_profile_gains_lines_and_loses_none() -> None:
    raw = (bundled_profiles() / "workbench" / "profile.yaml").read_bytes().decode()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "profile.yaml"
        path.write_text(raw, "utf-8")
        message = Message(text='say "hi"\nand: bye # not a comment', needs=("tools/git", "tools/code"))
        assert add_to_profile(path, [("tools/git", message)]) == 2
        lines = path.read_text("utf-8").splitlines()
    old = raw.splitlines()
    new = [line for line in lines if line not in old]
    assert set(new) == {'      - "say \\"hi\\"\\nand: bye # not a comment"'}
    assert [line for line in lines if line not in new] == old


def test_follow_ups_are_left_out() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "profile.yaml"
        path.write_text(STYLES["block"], "utf-8")
        assert add_to_profile(path, [("a", Message(text="yes", history=("x",), needs=("a",)))]) == 0
        assert path.read_text("utf-8") == STYLES["block"]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "profile.yaml"
    path.write_text(STYLES["block"], "utf-8")
    (tmp_path / "profile.yaml.new").mkdir()
    with pytest.raises(ConfigurationError, match=r"profile\.yaml: can't be written \(Is a directory\)"):
        add_to_profile(path, [("a", Message(text="x", needs=("a",)))])
    assert path.read_text("utf-8") == STYLES["block"]


@given(text=st.text(), figure=st.integers(0, 10**6))
def test_case_figures_and_punctuation_make_no_difference(text: str, figure: int) -> None:
    message = Message(text=f"{text} file 7", needs=())
    known = Known()
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
    known = Known()
    known.add(Message(text="yes", history=("delete the old scans",), needs=()), "a")
    assert known.owners(Message(text="yes", history=("write a poem for my aunt",), needs=())) == []
    assert known.owners(Message(text="yes!", history=("Delete the old scans",), needs=())) == ["a"]
