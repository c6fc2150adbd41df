"""A real proxy whose policy, settings and profiles are files of its own, to be changed while it runs."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.emulators.envelopes import Envelopes
from tests.emulators.line_files import whole_lines
from tests.emulators.proxy import RunningProxy, make_key, running_proxy
from tests.emulators.two_keys import CLIENT_SECONDS, CONFIG, ROOT
from tests.emulators.upstream import Upstream

RELOAD_SECONDS = 2.0
"""What is promised: a change on disk is in force after this time, in every worker."""
MARGIN_SECONDS = 8.0
"""Beyond it, for a machine that is busy with other things. Benchmarks measure, tests wait."""
ALIASES = tuple(f"key-{number}" for number in range(8))


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyProxy:
    """The running proxy, its files, and what stands around it. ``post`` answers with the whole response."""

    proxy: RunningProxy
    upstream: Upstream
    envelopes: Envelopes
    folder: Path
    workers: int
    keys: Mapping[str, str] = field(repr=False)

    @property
    def policy_path(self) -> Path:
        return self.folder / "policy.yaml"

    @property
    def config_path(self) -> Path:
        return self.folder / CONFIG.name

    def replace(self, path: Path, text: str) -> None:
        """The file in one step."""
        waiting = path.with_name(f".{path.name}.new")
        waiting.write_text(text, encoding="utf-8")
        waiting.replace(path)

    def client(self, alias: str) -> httpx.Client:
        """A client with this key; every request of it may reach another worker."""
        return httpx.Client(
            base_url=self.proxy.url,
            headers={"authorization": f"Bearer {self.keys[alias]}", "connection": "close"},
            trust_env=False,
            timeout=CLIENT_SECONDS,
        )

    def post(
        self, alias: str, messages: list[dict[str, Any]], headers: Mapping[str, str] | None = None, **more: Any
    ) -> httpx.Response:
        """One chat completion."""
        with self.client(alias) as client:
            body = {"model": "claude", "messages": messages, **more}
            return client.post("/v1/chat/completions", json=body, headers=dict(headers or {}))

    def until_all(self, holds: Callable[[httpx.Response], bool], ask: Callable[[], httpx.Response]) -> None:
        """Asks until it holds for so many answers in a row that every worker has given one, as good as surely.

        Raises AssertionError when that takes too long. Every answer has to be a 200.
        """
        deadline = time.monotonic() + RELOAD_SECONDS + MARGIN_SECONDS
        row = 0
        while row < 5 * self.workers:
            assert time.monotonic() < deadline, "not in force everywhere"
            response = ask()
            assert response.status_code == 200, response.text
            row = row + 1 if holds(response) else 0

    def records(self) -> dict[str, dict[str, Any]]:
        """The ledger's records so far, by LiteLLM's call id."""
        path = self.folder / "ledger.jsonl"
        lines = whole_lines(path)
        return {record["call_id"]: record for record in map(json.loads, lines)}


@contextlib.contextmanager
def running_policy_proxy(
    upstream: Upstream,
    envelopes: Envelopes,
    folder: Path,
    *,
    workers: int = 1,
    policy: str = "",
    settings: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
    has_clock: bool = False,
) -> Iterator[PolicyProxy]:
    """The proxy for the time of the block; its files are in ``folder``. ``metadata``: of keys by their alias.

    ``has_clock``: its wall clock is moved by so many seconds as the file ``clock`` says.
    """
    keys = {alias: make_key() for alias in ALIASES}
    shutil.copytree(ROOT / "modules" / "workbench", folder / "profiles" / "workbench")
    shutil.copy(CONFIG.with_name("key_file.py"), folder)
    entries = [
        {"alias": alias, "key": f"os.environ/{_variable(alias)}", "metadata": (metadata or {}).get(alias, {})}
        for alias in ALIASES
    ]
    (folder / "keys.yaml").write_text(yaml.safe_dump(entries), encoding="utf-8")
    (folder / "policy.yaml").write_text(policy, encoding="utf-8")
    params = {"model": "anthropic/claude-sonnet-4-5", "api_base": upstream.url, "api_key": "emulated"}
    config = {
        "model_list": [
            {"model_name": "claude", "litellm_params": params},
            {"model_name": "fable", "litellm_params": {**params, "model": "anthropic/claude-fable-5-1"}},
        ],
        "callback_settings": {
            "prompt_router": {"mode": "rewrite", "profiles": str(folder / "profiles"), **(settings or {})}
        },
        "litellm_settings": {"callbacks": [*(["clock_probe.probe"] * has_clock), "hooks.callback.handler"]},
        "general_settings": {
            "master_key": "os.environ/LITELLM_MASTER_KEY",
            "custom_auth": "key_file.user_api_key_auth",
        },
    }
    (folder / CONFIG.name).write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    if has_clock:
        shutil.copy(Path(__file__).with_name("clock_probe.py"), folder)
        env = {"CLOCK_PROBE_PATH": str(folder / "clock"), **(env or {})}
    full_env = {
        **{_variable(alias): key for alias, key in keys.items()},
        "PROMPT_ROUTER_LEDGER__PATH": str(folder / "ledger.jsonl"),
        "GLITCHTIP_DSN": envelopes.dsn,
        **(env or {}),
    }
    # By default uvicorn kills workers that are silent for 5 s, as they are while they import on a busy machine.
    args = ["--num_workers", str(workers), "--timeout_worker_healthcheck", "60"]
    with running_proxy(folder / CONFIG.name, env=full_env, cwd=ROOT, args=args, log_path=folder / "proxy.log") as proxy:
        yield PolicyProxy(
            proxy=proxy, upstream=upstream, envelopes=envelopes, folder=folder, workers=workers, keys=keys
        )


def _variable(alias: str) -> str:
    return f"{alias.upper().replace('-', '_')}_KEY"
