"""Edits to profile.yaml: what they say is read back, and every other byte stays."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from litellm_prompt_router.documents.parsing import parse_yaml
from litellm_prompt_router.files import bundled_profiles
from litellm_prompt_router.files.profile_text import (
    ModuleEntry,
    with_entries,
    with_examples,
    with_section,
    without_section,
)

HEAD = "# ours\nprofile: x   # short\nversion: '1'\n"
MODULES = "# the modules\nmodules:\n  - {id: a, file: a.txt, title: A}\n"


def test_a_new_section_goes_ahead_of_the_modules() -> None:
    out = with_section(HEAD + "\n" + MODULES, "economics", {"choice": "full"})
    assert out == HEAD + "\neconomics:\n  choice: full\n\n" + MODULES


@pytest.mark.parametrize("gap", ["", "\n", "\n# about what follows\n"])
def test_an_old_one_is_replaced(gap: str) -> None:
    old = "economics:\n  choice: bundles\n  bundles:\n  - - a\n"
    out = with_section(f"{HEAD}{old}{gap}{MODULES}", "economics", {"choice": "exact"})
    assert out == f"{HEAD}economics:\n  choice: exact\n{gap}{MODULES}"
    assert with_section(MODULES + old, "economics", {"choice": "exact"}) == MODULES + "economics:\n  choice: exact\n"


PRINTABLE = st.text(st.characters(categories=("L", "N", "P", "S", "Zs")))


@given(st.dictionaries(st.text("abc", min_size=1), st.one_of(PRINTABLE, st.integers()), min_size=1))
def test_what_is_written_is_read_back(content: dict[str, str | int]) -> None:
    before = HEAD + MODULES
    out = with_section(before, "economics", content)
    assert yaml.safe_load(out) == {**yaml.safe_load(before), "economics": content}
    assert with_section(out, "economics", content) == out


def test_a_section_can_go_again() -> None:
    before = HEAD + "\n" + MODULES
    assert without_section(with_section(before, "economics", {"choice": "full"}), "economics") == before
    assert without_section(before, "economics") == before


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        pytest.param("{profile: x}", "not a block mapping", id="flow"),
        pytest.param("", "not a block mapping", id="empty"),
        pytest.param("profile: x\n", "no section 'modules'", id="no modules"),
        pytest.param("profile: x\nmodules: []\n...\n# more\n", None, id="end marker"),
    ],
)
def test_a_document_without_a_place_for_a_section(raw: str, problem: str | None) -> None:
    if problem is None:
        assert yaml.safe_load(with_section(raw, "economics", {"choice": "full"}))["economics"] == {"choice": "full"}
        return
    with pytest.raises(ValueError, match=problem):
        with_section(raw, "economics", {"choice": "full"})


def test_an_indented_mapping() -> None:
    """The section stands where its neighbours do."""
    out = with_section("  profile: x\n  modules: []\n", "economics", {"choice": "full"})
    assert out == "  profile: x\n  economics:\n    choice: full\n\n  modules: []\n"


@pytest.mark.parametrize("kept", [(), ("b",)], ids=["none left", "one left"])
@pytest.mark.parametrize("why", ["", "  # why"])
def test_requirements_go_where_a_commented_entry_follows(kept: tuple[str, ...], why: str) -> None:
    """In block style, as the entry's last field: the comment, and the line that it stands on, are the next entry's."""
    wanted = "".join(f"      - {name}{why}\n" for name in (*kept, "c"))
    first = f"  - id: a\n    requires:\n{wanted}"
    rest = "  # about b\n  - id: b\n  # about c\n  - id: c\n"
    raw = f"profile: x\nversion: '1'\nmodules:\n{first}{rest}"
    modules = [ModuleEntry(id="a", dropped=("c",)), ModuleEntry(id="b"), ModuleEntry(id="c")]
    out = with_entries(raw, version="1", modules=modules, slots=[])
    head = f"profile: x\nversion: '1'\nmodules:\n  - id: a\n    requires: [{', '.join(kept)}]\n"
    assert out == head + rest


def test_lists_are_indented_and_lines_end_as_the_others_do() -> None:
    out = with_section((HEAD + MODULES).replace("\n", "\r\n"), "economics", {"bundles": [["a", "b"], ["c"]]})
    new = "economics:\n  bundles:\n    - - a\n      - b\n    - - c\n\n"
    assert out == (HEAD + new + MODULES).replace("\n", "\r\n")


def test_new_entries_look_as_the_others_do() -> None:
    """In their column, with their line endings; text that isn't printable is quoted."""
    raw = (HEAD + "modules:\n- id: a\n  file: a.txt\n  requires: [b]\n").replace("\n", "\r\n")
    entries = [ModuleEntry(id="a", dropped=("b",)), ModuleEntry(id="c", new={"id": "c", "triggers": ["x\u2028y"]})]
    out = with_entries(raw, version="2", modules=entries, slots=())
    new = '- id: a\n  file: a.txt\n  requires: []\n- id: c\n  triggers:\n    - "x\\Ly"\n'
    assert out == (HEAD.replace("'1'", '"2"') + "modules:\n" + new).replace("\n", "\r\n")


STYLES = {
    "block": "# top\nmodules:\n  # 1st\n  - id: a\n    examples:\n      - 'old'  # why\n      # last\n  - id: b  # b\n",
    "flush": "modules:\n- id: a\n  # mine\n  examples:\n  - old\n\n- id: b\n  tools: [t]\n",
    "flow": "modules: # all\n  - {id: a, examples: [old]}\n  - {id: b, tools: [t]}\n",
    "crlf": "modules:\r\n  - id: a\r\n    examples: []\r\n  # between\r\n  - id: b\r\n",
    "deep": "modules:\n    - id: a\n      examples: [\n        old,\n      ]\n    - id: b\n",
}
TEXTS = st.lists(st.text(min_size=1, max_size=60), min_size=1, max_size=5, unique=True)


@pytest.mark.parametrize("style", STYLES)
@settings(max_examples=30, deadline=None)
@given(texts=TEXTS)
def test_examples_are_added_and_the_rest_stays(style: str, texts: list[str]) -> None:
    """The document is the old one plus the examples, whatever is in them; every old line's comment is there."""
    raw = STYLES[style]
    text, added = with_examples(raw, {"a": texts, "b": texts})
    before, after = parse_yaml(raw, "before"), parse_yaml(text, "after")
    assert isinstance(before, dict)
    for module in before["modules"]:
        have = module.get("examples") or []
        new = [text for text in texts if text not in have]
        module["examples"] = [*have, *new]
        added -= len(new)
    assert (after, added) == (before, 0)
    comments = [line[line.index("#") :].strip() for line in raw.splitlines() if "#" in line]
    assert all(comment in text for comment in comments)
    assert ("\r\n" in text) == ("\r\n" in raw)


def test_the_bundled_profile_gains_lines_and_loses_none() -> None:
    raw = (bundled_profiles() / "workbench" / "profile.yaml").read_bytes().decode()
    example = 'say "hi"\nand: bye # not a comment'
    text, added = with_examples(raw, {"tools/git": [example], "tools/code": [example]})
    old, lines = raw.splitlines(), text.splitlines()
    new = [line for line in lines if line not in old]
    assert (added, set(new)) == (2, {'      - "say \\"hi\\"\\nand: bye # not a comment"'})
    assert [line for line in lines if line not in new] == old
