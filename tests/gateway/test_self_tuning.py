"""Tuning that goes on by itself: one worker at a quiet time, nothing on a fault or on too little."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from litellm_prompt_router.analysis.simulate.tune import FULL, Candidate, Tuning
from litellm_prompt_router.cli import ledger_tuner
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.files import bundled_profiles, load_profile
from litellm_prompt_router.files.profile_yaml import EconomicsFile
from litellm_prompt_router.gateway.tuning import tuning_process
from litellm_prompt_router.gateway.tuning.self_tuning import CHANGED, FAILED, SelfTuning
from litellm_prompt_router.gateway.tuning.state_place import StatePlace
from litellm_prompt_router.gateway.tuning.tuning_comparison import is_same
from litellm_prompt_router.gateway.tuning.tuning_process import (
    ProfileFinding,
    TuningAnswer,
    TuningProcess,
    TuningTask,
)
from litellm_prompt_router.gateway.tuning.worker_tuning import self_tuning_of, tuning_rows
from litellm_prompt_router.policy import parse_policy
from litellm_prompt_router.policy.active import ActiveConfiguration
from litellm_prompt_router.policy.loader import Loader
from litellm_prompt_router.policy.settings import load_settings
from litellm_prompt_router.policy.tuning_state import STATE_NAME, read_state
from litellm_prompt_router.profile.profile import Economics, ObservedUse

HOUR = 3_600.0
PROFILE = load_profile(bundled_profiles() / "workbench", len)
FOUND = ProfileFinding(
    economics=EconomicsFile(choice="full"), conversations=240, calls=1_200, first=-0.123, second=-0.118
)


@dataclass
class MadeRun:
    """A process that answers when it is told to."""

    task: TuningTask
    answer: TuningAnswer | None = None
    is_closed: bool = False
    polls: int = 0

    def poll(self) -> TuningAnswer | None:
        self.polls += 1
        return self.answer

    def close(self) -> None:
        self.is_closed = True


@dataclass
class MadeShared:
    """What replicas share."""

    text: str | None = None
    is_locked: bool = False
    error: Exception | None = None

    def read(self) -> str | None:
        if self.error is not None:
            raise self.error
        return self.text

    def write(self, text: str) -> None:
        self.text = text

    def lock(self, seconds: float) -> Callable[[], None] | None:
        if self.is_locked:
            return None
        self.is_locked = True

        def give_back() -> None:
            self.is_locked = False

        return give_back


@dataclass
class Machine:
    """The workers of one folder, on a clock that is moved by hand."""

    folder: Path
    now: float = 1_800_000_000.0
    runs: list[MadeRun] = field(default_factory=list)
    changes: list[Mapping[str, Any]] = field(default_factory=list)
    problems: list[tuple[str, Sequence[str]]] = field(default_factory=list)
    policy: str = ""
    shared: MadeShared | None = None

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        shutil.copytree(bundled_profiles() / "workbench", self.folder / "profiles" / "workbench")

    def worker(self, **tuning: Any) -> MadeWorker:
        return MadeWorker(self, {"every": "24h", "at_latest": 0, **tuning})

    @property
    def path(self) -> Path:
        return self.folder / "status" / STATE_NAME

    def choices(self) -> list[str | None]:
        found = read_state(self.path).profiles.get("workbench")
        return (
            []
            if found is None
            else [None if each.economics is None else each.economics.choice for each in found.tunings]
        )

    def said(self) -> str | None:
        tried = read_state(self.path).profiles["workbench"].last_try
        return None if tried is None else tried.said


class MadeWorker:
    """A worker's loader and its part in tuning."""

    def __init__(self, machine: Machine, tuning: Mapping[str, Any]) -> None:
        self.machine = machine
        self.requests = 0
        section = {
            "profiles": str(machine.folder / "profiles"),
            "ledger": {"path": str(machine.folder / "ledger.jsonl")},
            "status_dir": str(machine.folder / "status"),
            "tuning": dict(tuning),
        }
        self.loader = Loader(section, {}, None)
        self.in_force = self.loader.load_at_start()
        self.tuning = SelfTuning(
            self.in_force.settings,
            StatePlace(machine.folder / "status", lambda: machine.shared),
            self.configuration,
            lambda: self.requests,
            self.start_process,
            lambda title, context: machine.changes.append({"title": title, **context}),
            lambda title, lines, once: machine.problems.append((title, lines)),
            self.fault,
            lambda: machine.now,
        )

    def configuration(self) -> ActiveConfiguration:
        return replace(self.in_force, policy=parse_policy(self.machine.policy, "policy.yaml", ["workbench"]))

    def start_process(self, task: TuningTask) -> MadeRun:
        self.machine.runs.append(MadeRun(task))
        return self.machine.runs[-1]

    def fault(self, error: BaseException, where: str) -> None:
        raise error

    def look(self) -> None:
        self.in_force = self.loader.reload().configuration or self.in_force
        self.tuning.look()
        self.in_force = self.loader.reload().configuration or self.in_force


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def answered(finding: ProfileFinding) -> TuningAnswer:
    return TuningAnswer(profiles={"workbench": finding})


