"""Secrets in captured text -> ``[masked]``. What looks like one goes, even where it is an example in a prompt.

Always the same mark, so that what is sent twice stays the same twice. Only texts change: a value's shape stays, and so
does that of JSON inside a text, however often it is escaped.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from litellm_prompt_router.request.wire import MASK
from litellm_prompt_router.telemetry.card_numbers import card_spans
from litellm_prompt_router.telemetry.secret_detector import SecretDetector
from litellm_prompt_router.telemetry.secret_rules import PASSES, RulePass, is_no_secret, is_secret_name

MAX_CLEAN = 65_536
"""Strings known to hold no secret, as hashes: every call of a conversation sends its history again."""
MIN_SECRET_CHARS = 8
"""Of a text with a secret in it: the shortest, with what names it, is no shorter."""
MAX_DEPTH = 64
CARD, FIELD, TOO_DEEP, UNREAD = "card number", "field", "too deep", "not examined"
Span = tuple[int, int, str]
_CLOSED_NAME = re.compile(r"(\\*[\"'])\s{0,8}[:=]\s{0,8}$")
_CLOSERS = {")": "(", "]": "[", "}": "{"}


class Masker:
    """Masks text and JSON values. Remembers, as hashes, the strings that need no masking.

    ``counts``: masked places by kind, those of a conversation's history at every call.
    """

    def __init__(self, detector: SecretDetector | None = None) -> None:
        self.detector = detector or SecretDetector.shared()
        self.counts: Counter[str] = Counter()
        self._clean: set[tuple[int, int]] = set()

    def masked(self, value: Any, depth: int = 0) -> Any:
        """A copy of a JSON value with every secret in its texts, and under telling names, masked."""
        if isinstance(value, str):
            return self.masked_text(value)
        if depth > MAX_DEPTH:
            return self._mask(TOO_DEEP)
        if isinstance(value, dict):
            return {
                self.masked_text(str(name)): self._mask(FIELD)
                if is_secret_name(str(name), item)
                else self.masked(item, depth + 1)
                for name, item in value.items()
            }
        return [self.masked(item, depth + 1) for item in value] if isinstance(value, (list, tuple)) else value

    def masked_text(self, text: str) -> str:
        """The text with every secret in it masked; what names a secret stays."""
        if len(text) < MIN_SECRET_CHARS:
            return text
        key = (hash(text), len(text))
        if key in self._clean:
            return text
        out = text
        for rule_pass in PASSES:
            out = self._replaced(out, _spans_of(rule_pass, out))
        out = self._replaced(out, [(start, end, CARD) for start, end in card_spans(out)])
        try:
            out = self._replaced(out, self._detected(out))
        except (RuntimeError, TimeoutError):
            return self._mask(UNREAD)
        if out == text:
            if len(self._clean) >= MAX_CLEAN:
                self._clean.clear()
            self._clean.add(key)
        return out

    def _mask(self, kind: str) -> str:
        self.counts[kind] += 1
        return MASK

    def _detected(self, text: str) -> list[Span]:
        scanned = _scannable(text)
        found = self.detector.findings(scanned)
        if not found:
            return []
        raw = scanned.encode()
        spans = [(_characters(raw, it.start), _characters(raw, it.end), it.rule) for it in found]
        return sorted(span for span in spans if MASK not in text[span[0] : span[1]])

    def _replaced(self, text: str, spans: Iterable[Span]) -> str:
        """The text with these places masked, of which a later one that begins in an earlier is a part of it."""
        parts: list[str] = []
        at = 0
        for start, end, kind in spans:
            if start < at:
                continue
            while end > start and text[end - 1] == "\\":
                end -= 1  # half of an escape: the quote behind it would end a text that goes on
            # Where JSON has a bare value beside a quoted name, the mark is a text there.
            name = _CLOSED_NAME.search(text[max(0, start - 60) : start])
            quote = "" if name is None else name[1]
            parts += [text[at:start], quote, self._mask(kind), quote]
            at = end
        return "".join([*parts, text[at:]]) if parts else text


def _spans_of(rule_pass: RulePass, text: str) -> Iterable[Span]:
    match: Any
    for match in rule_pass.pattern.finditer(_scannable(text)):
        number = match.lastindex or 0
        rule = rule_pass.rules[number - 1]
        start, end = match.span(number)
        if rule.is_loose:
            while end > start and text[end - 1] in _CLOSERS and _CLOSERS[text[end - 1]] not in text[start : end - 1]:
                end -= 1
            value = text[start:end]
            if not value or value == MASK or is_no_secret(value, text, start, end):
                continue
        yield start, end, rule.kind


def _characters(raw: bytes, at: int) -> int:
    return len(raw[:at].decode("utf-8", "ignore"))


def _scannable(text: str) -> str:
    """A lone surrogate is no text to RE2; one character stands for it, so that places stay the same."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
