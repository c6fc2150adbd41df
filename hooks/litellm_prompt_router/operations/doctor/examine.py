"""All that can be told of a deployment from its configuration and this machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from litellm_prompt_router.operations.doctor.config_file import examine_document, mapping_in
from litellm_prompt_router.operations.doctor.finding import Finding
from litellm_prompt_router.operations.doctor.machine import examine_folders, examine_litellm, examine_variables
from litellm_prompt_router.operations.doctor.model_groups import examine_groups
from litellm_prompt_router.operations.doctor.own_configuration import examine_inside, load
from litellm_prompt_router.operations.doctor.reachability import examine_glitchtip, examine_redis
from litellm_prompt_router.policy.litellm_config import has_checkout_callback


def examine(path: Path, document: Mapping[str, Any], environ: Mapping[str, str]) -> Iterable[Finding]:
    """Findings in the order of a request's way. ``document``: LiteLLM's configuration as parsed from ``path``."""
    yield examine_litellm()
    yield from examine_document(document, environ, has_checkout_callback=has_checkout_callback(path))
    configuration, problems = load(path, mapping_in(document, "callback_settings").get("prompt_router"), environ)
    yield from problems
    placement = "auto"
    if configuration is not None:
        yield from examine_inside(configuration)
        placement = configuration.settings.placement
    yield from examine_groups(document, placement)
    if configuration is not None:
        yield from examine_folders(configuration.settings)
        yield from examine_glitchtip(configuration.settings)
    yield from examine_redis(mapping_in(document, "litellm_settings"), environ)
    yield from examine_variables(environ)
