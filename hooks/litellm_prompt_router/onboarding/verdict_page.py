"""The page as one HTML file that loads nothing: no script, no network, no font of its own."""

from __future__ import annotations

import re
from importlib.resources import files

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

from litellm_prompt_router.documents.shown_text import one_line
from litellm_prompt_router.onboarding.page_blocks import VerdictPage

WHOLE_CHARS = 36
"""A phone's line has 40."""
TEMPLATE = "verdict_page.html.j2"


def html_of(page: VerdictPage) -> str:
    """Everything in it is escaped, whatever messages and keys say."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_shown
    )
    environment.filters["ticked"] = _ticked
    environment.filters["options_whole"] = _options_whole
    environment.filters["kind"] = lambda block: type(block).__name__.lower()
    source = files("litellm_prompt_router.onboarding").joinpath(TEMPLATE).read_text("utf-8")
    html = environment.from_string(source).render(page=page) + "\n"
    return html.encode("utf-8", "backslashreplace").decode()


def _shown(value: object) -> object:
    """Names are on one line, and nothing hidden is in them; what is HTML already went through this."""
    return one_line(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _options_whole(line: str) -> Markup:
    """A command whose short words are broken nowhere inside, as a browser would behind each hyphen."""
    pieces = re.split(rf"(?<!\S)((?=\S*-)\S{{2,{WHOLE_CHARS}}})(?!\S)", one_line(line))
    return Markup("").join(
        Markup('<span class="option">{}</span>').format(piece) if number % 2 else escape(piece)
        for number, piece in enumerate(pieces)
    )


def _ticked(text: str) -> Markup:
    """What stands in backticks as code."""
    pieces = re.split(r"`([^`\n]*)`", one_line(text))
    return Markup("").join(
        Markup("<code>{}</code>").format(piece) if number % 2 else escape(piece) for number, piece in enumerate(pieces)
    )
