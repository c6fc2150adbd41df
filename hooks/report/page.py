"""Figures -> one HTML file that asks for nothing: no script, no network, no font of its own."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from jinja2 import Environment, StrictUndefined

from hooks.report import plain, words
from hooks.report.charts import charts_of
from hooks.report.control import Interval
from hooks.report.figures import Figures
from hooks.report.files import Tally

TEMPLATE = "page.html.j2"
WORD_JOINER = "\u2060"


def page(figures: Figures, tally: Tally, warnings: Sequence[str]) -> str:
    """The page. Names in it are escaped, whatever keys are called."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(
        usd=plain.usd, share=plain.share, count=plain.count, at=plain.at, between=_between, many=words.many
    )
    environment.globals.update(
        ratio=plain.ratio, reduction=plain.reduction, digits_for=plain.digits_for, charts=charts_of(figures)
    )
    used = {kind for use in figures.modules for kind in use.evidence}
    evidence = {kind: text for kind, text in words.EVIDENCE.items() if kind in used}
    environment.globals.update(reasons=words.REASONS, evidence=evidence)
    template = environment.from_string(files("hooks.report").joinpath(TEMPLATE).read_text("utf-8"))
    return template.render(f=figures, total=figures.total, tally=tally, warnings=warnings) + "\n"


def _between(interval: Interval | None) -> str:
    """No line ends behind a minus."""
    return plain.between(interval).replace(plain.MINUS, plain.MINUS + WORD_JOINER)
