"""A real LiteLLM proxy, as a process of its own."""

from __future__ import annotations

import contextlib
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.emulators.proxy_process import Forks, ProxyProcess, can_fork

BOOT_SECONDS = 180.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.1
TAIL_LINES = 60
LITELLM = (str(Path(sys.executable).with_name("litellm")),)
FIRST_PORT = 12_000
PORTS_A_WORKER = 2_500
"""Below what the system gives to connections (from 32,768 on)."""

INHERITED = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "PYTHONDONTWRITEBYTECODE")
"""Nothing else comes from the caller's environment: a stray key, DSN or HTTP_PROXY would change the run."""

OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "INITIAL_RETRY_DELAY": "0",  # LiteLLM's pause before a retry, in seconds, and what it adds by chance
    "JITTER": "0",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_LOCAL_AUTOROUTER_PRESETS": "True",
    "LITELLM_LOCAL_BLOG_POSTS": "True",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_POLICY_TEMPLATES": "True",
    "LITELLM_MODE": "PRODUCTION",  # in any other mode LiteLLM reads the nearest .env file
    "PYTHONFAULTHANDLER": "1",  # where a crash of the interpreter is, in the log
    "PYTHONUNBUFFERED": "1",
}


forks: Forks | None = None
"""What proxies are forked from while ``forked_proxies`` is open; else each imports LiteLLM itself."""


@contextlib.contextmanager
def forked_proxies() -> Iterator[None]:
    """For the time of the block, proxies are forks of one process that has imported LiteLLM, where they can be."""
    global forks
    forks = Forks(_imports_env())
    try:
        yield
    finally:
        forks.close()
        forks = None


@dataclass(kw_only=True, slots=True)
class RunningProxy:
    """A proxy that answered its liveness probe."""

    url: str
    master_key: str = field(repr=False)
    process: ProxyProcess
    log_path: Path
    start: Callable[[], ProxyProcess] = field(repr=False)
    """Starts the same proxy again, at the same address."""
    is_second: bool = False

    def revive(self) -> None:
        """Starts the proxy once more where its interpreter crashed (CPython 3.11.7 did once, in its contextvars).

        Raises AssertionError with the log's tail for any other end, and for a second crash.
        """
        code = self.process.poll()
        if code is None:
            return
        end = f"the proxy ended with {code}:\n{_tail(self.log_path)}"
        if code != -signal.SIGSEGV or self.is_second:
            raise AssertionError(end)
        print(end, file=sys.stderr)
        self.process, self.is_second = self.start(), True
        wait_until_live(self)

    def log(self) -> str:
        """Everything the process has written to stdout and stderr."""
        return self.log_path.read_text(errors="replace")


@dataclass(frozen=True, kw_only=True, slots=True)
class FailedBoot:
    """A proxy that ended by itself before it was live."""

    exit_code: int
    log: str


def make_key() -> str:
    """A key nobody can guess, in the form LiteLLM asks for."""
    return f"sk-{secrets.token_urlsafe(32)}"


@contextlib.contextmanager
def running_proxy(
    config_path: Path,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    port: int | None = None,
    args: Sequence[str] = (),
    log_path: Path | None = None,
    boot_seconds: float = BOOT_SECONDS,
    command: Sequence[str] = LITELLM,
) -> Iterator[RunningProxy]:
    """A live proxy for the time of the block.

    Callbacks named in the config import from ``cwd``. ``env`` wins over the defaults, ``args`` are further
    command line options, ``command`` is how LiteLLM's command line is called. Without ``log_path`` the log is gone
    after the block. Raises AssertionError with the log's tail if the proxy ends or is not live within
    ``boot_seconds``.
    """
    with contextlib.ExitStack() as stack:
        log_path = log_path or _temporary_log(stack)
        port = port or free_port()
        full_env = _full_env(env)
        started = (*command, "--config", str(config_path.absolute()), "--port", str(port), *args)

        def start() -> ProxyProcess:
            return stack.enter_context(_process(started, full_env, cwd, log_path))

        proxy = RunningProxy(
            url=f"http://127.0.0.1:{port}",
            master_key=full_env["LITELLM_MASTER_KEY"],
            process=start(),
            log_path=log_path,
            start=start,
        )
        wait_until_live(proxy, boot_seconds)
        yield proxy


def failed_boot(
    config_path: Path,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    args: Sequence[str] = (),
    boot_seconds: float = BOOT_SECONDS,
) -> FailedBoot:
    """How a proxy ended that cannot start. Raises AssertionError if it runs on past ``boot_seconds``."""
    with contextlib.ExitStack() as stack:
        log_path = _temporary_log(stack)
        started = (*LITELLM, "--config", str(config_path.absolute()), "--port", str(free_port()), *args)
        process = stack.enter_context(_process(started, _full_env(env), cwd, log_path))
        try:
            exit_code = process.wait(boot_seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the proxy started after all:\n{_tail(log_path)}") from None
        return FailedBoot(exit_code=exit_code, log=log_path.read_text(errors="replace"))


def free_port() -> int:
    """A loopback port that nothing used a moment ago; test processes side by side have ranges of their own."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is not None:
        first = FIRST_PORT + int(worker.removeprefix("gw")) * PORTS_A_WORKER
        for port in random.sample(range(first, first + PORTS_A_WORKER), PORTS_A_WORKER):
            with socket.socket() as probe, contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _temporary_log(stack: contextlib.ExitStack) -> Path:
    return Path(stack.enter_context(tempfile.TemporaryDirectory())) / "proxy.log"


def _full_env(env: Mapping[str, str] | None) -> dict[str, str]:
    return _imports_env() | {"LITELLM_MASTER_KEY": make_key()} | dict(env or {})


def _imports_env() -> dict[str, str]:
    return {name: os.environ[name] for name in INHERITED if name in os.environ} | OFFLINE


@contextlib.contextmanager
def _process(
    command: Sequence[str], env: Mapping[str, str], cwd: Path | None, log_path: Path
) -> Iterator[ProxyProcess]:
    process: ProxyProcess
    arguments = (*command[1:], "--host", "127.0.0.1")
    if (
        forks is not None
        and command[:1] == LITELLM
        and "--num_workers" not in command
        and can_fork(env, _imports_env())
    ):
        process = forks.start(arguments, env, cwd, log_path)
    else:
        with log_path.open("ab") as log:
            process = subprocess.Popen(
                [*command[:1], *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=cwd,
            )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS)


def wait_until_live(proxy: RunningProxy, boot_seconds: float = BOOT_SECONDS) -> None:
    """Raises AssertionError with the log's tail if the proxy ends, or is not live within so long."""
    deadline = time.monotonic() + boot_seconds
    with httpx.Client(base_url=proxy.url, trust_env=False, timeout=2.0) as client:
        while time.monotonic() < deadline:
            exit_code = proxy.process.poll()
            if exit_code is not None:
                raise AssertionError(f"the proxy ended with {exit_code}:\n{_tail(proxy.log_path)}")
            with contextlib.suppress(httpx.TransportError):
                if client.get("/health/liveliness").status_code == httpx.codes.OK:
                    return
            time.sleep(POLL_SECONDS)
    raise AssertionError(f"the proxy was not live after {boot_seconds} s:\n{_tail(proxy.log_path)}")


def _tail(log_path: Path) -> str:
    return "\n".join(log_path.read_text(errors="replace").splitlines()[-TAIL_LINES:])
