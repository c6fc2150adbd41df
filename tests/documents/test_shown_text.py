"""Names from outside, as they are shown."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_prompt_router.documents.shown_text import header_value, one_line, spreadsheet_text, text_of_spreadsheet

STARTS = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"
HOSTILE = st.text(st.sampled_from([*STARTS, *"\"',; a1'", "\u202e", "\u200b", "\x1b", "\ufeff", "\ud800"]), max_size=12)


@given(text=HOSTILE | st.text())
def test_a_shown_text_is_one_printable_line(text: str) -> None:
    shown = one_line(text)
    assert len(shown.splitlines()) <= 1
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert len(one_line(text * 50, 40)) <= 40
    assert one_line(shown) == shown


@given(text=HOSTILE)
def test_no_cell_starts_a_formula_and_every_name_comes_back(text: str) -> None:
    cell = spreadsheet_text(text)
    assert cell[:1] not in [*STARTS]
    for separator in ',;"':
        assert all(part[:1] not in [*"=+-@"] for part in cell.split(separator))
    assert text_of_spreadsheet(cell) == text.encode("utf-8", "backslashreplace").decode()


@pytest.mark.parametrize("name", ["gpt-4.1", "team/a", "naïve 日本語", "o'neill", "-"[1:], "a=b"])
def test_ordinary_names_stay(name: str) -> None:
    assert (one_line(name), spreadsheet_text(name)) == (name, name)


@given(text=HOSTILE | st.text())
def test_headers_are_printable_ascii(text: str) -> None:
    value = header_value(text * 3, 30)
    assert value.isascii()
    assert len(value) <= 30
    assert not value or value.isprintable()
