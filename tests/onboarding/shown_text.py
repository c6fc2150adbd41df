"""What `onboard` shows, as a reader takes it: without line breaks, tags and escapes."""

from __future__ import annotations

import html
import re
from pathlib import Path


def flat(text: str) -> str:
    """Words with one space between them."""
    return " ".join(text.split())


def page_text(path: str | Path) -> str:
    """The texts of a page, code in backticks as the terminal has it."""
    source = re.sub(r"</?code>", "`", Path(path).read_text("utf-8"))
    return flat(html.unescape(re.sub(r"</?span[^>]*>", "", source)))
