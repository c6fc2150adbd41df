"""Fitting: from examples and labelled messages to a score table, a gate and a calibrated threshold."""

from hooks.fit.doubts import Doubt, doubts
from hooks.fit.gate import FitOptions
from hooks.fit.learn import Fit, fit
from hooks.fit.traffic import Inferred, infer_cases

__all__ = ["Doubt", "Fit", "FitOptions", "Inferred", "doubts", "fit", "infer_cases"]
