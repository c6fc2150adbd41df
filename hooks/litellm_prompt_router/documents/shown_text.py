"""Names that came from outside -> text that can be shown: on one line, in a spreadsheet, in a header.

Models, keys, teams, profiles and error texts are written by clients, by configuration files and by other programs.
What shows them must not be made to end a line, move a terminal's cursor, turn the reading direction round or start a
formula by one. JSON has escapes of its own and shows them as they are.
"""

from __future__ import annotations

import re
import unicodedata

MAX_NAME_CHARS = 200
"""In a table's cell, a log line, a tag or a label: longer ones are cut, and end in ``...``."""

_PLAIN = re.compile(
    r"[ -~\u00a1-\u00ac\u00ae-\u02ff\u0370-\u05be\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff\uac00-\ud7a3]*"
)
"""Letters and signs of which none is in question, so that nearly every text is known to be plain by one look."""
_HIDDEN_CATEGORIES = {"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"}
_BLANK_LETTERS = "\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
"""Letters by category that show nothing (Unicode's Default_Ignorable_Code_Point, and the empty Braille pattern)."""
_SHORT_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0"}

_STARTS_FORMULA = (
    r"(?=[\s'\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]*"
    r"[=+\-@\t\r\n\u207a\u208a\u207c\u208c\u2212\ufe62\ufe63\ufe66\ufe6b\uff0b\uff0d\uff1d\uff20])"
)
"""What starts a formula, in full and half width (owasp.org/www-community/attacks/CSV_Injection, checked 2026-11)."""
_FORMULA = re.compile(_STARTS_FORMULA)
_INNER_FORMULA = re.compile(rf"(?<=[,;\"\t\r\n]){_STARTS_FORMULA}")
_INNER_MARK = re.compile(rf"(?<=[,;\"\t\r\n])'{_STARTS_FORMULA}")
"""Behind what ends a cell, where a program takes another separator than the comma or loses count of the quotes."""


def one_line(text: str, limit: int | None = None) -> str:
    """The text on one line, with every character that doesn't show itself as its escape: ``\\n``, ``\\u202e``.

    At most ``limit`` characters, where one is given; what was cut ends in ``...``.
    """
    if limit is not None and len(text) > limit:
        text, is_cut = text[:limit], True
    else:
        is_cut = False
    if _PLAIN.fullmatch(text) is None:
        text = "".join(_shown(character) for character in text)
    if limit is None or not (is_cut or len(text) > limit):
        return text
    return text[: max(0, limit - 3)] + "..."


def several_lines(text: str) -> str:
    """The same for a text of several lines, which keeps its line ends."""
    return "\n".join(map(one_line, text.split("\n")))


def header_value(value: object, limit: int) -> str:
    """The value in printable ASCII and at most ``limit`` characters; ``?`` stands for any other."""
    text = str(value)[: limit + 1]
    if not (text.isascii() and text.isprintable()):
        text = text.encode("ascii", "replace").decode()
        text = "".join(character if " " <= character <= "~" else "?" for character in text)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def spreadsheet_text(text: str) -> str:
    """The text with a ``'`` ahead of whatever a spreadsheet would run: at its beginning, and behind ``, ; "``.

    ``text_of_spreadsheet`` takes them away again.
    """
    text = text.encode("utf-8", "backslashreplace").decode()
    marked = _INNER_FORMULA.sub("'", text)
    return f"'{marked}" if _FORMULA.match(text) else marked


def text_of_spreadsheet(cell: str) -> str:
    """The text that ``spreadsheet_text`` was given."""
    text = _INNER_MARK.sub("", cell)
    return text[1:] if text.startswith("'") and _FORMULA.match(text[1:]) else text


def _shown(character: str) -> str:
    if character in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[character]
    if character not in _BLANK_LETTERS and unicodedata.category(character) not in _HIDDEN_CATEGORIES:
        return character
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
