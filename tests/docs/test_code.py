"""docs/code.md names rooms and files that are there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "hooks" / "litellm_prompt_router"
PAGE = (ROOT / "docs" / "code.md").read_text("utf-8")
TABLE = re.findall(r"^\| `(\w+)(?:/|\.py)` \|", PAGE, re.MULTILINE)
PLACES_OF_ROWS = re.findall(r"^\| [^|]+ \| (`[^|]+) \|$", PAGE.partition("## Where to change what")[2], re.MULTILINE)


def places() -> Iterator[str]:
    """The files of each row; a bare name is a file beside the row's first."""
    for row in PLACES_OF_ROWS:
        named = re.findall(r"`([\w/]+\.(?:py|yaml|toml))`", row)
        for place in named:
            yield place if "/" in place else str(Path(named[0]).with_name(place))


def test_every_room_is_described() -> None:
    rooms = {path.stem for path in PACKAGE.iterdir() if path.name not in ("__init__.py", "__pycache__")}
    assert set(TABLE) == rooms - {"bundled_profiles", "bundled_config"}


@pytest.mark.parametrize("place", dict.fromkeys(places()))
def test_what_is_named_is_there(place: str) -> None:
    assert (PACKAGE / place).exists()


def test_no_file_name_and_no_class_name_means_two_things() -> None:
    files = [path for path in PACKAGE.rglob("*.py") if path.name not in ("__init__.py", "__main__.py")]
    names = [path.name for path in files]
    assert sorted({name for name in names if names.count(name) > 1}) == []
    classes = [name for path in files for name in re.findall(r"^\s*class (\w+)", path.read_text("utf-8"), re.MULTILINE)]
    assert sorted({name for name in classes if classes.count(name) > 1}) == []
