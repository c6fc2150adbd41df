"""``python -m litellm_prompt_router.local_embedding MODEL``: started by the first worker that wants the model."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal

from litellm_prompt_router.local_embedding.embedding_server import Encoder, serve
from litellm_prompt_router.local_embedding.known_models import find_model
from litellm_prompt_router.local_embedding.server_place import LINGER_SECONDS, place_of

NICENESS = 5
"""Requests go first: a vector that comes late costs a few modules."""


def main() -> None:
    """Serves the model until no worker is there."""
    parser = argparse.ArgumentParser(prog="python -m litellm_prompt_router.local_embedding")
    parser.add_argument("model")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--linger", type=float, default=LINGER_SECONDS)
    stated = parser.parse_args()
    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    found = find_model(stated.model)

    def load() -> Encoder:
        # NumPy and what is above it take a while, and a second process ends before it needs them.
        from litellm_prompt_router.local_embedding.prepared_model import prepare
        from litellm_prompt_router.local_embedding.sentence_encoder import SentenceEncoder

        return SentenceEncoder(prepare(found), stated.threads)

    asyncio.run(serve(place_of(found, stated.threads), load, stated.linger))


if __name__ == "__main__":
    main()
