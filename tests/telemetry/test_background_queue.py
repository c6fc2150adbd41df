"""The queue of one process: what was put is taken, and closing it ends its thread."""

from __future__ import annotations

import threading
import time
from queue import SimpleQueue
from typing import Any

from litellm_prompt_router.telemetry.background_queue import BackgroundQueue, BoundedQueue

NAME = "queue under test"
SECONDS = 60.0


class Taking:
    """Notes what it was given."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.rounds: list[int] = []
        self.taken: list[Any] = []
        self.finishes = 0
        self.exit_notices = 0

    def take(self, item: Any, /) -> None:
        self.taken.append(item)

    def gather_seconds(self) -> float:
        return self.seconds

    def do_due_work(self) -> None:
        self.rounds.append(len(self.taken))

    def wait_seconds(self) -> float | None:
        return None

    def prepare_for_exit(self) -> None:
        self.exit_notices += 1

    def finish(self, seconds: float, *, is_last: bool) -> None:
        self.finishes += 1


class Overtaken(SimpleQueue[Any]):
    """Whoever puts the last item goes on when the thread at the other end has dealt with it and has ended."""

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        super().put(item, block, timeout)
        if getattr(item, "is_last", False):
            for thread in threading.enumerate():
                if thread.name == NAME:
                    thread.join(SECONDS)


def test_a_thread_that_ends_before_its_closer_looks() -> None:
    """Closing doesn't wait for work that nobody will bring."""

    def make(queue: BoundedQueue) -> Taking:
        queue.items = Overtaken()
        return Taking()

    background = BackgroundQueue(make, limit=10, name=NAME)
    assert background.put("one")
    closed: list[bool] = []
    closer = threading.Thread(target=lambda: closed.append(background.close(SECONDS)), daemon=True)
    closer.start()
    closer.join(SECONDS)
    assert closed == [True]
    assert (background.consumer.taken, background.consumer.finishes) == (["one"], 1)


def test_what_is_put_later_is_dropped_and_counted() -> None:
    queues: list[BoundedQueue] = []

    def make(queue: BoundedQueue) -> Taking:
        queues.append(queue)
        return Taking()

    background = BackgroundQueue(make, limit=10, name=NAME)
    assert background.put("one")
    assert background.flush(SECONDS)
    assert background.close(SECONDS)
    assert background.close(SECONDS), "twice is once"
    assert not background.put("two")
    assert (background.consumer.taken, queues[0].dropped) == (["one"], 1)


def test_items_gather_and_whoever_waits_is_not_kept_waiting() -> None:
    """The thread wakes once for all of them: when their time is over, when the queue is half full, or for a flush."""
    background = BackgroundQueue(lambda queue: Taking(SECONDS * 10), limit=100, name=NAME)
    for number in range(20):
        assert background.put(number)
    assert background.flush(SECONDS)
    taking = background.consumer
    assert (taking.taken, taking.finishes) == (list(range(20)), 1)
    assert len(taking.rounds) <= 2, "one round, and one more at most for what came while it ended"
    for number in range(20, 70):
        assert background.put(number)
    deadline = time.monotonic() + SECONDS
    while len(taking.taken) < 70 and time.monotonic() < deadline:
        time.sleep(0.001)
    assert taking.taken == list(range(70))
    background.put("told to end")
    background.prepare_for_exit()
    while not taking.exit_notices and time.monotonic() < deadline:
        time.sleep(0.001)
    assert (taking.taken[-1], taking.exit_notices) == ("told to end", 1)
    assert background.close(SECONDS)
