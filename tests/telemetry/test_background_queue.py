"""The lane of one process: what was put is taken, and closing it ends."""

from __future__ import annotations

import threading
import time
from queue import SimpleQueue
from typing import Any

from litellm_prompt_router.telemetry.background_queue import BackgroundQueue, Inbox

NAME = "lane under test"
SECONDS = 5.0


class Taking:
    """Notes what it was given."""

    def __init__(self) -> None:
        self.taken: list[Any] = []
        self.finishes = 0
        self.hurries = 0

    def take(self, item: Any, /) -> None:
        self.taken.append(item)

    def tick(self) -> None: ...

    def wait_seconds(self) -> float | None:
        return None

    def hurry(self) -> None:
        self.hurries += 1

    def finish(self, seconds: float, *, is_last: bool) -> None:
        self.finishes += 1


class Overtaken(SimpleQueue[Any]):
    """Whoever puts anything goes on when the thread at the other end has dealt with it, and has ended if it will."""

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        super().put(item, block, timeout)
        deadline = time.monotonic() + 0.2
        while NAME in {thread.name for thread in threading.enumerate()} and time.monotonic() < deadline:
            time.sleep(0.001)


def test_a_thread_that_ends_before_its_closer_looks() -> None:
    """Closing doesn't wait for work that nobody will bring."""

    def make(inbox: Inbox) -> Taking:
        inbox.queue = Overtaken()
        return Taking()

    lanes = BackgroundQueue(make, limit=10, name=NAME)
    assert lanes.put("one")
    closed: list[bool] = []
    closer = threading.Thread(target=lambda: closed.append(lanes.close(SECONDS)), daemon=True)
    closer.start()
    closer.join(SECONDS)
    assert closed == [True]
    assert (lanes.work.taken, lanes.work.finishes) == (["one"], 1)


def test_what_is_put_later_is_dropped_and_counted() -> None:
    inboxes: list[Inbox] = []

    def make(inbox: Inbox) -> Taking:
        inboxes.append(inbox)
        return Taking()

    lanes = BackgroundQueue(make, limit=10, name=NAME)
    assert lanes.put("one")
    assert lanes.flush(SECONDS)
    assert lanes.close(SECONDS)
    assert lanes.close(SECONDS), "twice is once"
    assert not lanes.put("two")
    assert (lanes.work.taken, inboxes[0].dropped) == (["one"], 1)
