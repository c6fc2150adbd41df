"""The thread that completes records, as coroutines see it."""

from __future__ import annotations

import asyncio
import os
import threading
from functools import partial

import pytest

from litellm_prompt_router.gateway.accounting_thread import AccountingThread


async def test_calls_are_made_in_order_in_one_thread() -> None:
    """The first call starts the thread; results come to who waits for them."""
    thread, made = AccountingThread("accounts"), list[tuple[int, str]]()
    assert not thread.is_started

    def call(number: int) -> int:
        made.append((number, threading.current_thread().name))
        return number * 2

    assert await asyncio.gather(*[thread.run(partial(call, number)) for number in range(5)]) == [*range(0, 10, 2)]
    assert made == [(number, "accounts") for number in range(5)]
    thread.close()


async def test_what_a_call_raises_is_raised_where_it_is_waited_for() -> None:
    thread = AccountingThread("accounts")
    with pytest.raises(ZeroDivisionError):
        await thread.run(lambda: 1 // 0)
    assert await thread.run(lambda: 1) == 1
    thread.close()


async def test_a_call_that_nobody_waits_for_any_more_is_not_made() -> None:
    """One that is cancelled while it runs is made to its end, and the next ones follow."""
    thread, made = AccountingThread("accounts"), list[str]()
    is_free, is_busy = threading.Event(), threading.Event()

    def slow() -> None:
        is_busy.set()
        is_free.wait(30)
        made.append("running")

    running = asyncio.create_task(thread.run(slow))
    in_line = asyncio.create_task(thread.run(lambda: made.append("in line")))
    await asyncio.to_thread(is_busy.wait, 30)
    for task in (running, in_line):
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    is_free.set()
    await thread.run(lambda: made.append("next"))
    assert made == ["running", "next"]
    thread.close()


def test_a_loop_that_is_closed_meanwhile_harms_nothing() -> None:
    thread, made = AccountingThread("accounts"), list[int]()
    is_free = threading.Event()

    def slow() -> None:
        is_free.wait(30)
        made.append(1)

    async def leave() -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(0.05, loop.stop)
        await thread.run(slow)

    loop = asyncio.new_event_loop()
    task = loop.create_task(leave())
    loop.run_forever()
    loop.close()
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # that it never ends is the point
    is_free.set()
    thread.close()
    assert made == [1]


async def test_closing_waits_for_the_calls_in_line_and_takes_no_more() -> None:
    thread, made = AccountingThread("accounts"), list[int]()
    waiting = [asyncio.create_task(thread.run(partial(made.append, number))) for number in range(20)]
    await asyncio.sleep(0)
    thread.close()
    assert made == [*range(20)]
    await asyncio.gather(*waiting)
    with pytest.raises(RuntimeError, match="closed"):
        await thread.run(lambda: None)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
async def test_a_forked_child_starts_a_thread_of_its_own() -> None:
    thread = AccountingThread("accounts")
    await thread.run(lambda: None)
    pid = os.fork()
    if not pid:
        code = 1
        try:
            loop = asyncio.new_event_loop()
            asyncio.events._set_running_loop(None)
            code = 0 if loop.run_until_complete(asyncio.wait_for(thread.run(os.getpid), 20)) == os.getpid() else 2
        finally:
            os._exit(code)
    _, status = await asyncio.to_thread(os.waitpid, pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    thread.close()
