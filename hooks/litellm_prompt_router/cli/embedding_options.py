"""What several commands need of an embedding model: how to reach it, and the vectors of messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import Progress

from litellm_prompt_router.local_embedding.known_models import is_local
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.route import Lookup, MessageEmbedding, Router, no_embeddings
from litellm_prompt_router.request.types import Turn

model_option = click.option(
    "--embedding-model",
    metavar="MODEL",
    help="LiteLLM's name for router.embedding_model, where it is a model group that only the proxy knows.",
)
api_base_option = click.option(
    "--api-base", metavar="URL", help="Where the embedding model is, if not at its usual address."
)
lexical_option = click.option(
    "--lexical", is_flag=True, help="Leave the profile's embedding model out: no text is sent anywhere."
)


def vectors_of(
    profile: Profile, texts: Sequence[str], model: str | None, api_base: str | None
) -> dict[str, MessageEmbedding]:
    """What the profile's embedding model says of the texts. Raises ConfigurationError."""
    assert profile.embedding is not None
    name = model or profile.embedding.model
    with _progress(len(texts)) as advance:
        if is_local(name):
            from litellm_prompt_router.gateway.models.local_embeddings import embed_here

            return embed_here(name, texts, advance)
        from litellm_prompt_router.gateway.models.language_model import EmbeddingModel

        return EmbeddingModel(name, api_base)(texts, advance)


def lookup_for(
    profile: Profile,
    conversations: Iterable[Sequence[Turn]],
    *,
    model: str | None,
    api_base: str | None,
    is_lexical: bool,
) -> Lookup:
    """The vectors of all messages that are scored, asked for at once; of none where the profile was fitted without."""
    if is_lexical or profile.fitted is None or profile.fitted.semantics is None:
        return no_embeddings
    router = Router(profile)
    texts = dict.fromkeys(text for turns in conversations for text in router.texts_to_embed(turns).values())
    known = vectors_of(profile, tuple(texts), model, api_base)
    return lambda _model, wanted: {text: known[text] for text in wanted if text in known}


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    console = Console(stderr=True)
    if not console.is_terminal:  # there the bar would leave an empty line
        yield lambda _done: None
        return
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("embedding", total=total)
        yield lambda done: progress.update(task, completed=done)
