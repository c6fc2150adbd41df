"""All that can be told of a deployment from its configuration and this machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hooks.doctor.document import examine_document, mapping_in
from hooks.doctor.finding import Finding
from hooks.doctor.groups import examine_groups
from hooks.doctor.inside import examine_inside, load
from hooks.doctor.machine import examine_folders, examine_litellm, examine_variables
from hooks.doctor.reach import examine_glitchtip, examine_redis


def examine(path: Path, document: Mapping[str, Any], environ: Mapping[str, str]) -> Iterable[Finding]:
    """Findings in the order of a request's way. ``document``: LiteLLM's configuration as parsed from ``path``."""
    yield examine_litellm()
    yield from examine_document(document, environ)
    generation, problems = load(path, mapping_in(document, "callback_settings").get("prompt_router"), environ)
    yield from problems
    placement = "auto"
    if generation is not None:
        yield from examine_inside(generation)
        placement = generation.settings.placement
    yield from examine_groups(document, placement)
    if generation is not None:
        yield from examine_folders(generation.settings)
        yield from examine_glitchtip(generation.settings)
    yield from examine_redis(mapping_in(document, "litellm_settings"), environ)
    yield from examine_variables(environ)
