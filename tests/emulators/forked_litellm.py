"""Starts proxies as forks of one process that has imported LiteLLM, which is most of what a start takes.

Run by path: reads one start a line from stdin, and writes the pid of each process and later how it ended.
A fork runs LiteLLM's own command line in the environment, the folder and with the log that it was given.
"""

from __future__ import annotations

import json
import os
import selectors
import sys
from typing import Any


def main() -> None:
    sys.path.pop(0)  # this file's folder: a fork has the path that LiteLLM's command has
    import litellm.proxy.proxy_cli
    import litellm.proxy.proxy_server

    start = _next_start()
    if start is None:
        return
    os.chdir(start["cwd"])
    os.environ.clear()
    os.environ.update(start["env"])
    log = os.open(start["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for mine, given in ((0, nothing), (1, log), (2, log)):
        os.dup2(given, mine)
    sys.argv = ["litellm", *start["arguments"]]
    sys.path.append(start["cwd"])  # as LiteLLM's command line does when it is imported
    sys.exit(litellm.run_server())


def _next_start() -> dict[str, Any] | None:
    """What a fork is to run, in the fork; None in the process itself, at the end of its input."""
    with selectors.DefaultSelector() as selector:
        selector.register(0, selectors.EVENT_READ)
        pids: dict[int, int] = {}
        unread = b""
        while True:
            for key, _ in selector.select():
                if key.fd in pids:
                    pid = pids.pop(key.fd)
                    selector.unregister(key.fd)
                    os.close(key.fd)
                    _say(pid, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
                    continue
                read = os.read(0, 65_536)
                if not read:
                    return None
                *lines, unread = (unread + read).split(b"\n")
                for line in lines:
                    pid = os.fork()
                    if pid == 0:
                        start: dict[str, Any] = json.loads(line)
                        return start
                    _say(pid, None)
                    pids[fd := os.pidfd_open(pid)] = pid
                    selector.register(fd, selectors.EVENT_READ)


def _say(pid: int, code: int | None) -> None:
    os.write(1, json.dumps([pid, code]).encode() + b"\n")


if __name__ == "__main__":
    main()
