"""Tables and JSON on terminals and in pipes."""

from __future__ import annotations

import json

import pytest

from litellm_prompt_router.cli.output import change, percent, shortened, show_json, show_table


def test_a_piped_table_is_never_cut(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(("a", "#b"), [("x" * 500, "1"), ("[bold]:smile:", "22")])
    wide = "x" * 500
    assert capsys.readouterr().out == f"{'a':<500}   b\n{wide}   1\n{'[bold]:smile:':<500}  22\n"


def test_a_narrow_terminal_keeps_the_names(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")
    show_table(("module", "tools"), [("tools/data_processing", "load_table, transform_table")])
    shown = capsys.readouterr().out
    assert "tools/data_processing" in shown
    assert "…" not in shown


def test_json_escapes_only_what_utf8_cannot_hold(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    show_json({"text": "é \ud800"})
    out = capfdbinary.readouterr().out
    assert out == '{\n  "text": "é \\ud800"\n}\n'.encode()
    assert json.loads(out) == {"text": "é \ud800"}


@pytest.mark.parametrize(
    ("share", "text"), [(0.0, "0.0%"), (0.12345, "12.3%"), (0.9999, "99.9%"), (1.0, "100.0%")], ids=str
)
def test_percent_rounds_up_to_nothing_but_all(share: float, text: str) -> None:
    assert percent(share) == text


def test_change_of_nothing() -> None:
    assert (change(0, 5), change(1000, 1500)) == ("0 -> 5", "1,000 -> 1,500 (+50.0%)")


def test_shortened_is_one_printable_line() -> None:
    assert shortened("a\n b\t\ud800", 40) == "a b \\ud800"
    assert shortened("a" * 50, 10) == "aaaaaaa..."