def test_one_worker_tunes_and_every_worker_takes_it_over(machine: Machine) -> None:
    workers = [machine.worker() for _ in range(2)]
    for worker in workers:
        worker.look()
    (run,) = machine.runs
    assert (run.task.profiles, run.task.ledger) == (("workbench",), machine.folder / "ledger.jsonl")
    assert [worker.tuning.is_running for worker in workers] == [True, False]
    run.answer = answered(FOUND)
    for worker in workers:
        worker.look()
    assert run.is_closed
    assert machine.choices() == ["full"]
    for worker in workers:
        worker.look()
        (_, step) = worker.in_force.tunings["workbench"].steps
        assert step.profile.left_alone is not None
        assert step.from_seconds == machine.now + 10
    (change,) = machine.changes
    assert change == {
        "title": CHANGED,
        "summary": "workbench: untuned -> full",
        "profile": "workbench",
        "from": "untuned",
        "to": "full",
        "tuning": step.id,
        "why": "full, against the full prompt -12.3% on the first half and -11.8% on the second half"
        " of 240 conversations",
        "conversations": 240,
        "calls": 1_200,
        "first_half": -0.123,
        "second_half": -0.118,
    }
    assert (machine.problems, len(machine.runs)) == ([], 1)


def test_it_comes_round_again(machine: Machine) -> None:
    """After its time, by whichever worker is first; the same finding changes nothing."""
    first, second = machine.worker(), machine.worker()
    first.look()
    machine.runs[0].answer = answered(FOUND)
    first.look()
    machine.now += 23 * HOUR
    second.look()
    assert len(machine.runs) == 1
    machine.now += 2 * HOUR
    second.look()
    machine.runs[1].answer = answered(FOUND)
    second.look()
    assert machine.choices() == ["full"]
    assert str(machine.said()).startswith("stays as it is: full, against")
    assert len(machine.changes) == 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param(
            answered(FOUND.model_copy(update={"conversations": 99})),
            "too few conversations: 99 of 100",
            id="too few conversations",
        ),
        pytest.param(
            answered(ProfileFinding(why_not="the second half doesn't agree", conversations=900)),
            "the second half doesn't agree",
            id="no agreement",
        ),
        pytest.param(
            answered(FOUND.model_copy(update={"economics": EconomicsFile(choice="bundles", bundles=(("gone",),))})),
            "it was found for modules, a fit or a version that are gone",
            id="a module that is gone",
        ),
        pytest.param(
            answered(
                FOUND.model_copy(
                    update={"economics": EconomicsFile(choice="full", tuned_on={"profile_version": "elder"})}
                )
            ),
            "it was found for modules, a fit or a version that are gone",
            id="another version",
        ),
        pytest.param(TuningAnswer(), "nothing was said of it", id="nothing said"),
    ],
)
def test_too_little_changes_nothing_and_is_said(machine: Machine, answer: TuningAnswer, said: str) -> None:
    worker = machine.worker()
    worker.look()
    machine.runs[0].answer = answer
    worker.look()
    assert (machine.choices(), machine.said()) == ([], said)
    (row,) = tuning_rows(worker.in_force, is_running=False)
    assert (row["choice"], row["last_try"], row["next_seconds"]) == ("untuned", said, machine.now + 24 * HOUR)
    assert (machine.changes, machine.problems) == ([], [])


