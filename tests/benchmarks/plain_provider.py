"""``python -m tests.benchmarks.plain_provider``: a provider and GlitchTip in one small process, for measuring proxies.

It answers every body of Anthropic's Messages, OpenAI's Chat and every envelope at once with fixed text, and prints its
port. Usage is a share of the body's length: most of it read from the cache, as in the middle of a conversation. It
parses nothing, so that a proxy is never measured against its provider; ``tests.emulators`` are the provider's rules.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE, Popen

from tests.emulators.envelopes import PUBLIC_KEY

ROOT = Path(__file__).parents[2]
CHARS_PER_TOKEN = 4
WRITTEN_TOKENS, UNCACHED_TOKENS, OUTPUT_TOKENS = 800, 30, 60
SAID = "I looked at the file and found the totals; the next step is to check them. " * 3


@dataclass(frozen=True, kw_only=True, slots=True)
class PlainProvider:
    """Where the process listens."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def dsn(self) -> str:
        return f"http://{PUBLIC_KEY}@127.0.0.1:{self.port}/1"


@contextmanager
def running_plain_provider() -> Iterator[PlainProvider]:
    with Popen([sys.executable, "-m", __name__], stdout=PIPE, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            yield PlainProvider(port=int(process.stdout.readline()))
        finally:
            process.terminate()


def answer_to(path: str, body_bytes: int) -> bytes:
    """The answer's body."""
    if path.endswith("/envelope/"):
        return b'{"id":"plain"}'
    read = max(0, body_bytes // CHARS_PER_TOKEN - WRITTEN_TOKENS - UNCACHED_TOKENS)
    if path.endswith("/messages"):
        usage = {
            "input_tokens": UNCACHED_TOKENS,
            "cache_creation_input_tokens": WRITTEN_TOKENS,
            "cache_read_input_tokens": read,
            "cache_creation": {"ephemeral_5m_input_tokens": WRITTEN_TOKENS, "ephemeral_1h_input_tokens": 0},
            "output_tokens": OUTPUT_TOKENS,
        }
        message = {"id": "msg_01plain", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5"}
        content = [{"type": "text", "text": SAID}]
        ends = {"stop_reason": "end_turn", "stop_sequence": None}
        return json.dumps({**message, "content": content, **ends, "usage": usage}).encode()
    prompt = UNCACHED_TOKENS + WRITTEN_TOKENS + read
    tokens = {"prompt_tokens": prompt, "completion_tokens": OUTPUT_TOKENS, "total_tokens": prompt + OUTPUT_TOKENS}
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": SAID}}
    answer = {"id": "chatcmpl-plain", "object": "chat.completion", "created": 1, "model": "gpt-4.1"}
    usage_of_chat = {**tokens, "prompt_tokens_details": {"cached_tokens": read}}
    return json.dumps({**answer, "choices": [choice], "usage": usage_of_chat}).encode()


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            lines = head.split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
            length = int(headers.get("content-length", 0))
            await reader.readexactly(length)
            body = answer_to(lines[0].split(" ")[1], length)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
            writer.write(body)
    writer.close()


async def main() -> None:
    server = await asyncio.start_server(_serve, "127.0.0.1", 0, limit=2**20)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
