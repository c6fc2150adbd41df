"""Work that has to be done when a signal tells the server to end.

Uvicorn ends gracefully on SIGTERM and then dies of that same signal, restored to its default (``capture_signals`` in
``uvicorn/server.py``, 0.54; since 0.29): nothing that ``atexit`` keeps is run. So what has to be done at the end is
begun when the signal comes.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGINT)
_NOT_GRACEFUL = (None, signal.SIG_DFL, signal.SIG_IGN, signal.default_int_handler)


def call_on_exit_signal(call: Callable[[], None]) -> None:
    """Has ``call`` run ahead of the handler that a graceful server has set; sets none where there is no such handler.

    ``call`` runs between two bytecodes of the main thread: it must not wait for anything, and raise nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        return  # only the main thread may set handlers
    for number in SIGNALS:
        handler = signal.getsignal(number)
        if handler not in _NOT_GRACEFUL and callable(handler):
            signal.signal(number, _chained(call, handler))


def _chained(
    call: Callable[[], None], handler: Callable[[int, FrameType | None], Any]
) -> Callable[[int, FrameType | None], None]:
    def handle(number: int, frame: FrameType | None) -> None:
        call()
        handler(number, frame)

    return handle
