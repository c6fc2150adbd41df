"""Words of messages that name no task: conversation_words.toml, read at import."""

from __future__ import annotations

import tomllib
import unicodedata
from pathlib import Path

WORDS_FILE = Path(__file__).with_name("conversation_words.toml")
_LANGUAGES: dict[str, dict[str, str]] = tomllib.loads(WORDS_FILE.read_text("utf-8"))


def _words_of(kind: str) -> frozenset[str]:
    """The words of all languages, in the form that messages are compared in."""
    listed = " ".join(language[kind] for language in _LANGUAGES.values())
    return frozenset(unicodedata.normalize("NFKC", listed).casefold().split())


FOLLOW_UP = _words_of("follow_up")
FOLLOW_FILL = _words_of("follow_fill")
SMALL_TALK = _words_of("small_talk")
SMALL_FILL = _words_of("small_fill")
ACTIONS = _words_of("actions")
REFERENCES = _words_of("references")
TIMES = _words_of("times")
TITLES = _words_of("titles")
