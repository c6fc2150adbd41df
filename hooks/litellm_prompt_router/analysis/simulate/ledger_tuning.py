"""What is cheapest for a profile, found from its ledger: no text, no captured bodies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from litellm_prompt_router.analysis.simulate.model_terms import ModelTerms
from litellm_prompt_router.analysis.simulate.tune import Tuning
from litellm_prompt_router.profile.profile import Economics, ObservedUse, Profile

TermsOf = Callable[[str], ModelTerms | None]
"""LiteLLM's name of a model, as the ledger has it -> what it is accounted by; None where that isn't known."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerTuning:
    """What a ledger says of one profile.

    Either ``tuning`` and ``terms`` are there or ``why_not`` says in a sentence what was missing. ``economics`` and
    ``section`` are what to put in force and what profile.yaml then says under ``economics:``; they are there without a
    tuning, too, where the ledger shows at least how the profile is used. Both None: there is nothing to change.
    """

    profile: str
    tuning: Tuning | None
    why_not: str | None
    use: ObservedUse | None
    economics: Economics | None
    section: Mapping[str, Any] | None
    terms: ModelTerms | None
    models: Mapping[str, int]
    """Calls by model, the most frequent first."""
    conversations: int
    calls: int
    records: int
    """Records of the profile, those included that tuning can't use."""


def tune_from_ledger(
    records: Iterable[Mapping[str, Any]],
    profile: Profile,
    terms_of: TermsOf,
    *,
    model: str | None = None,
) -> LedgerTuning:
    """The cheapest way on the first half of the conversations that the second half confirms.

    ``records`` are parsed ledger lines, in any order and of any profiles; those of ``profile`` count, as long as they
    were routed by its present version, fit and modules. ``model``: account for this one in place of the most frequent.
    """
    return LedgerTuning(
        profile=profile.name,
        tuning=None,
        why_not="not built yet",
        use=None,
        economics=None,
        section=None,
        terms=None,
        models={},
        conversations=0,
        calls=0,
        records=sum(1 for _ in records),
    )
