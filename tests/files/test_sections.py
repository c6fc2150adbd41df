"""One section of a profile.yaml changes; every other byte stays."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.files.sections import with_section, without_section, write_section

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


def test_a_file_that_cannot_be_changed_stays(tmp_path: Path) -> None:
    path = tmp_path / "profile.yaml"
    path.write_text("{profile: x}")
    with pytest.raises(ConfigurationError) as raised:
        write_section(path, "economics", {"choice": "full"})
    assert raised.value.problems == (
        f"{path}: economics can't be written (not a block mapping); is the file yours to change?",
    )
    assert path.read_text() == "{profile: x}"
    assert list(tmp_path.iterdir()) == [path]


def test_an_indented_mapping_and_a_link(tmp_path: Path) -> None:
    """The section stands where its neighbours do, and the file behind a link is the one that changes."""
    path, link = tmp_path / "real.yaml", tmp_path / "profile.yaml"
    path.write_text("  profile: x\n  modules: []\n")
    link.symlink_to(path)
    write_section(link, "economics", {"choice": "full"})
    assert link.is_symlink()
    assert path.read_text() == "  profile: x\n  economics:\n    choice: full\n\n  modules: []\n"
    assert sorted(tmp_path.iterdir()) == [link, path]


def test_the_file_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "profile.yaml"
    path.write_bytes((HEAD + MODULES).replace("\n", "\r\n").encode())
    path.chmod(0o640)
    write_section(path, "economics", {"choice": "full"})
    assert path.stat().st_mode & 0o777 == 0o640
    assert path.read_bytes().startswith(HEAD.replace("\n", "\r\n").encode())
    assert yaml.safe_load(path.read_text("utf-8"))["economics"] == {"choice": "full"}
