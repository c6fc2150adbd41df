"""Fitting: from examples and labelled messages to a score table, a gate and a calibrated threshold."""

from litellm_prompt_router.authoring.fit.fitting import Fit, columns_of, fit
from litellm_prompt_router.authoring.fit.freed_modules import FreedModule, fields_of, freed_modules, with_freed
from litellm_prompt_router.authoring.fit.freeing_fit import FreeingFit, fit_freeing
from litellm_prompt_router.authoring.fit.gate_training import FitOptions
from litellm_prompt_router.authoring.fit.held_out import HeldOutSelections
from litellm_prompt_router.authoring.fit.label_doubts import LabelDoubt, label_doubts
from litellm_prompt_router.authoring.fit.table_training import table_of_texts
from litellm_prompt_router.authoring.fit.target_table import (
    LOWEST_TARGET,
    SAVES_NOTHING,
    TargetReach,
    TargetRow,
    least_kept,
    reach,
    recommended,
    target_table,
    target_within,
)
from litellm_prompt_router.authoring.fit.traffic_labels import Inferred, infer_cases
from litellm_prompt_router.authoring.fit.vector_training import Embedded, texts_to_embed

__all__ = [
    "LOWEST_TARGET",
    "SAVES_NOTHING",
    "Embedded",
    "Fit",
    "FitOptions",
    "FreedModule",
    "FreeingFit",
    "HeldOutSelections",
    "Inferred",
    "LabelDoubt",
    "TargetReach",
    "TargetRow",
    "columns_of",
    "fields_of",
    "fit",
    "fit_freeing",
    "freed_modules",
    "infer_cases",
    "label_doubts",
    "least_kept",
    "reach",
    "recommended",
    "table_of_texts",
    "target_table",
    "target_within",
    "texts_to_embed",
    "with_freed",
]
