"""Real proxies side by side that differ in their callback alone."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.benchmarks.plain_provider import PlainProvider
from tests.emulators.proxy import RunningProxy, running_proxy

ROOT = Path(__file__).parents[2]
MODEL = "claude"
NONE, NOOP, OFF, SHADOW, REWRITE, BARE = (
    "no callback",
    "no-op callback",
    "off",
    "shadow",
    "rewrite",
    "rewrite, no sinks",
)
VARIANTS = (NONE, NOOP, OFF, SHADOW, REWRITE, BARE)
MODES: Mapping[str, str] = {OFF: "off", SHADOW: "shadow", REWRITE: "rewrite", BARE: "rewrite"}
WITHOUT_LITELLMS_LOGS = {"LITELLM_LOG": "ERROR"}


@dataclass(frozen=True, kw_only=True, slots=True)
class RunningVariant:
    """A proxy and where it writes."""

    name: str
    proxy: RunningProxy
    folder: Path

    @property
    def pid(self) -> int:
        return self.proxy.process.pid

    @property
    def has_ledger(self) -> bool:
        return self.name in MODES and self.name != BARE

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger.jsonl"


def config_of(variant: str, folder: Path, provider: PlainProvider) -> dict[str, Any]:
    """The proxy's configuration."""
    params = {"model": "anthropic/claude-sonnet-4-5", "api_base": provider.url, "api_key": "emulated"}
    config: dict[str, Any] = {
        "model_list": [{"model_name": MODEL, "litellm_params": params}],
        "general_settings": {"master_key": "os.environ/LITELLM_MASTER_KEY", "always_include_stream_usage": True},
        "litellm_settings": {},
    }
    if variant == NOOP:
        config["litellm_settings"]["callbacks"] = ["noop_callback.handler"]
    if variant in MODES:
        config["litellm_settings"]["callbacks"] = ["litellm_prompt_router.callback.handler"]
        has_sinks = variant != BARE
        config["callback_settings"] = {
            "prompt_router": {
                "mode": MODES[variant],
                "cost_gate": False,
                "ledger": {"path": str(folder / "ledger.jsonl") if has_sinks else None},
                "glitchtip": {"dsn": provider.dsn if has_sinks else None},
            }
        }
    return config


def end_cleanly_when_told() -> None:
    """Lets SIGTERM leave every ``with``, so that no proxy outlives the benchmark that started it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


@contextlib.contextmanager
def running_variants(
    names: Sequence[str],
    folder: Path,
    provider: PlainProvider,
    *,
    workers: int = 1,
    began: Callable[[str], None] = lambda name: None,
) -> Iterator[list[RunningVariant]]:
    """A live proxy of each; ``began`` is told of each that is live."""
    with contextlib.ExitStack() as stack:
        running = []
        for number, name in enumerate(names):
            own = folder / str(number)
            own.mkdir()
            shutil.copy(Path(__file__).with_name("noop_callback.py"), own)
            config = own / "proxy_config.yaml"
            config.write_text(yaml.safe_dump(config_of(name, own, provider), sort_keys=False))
            args = ["--num_workers", str(workers), "--timeout_worker_healthcheck", "60"] if workers > 1 else []
            proxy = stack.enter_context(
                running_proxy(config, env=WITHOUT_LITELLMS_LOGS, cwd=ROOT, args=args, log_path=own / "proxy.log")
            )
            running.append(RunningVariant(name=name, proxy=proxy, folder=own))
            began(name)
        yield running
