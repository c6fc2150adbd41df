"""An emulated provider for ``demo``: Anthropic's Messages on loopback, with canned answers and cached tokens counted.

It stands in for an account, and proves nothing about Anthropic: its counts come from the same model of their
documented cache rules (``cache_model``) that the product estimates with.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from litellm_prompt_router.cache_model import BlockReader, PrefixCache, anthropic_rules
from litellm_prompt_router.cache_model.usage import Usage

ANSWER = "Done. (A canned answer of the demo's emulated provider.)"
OUTPUT_TOKENS = 180
"""Of every answer: made up, about what an agent's answer has."""
POLL_SECONDS = 0.02


@contextlib.contextmanager
def emulated_provider(count_tokens: Callable[[str], int]) -> Iterator[str]:
    """The URL of the provider, up for the time of the block."""
    server = _Server(count_tokens)
    thread = threading.Thread(target=server.serve_forever, args=(POLL_SECONDS,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    """Each API key has a cache of its own, as each workspace has at Anthropic."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, count_tokens: Callable[[str], int]) -> None:
        self._reader = BlockReader(count_tokens)
        self._caches: dict[tuple[str, str], PrefixCache] = {}
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    def usage_of(self, body: Mapping[str, Any], api_key: str) -> Usage:
        """The input buckets of this call, which is remembered."""
        model = str(body.get("model"))
        with self._lock:
            cache = self._caches.setdefault((model, api_key), PrefixCache(anthropic_rules(model)))
            return cache.account(self._reader.anthropic(body), time.monotonic())


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        usage = self.server.usage_of(body, self.headers.get("x-api-key") or "")
        message = {
            "id": "msg_emulated",
            "type": "message",
            "role": "assistant",
            "model": body.get("model"),
            "content": [{"type": "text", "text": ANSWER}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {
                "input_tokens": usage.uncached_input_tokens,
                "cache_read_input_tokens": usage.cache_read_tokens,
                "cache_creation_input_tokens": usage.cache_write_tokens,
                "cache_creation": {
                    "ephemeral_5m_input_tokens": usage.cache_write_5m_tokens,
                    "ephemeral_1h_input_tokens": usage.cache_write_1h_tokens,
                },
                "output_tokens": OUTPUT_TOKENS,
            },
        }
        raw = json.dumps(message).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: Any) -> None:
        """Requests aren't logged."""