OPTIONAL = next(module.id for module in PROFILE.modules if not module.always)
USE = EconomicsFile.model_validate(
    {"choice": "untuned", "use": {"calls_per_message": 1.1, "later_chances": {OPTIONAL: 0.2}}}
)


@pytest.mark.parametrize(
    "finding",
    [
        pytest.param(
            ProfileFinding(use=USE, why_not="tuning takes 40", conversations=24, calls=60), id="nothing tuned"
        ),
        pytest.param(FOUND.model_copy(update={"use": USE, "conversations": 24}), id="too few for what was tuned"),
    ],
)
def test_use_alone_is_taken_over(machine: Machine, finding: ProfileFinding) -> None:
    """Once, on fewer conversations than a tuning takes; a tuning then takes its place, and it none of a tuning's."""
    worker = machine.worker()
    worker.look()
    machine.runs[0].answer = answered(finding)
    worker.look()
    assert machine.choices() == ["untuned"]
    use = worker.in_force.tunings["workbench"].steps[-1].profile.economics
    assert use is not None
    assert (use.is_tuned, use.use) == (False, ObservedUse(calls_per_message=1.1, later_chances={OPTIONAL: 0.2}))
    (change,) = machine.changes
    assert change["summary"] == "workbench: untuned -> untuned, by use"
    assert change["why"] == "what 24 conversations show of use: 1.1 calls a message"
    for number, (answer, choices) in enumerate(
        ((finding, ["untuned"]), (FOUND, ["untuned", "full"]), (finding, ["untuned", "full"])), 1
    ):
        machine.now += 25 * HOUR
        worker.look()
        machine.runs[number].answer = answered(answer)
        worker.look()
        assert machine.choices() == choices


def test_too_little_use_is_left(machine: Machine) -> None:
    worker = machine.worker()
    worker.look()
    machine.runs[0].answer = answered(ProfileFinding(use=USE, why_not="tuning takes 40", conversations=19))
    worker.look()
    assert (machine.choices(), machine.said()) == ([], "tuning takes 40")


def test_a_fault_changes_nothing_and_is_told(machine: Machine) -> None:
    """What was in force stays; the next try comes in its time."""
    worker = machine.worker()
    worker.look()
    machine.runs[0].answer = answered(FOUND)
    worker.look()
    machine.now += 25 * HOUR
    worker.look()
    machine.runs[1].answer = TuningAnswer(problem="12 of 40 lines of the ledger are damaged")
    worker.look()
    assert machine.choices() == ["full"]
    ((title, lines),) = machine.problems
    assert (title, lines[0]) == (FAILED, "workbench: 12 of 40 lines of the ledger are damaged")
    (row,) = tuning_rows(worker.in_force, is_running=False)
    assert row["has_failed"]
    worker.look()
    assert len(machine.runs) == 2


def test_it_waits_for_a_quiet_time(machine: Machine) -> None:
    """Few requests for five minutes; and when it is late, it doesn't wait any more."""
    worker = machine.worker(at_latest="6h", quiet_requests=3)
    worker.look()
    for _ in range(30):
        machine.now += 60
        worker.requests += 5
        worker.look()
    assert machine.runs == []
    for _ in range(6):
        machine.now += 60
        worker.look()
    assert len(machine.runs) == 1
    busy = Machine(machine.folder / "other").worker(at_latest="6h", quiet_requests=3)
    for _ in range(6 * 60):
        busy.machine.now += 59
        busy.requests += 50
        busy.look()
    assert busy.machine.runs == []
    busy.machine.now += 600
    busy.look()
    assert len(busy.machine.runs) == 1


