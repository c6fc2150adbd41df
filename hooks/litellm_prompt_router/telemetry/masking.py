"""Secrets in captured text -> ``[masked]``. What looks like one goes, even where it is an example in a prompt.

The forms are those that the issuers document or that everybody writes: key prefixes, bearer tokens, JSON web
tokens, PEM blocks, credentials in URLs, and values beside names such as ``password``.
"""

from __future__ import annotations

from typing import Any

from litellm_prompt_router.profile.patterns import compile_pattern
from litellm_prompt_router.request.wire import MASK

MAX_CLEAN = 65_536
"""Strings known to hold no secret, as hashes: every call of a conversation sends its history again."""
MIN_SECRET_CHARS = 8
MAX_DEPTH = 64

_WHOLE = "|".join(
    (
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----(?s:.*?)(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\z)",
        r"\bsk-[A-Za-z0-9_-]{16,}",  # OpenAI, Anthropic, LiteLLM, OpenRouter, DeepSeek
        r"\b[rsp]k_(?:live|test)_[A-Za-z0-9]{10,}",  # Stripe
        r"\bgh[opsur]_[A-Za-z0-9]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,}|\bglpat-[A-Za-z0-9_-]{16,}",
        r"\bxox[a-z]-[A-Za-z0-9-]{10,}|\bxapp-[A-Za-z0-9-]{10,}",  # Slack
        r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",  # AWS access key ids
        r"\bAIza[A-Za-z0-9_-]{30,}|\bya29\.[A-Za-z0-9_-]{16,}",  # Google
        r"\bhf_[A-Za-z0-9]{20,}|\bnpm_[A-Za-z0-9]{30,}|\bpypi-[A-Za-z0-9_-]{30,}|\b(?:gsk|xai|r8|tvly|pplx)[_-][A-Za-z0-9]{20,}",
        r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",  # JSON web tokens
    )
)
_LABELLED = "|".join(
    (
        r"(?i:\bbearer\s+)([A-Za-z0-9._~+/-]{16,}=*)",
        r"(?i:\bbasic\s+)([A-Za-z0-9+/]{16,}=*)",
        r"(?i:(?:\b|_)(?:api[_-]?key|secret[_-]?access[_-]?key|access[_-]?token|auth[_-]?token|refresh[_-]?token"
        r"|client[_-]?secret|secret[_-]?key|private[_-]?key|secret|token|password|passwd|pwd))"
        r"""[\\"']{0,3}\s{0,3}[:=]\s{0,3}[\\"']{0,3}([^\s"',;\\<>{}\[\]()]{8,})""",
        r"://[^\s:/@\"']{0,100}:([^\s/@\"']{3,})@",  # credentials in a URL
    )
)
_SECRETS = tuple(map(compile_pattern, (_WHOLE, _LABELLED)))
_SECRET_NAME = compile_pattern(
    r"(?i)(?:.*[_-])?(?:api[_-]?key|authorization|password|passwd|pwd|secret|secret[_-]?(?:access[_-]?)?key|access[_-]?token"
    r"|auth[_-]?token|refresh[_-]?token|client[_-]?secret|private[_-]?key|token)"
)


class Masker:
    """Masks text and JSON values. Remembers, as hashes, the strings that need no masking."""

    def __init__(self) -> None:
        self._clean: set[tuple[int, int]] = set()

    def masked(self, value: Any, depth: int = 0) -> Any:
        """A copy of a JSON value with every secret in its texts, and under telling names, masked."""
        if isinstance(value, str):
            return self.masked_text(value)
        if depth > MAX_DEPTH:
            return MASK
        if isinstance(value, dict):
            return {
                self.masked_text(str(name)): MASK if _is_secret(str(name), item) else self.masked(item, depth + 1)
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
        for pattern in _SECRETS:
            out = _sub(pattern, out)
        if out == text:
            if len(self._clean) >= MAX_CLEAN:
                self._clean.clear()
            self._clean.add(key)
        return out


def _sub(pattern: Any, text: str) -> str:
    """The text with the first group that matched, or the whole match where none did, masked."""
    parts: list[str] = []
    at = 0
    # A lone surrogate is no text to RE2; one character stands for it, so that places stay the same.
    scanned = text if text.isascii() else text.encode("utf-8", "replace").decode()
    for match in pattern.finditer(scanned):
        group = match.lastindex or 0
        parts += [text[at : match.start(group)], MASK]
        at = match.end(group)
    return "".join([*parts, text[at:]]) if parts else text


def _is_secret(name: str, value: object) -> bool:
    return isinstance(value, str) and bool(value) and _SECRET_NAME.fullmatch(name) is not None
