"""What the soak counts: parts of a run, and calls and records that go together."""

from __future__ import annotations

import json
from pathlib import Path

from tests.benchmarks.load import Load
from tests.benchmarks.soak import Counted, Tenth, counted, parts_of, recorded_ids, table_of, waited_for


def test_parts_add_up() -> None:
    """Ten of them, of batches of a bearable size, whatever the number."""
    for requests in (1, 7, 20_000, 20_003):
        parts = parts_of(requests)
        assert len(parts) == 10
        assert sum(map(sum, parts)) == requests
        assert max(map(max, filter(None, parts))) <= 200


def test_what_is_lost_or_doubled_is_told() -> None:
    assert counted("abc", "cab") == Counted(records=3, missing=0, doubled=0, unasked=0)
    found = counted("abcd", "aabzz")
    assert found == Counted(records=5, missing=2, doubled=1, unasked=2)
    assert not found.is_whole
    assert counted("abc", "cab").is_whole


def test_records_are_those_of_all_files(tmp_path: Path) -> None:
    (tmp_path / "ledger.jsonl").write_text(json.dumps({"call_id": "b"}) + "\n")
    (tmp_path / "ledger.20260101T000000.000000Z.0123abcd.jsonl").write_text(json.dumps({"call_id": "a"}) + "\n")
    assert sorted(recorded_ids(tmp_path)) == ["a", "b"]
    assert waited_for(tmp_path, ["a", "b"]).is_whole
    assert waited_for(tmp_path, ["a", "c"], seconds=0.0) == Counted(records=2, missing=1, doubled=0, unasked=1)


def test_the_table_has_a_row_for_each_part() -> None:
    tenth = Tenth(requests=5, p50_ms=1, p99_ms=2, requests_a_second=3, cpu_ms=4, memory_mb=(5.0, 6.0))
    assert table_of("t", [4.0], [tenth, tenth]).row_count == 3
    load = Load(seconds=(0.1, 0.2, 0.3), elapsed_seconds=0.5, call_ids=())
    assert (load.p50_ms, load.requests_a_second) == (200.0, 6.0)
