"""LiteLLM's proxy as a process: its command line, its port, and a child of our own that is always stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType

import httpx

from litellm_prompt_router.documents.errors import ConfigurationError

BOOT_SECONDS = 120.0
STOP_SECONDS = 10.0
PROBE_SECONDS = 2.0
POLL_SECONDS = 0.2
TAIL_LINES = 30
LIVE_PATH = "/health/liveliness"


def proxy_command(config: Path, host: str, port: int) -> list[str]:
    """How this interpreter starts LiteLLM. The package can't be run with ``python -m litellm``."""
    script = Path(sys.executable).with_name("litellm")
    start = [str(script)] if script.is_file() else [sys.executable, "-m", "litellm.proxy.proxy_cli"]
    return [*start, "--config", str(config.absolute()), "--host", host, "--port", str(port)]


def check_port(host: str, port: int) -> None:
    """Raises ConfigurationError when the port can't be had: LiteLLM would silently take another for 4000."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise ConfigurationError(
            [f"{host}:{port}: can't listen there ({error.strerror}); choose another --host or --port"]
        ) from None
    with contextlib.suppress(OSError), socket.create_connection(("localhost", port), PROBE_SECONDS):
        raise ConfigurationError([f"localhost:{port}: something listens there already; choose another --port"])


def free_port() -> int:
    """A loopback port that nothing used a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def base_url(host: str, port: int) -> str:
    """The URL to reach a server on this machine that listens on ``host``."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # what serve was told, not a default
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_live(url: str) -> bool:
    """True when a LiteLLM proxy answers at ``url``."""
    try:
        answer = httpx.get(url + LIVE_PATH, timeout=PROBE_SECONDS, trust_env=False)
        return answer.is_success and "alive" in answer.text
    except httpx.HTTPError:
        return False


@contextlib.contextmanager
def running_proxy(config: Path, env: Mapping[str, str], log: Path) -> Iterator[str]:
    """The URL of a proxy of our own, live for the time of the block.

    Raises ConfigurationError with the log's tail when it ends by itself or isn't live in time.
    """
    port = free_port()
    command = proxy_command(config, "127.0.0.1", port)
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env=dict(env),
            start_new_session=True,  # Ctrl-C reaches us only, and we stop it in order
        )
    with _terminating(process):
        url = base_url("127.0.0.1", port)
        _wait_until_live(process, url, log)
        yield url


@contextlib.contextmanager
def leaving_in_order() -> Iterator[None]:
    """SIGTERM and a closed terminal's SIGHUP end the block as an exception does, so that it tidies up.

    One that is ignored, as under nohup, stays ignored.
    """

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    numbers = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    heeded = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, leave) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _terminating(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Stops the process however the block ends, by signals to us included."""
    with leaving_in_order():
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(STOP_SECONDS)


def _wait_until_live(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + BOOT_SECONDS
    while time.monotonic() < deadline:
        code = process.poll()
        if code is not None:
            raise ConfigurationError([f"the proxy ended with exit code {code}; its log ({log}) says:", *tail(log)])
        if is_live(url):
            return
        time.sleep(POLL_SECONDS)
    raise ConfigurationError([f"the proxy wasn't up after {BOOT_SECONDS:.0f} s; its log ({log}) says:", *tail(log)])


def tail(log: Path) -> list[str]:
    """The last lines of the log."""
    return ["  " + line for line in log.read_text("utf-8", "replace").splitlines()[-TAIL_LINES:]]


def replace_process(command: list[str], env: Mapping[str, str]) -> None:
    """Becomes ``command``: signals and exit code are the proxy's own from here on."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(command[0], command, dict(env))  # noqa: S606  # no shell is what we want
