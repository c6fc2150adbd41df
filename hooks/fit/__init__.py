"""Fitting: from examples and labelled messages to a score table, a gate and a calibrated threshold."""

from hooks.fit.doubts import Doubt, doubts
from hooks.fit.gate import FitOptions
from hooks.fit.learn import Fit, columns_of, fit
from hooks.fit.meaning import Embedded, texts_to_embed
from hooks.fit.traffic import Inferred, infer_cases
from hooks.fit.untaught import table_of_texts

__all__ = [
    "Doubt",
    "Embedded",
    "Fit",
    "FitOptions",
    "Inferred",
    "columns_of",
    "doubts",
    "fit",
    "infer_cases",
    "table_of_texts",
    "texts_to_embed",
]