def test_policy_pins_and_switches_off(machine: Machine) -> None:
    """Pinned: what is in force stays. Off: what profile.yaml says holds again, and back; each is a change."""
    worker, other = machine.worker(), machine.worker()
    worker.look()
    machine.runs[0].answer = answered(FOUND)
    worker.look()
    machine.policy = "tuning: {workbench: pinned}"
    machine.now += 25 * HOUR
    worker.look()
    assert (len(machine.runs), machine.choices()) == (1, ["full"])
    machine.policy = "tuning: off"
    for each in (worker, other, worker):
        each.look()
    assert machine.choices() == ["full", None]
    assert worker.in_force.tunings["workbench"].steps[-1].profile.economics is None
    (row,) = tuning_rows(worker.configuration(), is_running=False)
    assert (row["policy"], row["choice"], row["why"]) == ("off", "own", "policy file: off")
    machine.policy = ""
    machine.now += 60
    for each in (worker, other, worker):
        each.tuning.look()
    assert machine.choices() == ["full", None, "full"]
    assert [(each["from"], each["to"]) for each in machine.changes] == [
        ("untuned", "full"),
        ("full", "own"),
        ("own", "full"),
    ]


def test_pinned_while_it_runs_keeps_what_was_in_force(machine: Machine) -> None:
    worker = machine.worker()
    worker.look()
    machine.policy = "tuning: pinned"
    machine.runs[0].answer = answered(FOUND)
    worker.look()
    assert (machine.choices(), machine.changes) == ([], [])


def test_a_broken_state_changes_nothing_and_is_left_as_it_is(machine: Machine) -> None:
    worker = machine.worker()
    worker.look()
    machine.runs[0].answer = answered(FOUND)
    worker.look()
    worker.look()
    before = worker.in_force.tunings
    machine.path.write_text('{"version": 1, "profiles": {"workbench": 7}}')
    result = worker.loader.reload()
    assert result.configuration is None
    assert result.problems == (
        f"{machine.path}: profiles.workbench: input should be an object; remove the file to begin anew",
    ), result.problems
    assert worker.in_force.tunings == before
    machine.now += 25 * HOUR
    worker.tuning.look()
    worker.tuning.look()
    assert machine.path.read_text().endswith("7}}")
    assert [title for title, _ in machine.problems] == [FAILED]
    fresh = machine.worker()
    assert fresh.loader.problems_at_start == result.problems
    assert [len(each.steps) for each in fresh.in_force.tunings.values()] == [1]


def test_replicas_share_through_redis(tmp_path: Path) -> None:
    """One of them tunes; the other takes it over with its next look; a Redis that forgot is told again."""
    shared = MadeShared()
    here, there = Machine(tmp_path / "here", shared=shared), Machine(tmp_path / "there", shared=shared)
    workers = here.worker(), there.worker()
    for worker in workers:
        worker.look()
    assert (len(here.runs), len(there.runs)) == (1, 0)
    here.runs[0].answer = answered(FOUND)
    for worker in (*workers, *workers):
        worker.look()
    assert here.choices() == there.choices() == ["full"]
    assert not shared.is_locked
    assert (len(there.runs), len(there.changes)) == (0, 0)
    shared.text = None
    workers[1].look()
    assert shared.text == there.path.read_text()
    shared.text = "not ours"
    workers[0].look()
    assert here.choices() == ["full"]


