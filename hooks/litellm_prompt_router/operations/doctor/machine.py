"""The process's environment and this machine's disks: versions, variables, folders."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

from litellm_prompt_router.operations.doctor.finding import Finding, fail, ok, warn
from litellm_prompt_router.policy.settings import Settings

DISTRIBUTION = "litellm-prompt-router"
LOW_BYTES = 1_000_000_000
NO_BYTES = 50_000_000


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


def examine_variables(environ: Mapping[str, str]) -> Iterable[Finding]:
    """Variables without which LiteLLM goes to the network by itself."""
    if environ.get("LITELLM_LOCAL_MODEL_COST_MAP", "").lower() == "true":
        yield ok("cost map", "LITELLM_LOCAL_MODEL_COST_MAP=True: prices are those of the installed LiteLLM")
    else:
        yield warn(
            "cost map",
            "LiteLLM fetches prices from the network at start",
            "set LITELLM_LOCAL_MODEL_COST_MAP=True (`prompt-router serve` does), or prices change by themselves",
        )
    if environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        yield ok("tokenizers", "HF_HUB_OFFLINE is set")
    else:
        yield warn(
            "tokenizers",
            "for model names with llama-3 and the like LiteLLM asks huggingface.co in the request, some 20 s offline",
            "set HF_HUB_OFFLINE=1 (`prompt-router serve` does)",
        )


def examine_folders(settings: Settings) -> Iterable[Finding]:
    """Where the ledger, the capture file and status files go. Seen with the rights of whoever asks."""
    folders = {
        "ledger": settings.ledger.path.parent if settings.ledger.path is not None else None,
        "status files": settings.status_folder,
        "capture file": settings.capture.path.parent if settings.capture.path is not None else None,
    }
    for name, folder in folders.items():
        if folder is not None:
            yield _folder(name, folder)
    if settings.ledger.path is None:
        yield warn("ledger", "off: there will be no report of savings", "set ledger.path, unless that is wanted")
    elif settings.ledger.path.exists() and not os.access(settings.ledger.path, os.W_OK):
        yield fail("ledger", f"{settings.ledger.path} can't be written", "check its owner and rights")
    if settings.status_folder is None:
        yield warn("status files", "off: `prompt-router status` knows nothing", "set status_dir, unless that is wanted")
    if settings.capture.path is not None:
        keys = ", ".join(sorted(settings.capture.keys))
        yield warn(
            "capture", f"on: messages of {keys} are written to {settings.capture.path}", "off when you have enough"
        )
    else:
        yield ok("capture", "off: no message is written down by us")


def _folder(name: str, folder: Path) -> Finding:
    existing = next((each for each in (folder, *folder.absolute().parents) if each.exists()), Path("/"))
    if not existing.is_dir():
        return fail(name, f"{existing} is no folder", "name another folder")
    if not os.access(existing, os.W_OK | os.X_OK):
        return fail(name, f"{existing.absolute()} can't be written by this user", "check its owner, rights and mount")
    free = shutil.disk_usage(existing).free
    text = f"{folder} writable, {free / 1e9:.1f} GB free"
    if free < NO_BYTES:
        return fail(name, text, "make room: records that can't be written are kept in memory for a while, then lost")
    return warn(name, text, "make room before it is full") if free < LOW_BYTES else ok(name, text)
