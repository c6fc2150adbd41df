"""A proxy of two workers and everything around it that can break, and the provider that knows what it answered."""

from __future__ import annotations

import contextlib
import re
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from litellm_prompt_router.files import bundled_profiles
from tests.benchmarks.process_use import family
from tests.emulators.envelopes import Envelopes
from tests.emulators.proxy import RunningProxy, running_proxy
from tests.emulators.redis_server import RunningRedis, started_redis
from tests.emulators.small_disk import mounted
from tests.emulators.upstream import HttpError, Reply, Text, Upstream

ROOT = Path(__file__).parents[2]
WORKERS = 2
DISK = "96m"
MODEL, SPARE = "claude", "spare"
TIMEOUT_SECONDS = 3.0
LATE_SECONDS = 6.0
TAG = re.compile(r"<call (\d+) ([a-z0-9]+)>")
GOOD, STREAMED, GONE, LEFT, LIMITED, BROKEN, LATE, REFUSED = (
    "answered",
    "streamed",
    "gone",
    "left",
    "limited",
    "broken",
    "late",
    "refused",
)
KINDS: Mapping[str, str] = {
    GOOD: "answered whole",
    STREAMED: "streamed",
    GONE: "client gone before the answer",
    LEFT: "client gone in the stream",
    LIMITED: "provider answers 429, fallback",
    BROKEN: "provider answers 500, fallback",
    LATE: "provider too late, fallback",
    REFUSED: "provider refuses it (400)",
}
FAILURES: Mapping[str, HttpError] = {
    LIMITED: HttpError(status=429),
    BROKEN: HttpError(status=500),
    REFUSED: HttpError(status=400),
}


def tag(number: int, kind: str) -> str:
    """What a call's message says of it."""
    return f"<call {number} {kind}>"


class Provider:
    """Answers by what the call's message says, and counts its answers."""

    def __init__(self) -> None:
        self.upstream = Upstream()
        self.upstream.decide = self._decide
        self._lock = threading.Lock()
        self.answered: Counter[int] = Counter()
        """By the call's number: how often it was answered with a 200, whether or not anyone heard it."""

    def _decide(self, body: Mapping[str, Any]) -> Reply:
        found = TAG.search(str(body["messages"][-1]["content"]))
        assert found is not None, "a call that nobody sent"
        number, kind = int(found[1]), found[2]
        is_spare = "gpt" in str(body.get("model"))
        failure = FAILURES.get(kind)
        if failure is not None and (kind == REFUSED or not is_spare):
            return failure
        with self._lock:
            self.answered[number] += 1
        delay = LATE_SECONDS if kind == LATE and not is_spare else 0.5 if kind == GONE else 0.0
        return Text(text=f"Done with {number}. " * 20, delay_seconds=delay)


@dataclass(kw_only=True, slots=True)
class Stage:
    """The running proxy and what can be done to it."""

    proxy: RunningProxy
    provider: Provider
    envelopes: Envelopes
    redis: RunningRedis | None
    folder: Path
    disk: Path
    has_disk: bool
    is_down: bool = False
    broken_at: list[float] = field(default_factory=list)
    """When connections may have broken because a process was ended, or came back."""

    @property
    def ledger(self) -> Path:
        return self.disk / "ledger.jsonl"

    @property
    def overflow(self) -> Path:
        return self.folder / "overflow.jsonl"

    def workers(self) -> list[int]:
        """The processes below the one that was started."""
        return [pid for pid in family(self.proxy.process.pid) if pid != self.proxy.process.pid]

    def replace_profile(self) -> None:
        """The folder of the profile, by one of a later version, in two renames."""
        current = self.folder / "profiles" / "workbench"
        later = shutil.copytree(current, self.folder / "later")
        path = later / "profile.yaml"
        text = path.read_text("utf-8")
        path.write_text(re.sub(r"(?m)^version: .*$", "version: later", text, count=1), "utf-8")
        current.rename(self.folder / "former")
        later.rename(current)

    def switch_policy(self, text: str) -> None:
        waiting = self.folder / ".policy.new"
        waiting.write_text(text, "utf-8")
        waiting.replace(self.folder / "policy.yaml")


def _config(folder: Path, provider: Provider, redis: RunningRedis | None) -> dict[str, Any]:
    claude = {"model": "anthropic/claude-sonnet-4-5", "api_base": provider.upstream.url, "api_key": "emulated"}
    spare = {"model": "openai/gpt-4.1", "api_base": f"{provider.upstream.url}/openai/v1", "api_key": "emulated"}
    config: dict[str, Any] = {
        "model_list": [
            {"model_name": MODEL, "litellm_params": {**claude, "timeout": TIMEOUT_SECONDS}},
            {"model_name": SPARE, "litellm_params": spare},
        ],
        "callback_settings": {
            "prompt_router": {
                "mode": "rewrite",
                "profiles": str(folder / "profiles"),
                "policy": str(folder / "policy.yaml"),
                "status_dir": str(folder / "status"),
            }
        },
        "litellm_settings": {"callbacks": ["hooks.callback.handler"], "num_retries": 0},
        "router_settings": {"fallbacks": [{MODEL: [SPARE]}], "disable_cooldowns": True},
        "general_settings": {"master_key": "os.environ/LITELLM_MASTER_KEY", "always_include_stream_usage": True},
    }
    if redis is not None:
        cache = {"type": "redis", "host": "127.0.0.1", "port": redis.port}
        config["litellm_settings"] |= {"cache": True, "cache_params": cache}
    return config


@contextlib.contextmanager
def running_stage(folder: Path) -> Iterator[Stage]:
    """All of it, for the time of the block."""
    shutil.copytree(bundled_profiles() / "workbench", folder / "profiles" / "workbench")
    (folder / "policy.yaml").write_text("stop: false\n", "utf-8")
    disk = folder / "disk"
    disk.mkdir()
    provider = Provider()
    with contextlib.ExitStack() as stack:
        has_disk = stack.enter_context(mounted(disk, DISK))
        stack.enter_context(provider.upstream)
        envelopes = stack.enter_context(Envelopes())
        redis = stack.enter_context(started_redis(folder)) if shutil.which("redis-server") else None
        path = folder / "proxy_config.yaml"
        path.write_text(yaml.safe_dump(_config(folder, provider, redis), sort_keys=False), "utf-8")
        env = {
            "PROMPT_ROUTER_LEDGER__PATH": str(disk / "ledger.jsonl"),
            "PROMPT_ROUTER_LEDGER__OVERFLOW_PATH": str(folder / "overflow.jsonl"),
            "GLITCHTIP_DSN": envelopes.dsn,
            "LITELLM_LOG": "ERROR",
        }
        args = ("--num_workers", str(WORKERS), "--timeout_worker_healthcheck", "60")
        log = folder / "proxy.log"
        proxy = stack.enter_context(running_proxy(path, env=env, cwd=ROOT, args=args, log_path=log))
        yield Stage(
            proxy=proxy,
            provider=provider,
            envelopes=envelopes,
            redis=redis,
            folder=folder,
            disk=disk,
            has_disk=has_disk,
        )


Act = Callable[[Stage], str]
"""Something done to the stage; its result says what was done."""
