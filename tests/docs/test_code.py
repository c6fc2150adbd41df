"""docs/code.md names rooms and files that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "hooks" / "litellm_prompt_router"
PAGE = (ROOT / "docs" / "code.md").read_text("utf-8")
TABLE = re.findall(r"^\| `(\w+)(?:/|\.py)` \|", PAGE, re.MULTILINE)
PLACES = re.findall(r"^\| [^`|]+ \| `([\w/]+(?:\.py)?)`", PAGE, re.MULTILINE)


def test_every_room_is_described() -> None:
    rooms = {path.stem for path in PACKAGE.iterdir() if path.name not in ("__init__.py", "__pycache__")}
    assert set(TABLE) == rooms - {"bundled_profiles", "bundled_config"}


@pytest.mark.parametrize("place", PLACES)
def test_what_is_named_is_there(place: str) -> None:
    assert (PACKAGE / place).exists()


def test_no_file_name_and_no_class_name_means_two_things() -> None:
    files = [path for path in PACKAGE.rglob("*.py") if path.name not in ("__init__.py", "__main__.py")]
    names = [path.name for path in files]
    assert sorted({name for name in names if names.count(name) > 1}) == []
    classes = [name for path in files for name in re.findall(r"^\s*class (\w+)", path.read_text("utf-8"), re.MULTILINE)]
    assert sorted({name for name in classes if classes.count(name) > 1}) == []
