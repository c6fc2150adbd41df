"""Values as GlitchTip stores them: bounded, in JSON types.

A NUL or a lone surrogate makes it drop the event, or others stored with it, behind a 200.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

MAX_TAG_CHARS = 200
MAX_TEXT_CHARS = 2_000
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def plain(value: object) -> Any:
    """``value`` in JSON types that GlitchTip stores: text bounded, without NULs and lone surrogates."""
    match value:
        case None | bool() | int():
            return value
        case str():
            return _UNSTORABLE.sub("", value)[:MAX_TEXT_CHARS]
        case float():
            return value if math.isfinite(value) else None
        case Decimal():
            return format(value, "f")
        case Mapping():
            return {plain(str(key)): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case set() | frozenset():
            return [plain(item) for item in sorted(value, key=str)]
        case _:
            return f"<{type(value).__name__}>"


def present(tags: Mapping[str, object]) -> dict[str, str]:
    """Tags with a value, as text. GlitchTip drops an event with anything else in a tag."""
    texts = {name: tag_text(value) for name, value in tags.items() if isinstance(value, (str, int))}
    return {name: text for name, text in texts.items() if text}


def tag_text(value: object) -> str:
    """One line of bounded, storable text; empty if nothing of ``value`` is."""
    return " ".join(_UNSTORABLE.sub("", str(value))[:MAX_TAG_CHARS].split())
