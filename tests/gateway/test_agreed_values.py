"""The file of values that processes agree on stays within its limit, however values get there."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from litellm_prompt_router.gateway.models import agreed_values
from litellm_prompt_router.gateway.models.agreed_values import FileValues


def test_renewed_values_are_pruned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agreed_values, "PRUNE_EVERY", 10)
    path = tmp_path / "values.sqlite3"
    values = FileValues[str](path, str, str, "values", max_rows=3)

    async def renew_all() -> None:
        for number in range(20):
            await values.renew(str(number), "x", 60)

    asyncio.run(renew_all())
    values.close()
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT count(*) FROM answers").fetchone() == (3,)
