"""Looks at the files that count, and has what changed read and published. A thread of its own in each process.

It polls. Notifications from the kernel don't cross the borders that configuration usually comes over: bind mounts
into containers of another kernel, network and overlay file systems, a Kubernetes ConfigMap's symlink that is swapped
two folders up. A poll reads two small files and the dates of the profiles, and sees all of these.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence

from litellm_prompt_router.policy.active import ActiveConfiguration
from litellm_prompt_router.policy.change_detection import Signature
from litellm_prompt_router.policy.loader import Loader

POLL_SECONDS = 0.25
PROFILES_EVERY = 2
"""Polls: profiles may be many files."""
PATIENCE_SECONDS = 1.0
"""What is still changing after this time is read all the same."""

NOT_RELOADED = "Configuration not reloaded"
NEEDS_RESTART = "Settings need a restart"
log = logging.getLogger(__name__)


class Watcher:
    """Calls ``publish`` with each new configuration, and ``tell`` once for each breakage: title, lines, and an id that
    the breakage has in every process.

    ``fault`` gets what should not happen. All three are called in the thread.
    """

    def __init__(
        self,
        loader: Loader,
        publish: Callable[[ActiveConfiguration], None],
        tell: Callable[[str, Sequence[str], str], None],
        fault: Callable[[BaseException, str], None],
    ) -> None:
        self._loader = loader
        self._publish = publish
        self._tell = tell
        self._fault = fault
        self._loaded: Signature = loader.signature(with_profiles=True)
        self._seen = self._loaded
        self._changing_since: float | None = None
        self._polls = 0
        self._told: dict[str, tuple[str, ...]] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.problems: tuple[str, ...] = ()
        """What is broken on disk now; what was in force before it broke still is."""

    def start(self) -> None:
        """Watches from now on, in forked children too."""
        self._run_thread()
        os.register_at_fork(after_in_child=self._run_thread)

    def stop(self) -> None:
        """Ends the thread, after what it is doing."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run_thread(self) -> None:
        if not self._stop.is_set():
            self._thread = threading.Thread(target=self._run, name="prompt-router-watch", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            try:
                self.poll(time.monotonic())
            except Exception as error:  # noqa: BLE001  (watching goes on; what is in force stays)
                self._fault(error, "watch")

    def poll(self, now: float) -> None:
        """One look. What differs is read once it is the same in two looks."""
        self._polls += 1
        is_waiting = self._changing_since is not None
        found = self._signature(with_profiles=is_waiting or self._polls % PROFILES_EVERY == 0)
        if found == self._loaded:
            self._seen, self._changing_since = found, None
            return
        if self._changing_since is None:
            self._changing_since = now
        is_still, self._seen = found == self._seen, found
        if is_still or now - self._changing_since >= PATIENCE_SECONDS:
            self._load(found)

    def _signature(self, *, with_profiles: bool) -> Signature:
        found = self._loader.signature(with_profiles=with_profiles)
        return found if with_profiles else (*found[:-1], self._loaded[-1])

    def _load(self, found: Signature) -> None:
        loading = self._loader.load()
        self._loaded, self._changing_since = found, None
        if loading.configuration is not None:
            self._publish(loading.configuration)
            log.info("prompt router: configuration %d is in force", loading.configuration.number)
        if self.problems and not loading.problems:
            log.warning("prompt router: configuration is in order again")
        self.problems = loading.problems
        stamp = self._loader.changed_at()
        self._tell_once(NOT_RELOADED, loading.problems, f"written {stamp}; what was in force before stays in force")
        self._tell_once(NEEDS_RESTART, loading.unchangeable, f"written {stamp}")

    def _tell_once(self, title: str, lines: tuple[str, ...], note: str) -> None:
        if lines and self._told.get(title) != lines:
            log.warning("prompt router: %s: %s", title, "; ".join(lines))
            self._tell(title, (*lines, note), "\n".join((*lines, note)))
        self._told[title] = lines
