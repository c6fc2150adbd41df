"""Where a model's process listens and what of it is kept, in folders that only this user can read."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.local_embedding.framing import PROTOCOL
from litellm_prompt_router.local_embedding.known_models import FoundModel

NAME = "prompt-router"
MAX_SOCKET_PATH = 100
"""Of 104 to 108 bytes that systems allow (unix(7))."""
LINGER_SECONDS = 30.0
"""A process without a worker ends after this: a restart of the proxy finds it warm."""
INHERITED = (
    *("PATH", "HOME", "USER", "LANG", "LC_ALL", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "LD_LIBRARY_PATH"),
    *("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "SYSTEMROOT"),
)
"""Variables that the process gets. The proxy's others are keys."""
_PACKAGE_PARENT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerPlace:
    """The files of one model's process: its socket, the lock that it holds while it lives, what it said on stderr."""

    socket: Path
    lock: Path
    log: Path


def place_of(found: FoundModel, threads: int) -> ServerPlace:
    """The same for everybody who means the same model. Raises ConfigurationError without a private folder."""
    name = hashlib.sha256(f"{PROTOCOL}\0{found.identity}\0{threads}".encode()).hexdigest()[:16]
    folder = runtime_folder()
    place = ServerPlace(socket=folder / f"{name}.sock", lock=folder / f"{name}.lock", log=folder / f"{name}.log")
    if len(os.fsencode(place.socket)) > MAX_SOCKET_PATH:
        raise ConfigurationError([f"{folder}: too long a path for a socket; set TMPDIR to a shorter one"])
    return place


def runtime_folder() -> Path:
    """Where sockets are, private to this user. Raises ConfigurationError."""
    stated = Path(os.environ.get("XDG_RUNTIME_DIR") or "/nonexistent")
    if stated.is_dir() and stated.stat().st_uid == os.getuid():
        return _private(stated / NAME)
    return _private(Path(tempfile.gettempdir()) / f"{NAME}-{os.getuid()}")


def cache_folder() -> Path:
    """Where prepared models are kept, private to this user. Raises ConfigurationError."""
    stated = os.environ.get("XDG_CACHE_HOME")
    try:
        folder = Path(stated) if stated else Path.home() / ".cache"
        folder.mkdir(parents=True, exist_ok=True)
        return _private(folder / NAME)
    except (OSError, RuntimeError, ConfigurationError):
        return runtime_folder()


def start_process(model: str, place: ServerPlace, threads: int) -> subprocess.Popen[bytes]:
    """Starts a process for the model; where one runs already, the new one ends by itself."""
    environ = {name: os.environ[name] for name in INHERITED if name in os.environ}
    paths = [str(_PACKAGE_PARENT), *filter(None, [environ.get("PYTHONPATH")])]
    descriptor = os.open(place.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "litellm_prompt_router.local_embedding", model),
                *("--threads", str(threads), "--linger", str(LINGER_SECONDS)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=descriptor,
            env={**environ, "PYTHONPATH": os.pathsep.join(paths)},
            start_new_session=True,  # a signal to the proxy's group is none to a process that others use
        )
    finally:
        os.close(descriptor)


def _private(folder: Path) -> Path:
    """The folder, made where it isn't there. Another user's, a link or one that others can read is refused."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise ConfigurationError(
            [f"{folder}: can't be made ({error.strerror}); set TMPDIR to a folder of yours"]
        ) from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise ConfigurationError([f"{folder}: not a private folder of this user; remove it, or chmod 700"])
    return folder
