"""Messages that name no task: follow-ups, which lean on the conversation, and small talk, which leans on nothing.

Both are recognised narrowly, since a task taken for one loses its instructions: every word must be on a list
(profile/conversation_words.toml) or be none of the task's: a number, an id, a link, a file's name, a mention, the
name of somebody who is spoken to. Anything else is a task. In a running conversation a number, an id, a date or an
emoji by itself is an answer, and so a follow-up.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from litellm_prompt_router.profile.conversation_words import (
    ACTIONS,
    FOLLOW_FILL,
    FOLLOW_UP,
    REFERENCES,
    SMALL_FILL,
    SMALL_TALK,
    TIMES,
    TITLES,
)
from litellm_prompt_router.request.route.triggers import is_unspaced, unspaced_runs
from litellm_prompt_router.request.route.trivia import is_trivia

MAX_CHARS = 240
"""A longer message is a task."""
MAX_WORDS = 14
"""Likewise, links, ids and names not counted."""
MAX_NAMES = 3

_NODS = frozenset(("👍", "👌", "✅", "🆗", "+1"))
_HELP = frozenset(
    [
        "help",
        "hilfe",
        "aide",
        "ayuda",
        "ajuda",
        "aiuto",
        "hulp",
        "pomoc",
        "yardımın",
        "yardımınız",
        "помощь",
        "मदद",
        "madad",
        "帮助",
    ]
)
_THANKS = frozenset(
    [
        "thanks",
        "thank",
        "thx",
        "ty",
        "cheers",
        "danke",
        "dankeschön",
        "dank",
        "merci",
        "gracias",
        "obrigado",
        "obrigada",
        "valeu",
        "grazie",
        "bedankt",
        "dzięki",
        "dziękuję",
        "dziekuje",
        "teşekkürler",
        "teşekkür",
        "sağol",
        "sağolun",
        "спасибо",
        "благодарю",
        "धन्यवाद",
        "शुक्रिया",
        "dhanyavad",
        "shukriya",
        "谢谢",
        "謝謝",
        "感谢",
    ]
)
"""Thanks for help are small talk; a greeting that asks for it is not."""
_LISTED = FOLLOW_UP | FOLLOW_FILL | SMALL_TALK | (SMALL_FILL - _HELP)
_NO_NAMES = _LISTED | _HELP | REFERENCES | TIMES | TITLES
_SMALL = SMALL_TALK | SMALL_FILL
_WITHOUT_TASK = _LISTED | _SMALL | REFERENCES | TIMES | TITLES
"""A word that is none of these names a task, wherever it stands."""

_SIGNATURE = re.compile(
    r"(?im)^(?:-- ?$|sent from my |von meinem \w+ gesendet|envoyé de(?:puis)? mon |enviado desde mi "
    r"|inviato da(?:l mio)? |enviado do meu |wysłano z |отправлено с )"
)
_LINK = re.compile(r"(?:https?://|www\.)[^\s<>]+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_FILE = re.compile(
    r"[\"'`“”„«»‚‘’]?[^\s\"'`“”„«»\u3000-\u9fff\uff00-\uffef]+\.[a-z][a-z0-9]{1,4}[\"'`“”„«»‚‘’]?(?![a-z0-9.])",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"`[^`\s]{1,60}`|\"[^\"\s]{1,60}\"|“[^”\s]{1,60}”|«[^»\s]{1,60}»|„[^“”\s]{1,60}[“”]")
_MENTION = re.compile(r"@[\w.-]+")
_CHUNK = re.compile(r"[^\s()\[\]{}<>«»“”„\"!?;,…。、，！？；：（）【】「」『』।|]+")
_SEPARATOR = re.compile(r"[()\[\]{};,!?.…。、，！？；：（）।|\n–—-]|: ")
_ID = re.compile(r"[\w#№$€£¥%+.:/'’°-]*\d[\w#№$€£¥%+.:/'’°-]*")
_PATH = re.compile(r"\w[\w.-]*[/_\\][\w./\\-]*\w")
_DEVANAGARI = re.compile("[\u0900-\u0963\u0966-\u097f]+")
_WORD = re.compile(r"[^\W_]+")
_LATIN_ID = re.compile(r"[a-z#№]*-?\d[a-z\d#.:/%-]*", re.IGNORECASE)
_CALLED = re.compile("[\u3400-\u9fff\u30a0-\u30ff]{1,2}(?:经理|老师|先生|女士|小姐|总|さん|様)")
_REPEATED = re.compile(r"(.)\1{2,}")
_EDGES = ".:'’‘`*~_-–—"


class _MessagePart(NamedTuple):
    """A word, or something that is none. ``is_apart``: behind a separator, or at the beginning."""

    kind: str
    text: str
    is_apart: bool
    is_before_separator: bool


def kind_without_task(
    text: str, folded_text: str, words: Sequence[str], *, started: bool
) -> Literal["follow_up", "small_talk"] | None:
    """What a message is that names no task; None for one that may. ``started``: in a running conversation."""
    if is_trivia(text, folded_text, words):
        return "small_talk"
    if text.strip() in _NODS:
        return "follow_up"
    parts = _parts_of(text)
    if parts is None:
        return None
    said = [part.text for part in parts if part.kind == "word"]
    if _is_small_talk(parts, said, started=started):
        return "small_talk"
    return "follow_up" if _is_follow_up(parts, said, started=started and bool(text.strip())) else None


def _is_follow_up(parts: Sequence[_MessagePart], said: Sequence[str], *, started: bool) -> bool:
    """A message that only points back at the conversation: "yes, go ahead (ref 512)"."""
    if not _all_listed(parts, _LISTED):
        return False
    if any(word in FOLLOW_UP for word in said):
        return True
    return started and (bool(said) or all(part.kind == "id" for part in parts))


def _is_small_talk(parts: Sequence[_MessagePart], said: Sequence[str], *, started: bool) -> bool:
    """Greetings and thanks. Who opens a conversation with an id or a link wants something of it."""
    if not started and any(part.kind in ("id", "link", "file") for part in parts):
        return False
    if not any(word in SMALL_TALK for word in said) and said[:1] != ["good"]:
        return False
    if not _HELP.isdisjoint(said) and _THANKS.isdisjoint(said):
        return False
    return _all_listed(parts, _SMALL)


def _parts_of(text: str) -> list[_MessagePart] | None:
    """The words of a short message, and what stands beside them; None where it is too long to be only that.

    None as well where one of the words names a task: most messages are told by their first words.
    """
    text = unicodedata.normalize("NFKC", text.strip())
    if len(text) > MAX_CHARS:
        return None
    signature = _SIGNATURE.search(text)
    text = text[: signature.start()] if signature else text
    marks: list[tuple[int, int, str]] = []
    for kind, pattern in (("link", _LINK), ("mention", _MENTION), ("file", _FILE), ("mention", _QUOTED)):
        for match in pattern.finditer(text):
            marks.append((match.start(), match.end(), kind))
            text = text[: match.start()] + "\0" * (match.end() - match.start()) + text[match.end() :]
    parts: list[_MessagePart] = [_MessagePart(kind, "", True, True) for _, _, kind in marks]
    begun = 0
    for match in _CHUNK.finditer(text.replace("\0", " ")):
        between = text[begun : match.start()]
        raw = match[0]
        apart = not begun or _SEPARATOR.search(between) is not None or raw[0] in "–—-"
        ends = match.end() == len(text) or _SEPARATOR.match(text[match.end() :].lstrip(" ")) or raw[-1] in ".:"
        for part in _parts_of_chunk(raw.strip(_EDGES), apart, bool(ends)):
            if part.kind == "word" and part.text not in _WITHOUT_TASK:
                return None
            parts.append(part)
        begun = match.end()
    return parts if sum(part.kind == "word" for part in parts) <= MAX_WORDS else None


def _parts_of_chunk(chunk: str, is_apart: bool, is_before: bool) -> Iterator[_MessagePart]:
    if not any(character.isalnum() for character in chunk):
        return
    if is_unspaced(chunk):
        rest = _LATIN_ID.sub(" ", chunk)
        if rest != chunk:
            yield _MessagePart("id", "", is_apart, is_before)
        for run in unspaced_runs(rest):
            if _CALLED.fullmatch(run) and _cut(run) is None:
                yield _MessagePart("mention", "", is_apart, is_before)
            else:
                for word in _cut(run) or [run]:
                    yield _MessagePart("word", word, is_apart, is_before)
                    is_apart = False
        words = _WORD.findall(" ".join(re.split("|".join(map(re.escape, unspaced_runs(rest))), rest)).casefold())
        for word in words:
            yield _MessagePart("word", _known_form(word), is_apart, is_before)
    elif _ID.fullmatch(chunk) and chunk.casefold() not in _LISTED:
        yield _MessagePart("id", "", is_apart, is_before)
    elif _PATH.fullmatch(chunk):
        yield _MessagePart("file", "", is_apart, is_before)
    elif _DEVANAGARI.search(chunk):
        for word in _DEVANAGARI.findall(chunk):
            yield _MessagePart("word", word, is_apart, is_before)
            is_apart = False
    else:
        found = _WORD.findall(chunk.casefold())
        is_name = chunk[:1].isupper() and chunk[1:].islower() and len(found) == 1 and chunk.isalpha()
        for word in found:
            known = _known_form(word)
            is_named = is_name and known not in _NO_NAMES
            yield _MessagePart("name" if is_named else "word", known, is_apart, is_before)
            is_apart = False


def _known_form(word: str) -> str:
    """The word as it is listed, where somebody only drew out its letters ("yesss")."""
    if word in _LISTED or not _REPEATED.search(word):
        return word
    return next((form for n in ("\\1", "\\1\\1") if (form := _REPEATED.sub(n, word)) in _LISTED), word)


def _all_listed(parts: Sequence[_MessagePart], listed: frozenset[str]) -> bool:
    """True where every word is one of ``listed``, or is no word of a task where it stands."""
    words = [part.text for part in parts if part.kind == "word"]
    has_id = any(part.kind == "id" for part in parts)
    names, known = 0, sum(word in listed for word in words)
    acting = False
    for number, part in enumerate(parts):
        before = parts[number - 1] if number else None
        acting = part.text in ACTIONS or (acting and not part.is_apart)
        if part.kind == "name":
            names += 1
            is_addressed = part.is_apart and part.is_before_separator and known > 1
            follows = before is not None and (before.kind == "name" or before.text in SMALL_TALK | TITLES)
            opens = part.is_apart and number + 1 < len(parts) and parts[number + 1].kind == "name" and known > 1
            if names > MAX_NAMES or not (is_addressed or follows or opens):
                return False
        elif part.kind == "word" and part.text not in listed:
            is_title = part.text in TITLES
            is_reference = part.text in REFERENCES and has_id
            if acting or not (is_title or is_reference or part.text in TIMES):
                return False
        elif part.kind == "word" and acting and part.text in TIMES and part.text not in FOLLOW_FILL | FOLLOW_UP:
            return False
    return True


def _cut(run: str) -> list[str] | None:
    """A run without spaces as listed words, the fewest there are; None where it isn't made of them."""
    best: list[list[str] | None] = [[]]
    for end in range(1, len(run) + 1):
        found: list[str] | None = None
        for start in range(max(0, end - _LONGEST), end):
            before = best[start]
            if before is not None and run[start:end] in _UNSPACED_WORDS:
                found = [*before, run[start:end]] if found is None or len(before) + 1 < len(found) else found
        best.append(found)
    return best[-1]


_UNSPACED_WORDS = frozenset(
    word
    for word in FOLLOW_UP | FOLLOW_FILL | SMALL_TALK | SMALL_FILL | REFERENCES | TIMES | TITLES | ACTIONS
    if is_unspaced(word)
)
_LONGEST = max(map(len, _UNSPACED_WORDS))
