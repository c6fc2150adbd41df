"""Words by which sentences that every request needs are known: environment, identity, safety, permissions, style.

They are in essential_words.toml, by kind and language.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

from litellm_prompt_router.authoring.split.word_pattern import WordPattern

EssentialKind = Literal["environment", "identity", "safety", "permission", "style", "conduct", "rule"]

WORDS_FILE = Path(__file__).with_name("essential_words.toml")
_WORDS = {name: lines.split("\n") for name, lines in tomllib.loads(WORDS_FILE.read_text("utf-8")).items()}


def _words_of(kind: str) -> list[str]:
    return [line for line in _WORDS[kind] if line]


def _label_of(kind: str) -> str:
    """A pattern for a line that begins with one of these and a colon, such as ``- Platform: linux``."""
    return rf"^\W*(?:{'|'.join(_words_of(kind))})\W{{0,3}}[:：](?! ?[{{\[])"


ENVIRONMENT_LABEL = WordPattern(_label_of("environment_label"))
OBLIGATION = WordPattern(*_words_of("obligation"))
COMMAND = WordPattern(*_words_of("command"))
FIRM = WordPattern(*_words_of("firm"))
TOOL_WORDS = WordPattern(*_words_of("tool_words"))
THIS_TOOL = WordPattern(*_words_of("this_tool"))
KNOWN_LANGUAGES = tuple(frozenset(line.split()) for line in _words_of("known_languages"))
OTHER_LANGUAGES = tuple(frozenset(line.split()) for line in _words_of("other_languages"))
KINDS: tuple[tuple[EssentialKind, WordPattern], ...] = (
    ("identity", WordPattern(*_words_of("identity"), _label_of("identity_label"))),
    ("environment", WordPattern(*_words_of("environment"), _label_of("environment_label"))),
    ("safety", WordPattern(*_words_of("safety"))),
    ("permission", WordPattern(*_words_of("permission"))),
    ("conduct", WordPattern(*_words_of("conduct"))),
    ("style", WordPattern(*_words_of("style"))),
)
"""In the order in which they name a sentence."""
