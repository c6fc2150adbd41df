"""Embedding models that run on this machine: prepared or not, and what their process says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.local_embedding.known_models import find_model, is_local
from litellm_prompt_router.local_embedding.prepared_model import is_prepared, prepared_folder
from litellm_prompt_router.local_embedding.server_place import place_of
from litellm_prompt_router.local_embedding.server_probe import probe
from litellm_prompt_router.operations.doctor.finding import Finding, fail, ok, warn
from litellm_prompt_router.profile.profile import EmbeddingSettings, Profile


def examine_local_models(profiles: Sequence[Profile], threads: int) -> Iterable[Finding]:
    """A line for each local model that a profile names."""
    named: dict[str, EmbeddingSettings] = {}
    for profile in profiles:
        if profile.embedding is not None and is_local(profile.embedding.model):
            named.setdefault(profile.embedding.model, profile.embedding)
    for model, settings in named.items():
        try:
            yield _model(model, settings.timeout_seconds, threads)
        except ConfigurationError as error:
            yield fail(f"embedding {model}", error.problems[0], "correct it; messages are scored by words without it")


def _model(model: str, timeout_seconds: float, threads: int) -> Finding:
    name = f"embedding {model}"
    found = find_model(model)
    place = place_of(found, threads)
    known = probe(place)
    if known is None:
        if not is_prepared(found):
            return warn(
                name, "installed, not prepared: its first start takes longer", f"`prompt-router semantic {model}`"
            )
        return ok(name, f"prepared in {prepared_folder(found)}; no process runs, the proxy starts it")
    if known.state.stage == "failed":
        return fail(name, known.state.problem, f"correct it; more in {place.log}")
    if known.milliseconds is None:
        return warn(name, f"process {known.state.pid} is loading the model", "ask again in some seconds")
    text = f"process {known.state.pid} answers a short message in {known.milliseconds:g} ms"
    if known.milliseconds > timeout_seconds * 1_000 / 3:
        todo = "free the processor, raise router.embedding_timeout, or take local/all-minilm-l6-v2"
        return warn(name, f"{text}; requests wait {timeout_seconds:g} s at most", todo)
    return ok(name, text)
