"""A few cells of the benchmark: untuned no dearer, whatever is known of the profile."""

from __future__ import annotations

import pytest

from tests.benchmarks.never_dearer import KNOWN, PROMISED, Cell, cells_of, lines_of, measure


@pytest.mark.parametrize(
    ("model", "rate", "turns", "calls", "saves"),
    [
        pytest.param("claude-sonnet-4-5", 100, 3, 6, True, id="Claude, loops"),
        pytest.param("claude-sonnet-4-5", 1_000, 3, 1, False, id="Claude, talk"),
        pytest.param("openai/gpt-5.6", 10, 1, 3, False, id="GPT-5.6, where each set would write the core"),
        pytest.param("gemini/gemini-2.5-pro", 10, 1, 3, True, id="Gemini, whatever its lifetime"),
        pytest.param("mistral/mistral-large-latest", 10, 1, 3, True, id="Mistral, whatever its lifetime"),
        pytest.param("deepseek/deepseek-chat", 100, 3, 6, False, id="DeepSeek, which keeps prompts for a day"),
    ],
)
def test_untuned_is_no_dearer(model: str, rate: int, turns: int, calls: int, saves: bool) -> None:
    cell = Cell(rate=rate, size=26_000, shape="fine", turns=turns, calls=calls, model=model, tunes=False)
    *_, usual = measure(cell)  # of talk, that without tools
    assert usual.group == ("loops" if calls > 1 else "talk")
    assert all(share <= PROMISED for share in usual.shares.values())
    assert (max(usual.shares.values()) < 0) == saves


def test_the_lines_say_what_is_known() -> None:
    """Alike figures stand in one line; what has no calls to save on isn't promised anything."""
    cells = cells_of(["deepseek/deepseek-chat"], tunes=False, rates=(10,))
    assert all(cell.turns * cell.calls >= 3 for cell in cells)
    measured = measure(next(cell for cell in cells if cell.calls == 3))
    names = "; ".join(what for name, what in KNOWN.items() if name != "tuned")
    assert lines_of("m", measured)[0] == f"| m | loops, 1 | {names} | +0.0% | 0 | +0.0% |"
