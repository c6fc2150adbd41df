"""Triggers: words and phrases found in a message in time linear in its length, with no regex from outside.

A trigger is one or more words, matched on word boundaries after Unicode compatibility normalisation and case
folding. ``*`` at the end of a word stands for any ending. Scripts written without spaces have no word
boundaries, so there a trigger is found anywhere. ``attachment:image`` matches what a message carries.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

HEAD_CHARS = 6_000
TAIL_CHARS = 4_000
"""Of a longer message, its start and its end are read: there people say what they want."""
PREFIX_KEY_CHARS = 3
ATTACHMENT_PREFIX = "attachment:"
ATTACHMENT_KINDS = ("image", "file", "audio", "other", "any")

_WORD = re.compile(r"[^\W_]+")
_TRIGGER_WORD = re.compile(r"[^\W_]+\*?")
# Thai, Lao, Tibetan, Myanmar, Khmer, kana, Han, and the supplementary ideographs: no spaces between words.
_UNSPACED = re.compile(
    "[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
_HALF_WORD_BEHIND = re.compile(r"(?<=[\W_])[^\W_]{1,100}\Z")
_HALF_WORD_AHEAD = re.compile(r"\A[^\W_]{1,100}(?=[\W_])")
_STAR_INSIDE = re.compile(r"\*[^\W_]")
_LEFTOVER = re.compile(r"[\\^$|()\[\]{}+?]")

_ASCII_BREAKS = str.maketrans({chr(code): " " for code in range(128) if not chr(code).isalnum()})
_UNSPACED_RUN = re.compile(f"{_UNSPACED.pattern}+")

TriggerProblem = str


def capped(text: str) -> str:
    """The text, or its head and tail when it is long, cut between words where there are any."""
    if len(text) <= HEAD_CHARS + TAIL_CHARS:
        return text
    head, tail = text[:HEAD_CHARS], text[-TAIL_CHARS:]
    if text[HEAD_CHARS].isalnum():
        head = _HALF_WORD_BEHIND.sub("", head)
    if text[-TAIL_CHARS - 1].isalnum():
        tail = _HALF_WORD_AHEAD.sub("", tail)
    return f"{head}\n{tail}"


def folded(text: str) -> str:
    """The form that triggers and messages are compared in."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", text).casefold()


def words_of(folded_text: str) -> list[str]:
    """Runs of letters and digits in scripts that part words; underscores and hyphens part them too."""
    if folded_text.isascii():
        return folded_text.translate(_ASCII_BREAKS).split()
    if is_unspaced(folded_text):
        folded_text = _UNSPACED.sub(" ", folded_text)
    return _WORD.findall(folded_text)


def unspaced_runs(folded_text: str) -> list[str]:
    """What stands between spaces, punctuation and other scripts, in scripts without spaces between words."""
    return _UNSPACED_RUN.findall(folded_text)


def is_unspaced(text: str) -> bool:
    """True when the text holds a script that is written without spaces between words."""
    return _UNSPACED.search(text) is not None


def check_trigger(trigger: str) -> TriggerProblem | None:
    """What is wrong with a trigger, or None."""
    if trigger.startswith(ATTACHMENT_PREFIX):
        kind = trigger.removeprefix(ATTACHMENT_PREFIX)
        if kind not in ATTACHMENT_KINDS:
            return f"unknown attachment kind {kind!r}; use one of {', '.join(ATTACHMENT_KINDS)}"
        return None
    if _LEFTOVER.search(trigger):
        return "a trigger is words, not a regular expression; write one trigger for each wording"
    words = _TRIGGER_WORD.findall(folded(trigger))
    if not words:
        return "a trigger needs at least one letter or digit"
    if len(words) == 1 and words[0].endswith("*") and len(words[0]) < 4:
        return "'*' needs at least three letters before it, or it matches nearly every message"
    if _STAR_INSIDE.search(trigger) or trigger.count("*") != sum(word.endswith("*") for word in words):
        return "'*' may only stand at the end of a word"
    return None


class _Trigger(NamedTuple):
    """One trigger: its words, folded, ``*`` kept."""

    words: tuple[str, ...]
    owner: int
    trigger: str


class TriggerIndex:
    """Triggers of many owners (module indexes), matched together."""

    def __init__(self, triggers: Iterable[tuple[int, str]]) -> None:
        self._by_first_word: dict[str, list[_Trigger]] = {}
        self._by_prefix: dict[str, list[_Trigger]] = {}
        self._unspaced: list[tuple[str, int, str]] = []
        self._attachments: dict[str, list[tuple[int, str]]] = {}
        for owner, trigger in triggers:
            form = folded(trigger)
            if trigger.startswith(ATTACHMENT_PREFIX):
                self._attachments.setdefault(trigger.removeprefix(ATTACHMENT_PREFIX), []).append((owner, trigger))
            elif is_unspaced(form):
                self._unspaced.append((form.replace("*", "").strip(), owner, trigger))
            else:
                words = tuple(_TRIGGER_WORD.findall(form))
                index, key = self._by_first_word, words[0]
                if key.endswith("*"):
                    index, key = self._by_prefix, key[:-1][:PREFIX_KEY_CHARS]
                index.setdefault(key, []).append(_Trigger(words, owner, trigger))
        self._key_lengths = tuple(sorted({len(key) for key in self._by_prefix}))

    def match(self, folded_text: str, words: Sequence[str], attachments: Sequence[str]) -> dict[int, str]:
        """For each owner with a match, the trigger that matched first in the message."""
        found: dict[int, str] = {}
        for kind in attachments:
            for owner, trigger in (*self._attachments.get(kind, ()), *self._attachments.get("any", ())):
                found.setdefault(owner, trigger)
        candidates = self._candidates(dict.fromkeys(words))
        if candidates:
            spaced, first = f" {' '.join(words)} ", dict[int, tuple[int, str]]()
            for word, starting in candidates.items():
                alone = spaced.find(f" {word} ")
                for phrase, owner, trigger in starting:
                    at = alone if len(phrase) == 1 else _place(spaced, word, phrase)
                    if at >= 0 and (owner not in first or at < first[owner][0]):
                        first[owner] = (at, trigger)
            for owner, (_, trigger) in first.items():
                found.setdefault(owner, trigger)
        for form, owner, trigger in self._unspaced:
            if form in folded_text:
                found.setdefault(owner, trigger)
        return found

    def _candidates(self, distinct: dict[str, None]) -> dict[str, list[_Trigger]]:
        """By word, the triggers that may begin with it."""
        found = {word: list(self._by_first_word[word]) for word in self._by_first_word.keys() & distinct.keys()}
        prefixes = self._by_prefix
        for length in self._key_lengths:
            for word in [word for word in distinct if word[:length] in prefixes]:
                fitting = [trigger for trigger in prefixes[word[:length]] if word.startswith(trigger.words[0][:-1])]
                if fitting:
                    found.setdefault(word, []).extend(fitting)
        return found


def _place(spaced: str, word: str, phrase: Sequence[str]) -> int:
    """Where a phrase of several words first stands among words parted by single spaces; -1 where nowhere.

    It begins with ``word``.

    Searched as text, so that a message of one word over and over takes no longer than any other.
    """
    *inner, last = phrase[1:]
    if any(part.endswith("*") for part in inner):
        endings = [f"{re.escape(part[:-1])}[^ ]*" if part.endswith("*") else re.escape(part) for part in phrase[1:]]
        match = re.search(f" {re.escape(word)} {' '.join(endings)} ", spaced)
        return match.start() if match else -1
    return spaced.find(" ".join((f" {word}", *inner, last[:-1] if last.endswith("*") else f"{last} ")))
