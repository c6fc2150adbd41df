"""Titles -> ids that people can read, in any script: ``## 4.2 Data processing`` is ``data_processing``."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

MAX_SLUG_CHARS = 40
MAX_SLUG_BYTES = 100

_NUMBER = re.compile(r"^\W*(?:\d+(?:\.\d+)*|[IVXLC]+(?=[.)]))[.):、．]?\s+(?=\w)")


def slug(title: str) -> str:
    """Lower-case letters, digits and underscores; empty when the title has none of these."""
    text = unicodedata.normalize("NFKC", _NUMBER.sub("", title)).lower()
    kept = [character if _is_word(character) else "_" for character in unicodedata.normalize("NFC", text)]
    words = [word for word in "".join(kept).split("_") if word and unicodedata.category(word[0])[0] != "M"]
    name = ""
    for word in words:
        longer = f"{name}_{word}" if name else word[:MAX_SLUG_CHARS]
        if len(longer) > MAX_SLUG_CHARS:
            break
        name = longer
    while len(name.encode()) > MAX_SLUG_BYTES:
        name = name[:-1]
    return name.strip("_")


def unique(names: Iterable[str]) -> list[str]:
    """The same names in the same order, ``_2``, ``_3`` behind those that came before."""
    seen: set[str] = set()
    out: list[str] = []
    for name in names:
        candidate, number = name, 1
        while candidate.casefold() in seen:
            number += 1
            candidate = f"{name}_{number}"
        seen.add(candidate.casefold())
        out.append(candidate)
    return out


def _is_word(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] in "LM" or category == "Nd"
