"""Modules that require each other are the pieces of one topic."""

from __future__ import annotations

import pytest

from litellm_prompt_router.profile.topic_pieces import pieces_of_topics, topic_names, topics_of
from tests.made_profiles import module

MODULES = [
    module("core", "c", always=True),
    module("files", "f", requires=["files/3"]),
    module("web", "w", requires=["files/2"]),
    module("files/2", "g", requires=["files"]),
    module("sheets", "s", requires=["web", "sheets/2"]),
    module("files/3", "h", requires=["files/2"]),
    module("sheets/2", "t", requires=["sheets"]),
]


def test_the_first_piece_stands_for_all() -> None:
    """Also where they require each other only in a circle; requiring something one way makes no topic of it."""
    assert topics_of(MODULES) == (0, 1, 2, 1, 4, 1, 4)
    assert pieces_of_topics(MODULES) == {0: (0,), 1: (1, 3, 5), 2: (2,), 4: (4, 6)}
    assert topic_names(MODULES)["files/3"] == "files"


@pytest.mark.parametrize("count", [0, 1, 200])
def test_modules_without_requirements_are_topics_of_their_own(count: int) -> None:
    assert topics_of([module(f"m{n}", "x") for n in range(count)]) == tuple(range(count))
