"""A small threaded HTTP server on 127.0.0.1. What it answers is a function from a request to a reply."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

STOP_SECONDS = 5.0
IDLE_SECONDS = 120.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Incoming:
    """A request as it arrived. Header names are lower case; ``nth`` counts from 1 on its connection."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    nth: int

    @property
    def route(self) -> str:
        """The path without its query."""
        return urlsplit(self.path).path


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A reply after ``delay_seconds``. With ``chunks`` the body is sent chunked, one write for each."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    chunks: tuple[bytes, ...] | None = None
    delay_seconds: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class HangUp:
    """The connection closes after these raw bytes, without an HTTP reply."""

    raw: bytes = b""


Respond = Callable[[Incoming], Answer | HangUp]


class Loopback:
    """Serves ``respond`` at ``url`` between ``listen`` and ``close``."""

    def __init__(self, respond: Respond) -> None:
        self._respond = respond
        self._errors: list[Exception] = []
        self._port = 0
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def port(self) -> int:
        return self._port

    def listen(self) -> None:
        """Accept connections, on the port used before if there was one."""
        if self._server is not None:
            return
        server = _Server(self._port, self._respond, self._errors)
        self._port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        self._server, self._thread = server, thread

    def stop_listening(self) -> None:
        """Close the listener and every open connection: new ones are refused by the operating system."""
        server, thread = self._server, self._thread
        if server is None or thread is None:
            return
        self._server = self._thread = None
        server.shutdown()
        thread.join(STOP_SECONDS)
        server.hang_up()
        server.server_close()

    def close(self) -> None:
        """Stop listening and join every thread. Raises whatever ``respond`` raised."""
        self.stop_listening()
        if self._errors:
            raise ExceptionGroup("the emulator crashed", self._errors)


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True
    request_queue_size = 128
    server_address: tuple[str, int]

    def __init__(self, port: int, respond: Respond, errors: list[Exception]) -> None:
        self.respond = respond
        self.errors = errors
        self.closing = threading.Event()
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """Wake every handler that is waiting on a socket or for a delay to pass."""
        self.closing.set()
        with self._lock:
            for connection in self._connections:
                with contextlib.suppress(OSError):  # the peer was first
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exception()
        if isinstance(error, Exception) and not isinstance(error, OSError):  # a peer may leave at any time
            self.errors.append(error)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = IDLE_SECONDS
    server: _Server
    nth = 0

    def do_any(self) -> None:
        self.nth += 1
        incoming = Incoming(
            method=self.command,
            path=self.path,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(int(self.headers.get("Content-Length") or 0)),
            nth=self.nth,
        )
        if "chunked" in incoming.headers.get("transfer-encoding", ""):
            raise NotImplementedError("a request body in chunks")
        answer = self.server.respond(incoming)
        try:
            self._send(answer)
        except ConnectionError:
            self.close_connection = True

    do_DELETE = do_GET = do_PATCH = do_POST = do_PUT = do_any

    def _send(self, answer: Answer | HangUp) -> None:
        if isinstance(answer, HangUp):
            self.wfile.write(answer.raw)
            self.close_connection = True
            return
        self.server.closing.wait(answer.delay_seconds)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.chunks is None:
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)
            return
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for chunk in answer.chunks:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: Any) -> None:
        """Silence."""
