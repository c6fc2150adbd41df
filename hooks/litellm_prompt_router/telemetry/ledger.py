"""The ledger: finished records as JSON Lines, in a file that several processes append to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from litellm_prompt_router.policy.settings import LedgerSettings
from litellm_prompt_router.record.record import Record
from litellm_prompt_router.telemetry.line_file import LineFile
from litellm_prompt_router.telemetry.rotation import RotatedFiles, Rotation

BACKLOG = 10_000


class Ledger(LineFile):
    """Appends records to ``path``, a line each. A record that can't be encoded is lost alone.

    With ``rotation`` settings the file is rotated, and rotated files are compressed and removed as these say, and what
    can't be written goes to their ``overflow_path``.
    """

    def __init__(self, path: Path | str, *, backlog: int = BACKLOG, rotation: LedgerSettings | None = None) -> None:
        self._rotated: RotatedFiles | None = None
        if rotation is None:
            super().__init__(path, backlog=backlog)
            return
        overflow = rotation.overflow_path
        self._rotated = RotatedFiles(Path(path), compresses=rotation.gzip, keep=rotation.keep)
        super().__init__(
            path,
            backlog=backlog,
            rotation=Rotation(max_bytes=rotation.max_mb * 1_000_000, is_daily=rotation.daily),
            on_rotated=self._rotated.wake,
            overflow=LineFile(overflow, backlog=0) if overflow is not None else None,
        )
        self._rotated.wake()  # what an earlier process left

    def write(self, records: Sequence[Record]) -> None:
        """Appends what earlier writes left, then ``records``. Raises nothing."""
        self.append(self._lines(records))

    def _lines(self, records: Iterable[Record]) -> Iterable[bytes]:
        for record in records:
            try:
                # A lone surrogate becomes "?": strict readers refuse \udXXX alone.
                yield record.to_json().encode("utf-8", "replace") + b"\n"
            except (TypeError, ValueError) as error:
                self.lost += 1
                self.last_error = type(error).__name__
