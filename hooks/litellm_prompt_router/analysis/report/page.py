"""The report as one HTML file that loads nothing: no script, no network, no font of its own."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

from litellm_prompt_router.analysis.report import number_format, reader_terms
from litellm_prompt_router.analysis.report.charts import charts_of
from litellm_prompt_router.analysis.report.control_group import Interval
from litellm_prompt_router.analysis.report.figures import Figures
from litellm_prompt_router.analysis.report.ledger_files import LedgerTally
from litellm_prompt_router.documents.plurals import many
from litellm_prompt_router.documents.shown_text import one_line

TEMPLATE = "page.html.j2"
WORD_JOINER = "\u2060"
MAX_TEXT_CHARS = 1_000


def page(figures: Figures, tally: LedgerTally, warnings: Sequence[str]) -> str:
    """The page. Names in it are escaped, whatever keys are called."""
    environment = Environment(
        autoescape=True, finalize=_shown, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(
        usd=number_format.usd,
        share=number_format.share,
        count=number_format.count,
        at=number_format.at,
        between=_between,
        many=many,
        with_code=_with_code,
    )
    environment.globals.update(
        ratio=number_format.ratio,
        reduction=number_format.reduction,
        digits_for=number_format.digits_for,
        charts=charts_of(figures),
    )
    used = {kind for use in figures.chosen_modules for kind in use.evidence}
    evidence = {kind: text for kind, text in reader_terms.EVIDENCE.items() if kind in used}
    environment.globals.update(reasons=reader_terms.REASONS, evidence=evidence)
    environment.globals.update(outcomes=reader_terms.outcomes_in_words(figures.outcomes))
    if figures.step is not None:
        environment.globals.update(step_words=reader_terms.HINDRANCES[figures.step[0]])
    template = environment.from_string(
        files("litellm_prompt_router.analysis.report").joinpath(TEMPLATE).read_text("utf-8")
    )
    return template.render(f=figures, total=figures.total, tally=tally, warnings=warnings) + "\n"


def _with_code(text: str) -> Markup:
    """What stands in backticks as code."""
    parts = enumerate(text.split("`"))
    return Markup("").join(Markup("<code>{}</code>").format(part) if at % 2 else escape(part) for at, part in parts)


def _between(interval: Interval | None) -> Markup:
    """No line ends behind a minus."""
    return escape(number_format.between(interval).replace(number_format.MINUS, number_format.MINUS + WORD_JOINER))


def _shown(value: object) -> object:
    """A text as it is to be read; what is HTML already stays."""
    return one_line(value, MAX_TEXT_CHARS) if isinstance(value, str) and not isinstance(value, Markup) else value
