"""Ledgers as commands read them that go by single calls: files, folders and patterns, compressed or Parquet too."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from litellm_prompt_router.analysis.ledger_calls import RECORD_NAMES, CallTally
from litellm_prompt_router.analysis.ledger_lines import (
    PARQUET,
    LedgerTally,
    is_record,
    ledger_files,
    records_in,
    without_copies,
)
from litellm_prompt_router.analysis.simulate.ledger_tuning import TermsOf
from litellm_prompt_router.cli.extras import require_extra
from litellm_prompt_router.cli.inputs import read_profiles, unknown_profile
from litellm_prompt_router.cli.model_accounts import account_for
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.profile.profile import Profile


class LedgerReader:
    """The records of some files, read anew each time; ``tally`` is of the last time."""

    def __init__(self, paths: Sequence[str]) -> None:
        self._files = ledger_files(paths)
        self.tally = LedgerTally()
        if any(file.suffix == PARQUET for file in self._files):
            require_extra("report", "polars", by="Parquet files")

    def records(self) -> Iterator[dict[str, Any]]:
        tally = LedgerTally()
        self.tally = tally
        for file in without_copies(self._files, tally):
            if file.suffix == PARQUET:
                from litellm_prompt_router.analysis.report.ledger_files import rows_in

                tally.files += 1
                for row in rows_in(file, RECORD_NAMES):
                    tally.lines += 1
                    yield row
            else:
                yield from records_in(file, tally)

    def profiles(self) -> dict[str, int]:
        """Records by the name of their profile, the most frequent first. Raises ConfigurationError for no records."""
        counts: dict[str, int] = {}
        for record in self.records():
            name = record.get("profile")
            if isinstance(name, str):
                counts[name] = counts.get(name, 0) + 1
        if self.tally.lines == self.tally.damaged and self.tally.captured_in:
            captured = ", ".join(self.tally.captured_in)
            raise ConfigurationError([f"{captured}: captured traffic, not a ledger: `simulate --tune` reads it"])
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def profiles_to_account(
    reader: LedgerReader, root: Path | None, name: str | None
) -> tuple[dict[str, int], tuple[str, ...], list[Profile]]:
    """``(records by profile, names of the loaded profiles, the loaded ones of the ledger)``; with ``name`` that alone.

    Raises ConfigurationError for a name that isn't loaded.
    """
    recorded = reader.profiles()
    loaded = {profile.name: profile for profile in read_profiles(root)[0]}
    if name is not None and name not in loaded:
        raise unknown_profile(name, tuple(loaded))
    return (
        recorded,
        tuple(loaded),
        [loaded[each] for each in ([name] if name is not None else recorded) if each in loaded],
    )


def tally_for_json(tally: CallTally) -> dict[str, int]:
    return {"records" if name == "records" else f"records_{name}": count for name, count in asdict(tally).items()}


def is_ledger(path: str) -> bool:
    """True for what holds records of a ledger rather than a traffic file's calls, told by its first line."""
    file = Path(path)
    if file.is_dir() or file.name.endswith((".gz", PARQUET)):
        return True
    try:
        with file.open("rb") as lines:
            return is_record(json.loads(next(lines)))
    except (OSError, StopIteration, ValueError):
        return False


def terms_by(model: str | None, stated: str | None) -> TermsOf:
    """By LiteLLM's map, or by ``stated`` prices. Of a model that the user names it has to be known."""

    def terms_of(name: str) -> Any:
        try:
            return account_for(name, stated).terms
        except ConfigurationError:
            if model is None and stated is None:
                return None
            raise

    return terms_of
