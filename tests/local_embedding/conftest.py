"""A private place for sockets and prepared models, and a tiny model."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from litellm_prompt_router.local_embedding import server_place
from tests.made_encoder import made_model

LINGER = 1.0


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Its name in a profile."""
    return made_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where sockets and prepared models are in this test; a short path, as sockets want it."""
    folder = Path(tempfile.mkdtemp(prefix="pr-"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    monkeypatch.setattr(server_place, "LINGER_SECONDS", LINGER)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
