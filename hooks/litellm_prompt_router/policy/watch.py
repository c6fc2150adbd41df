"""A thread in each process that polls settings, policy file and profiles, and publishes what has changed.

Notifications from the kernel don't cross the borders that configuration usually comes over: bind mounts into
containers of another kernel, network and overlay file systems, a Kubernetes ConfigMap's symlink that is swapped two
folders up. A poll reads two small files and the dates of the profiles, and sees all of these.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence

from litellm_prompt_router.documents.shown_text import one_line
from litellm_prompt_router.policy.active import ActiveConfiguration
from litellm_prompt_router.policy.change_detection import Fingerprint
from litellm_prompt_router.policy.loader import Loader

POLL_SECONDS = 0.25
PROFILES_EVERY = 2
"""Profiles, which may be many files, are looked at in every second poll."""
PATIENCE_SECONDS = 1.0
"""Files that keep changing for this time are read all the same."""

NOT_RELOADED = "Configuration not reloaded"
NEEDS_RESTART = "Settings need a restart"
log = logging.getLogger(__name__)


class Watcher:
    """Calls ``publish`` with each new configuration, and ``report_problems`` once for each breakage: with a title,
    lines, and an id that is the same in every process.

    ``report_fault`` gets faults of our own. All three are called in the thread.
    """

    def __init__(
        self,
        loader: Loader,
        publish: Callable[[ActiveConfiguration], None],
        report_problems: Callable[[str, Sequence[str], str], None],
        report_fault: Callable[[BaseException, str], None],
    ) -> None:
        self._loader = loader
        self._publish = publish
        self._report_problems = report_problems
        self._report_fault = report_fault
        self._loaded: Fingerprint = loader.fingerprint(with_profiles=True)
        self._seen = self._loaded
        self._changing_since: float | None = None
        self._polls = 0
        self._reported: dict[str, tuple[str, ...]] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.problems: tuple[str, ...] = loader.problems_at_start
        """What is broken on disk now; what was in force before it broke still is."""

    def start(self) -> None:
        """Watches from now on, in forked children too."""
        self._report_once(NOT_RELOADED, self.problems, "found at start; without it things are as without the file")
        self._run_thread()
        os.register_at_fork(after_in_child=self._run_thread)

    def stop(self) -> None:
        """Ends the thread and waits for it."""
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
                self._report_fault(error, "watch")

    def poll(self, now: float) -> None:
        """Looks once. Files that differ from what is loaded are read as soon as two looks see the same."""
        self._polls += 1
        is_waiting = self._changing_since is not None
        found = self._fingerprint(with_profiles=is_waiting or self._polls % PROFILES_EVERY == 0)
        if found == self._loaded:
            self._seen, self._changing_since = found, None
            return
        if self._changing_since is None:
            self._changing_since = now
        is_still, self._seen = found == self._seen, found
        if is_still or now - self._changing_since >= PATIENCE_SECONDS:
            self._load(found)

    def _fingerprint(self, *, with_profiles: bool) -> Fingerprint:
        found = self._loader.fingerprint(with_profiles=with_profiles)
        return found if with_profiles else (*found[:-1], self._loaded[-1])

    def _load(self, found: Fingerprint) -> None:
        result = self._loader.reload()
        self._loaded, self._changing_since = found, None
        if result.configuration is not None:
            self._publish(result.configuration)
            log.info("prompt router: configuration %d is in force", result.configuration.number)
        if self.problems and not result.problems:
            log.warning("prompt router: configuration is in order again")
        self.problems = result.problems
        stamp = self._loader.changed_at()
        self._report_once(NOT_RELOADED, result.problems, f"written {stamp}; what was in force before stays in force")
        self._report_once(NEEDS_RESTART, result.needs_restart, f"written {stamp}")

    def _report_once(self, title: str, lines: tuple[str, ...], note: str) -> None:
        if lines and self._reported.get(title) != lines:
            log.warning("prompt router: %s: %s", title, one_line("; ".join(lines)))
            self._report_problems(title, (*lines, note), "\n".join((*lines, note)))
        self._reported[title] = lines
