"""Figures -> one HTML file that asks for nothing: no script, no network, no font of its own."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from jinja2 import Environment, StrictUndefined

from hooks.report import plain
from hooks.report.charts import charts_of
from hooks.report.figures import Figures
from hooks.report.files import Tally

TEMPLATE = "page.html.j2"


def page(figures: Figures, tally: Tally, warnings: Sequence[str]) -> str:
    """The page. Names in it are escaped, whatever keys are called."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(
        usd=plain.usd, share=plain.share, count=plain.count, at=plain.at, between=plain.between, short=plain.short
    )
    environment.globals.update(
        ratio=plain.ratio, reduction=plain.reduction, digits_for=plain.digits_for, charts=charts_of(figures)
    )
    template = environment.from_string(files("hooks.report").joinpath(TEMPLATE).read_text("utf-8"))
    return template.render(f=figures, tally=tally, warnings=warnings) + "\n"
