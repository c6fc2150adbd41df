"""Finished records -> a JSON Lines file that several processes append to and anyone may rotate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from litellm_prompt_router.policy.settings import LedgerSettings
from litellm_prompt_router.record.record import Record
from litellm_prompt_router.telemetry.archive import Archive
from litellm_prompt_router.telemetry.line_file import LineFile
from litellm_prompt_router.telemetry.rotation import Rotation

BACKLOG = 10_000


class Ledger(LineFile):
    """Appends records to ``path``, a line each. A record that can't be encoded is lost alone.

    With ``rotated`` settings the file is rotated, and what was rotated is looked after.
    """

    def __init__(self, path: Path | str, *, backlog: int = BACKLOG, rotated: LedgerSettings | None = None) -> None:
        self._archive: Archive | None = None
        if rotated is None:
            super().__init__(path, backlog=backlog)
            return
        self._archive = Archive(Path(path), compresses=rotated.gzip, keep=rotated.keep)
        super().__init__(
            path,
            backlog=backlog,
            rotation=Rotation(max_bytes=rotated.max_mb * 1_000_000, is_daily=rotated.daily),
            on_rotated=self._archive.wake,
        )
        self._archive.wake()  # what an earlier process left

    def write(self, records: Sequence[Record]) -> None:
        """Appends what earlier writes left, then ``records``. Raises nothing."""
        self.append(self._lines(records))

    def _lines(self, records: Iterable[Record]) -> Iterable[bytes]:
        for record in records:
            try:
                # A lone surrogate becomes \udXXX, which is how JSON spells it.
                yield record.to_json().encode("utf-8", "backslashreplace") + b"\n"
            except (TypeError, ValueError) as error:
                self.lost += 1
                self.last_error = type(error).__name__
