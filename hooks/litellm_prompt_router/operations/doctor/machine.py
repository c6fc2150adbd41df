"""What surrounds the proxy here: LiteLLM's version, variables, folders, and hosts that have to answer."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Collection, Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from packaging.requirements import Requirement
from packaging.version import Version

from litellm_prompt_router.operations.doctor.finding import Finding, fail, ok, warn
from litellm_prompt_router.operations.workers import WorkerStatus
from litellm_prompt_router.policy.litellm_config import FROM_ENVIRONMENT
from litellm_prompt_router.policy.settings import Settings
from litellm_prompt_router.policy.written_files import symlinks_in
from litellm_prompt_router.telemetry.status_file import HUB_OFFLINE, LOCAL_COST_MAP, offline_variables

DISTRIBUTION = "litellm-prompt-router"
LOW_BYTES = 1_000_000_000
NO_BYTES = 50_000_000
"""Free on the disk of a folder that we write to: too little for long, too little for now."""
CONNECT_SECONDS = 3.0
REDIS_PORT = 6379


def examine_litellm() -> Finding:
    """The installed LiteLLM against the versions that we are tested with."""
    try:
        installed = version("litellm")
        wanted = next(r for r in map(Requirement, requires(DISTRIBUTION) or ()) if r.name == "litellm")
    except (PackageNotFoundError, StopIteration):
        return fail(
            "LiteLLM", "not installed beside us", "pip install litellm-prompt-router into the proxy's environment"
        )
    if Version(installed) in wanted.specifier:
        return ok("LiteLLM", f"{installed} ({wanted.specifier})")
    return fail("LiteLLM", f"{installed}; supported: {wanted.specifier}", "install a supported version, or upgrade us")


def examine_variables(environ: Mapping[str, str], live: Sequence[WorkerStatus]) -> Iterable[Finding]:
    """Variables without which LiteLLM goes to the network by itself: those of the running workers, else ``environ``."""
    here = offline_variables(environ)
    known = {name for name in (LOCAL_COST_MAP, HUB_OFFLINE) if _is_everywhere(name, live, here)}
    if LOCAL_COST_MAP in known:
        yield ok("cost map", "LITELLM_LOCAL_MODEL_COST_MAP=True: prices are those of the installed LiteLLM")
    else:
        yield warn(
            "cost map",
            "LiteLLM fetches prices from the network at start",
            "set LITELLM_LOCAL_MODEL_COST_MAP=True (`prompt-router serve` does), or prices change by themselves",
        )
    if HUB_OFFLINE in known:
        yield ok("tokenizers", "HF_HUB_OFFLINE is set")
    else:
        yield warn(
            "tokenizers",
            "for model names with llama-3 and the like LiteLLM asks huggingface.co in the request, some 20 s offline",
            "set HF_HUB_OFFLINE=1 (`prompt-router serve` does)",
        )


def _is_everywhere(name: str, live: Sequence[WorkerStatus], here: Collection[str]) -> bool:
    return all(name in status.offline for status in live) if live else name in here


def examine_folders(settings: Settings, live: Sequence[WorkerStatus]) -> Iterable[Finding]:
    """Where the ledger, the capture file and status files go. Seen with the rights of whoever asks.

    ``live``: the running workers, which may have been started with other variables than are set here.
    """
    folders = {
        "ledger": settings.ledger.path.parent if settings.ledger.path is not None else None,
        "overflow file": settings.ledger.overflow_path.parent if settings.ledger.overflow_path is not None else None,
        "status files": settings.status_folder,
        "capture file": settings.capture.path.parent if settings.capture.path is not None else None,
    }
    for name, folder in folders.items():
        if folder is not None:
            yield _folder(name, folder)
    for setting, problem in symlinks_in(settings):
        what, _, todo = problem.partition("; ")
        yield fail(setting, what, todo)
    overflow = settings.ledger.overflow_path
    if overflow is not None and overflow.exists() and not os.access(overflow, os.W_OK):
        yield fail("overflow file", f"{overflow} can't be written", "check its owner and rights")
    if settings.ledger.path is None:
        yield warn("ledger", "off: there will be no report of savings", "set ledger.path, unless that is wanted")
    elif settings.ledger.path.exists() and not os.access(settings.ledger.path, os.W_OK):
        yield fail("ledger", f"{settings.ledger.path} can't be written", "check its owner and rights")
    if settings.tuning.every is not None:
        yield _tuning(settings)
    if settings.status_folder is None:
        yield warn("status files", "off: `prompt-router status` knows nothing", "set status_dir, unless that is wanted")
    yield _capture(settings, live)


def _tuning(settings: Settings) -> Finding:
    """Whether tuning can go on by itself: it reads the ledger and keeps its state beside the status files."""
    missing = [
        name
        for name, value in (("ledger.path", settings.ledger.path), ("status_dir", settings.status_folder))
        if value is None
    ]
    if missing:
        return fail("tuning", f"every is set, without {' and '.join(missing)}", "set it, or tuning.every: off")
    hours = (settings.tuning.every or 0.0) / 3_600
    return ok("tuning", f"every {hours:g} h, from {settings.ledger.path}")


def _capture(settings: Settings, live: Sequence[WorkerStatus]) -> Finding:
    """By the running workers where there are any."""
    capturing = sum(status.capture.is_on for status in live)
    path, keys = settings.capture.path, ", ".join(sorted(settings.capture.keys))
    what = f"messages of {keys} are written to {path}" if path is not None else "messages are written down"
    if capturing:
        text = f"on in {capturing} of {len(live)} running workers: {what}"
        return warn("capture", text, "off when you have enough: restart the proxy without it")
    here = "the configuration and this shell's environment"
    if path is None:
        where = "no running worker writes a message down" if live else f"by {here}; no running worker is known here"
        return ok("capture", f"off: {where}")
    if live:
        return warn("capture", f"on by {here}, but no running worker captures", "restart the proxy with them")
    return warn("capture", f"on by {here}: {what}", "off when you have enough")


def _folder(name: str, folder: Path) -> Finding:
    existing = next((each for each in (folder, *folder.absolute().parents) if each.exists()), Path("/"))
    if not existing.is_dir():
        return fail(name, f"{existing} is no folder", "name another folder")
    if not os.access(existing, os.W_OK | os.X_OK):
        return fail(name, f"{existing.absolute()} can't be written by this user", "check its owner, rights and mount")
    free = shutil.disk_usage(existing).free
    text = f"{folder} writable, {free / 1e9:.1f} GB free"
    if free < NO_BYTES:
        return fail(
            name,
            text,
            "make room: what can't be written waits in memory, then goes to ledger.overflow_path, or is lost",
        )
    return warn(name, text, "make room before it is full") if free < LOW_BYTES else ok(name, text)


def examine_glitchtip(settings: Settings) -> Iterable[Finding]:
    """Whether the hosts of both DSNs answer. Nothing is sent."""
    stated = {"GlitchTip": settings.glitchtip.dsn, "GlitchTip (errors)": settings.glitchtip.errors_dsn}
    if settings.glitchtip.dsn is None and settings.glitchtip.errors_dsn is None:
        yield warn("GlitchTip", "no DSN: nothing is sent", "set GLITCHTIP_DSN, unless that is wanted")
    for name, dsn in stated.items():
        if dsn is None:
            continue
        parts = urlsplit(dsn)
        try:
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            yield fail(name, "the DSN's port is no number", "copy the DSN again from GlitchTip")
            continue
        todo = "check the host, DNS and firewall; requests go on, events are lost"
        yield _connected(name, parts.hostname or "", port, todo)


def examine_redis(litellm_settings: Mapping[str, Any], environ: Mapping[str, str]) -> Iterable[Finding]:
    """LiteLLM's own cache, where it is in a Redis; and the limit on messages that keeps agents' answers out of it."""
    if litellm_settings.get("cache") is not True:
        return
    stated = litellm_settings.get("cache_params")
    params: Mapping[str, Any] = stated if isinstance(stated, dict) else {}
    if "max_messages" not in params:
        yield warn(
            "response cache",
            "LiteLLM leaves requests of more than 4 messages out of it, so most agents' calls",
            "set cache_params.max_messages to null, unless that is wanted",
        )
    if params.get("type", "redis") not in ("redis", "redis-semantic"):
        yield ok("response cache", f"of type {params.get('type')}")
        return
    url = _value(params.get("url"), environ) or environ.get("REDIS_URL")
    host, port = _value(params.get("host"), environ) or environ.get("REDIS_HOST"), params.get("port")
    if url:
        parts = urlsplit(str(url))
        host, port = parts.hostname, parts.netloc.rpartition(":")[2] if ":" in parts.netloc else REDIS_PORT
    try:
        number = int(_value(port, environ) or environ.get("REDIS_PORT") or REDIS_PORT)
    except ValueError:
        yield fail("Redis", "its port is no number", "correct litellm_settings.cache_params.port")
        return
    if not host:
        yield fail("Redis", "caching uses Redis, and no host is stated", "set cache_params.host, or REDIS_HOST")
        return
    yield _connected("Redis", str(host), number, "start it, or correct litellm_settings.cache_params")


def _value(value: object, environ: Mapping[str, str]) -> str | None:
    if isinstance(value, str) and value.startswith(FROM_ENVIRONMENT):
        return environ.get(value.removeprefix(FROM_ENVIRONMENT))
    return str(value) if value is not None else None


def _connected(check: str, host: str, port: int, todo: str) -> Finding:
    try:
        with socket.create_connection((host, port), timeout=CONNECT_SECONDS):
            return ok(check, f"{host}:{port} answers")
    except (OSError, UnicodeError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return fail(check, f"{host}:{port} can't be reached ({why})", todo)
