"""What the chaos run counts."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.chaos_judge import Call, judged
from tests.benchmarks.chaos_stage import GONE, GOOD, LATE, REFUSED, TAG, tag
from tests.emulators.small_disk import fill, free, mounted


def answered(number: int, kind: str = GOOD, *, status: int | None = 200, at: float = 0.0) -> Call:
    return Call(number=number, kind=kind, status=status, call_id=f"id {number}", at=at)


def record(number: int, status: str = "success") -> dict[str, str]:
    return {"call_id": f"id {number}", "status": status}


def test_a_call_says_what_it_is() -> None:
    found = TAG.search(f"Sum it up. {tag(17, LATE)}")
    assert found is not None
    assert found.groups() == ("17", LATE)


def test_what_fails_because_of_us() -> None:
    """A refusal that was due and a client that had gone are none of it; a 500, or a refusal that wasn't due, are."""
    calls = [
        answered(0),
        answered(1, REFUSED, status=400),
        answered(2, GONE, status=None),
        answered(3, status=500),
        answered(4, status=None),
        answered(5, REFUSED),
    ]
    found = judged(calls, [record(0), record(5)], 0, killed_at=(), billed={0: 1, 2: 1, 5: 1})
    assert [call.number for call in found.ours] == [3, 4, 5]
    assert (found.billed, found.unheard, found.recorded, found.missing) == (3, 1, 2, ())
    assert not found.is_good


def test_records_go_with_answers() -> None:
    """One that is missing, there twice or torn is told; what a killed worker had in its last second is allowed for."""
    calls = [answered(0), answered(1, at=9.5), answered(2, at=5.0)]
    billed = dict.fromkeys(range(3), 1)
    whole = [record(number) for number in range(3)]
    assert judged(calls, whole, 0, killed_at=[10.0], billed=billed).is_good
    assert judged(calls, [*whole, record(7, "failure")], 0, killed_at=[10.0], billed=billed).is_good
    late = judged(calls, [whole[0], whole[2]], 0, killed_at=[10.0], billed=billed)
    assert (late.last_second, late.is_good) == (1, True)
    early = judged(calls, whole[:2], 0, killed_at=[10.0], billed=billed)
    assert ([call.number for call in early.missing], early.last_second, early.is_good) == ([2], 0, False)
    assert judged(calls, [*whole, whole[1]], 0, killed_at=[10.0], billed=billed).doubled == 1
    assert not judged(calls, whole, 1, killed_at=[10.0], billed=billed).is_good


def test_a_full_disk(tmp_path: Path) -> None:
    """Nothing more can be written until it is freed."""
    with mounted(tmp_path, "256k") as is_mounted:
        if not is_mounted:
            return
        fill(tmp_path)
        file = tmp_path / "more"
        try:
            file.write_bytes(b"x" * 5_000)
        except OSError:
            free(tmp_path)
        assert file.write_bytes(b"x" * 5_000) == 5_000


def test_what_passed_while_stopped_is_not_missing() -> None:
    """Only what was answered then, and says of no decision."""
    calls = [
        Call(number=number, kind=GOOD, status=200, call_id=str(number), at=at, has_outcome=has_outcome)
        for number, (at, has_outcome) in enumerate([(5.0, False), (12.0, False), (12.0, True)])
    ]
    found = judged(calls, (), 0, killed_at=(), billed={}, stopped=[(10.0, 14.0)])
    assert ([call.number for call in found.missing], found.stopped) == ([0, 2], 1)