def test_without_its_redis_nothing_is_tuned(machine: Machine) -> None:
    """And it is told once."""
    import redis.exceptions

    machine.shared = MadeShared(error=redis.exceptions.ConnectionError("no"))
    worker = machine.worker()
    worker.look()
    worker.look()
    assert machine.runs == []
    ((title, lines),) = machine.problems
    assert (title, lines) == (
        FAILED,
        ("LiteLLM's Redis is out of reach (ConnectionError); nothing is tuned meanwhile",),
    )


def test_a_run_is_ended_in_its_time_whatever_else_fails(machine: Machine) -> None:
    """Only asking a run ends it; what it said is taken over once there is a place for it."""
    import redis.exceptions

    machine.shared = MadeShared()
    worker = machine.worker()
    worker.look()
    (run,) = machine.runs
    machine.shared.error = redis.exceptions.ConnectionError("no")
    run.answer = answered(FOUND)
    worker.look()
    assert (run.polls, machine.choices()) == (1, [])
    machine.shared.error = None
    worker.look()
    assert (run.polls, run.is_closed, machine.choices()) == (1, True, ["full"])


@pytest.mark.parametrize(
    ("section", "missing"),
    [
        ({"ledger": {"path": None}}, "ledger.path and status_dir"),
        ({"ledger": {"path": None}, "status_dir": "status"}, "ledger.path"),
        ({"status_dir": None}, "status_dir"),
    ],
)
def test_a_proxy_says_at_its_start_why_nothing_is_tuned(section: Mapping[str, Any], missing: str) -> None:
    told: list[Sequence[str]] = []

    class Told:
        def submit_problem(self, title: str, lines: Sequence[str], *, once: str) -> None:
            told.append(lines)

    def made(**tuning: Any) -> SelfTuning | None:
        settings = load_settings({**section, "tuning": tuning}, {})
        return self_tuning_of(settings, lambda: None, lambda: 0, Told(), time.time)  # type: ignore[arg-type, return-value]

    assert made() is None
    assert told == []
    assert made(every="24h") is None
    assert told == [(f"tuning.every is set, without {missing}; set that, or tuning.every: off",)]


def test_a_little_other_use_is_the_same_tuning() -> None:
    def used(calls: float, chance: float = 0.2) -> Economics:
        return Economics(use=ObservedUse(calls_per_message=calls, later_chances={"a": chance}))

    assert is_same(used(5.0), used(3.5, 0.4))
    assert not is_same(used(5.0), used(12.0))
    assert not is_same(used(5.0), used(5.0, 0.6))
    assert not is_same(used(5.0), replace(used(5.0), min_dropped=2.0))
    assert not is_same(None, used(5.0))


# The process


def until_answered(process: TuningProcess) -> TuningAnswer:
    deadline = time.monotonic() + 90
    while (answer := process.poll()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return answer


def task(folder: Path, **more: Any) -> TuningTask:
    stated = {
        "ledger": folder / "ledger.jsonl",
        "profiles_path": bundled_profiles(),
        "profiles": ("workbench",),
        "max_bytes": 1_000_000,
        "timeout_seconds": 80.0,
    }
    return TuningTask(**{**stated, **more})


def test_the_real_process_says_what_is_missing(tmp_path: Path) -> None:
    """On an empty ledger it finds too little, and on a broken one it says so."""
    (tmp_path / "ledger.jsonl").write_text("")
    answer = until_answered(TuningProcess(task(tmp_path)))
    assert (answer.problem, answer.profiles["workbench"].economics) == (None, None)
    assert "there are none in 0 records" in str(answer.profiles["workbench"].why_not)


def test_a_broken_ledger_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "ledger.jsonl").write_bytes(b"\x00\xff not a record\n" * 30)
    assert ledger_tuner.answer_to(task(tmp_path)) == TuningAnswer(problem="30 of 30 lines of the ledger are damaged")
    (tmp_path / "ledger.20270101T000000.000000Z.0123abcd.jsonl.gz").write_bytes(b"no gzip")
    assert str(ledger_tuner.answer_to(task(tmp_path)).problem).endswith("the ledger can't be read (BadGzipFile)")


