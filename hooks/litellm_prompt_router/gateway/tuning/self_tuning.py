"""Tunes profiles from the ledger at a quiet time, by one worker of all, and puts what it found in force for all.

A thread of each worker looks every few seconds: what the policy says, what replicas have found, whether a profile is
due. The work itself is done by a process of its own. Whatever fails there changes nothing and is told.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.files.profile_yaml import EconomicsFile
from litellm_prompt_router.gateway.tuning.state_place import StatePlace
from litellm_prompt_router.gateway.tuning.tuning_comparison import (
    choice_of,
    figures_of,
    is_same,
    latest_found,
    word_of,
)
from litellm_prompt_router.gateway.tuning.tuning_process import ProfileFinding, TuningAnswer, TuningTask
from litellm_prompt_router.policy.active import ActiveConfiguration
from litellm_prompt_router.policy.settings import Settings, TuningSettings
from litellm_prompt_router.policy.tuning_state import (
    NOT_TUNED,
    AcceptedTuning,
    LastTry,
    TunedProfile,
    TuningState,
    new_tuning,
)
from litellm_prompt_router.policy.tunings import tuned_profile
from litellm_prompt_router.profile.profile import Profile

LOOK_SECONDS = 1.0
QUIET_SECONDS = 300.0
USE_CONVERSATIONS = 20
"""How many show enough of use, which errs by less than a choice does."""
UNTUNED = "untuned"
CHANGED = "Tuning changed"
FAILED = "Tuning failed"
BY_POLICY = "policy file: off"
BACK_BY_POLICY = "policy file: no longer off"


class Run(Protocol):
    """A process that tunes."""

    def poll(self) -> TuningAnswer | None: ...

    def close(self) -> None: ...


class SelfTuning:
    """One worker's part in it.

    ``in_force``: what is in force now; ``requests``: how many this worker has had so far; ``tell_change`` gets an
    event's title and context, ``tell_problem`` a title, lines, and an id. ``clock``: Unix seconds.
    """

    def __init__(
        self,
        settings: Settings,
        place: StatePlace,
        in_force: Callable[[], ActiveConfiguration],
        requests: Callable[[], int],
        start_process: Callable[[TuningTask], Run],
        tell_change: Callable[[str, Mapping[str, Any]], None],
        tell_problem: Callable[[str, Sequence[str], str], None],
        report_fault: Callable[[BaseException, str], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings: TuningSettings = settings.tuning
        self._ledger: Path | None = settings.ledger.path
        self._place = place
        self._in_force = in_force
        self._requests = requests
        self._start_process = start_process
        self._tell_change = tell_change
        self._tell_problem = tell_problem
        self._report_fault = report_fault
        self._clock = clock
        self._began = clock()
        self._counts: deque[tuple[float, int]] = deque()
        self._run: Run | None = None
        self._answer: TuningAnswer | None = None
        self._tuned: tuple[str, ...] = ()
        self._lock = contextlib.ExitStack()
        self._were_off: set[str] = set()
        self._told: str | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_running(self) -> bool:
        """True while this worker tunes."""
        return self._run is not None

    def start(self) -> None:
        """Looks from now on, in forked children too."""
        self._run_thread()
        os.register_at_fork(after_in_child=self._run_thread)
        atexit.register(self.close)

    def close(self) -> None:
        """Ends the thread, and a process that is under way."""
        atexit.unregister(self.close)
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        self._end_run()

    def look(self) -> None:
        """Does what is due."""
        now = self._clock()
        self._counts.append((now, self._requests()))
        while len(self._counts) > 1 and self._counts[1][0] <= now - QUIET_SECONDS:
            self._counts.popleft()
        configuration = self._in_force()
        try:
            if self._run is not None and self._answer is None:
                self._answer = self._run.poll()  # ahead of all that may fail, because it ends a run whose time is up
            self._place.exchange(now)
            self._follow_policy(configuration, now)
            if self._run is not None:
                self._take(configuration, now)
            elif configuration.stopped_by is None:
                self._begin(configuration, now)
            self._told = None
        except (ConfigurationError, OSError) as error:
            self._tell_once(error.problems if isinstance(error, ConfigurationError) else (_line_of(error),))
        except Exception as error:
            if type(error).__module__.partition(".")[0] != "redis":
                raise
            self._tell_once((f"LiteLLM's Redis is out of reach ({type(error).__name__}); nothing is tuned meanwhile",))

    # Parts of it

    def _begin(self, configuration: ActiveConfiguration, now: float) -> None:
        """Starts the process where profiles are due, it is quiet or late, and nobody else is at it."""
        due = self._due(configuration, configuration.tuning_state, now)
        if not due or self._ledger is None or configuration.profiles_path is None or not self._is_time(due, now):
            return
        with contextlib.ExitStack() as stack:
            if not stack.enter_context(self._place.alone(self._settings.timeout + 60.0)):
                return
            self._place.exchange(now)  # another worker may have been quicker
            names = tuple(self._due(configuration, self._place.change(lambda own: own), now))
            if not names:
                return
            task = TuningTask(
                ledger=self._ledger.absolute(),
                profiles_path=configuration.profiles_path.absolute(),
                profiles=names,
                max_bytes=self._settings.max_mb * 1_000_000,
                timeout_seconds=self._settings.timeout,
            )
            self._run, self._tuned = self._start_process(task), names
            self._lock = stack.pop_all()

    def _take(self, configuration: ActiveConfiguration, now: float) -> None:
        """Puts what the process found in force, once it is done."""
        answer = self._answer
        if answer is None:
            return
        try:
            for name in self._tuned:
                profile = configuration.pipeline.profiles.get(name)
                if profile is not None and configuration.policy.tuning_of(name) == "on":
                    self._settle(profile, answer, now)
            self._place.exchange(now)  # before the lock is given back: replicas see that it is done
        finally:
            self._end_run()

    def _settle(self, profile: Profile, answer: TuningAnswer, now: float) -> None:
        found = answer.profiles.get(profile.name, ProfileFinding(why_not=answer.problem or "nothing was said of it"))
        accepted: list[tuple[str, AcceptedTuning, ProfileFinding]] = []

        def changed(state: TuningState) -> TuningState:
            of_profile = state.profiles.get(profile.name, NOT_TUNED)
            taken, refusal = self._taken(profile, of_profile, found)
            tried = LastTry(at_seconds=now, said=refusal or "changed", has_failed=answer.problem is not None)
            state = state.with_try(profile.name, tried)
            if refusal is not None:
                return state
            tuning = new_tuning(profile.name, taken.economics, now, figures_of(taken))
            accepted.append((choice_of(profile, of_profile.tunings), tuning, taken))
            return state.with_tuning(profile.name, tuning)

        self._place.change(changed)
        if answer.problem is not None:
            lines = (f"{profile.name}: {answer.problem}", "nothing was changed; it is tried again in its time")
            self._tell_problem(FAILED, lines, f"{profile.name} {now:.0f}")
        for before, tuning, taken in accepted:
            self._tell(profile.name, before, tuning, taken)

    def _taken(
        self, profile: Profile, of_profile: TunedProfile, found: ProfileFinding
    ) -> tuple[ProfileFinding, str | None]:
        """What to put in force, and why that changes nothing; None where it does.

        Where nothing is tuned or to be tuned, that is use alone: the untuned rule needs it on fewer conversations.
        """
        refusal = self._refusal(profile, of_profile, found)
        if refusal is None or found.use is None or _in_force(profile, of_profile).economics_in_force is not None:
            return found, refusal
        use = found.model_copy(update={"economics": found.use, "use": None, "first": None, "second": None})
        return (found, refusal) if self._refusal(profile, of_profile, use) is not None else (use, None)

    def _refusal(self, profile: Profile, of_profile: TunedProfile, found: ProfileFinding) -> str | None:
        """Why nothing changes; None where something does."""
        if found.economics is None:
            return found.why_not or "nothing to change"
        is_use = found.economics.choice == UNTUNED
        minimum = self._settings.minimum_conversations
        if found.conversations < (min(USE_CONVERSATIONS, minimum) if is_use else minimum):
            return f"too few conversations: {found.conversations} of {minimum}"
        tuned = new_tuning(profile.name, found.economics, 0.0, "")
        new = tuned_profile(profile, tuned)
        if new is profile:
            return "it was found for modules, a fit or a version that are gone"
        now_in_force = _in_force(profile, of_profile)
        if is_same(now_in_force.economics if is_use else now_in_force.economics_in_force, new.economics):
            return f"stays as it is: {figures_of(found)}"
        return None

    def _follow_policy(self, configuration: ActiveConfiguration, now: float) -> None:
        """Goes back to what profile.yaml says where the policy file switches tuning off, and forth where no longer."""
        for name, profile in configuration.pipeline.profiles.items():
            is_off = configuration.policy.tuning_of(name) == "off"
            known = configuration.tuning_state.profiles.get(name, NOT_TUNED).tunings
            was_off = name in self._were_off
            (self._were_off.add if is_off else self._were_off.discard)(name)
            if known and is_off and known[-1].economics is not None:
                self._append(profile, lambda tunings: None, BY_POLICY, now)
            elif known and was_off and not is_off and known[-1].economics is None:
                self._append(profile, latest_found, BACK_BY_POLICY, now)

    def _append(
        self,
        profile: Profile,
        economics_of: Callable[[Sequence[AcceptedTuning]], EconomicsFile | None],
        why: str,
        now: float,
    ) -> None:
        """Writes a switch, unless another worker did."""
        written: list[tuple[str, AcceptedTuning]] = []

        def changed(state: TuningState) -> TuningState:
            tunings = state.profiles[profile.name].tunings if profile.name in state.profiles else ()
            economics = economics_of(tunings)
            if not tunings or tunings[-1].economics == economics:
                return state
            tuning = new_tuning(profile.name, economics, now, why)
            written.append((choice_of(profile, tunings), tuning))
            return state.with_tuning(profile.name, tuning)

        self._place.change(changed)
        for before, tuning in written:
            self._tell(profile.name, before, tuning, None)

    def _tell(self, profile: str, before: str, tuning: AcceptedTuning, found: ProfileFinding | None) -> None:
        context: dict[str, Any] = {
            "summary": f"{profile}: {before} -> {word_of(tuning)}",
            "profile": profile,
            "from": before,
            "to": word_of(tuning),
            "tuning": tuning.id,
            "why": tuning.why,
        }
        if found is not None:
            context |= {
                "conversations": found.conversations,
                "calls": found.calls,
                "first_half": found.first,
                "second_half": found.second,
            }
        self._tell_change(CHANGED, context)

    def _due(self, configuration: ActiveConfiguration, state: TuningState, now: float) -> dict[str, float]:
        """Of profiles that are due: since when."""
        every = self._settings.every
        due: dict[str, float] = {}
        for name in configuration.pipeline.profiles if every is not None else ():
            tried = state.profiles.get(name, NOT_TUNED).last_try
            since = self._began if tried is None else tried.at_seconds + (every or 0.0)
            if since <= now and configuration.policy.tuning_of(name) == "on":
                due[name] = since
        return due

    def _is_time(self, due: Mapping[str, float], now: float) -> bool:
        if now - min(due.values()) >= self._settings.at_latest:
            return True
        first_at, first_count = self._counts[0]
        return first_at <= now - QUIET_SECONDS and self._counts[-1][1] - first_count <= self._settings.quiet_requests

    def _end_run(self) -> None:
        run, self._run, self._answer = self._run, None, None
        if run is not None:
            run.close()
        self._lock.close()
        self._lock = contextlib.ExitStack()

    def _tell_once(self, lines: Sequence[str]) -> None:
        text = "; ".join(lines)
        if text != self._told:
            self._tell_problem(FAILED, lines, text)
        self._told = text

    def _run_thread(self) -> None:
        if not self._stop.is_set():
            self._thread = threading.Thread(target=self._look_on, name="prompt-router-tuning", daemon=True)
            self._thread.start()

    def _look_on(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            try:
                self.look()
            except Exception as error:
                self._report_fault(error, "tuning")


def _in_force(profile: Profile, of_profile: TunedProfile) -> Profile:
    """The profile as the latest tuning has it."""
    return tuned_profile(profile, of_profile.tunings[-1]) if of_profile.tunings else profile


def _line_of(error: OSError) -> str:
    return f"{error.filename or 'tuning'}: {error.strerror or type(error).__name__}; check the folder's rights and disk"
