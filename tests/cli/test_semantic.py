"""Local embedding models in `semantic`, `fit`, `doctor` and `status`."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

from litellm_prompt_router.local_embedding.embedding_server import Encoder, serve
from litellm_prompt_router.local_embedding.known_models import find_model
from litellm_prompt_router.local_embedding.server_place import ServerPlace, place_of
from tests.cli.conftest import Run
from tests.cli.test_doctor import found, write
from tests.cli.test_fit import _labelled, root
from tests.cli.test_status import put, raw
from tests.made_encoder import made_model

__all__ = ["raw", "root"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return made_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="pr-"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def test_semantic_says_how_fast_a_model_is(model: str, run: Run) -> None:
    result = run("semantic", model)
    assert (result.exit_code, result.stderr) == (0, "")
    assert f"{model}: vectors of 64 numbers" in result.stdout
    document = json.loads(run("semantic", model.removeprefix("local/"), "--json").stdout)
    assert (document["model"], document["size"]) == (model, 64)
    assert [span["tokens"] for span in document["spans"]] == [14, 40]
    assert all(0 < span["median_ms"] <= span["p95_ms"] for span in document["spans"])


def test_semantic_names_what_is_missing(run: Run) -> None:
    result = run("semantic", "local/nothing")
    assert result.exit_code == 1
    assert result.stderr.startswith("local/nothing: no such model; there are multilingual-e5-small and ")


@pytest.mark.full
def test_a_fit_has_its_vectors_from_here(
    model: str, root: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is asked over the network; and the profile is routed with them."""
    monkeypatch.setattr("litellm.embedding", None)
    file = root / "harbour" / "profile.yaml"
    file.write_text(f"{file.read_text()}router: {{embedding_model: {model}}}\n")
    where = ("--profile", "harbour", "--profiles", root)
    result = run("fit", _labelled(tmp_path / "fit.jsonl", 420), *where)
    assert (result.exit_code, "Traceback" in result.stderr) == (0, False)
    stored = json.loads((root / "harbour" / "router.json").read_text())
    assert stored["semantics"]["embedding_model"] == model
    explained = json.loads(run("route", "please check the tide and the gauge for me", *where, "--json").stdout)
    assert explained["threshold"] == stored["semantics"]["calibration"]["threshold"]


# doctor


@pytest.fixture
def place(model: str) -> ServerPlace:
    folder = Path("profiles/harbour")
    folder.mkdir(parents=True)
    (folder / "core.txt").write_text("You answer briefly.\n")
    document = {
        "profile": "harbour",
        "version": "1",
        "router": {"embedding_model": model},
        "modules": [{"id": "core", "file": "core.txt", "title": "Core", "always": True}],
    }
    (folder / "profile.yaml").write_text(yaml.safe_dump(document))
    write({"profiles": "profiles"})
    return place_of(find_model(model), 1)


class Slow:
    def __init__(self, wait: threading.Event) -> None:
        self.wait = wait

    def packed(self, text: str) -> bytes:
        self.wait.wait(0.12)
        return b"\0\0"


def examined(run: Run, place: ServerPlace, model: str, load: Any) -> dict[str, Any]:
    """What `doctor` says while a process with this model serves."""

    async def serving() -> dict[str, Any]:
        task = asyncio.create_task(serve(place, load, 60.0))
        while not place.socket.exists():
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        finding = (await asyncio.to_thread(found, run))[f"embedding {model}"]
        task.cancel()
        await asyncio.wait([task])
        return finding

    return asyncio.run(serving())


def test_doctor_knows_a_model_without_a_process(model: str, place: ServerPlace, run: Run) -> None:
    finding = found(run)[f"embedding {model}"]
    assert finding["level"] == "ok"
    assert finding["text"].endswith("; no process runs, the proxy starts it")


def test_doctor_asks_the_process(model: str, place: ServerPlace, run: Run) -> None:
    never, stop = threading.Event(), threading.Event()
    never.set()

    def loading() -> Encoder:
        stop.wait(30)
        return Slow(never)

    fast = examined(run, place, model, lambda: Slow(never))
    assert fast["level"] == "ok"
    assert "answers a short message in " in fast["text"]
    slow = examined(run, place, model, lambda: Slow(threading.Event()))
    assert slow["level"] == "warn"
    assert slow["text"].endswith("; requests wait 0.3 s at most")
    assert slow["todo"] == "free the processor, raise router.embedding_timeout, or take local/all-minilm-l6-v2"
    starting = examined(run, place, model, loading)
    stop.set()
    assert (starting["level"], "is loading the model" in starting["text"]) == ("warn", True)


def test_doctor_names_a_model_that_is_gone(model: str, place: ServerPlace, run: Run) -> None:
    """The proxy doesn't start then."""
    file = Path("profiles/harbour/profile.yaml")
    file.write_text(file.read_text().replace(model, "local/all-minilm-l7"))
    finding = found(run)["settings, profiles, policy"]
    assert finding["level"] == "fail"
    assert "profiles/harbour: router.embedding_model: local/all-minilm-l7: no such model; there are" in finding["text"]


# status


def test_status_shows_the_model(model: str, raw: dict[str, Any], run: Run) -> None:
    state = {"model": model, "stage": "ready", "pid": 4711, "asked": 12, "vectors": 11, "median_ms": 8.4, "starts": 1}
    put(raw, local_models=[state])
    result = run("status")
    assert (result.exit_code, result.stderr) == (0, "")
    words = " ".join(result.stdout.split())
    assert "ready, process 4711; 11 of 12 messages in time, 8.4 ms at the median" in words
    put(raw, local_models=[{**state, "stage": "away", "pid": None}])
    result = run("status")
    assert result.exit_code == 1
    assert f"{model}: process away, messages are scored by words; see `prompt-router doctor`" in result.stderr


def test_a_damaged_model_is_no_traceback(tmp_path: Path, run: Run) -> None:
    broken = made_model(tmp_path / "broken")
    (tmp_path / "broken" / "model.onnx").write_bytes(b"no graph")
    result = run("semantic", broken)
    assert (result.exit_code, "no model that runs here (" in result.stderr) == (1, True)
