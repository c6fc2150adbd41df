"""Kingfisher's rules (MongoDB, Apache-2.0), where the extra ``capture`` is installed: some 500 issuers' forms more.

It scans offline and lets go of the interpreter meanwhile. Its rules take seconds of a processor to make ready the first
time, and are kept in the user's cache folder afterwards (``KF_RULE_CACHE_DIR`` is another); a thread does that.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from kingfisher_sdk import Scanner

NOT_INSTALLED, FORKED = "not installed", "not used in a process forked from one that uses it"
LOADING_SECONDS = 120.0
SCAN_SECONDS = 30.0


class DetectedSecret(NamedTuple):
    """A secret in UTF-8 text: the rule that found it, and its bytes from ``start`` to ``end``."""

    rule: str
    start: int
    end: int


class SecretDetector:
    """Finds secrets by Kingfisher's rules; nothing where it isn't installed. One for each process will do."""

    def __init__(self, *, is_wanted: bool = True) -> None:
        is_there = is_wanted and find_spec("kingfisher_sdk") is not None
        self.state = "not used yet" if is_there else NOT_INSTALLED
        self._scanner: Scanner | None = None
        self._is_ready = threading.Event()
        self._owner = 0

    def prepare(self) -> None:
        """Begins to make the rules ready, once in a process."""
        if self._owner not in (0, os.getpid()):
            # Forked while or after they were made ready: the locks and threads that they work with are the parent's.
            self.state = FORKED
        if self.state in (NOT_INSTALLED, FORKED) or self._owner:
            return
        self._owner = os.getpid()
        threading.Thread(target=self._load, name="prompt-router-secret-rules", daemon=True).start()

    def findings(self, text: str) -> Sequence[DetectedSecret]:
        """What is found in the text, waiting for the rules. Raises RuntimeError where they can't be used."""
        self.prepare()
        if self.state in (NOT_INSTALLED, FORKED):
            return ()
        if not self._is_ready.wait(LOADING_SECONDS) or self._scanner is None:
            raise RuntimeError(f"the secret detector can't be used: {self.state}")
        found = self._scanner.scan(text, timeout=SCAN_SECONDS)
        places = ((each, each.location) for each in found if each.visible)
        return [DetectedSecret(each.rule_id, at["start_offset"], at["end_offset"]) for each, at in places]

    @classmethod
    @functools.cache
    def shared(cls) -> SecretDetector:
        """The process's own."""
        return cls()

    def _load(self) -> None:
        self.state = "loading"
        try:
            from kingfisher_sdk import Rules, Scanner

            rules = Rules()
            self._scanner = Scanner(rules, base64=False)
            self.state = f"{len(rules.metadata())} rules"
        except Exception as error:  # noqa: BLE001  (told in the status; nothing is written unmasked)
            self.state = f"failed: {type(error).__name__}"
        self._is_ready.set()