def test_the_latest_files_are_read_as_far_as_there_is_room(tmp_path: Path) -> None:
    """The file being written first, of that its end; a line that was cut by the limit is left out."""
    (tmp_path / "ledger.20270101T000000.000000Z.0123abcd.jsonl").write_text("old-1\nold-2\n")
    (tmp_path / "ledger.jsonl").write_text("new-1\nnew-2\n")
    path = tmp_path / "ledger.jsonl"
    assert [*ledger_tuner.latest_lines(path, 1_000)] == [b"new-1\n", b"new-2\n", b"old-1\n", b"old-2\n"]
    assert [*ledger_tuner.latest_lines(path, 19)] == [b"new-1\n", b"new-2\n", b"old-2\n"]
    assert [*ledger_tuner.latest_lines(path, 8)] == [b"new-2\n"]


def test_the_halves_have_to_agree() -> None:
    """A choice to rewrite nothing, made because the second half refused what the first found, is none."""
    sure = Candidate(name="exact sets", economics=Economics(), versus_full_cached=-0.2, is_sure=True)
    made = ledger_tuner.finding_of(_ledger_tuning(sure), PROFILE)
    assert (made.economics, made.why_not) == (
        None,
        "the second half doesn't agree: exact sets is -20.0% on the first",
    )
    unsure = replace(sure, is_sure=False)
    assert ledger_tuner.finding_of(_ledger_tuning(unsure), PROFILE).economics == EconomicsFile(choice="full")


def _ledger_tuning(candidate: Candidate) -> Any:
    from decimal import Decimal

    from litellm_prompt_router.analysis.ledger_calls import CallTally
    from litellm_prompt_router.analysis.simulate.ledger_tuning import LedgerTuning

    tuning = Tuning(
        choice="full", economics=FULL, candidates=(candidate,), full_cached_usd=Decimal(10), usd=Decimal(10)
    )
    return LedgerTuning(
        profile="workbench",
        tuning=tuning,
        why_not=None,
        use=None,
        economics=FULL,
        section={"choice": "full"},
        terms=None,
        models={},
        conversations=240,
        calls=900,
        tally=CallTally(),
    )


@pytest.mark.parametrize(
    ("module", "problem"),
    [
        pytest.param("litellm_prompt_router.nowhere", "the process that tunes ended with 1", id="crash"),
        pytest.param("this", "the process that tunes said nothing that can be read", id="other words"),
    ],
)
def test_a_crash_is_an_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, module: str, problem: str) -> None:
    monkeypatch.setattr(tuning_process, "MODULE", module)
    assert until_answered(TuningProcess(task(tmp_path))).problem == problem


def test_a_time_out_ends_the_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "slow_tuner.py").write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setattr(tuning_process, "MODULE", "slow_tuner")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    now = [0.0]
    process = TuningProcess(task(tmp_path, timeout_seconds=20.0), lambda: now[0])
    assert process.poll() is None
    now[0] = 21.0
    answer = process.poll()
    assert answer is not None
    assert answer.problem == "took longer than 20 s, and was ended"


def test_the_process_gets_no_secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "telling.py").write_text(
        "import json, os, sys\nprint(json.dumps({'problem': ' '.join(sorted(os.environ))}))\n"
    )
    monkeypatch.setattr(tuning_process, "MODULE", "telling")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("LITELLM_MASTER_KEY", "sk-secret")
    told = str(until_answered(TuningProcess(task(tmp_path))).problem)
    assert "LITELLM_MASTER_KEY" not in told
    assert "PATH" in told


def test_a_profile_named_in_the_policy_has_to_be_there() -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_policy("tuning: {workbnch: pinned}", "policy.yaml", ["workbench"])
    assert caught.value.problems == (
        "policy.yaml: tuning.workbnch: unknown profile 'workbnch'; did you mean 'workbench'?",
    ), caught.value.problems
