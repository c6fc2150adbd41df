"""A model on the proxy's own machine, through a real proxy of several workers: one process, that goes with them."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from litellm_prompt_router.operations.workers import WorkerStatus, read_workers
from litellm_prompt_router.request.route import MessageEmbedding
from litellm_prompt_router.telemetry.status_file import process_started_ticks
from tests.authoring.test_fitted_routing import FRAMES, TOPICS
from tests.emulators.envelopes import Envelopes
from tests.emulators.policy_proxy import running_policy_proxy
from tests.emulators.upstream import Upstream
from tests.made_embeddings import embedded_profile, telling
from tests.made_encoder import WORDS, made_model

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

pytestmark = [pytest.mark.proxy, pytest.mark.full]

WORKERS = 3
MESSAGES = 6
"""For each of the workers, in turn or not."""
WAIT_SECONDS = 40.0


@pytest.fixture
def short() -> Iterator[Path]:
    """A short path, as sockets want it."""
    folder = Path(tempfile.mkdtemp(prefix="pr-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def live(folder: Path) -> list[WorkerStatus]:
    return [worker.status for worker in read_workers(folder, time.time())[0] if not worker.is_stale]


def wait_for(condition: Any) -> Any:
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError("not within the time")


def test_workers_share_a_process_that_goes_with_them(
    upstream: Upstream, envelopes: Envelopes, tmp_path: Path, short: Path
) -> None:
    from litellm_prompt_router.gateway.models.local_embeddings import embed_here

    words = dict.fromkeys([*WORDS, *" ".join([*TOPICS.values(), *FRAMES]).split()])
    model = made_model(tmp_path / "model", words=list(words))

    def embed(texts: Sequence[str]) -> dict[str, MessageEmbedding]:
        return embed_here(model, texts, lambda _done: None)

    def lookup(_model: str, texts: Sequence[str]) -> Mapping[str, MessageEmbedding]:
        return embed(texts)

    profile = embedded_profile(tmp_path / "profiles", model, 4.0, embed)
    tellings = telling(profile, MESSAGES, lookup)
    env = {
        "PROMPT_ROUTER_PROFILES": str(tmp_path / "profiles"),
        "PROMPT_ROUTER_COST_GATE": "false",
        "XDG_RUNTIME_DIR": str(short),
    }
    with running_policy_proxy(upstream, envelopes, tmp_path, workers=WORKERS, policy="stop: false\n", env=env) as proxy:
        states = wait_for(lambda: ready(live(tmp_path / "status")))
        assert len({state.pid for state in states}) == 1
        for each in tellings:
            messages = [{"role": "system", "content": profile.text}, {"role": "user", "content": each.text}]
            answer = proxy.post("key-0", messages)
            assert answer.headers["x-prompt-router-outcome"] == "rewritten"
            record = wait_for(lambda id=answer.headers["x-litellm-call-id"]: proxy.records().get(id))
            assert tuple(entry["id"] for entry in record["modules"]) == each.fused != each.by_words
        pid = states[0].pid
        wait_for(lambda: sum(m.vectors for w in live(tmp_path / "status") for m in w.local_models) == MESSAGES)
        for each_pid in (proxy.proxy.process.pid, *(status.pid for status in live(tmp_path / "status"))):
            os.kill(each_pid, signal.SIGKILL)
    wait_for(lambda: process_started_ticks(pid) is None)


def ready(statuses: Sequence[WorkerStatus]) -> list[Any]:
    """The model as each worker sees it, once all of them see it ready."""
    states = [model for status in statuses for model in status.local_models if model.stage == "ready"]
    return states if len(states) == WORKERS else []
