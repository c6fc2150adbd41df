"""Finished records -> a JSON Lines file that several processes append to and anyone may rotate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from hooks.record import Record
from hooks.sinks.lines import LineFile

BACKLOG = 10_000


class Ledger(LineFile):
    """Appends records to ``path``, a line each. A record that can't be encoded is lost alone."""

    def __init__(self, path: Path | str, *, backlog: int = BACKLOG) -> None:
        super().__init__(path, backlog=backlog)

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
