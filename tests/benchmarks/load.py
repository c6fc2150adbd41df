"""Calls sent to a proxy, so many at once, with the time that each took."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiohttp

PATH = "/v1/chat/completions"
CALL_ID_HEADER = "x-litellm-call-id"
ANSWER_SECONDS = 120.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """What became of one batch of calls."""

    seconds: tuple[float, ...]
    """Of each call, sorted."""
    elapsed_seconds: float
    call_ids: tuple[str, ...]
    """LiteLLM's, of the answers in the order in which they came."""

    @property
    def p50_ms(self) -> float:
        return 1e3 * quantile(self.seconds, 0.5)

    @property
    def p99_ms(self) -> float:
        return 1e3 * quantile(self.seconds, 0.99)

    @property
    def requests_a_second(self) -> float:
        return len(self.seconds) / self.elapsed_seconds


def quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


Batch = list[list[bytes]]
"""Bodies by lane: those of one lane follow one another, as calls of one conversation do."""


def next_batch(lanes: Sequence[Iterator[dict[str, Any]]], requests: int) -> Batch:
    """The lanes' next bodies, the same number of each as near as can be."""
    batch: Batch = [[] for _ in lanes]
    for number in range(requests):
        lane = number % len(lanes)
        batch[lane].append(json.dumps(next(lanes[lane])).encode())
    return batch


async def _send(url: str, key: str, batch: Batch, at_once: int) -> Load:
    taken = 0
    ready: asyncio.Queue[list[bytes]] = asyncio.Queue()
    for bodies in batch:
        ready.put_nowait(bodies[::-1])
    total = sum(map(len, batch))
    seconds: list[float] = []
    call_ids: list[str] = []
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
    connector = aiohttp.TCPConnector(limit=at_once)

    async with aiohttp.ClientSession(headers=headers, timeout=timeout, connector=connector) as session:

        async def worker() -> None:
            nonlocal taken
            while taken < total:
                taken += 1
                left = await ready.get()
                body = left.pop()
                began = time.perf_counter()
                async with session.post(f"{url}{PATH}", data=body) as answer:
                    text = await answer.read()
                    assert answer.status == HTTPStatus.OK, f"{answer.status}: {text[:500]!r}"
                seconds.append(time.perf_counter() - began)
                call_ids.append(answer.headers.get(CALL_ID_HEADER, ""))
                if left:
                    ready.put_nowait(left)

        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(min(at_once, len(batch))):
                group.create_task(worker())
        elapsed = time.perf_counter() - began
    return Load(seconds=tuple(sorted(seconds)), elapsed_seconds=elapsed, call_ids=tuple(call_ids))


def send(url: str, key: str, batch: Batch, at_once: int) -> Load:
    """Sends the batch; a lane's next call waits for the answer to the one before.

    Raises AssertionError where a call fails.
    """
    return asyncio.run(_send(url, key, batch, at_once))
