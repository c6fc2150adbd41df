"""Facts -> ``x-prompt-router-*`` response headers. Module ids and figures only, no text."""

from __future__ import annotations

from litellm_prompt_router.documents.shown_text import header_value
from litellm_prompt_router.record.record import Facts
from litellm_prompt_router.request.types import Evidence

PREFIX = "x-prompt-router-"
MAX_VALUE_CHARS = 3_000
"""Common servers refuse header lines over 4-8 kB."""


def headers_of(facts: Facts) -> dict[str, str]:
    """The headers of one response. Values are ASCII and bounded."""
    values: dict[str, object] = {"outcome": facts.outcome, "reason": facts.reason}
    if facts.routing_model is not None:
        values["routing-model"] = facts.routing_model_outcome
    if facts.has_selection:
        values |= {
            "profile": f"{facts.profile}@{facts.profile_version}",
            "modules": ",".join(evidence.module for evidence in facts.modules),
            "evidence": ",".join(map(_evidence, facts.modules)),
            "chars-before": facts.original_chars,
            "chars-after": facts.prompt_chars,
            "tokens-before": facts.original_tokens,
            "tokens-after": facts.prompt_tokens,
            "breakpoints": facts.breakpoints_total,
        }
    return {PREFIX + name: header_value(value, MAX_VALUE_CHARS) for name, value in values.items() if value is not None}


def _evidence(evidence: Evidence) -> str:
    """``module=kind`` with ``:detail`` where the profile's own words explain it; ``+late`` when it came late."""
    detail = f":{evidence.detail}" if evidence.detail and evidence.kind != "fallback" else ""
    return f"{evidence.module}={evidence.kind}{detail.replace(',', ' ')}{'+late' if evidence.late else ''}"
