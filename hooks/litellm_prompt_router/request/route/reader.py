"""What one user message says by itself, whatever came before it: triggers, scores, and what kind of message it is."""

from __future__ import annotations

from typing import NamedTuple

from litellm_prompt_router.process_memory.bounded import register_memory
from litellm_prompt_router.profile.profile import Ignore, Profile
from litellm_prompt_router.request.route.follow_ups import kind_without_task
from litellm_prompt_router.request.route.own_words import own_words
from litellm_prompt_router.request.route.scores import Scores, score
from litellm_prompt_router.request.route.triggers import TriggerIndex, capped, folded, is_unspaced, words_of
from litellm_prompt_router.request.route.uncalibrated import is_foreign, scripts_of_prompt
from litellm_prompt_router.request.types import MessageKind, Turn

NOTHING_KNOWN = "nothing known in the message"
NOTHING_BEFORE = "nothing to follow up on"
ATTACHMENT_ALONE = "attachment without text"
LONG_UNKNOWN_CHARS, LONG_UNKNOWN_UNSPACED_CHARS = 80, 30
"""In a running conversation a longer one without a known word may well be another task, a shorter one follows up."""
MAX_READINGS = 8192
"""User messages remembered for each profile: as hashes, module numbers and scores, no text."""


class MessageReading(NamedTuple):
    """What one user message says by itself. ``found``: a trigger by module.

    ``kind`` none: nothing in it is the user's. ``is_shortened``: it stands in place of earlier turns. ``unreadable``:
    why without a fit every module is sent, whatever triggers found. ``unknown``: why every module is sent where the
    message's meaning isn't known either, since the table has no evidence for its words.
    """

    kind: MessageKind
    found: dict[int, str]
    fallback: str | None = None
    scores: Scores | None = None
    chars: int = 0
    is_shortened: bool = False
    unreadable: str | None = None
    unknown: str | None = None


class Reader:
    """One profile, prepared for reading messages."""

    def __init__(self, profile: Profile, ignore: Ignore) -> None:
        self._triggers = TriggerIndex((n, t) for n, module in enumerate(profile.modules) for t in module.triggers)
        self._ignore = ignore
        self._fitted = profile.fitted
        self._scripts = scripts_of_prompt(profile) if profile.fitted is None else frozenset()
        self._readings: dict[tuple[int, int, tuple[int, ...], tuple[str, ...], bool], MessageReading] = {}
        register_memory(self, "messages read", MAX_READINGS, lambda it: len(it._readings))

    def read(self, turn: Turn, *, started: bool) -> MessageReading:
        """What one user message says; remembered by the message's hash, since every call sends them all again."""
        key = (hash(turn.text), len(turn.text), lengths_of(turn), turn.attachments, started)
        known = self._readings.get(key)
        if known is None:
            if len(self._readings) >= MAX_READINGS:
                self._readings.pop(next(iter(self._readings)), None)
            known = self._readings[key] = self._read_anew(turn, started=started)
        return known

    def _read_anew(self, turn: Turn, *, started: bool) -> MessageReading:
        said = own_words(turn, self._ignore)
        if said.stands_for_history:
            return MessageReading("none", {}, is_shortened=True)
        if said.text is None and not turn.attachments:
            return MessageReading("none", {})
        own = said.text or ""
        return self._read_words(turn._replace(text=own), started=started)._replace(chars=len(own))

    def _read_words(self, turn: Turn, *, started: bool) -> MessageReading:
        read = capped(turn.text)
        text = folded(read)
        words = words_of(text)
        found = self._triggers.match(text, words, turn.attachments)
        reading = self._read_task(turn, read, text, words, found, started=started)
        if self._fitted is None:
            return reading._replace(unreadable=self._unreadable(turn, read, text, words, started=started))
        return reading

    def _unreadable(self, turn: Turn, read: str, text: str, words: list[str], *, started: bool) -> str | None:
        """Why words can't say what this message needs. Depends on no trigger (request/route/uncalibrated.py)."""
        if not text.strip() and turn.attachments:
            return ATTACHMENT_ALONE
        kind = kind_without_task(read, text, words, started=started)
        if not text.strip() or kind == "follow_up":
            return None if started else NOTHING_BEFORE
        if is_foreign(text, self._scripts) and kind is None:
            return NOTHING_KNOWN
        return None

    def _read_task(
        self, turn: Turn, read: str, text: str, words: list[str], found: dict[int, str], *, started: bool
    ) -> MessageReading:
        if found:
            return self._scored(found, text, words, started=started)
        if turn.attachments:
            return MessageReading("task", {}, "attachment without a matching trigger")
        if not text.strip():
            return MessageReading("follow_up", {}, None if started else NOTHING_BEFORE)
        kind = kind_without_task(read, text, words, started=started)
        if kind == "small_talk":
            return self._also_scored(MessageReading("small_talk", {}), text, words)
        if kind == "follow_up":
            fallback = None if started else NOTHING_BEFORE
            return self._also_scored(MessageReading("follow_up", {}, fallback), text, words)
        if self._fitted is None:
            return MessageReading("task", {}, NOTHING_KNOWN)
        return self._scored({}, text, words, started=started)

    def _scored(self, found: dict[int, str], text: str, words: list[str], *, started: bool) -> MessageReading:
        """The reading of a task, with its scores where the profile is fitted and the message is within its reach."""
        if self._fitted is None:
            return MessageReading("task", found)
        if self._fitted.calibration.promise == "none":
            return MessageReading("task", found, "no calibrated threshold")
        if not text.strip():
            return MessageReading("task", found, ATTACHMENT_ALONE)
        scores = score(self._fitted.table, text, words)
        if scores.is_known:
            return MessageReading("task", found, None, scores)
        longest = LONG_UNKNOWN_UNSPACED_CHARS if is_unspaced(text) else LONG_UNKNOWN_CHARS
        is_in_doubt = not started or len(text) > longest
        return MessageReading("task", found, None, scores, unknown=NOTHING_KNOWN if is_in_doubt else None)

    def _also_scored(self, reading: MessageReading, text: str, words: list[str]) -> MessageReading:
        """A message that the word lists take for no task; scored all the same where labels showed them wrong."""
        if self._fitted is None or self._fitted.trusts_lists or self._fitted.calibration.promise == "none":
            return reading
        scores = score(self._fitted.table, text, words)
        return reading._replace(scores=scores) if scores.is_known else reading


def lengths_of(turn: Turn) -> tuple[int, ...]:
    """Where a message's blocks end, which with its text says what they are."""
    return tuple([len(part) for part in turn.parts])
