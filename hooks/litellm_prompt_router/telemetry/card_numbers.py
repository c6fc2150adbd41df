"""Payment card numbers in text: by issuer, length, grouping and check digit (ISO/IEC 7812-1)."""

from __future__ import annotations

import re
from collections.abc import Iterator

_DIGITS = re.compile(
    r"(?<![\w.\-/+])(?:\d{14,19}|\d{4}([ -])\d{4}\1\d{4}\1\d{4}|\d{4}([ -])\d{6}\2\d{4,5})(?![\w\-/]|\.\d)", re.A
)
_ISSUERS = re.compile(
    r"(?:4\d{15}|4\d{18}|5[1-5]\d{14}|2(?:2[2-9]|[3-6]\d|7[01])\d{13}|2720\d{12}|3[47]\d{13}|3(?:0[0-5]|[689]\d)\d{11}"
    r"|6(?:011|5\d\d|4[4-9]\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14,17})"
)
"""Visa, Mastercard, American Express, Diners, Discover, JCB, UnionPay (their published ranges, checked 2026-11)."""


def card_spans(text: str) -> Iterator[tuple[int, int]]:
    """Where each card number stands."""
    for match in _DIGITS.finditer(text):
        digits = match[0].replace(" ", "").replace("-", "")
        if _ISSUERS.fullmatch(digits) is not None and _has_check_digit(digits) and len(set(digits)) > 1:
            yield match.span()


def _has_check_digit(digits: str) -> bool:
    """Luhn's rule: every second digit from the right doubled, digits summed, a multiple of ten."""
    values = [int(digit) for digit in reversed(digits)]
    return (sum(values[::2]) + sum(sum(divmod(2 * value, 10)) for value in values[1::2])) % 10 == 0
