"""What a routing model is asked about one user message, and what its answer says.

A question depends on the conversation up to its message and on nothing else: neither on what models answered before nor
on how the conversation went on. So every later call, and every replica, asks the same.

The conversation is quoted as JSON, so that nothing in it stands beside the instructions. An answer is read whatever it
is wrapped in; only ids of the profile's sections count.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from litellm_prompt_router.profile.profile import Ignore
from litellm_prompt_router.request.route.own_words import own_words
from litellm_prompt_router.request.route.routing_answers import RoutingAnswer, RoutingQuestion
from litellm_prompt_router.request.route.section_index import SectionIndex
from litellm_prompt_router.request.types import Turn

MESSAGE_CHARS = 6_000
EARLIER_CHARS = 500
AGENT_CHARS = 1_000
"""Of the message, of each earlier one, and of what the agent said last: longer ones by their beginning and end."""
EARLIER_MESSAGES = 6
"""The first, which often is the task, and the last five."""
MAX_ANSWER_CHARS = 20_000
MAX_OPENINGS = 200
"""Braces and brackets of an answer that are tried as the beginning of JSON."""
MAX_ANSWER_TOKENS = 300
"""What an answer may take: two lists of a few ids each."""

NEEDED = ("needed", "need", "needs", "required", "require", "likely", "certain", "necessary", "definitely", "yes")
PERHAPS = ("perhaps", "perhaps_needed", "maybe", "possible", "possibly", "might", "optional", "unsure", "uncertain")
"""How models name the two lists."""
_LABELS = {name: kind for kind, names in (("needed", NEEDED), ("perhaps", PERHAPS)) for name in names}
_LABEL = re.compile(
    r"(?im)^[\s>#*_\-`\"]*(" + "|".join(sorted((n.replace("_", "[ _]") for n in _LABELS), key=len, reverse=True))
    + r")(?:[ _]sections)?[\s*_`\"]*:"
)  # fmt: skip
_NAMING = ("id", "section", "name")
"""Where a model that writes objects puts a section's id."""
UNREADABLE = "?"
"""The name of no section."""
_GAP = " […] "
_WORD = re.compile(r"[\w./-]+")
_DECODER = json.JSONDecoder()
_BARE_LIST = re.compile(r"\s*(?:```\w*)?\s*(\[[^\[\]{}]*\])\s*(?:```)?\s*")
_COMMA_AHEAD = re.compile(r",(?=\s*[\]}])")


def questions_about(
    index: SectionIndex, turns: Sequence[Turn], asked: Collection[int], ignore: Ignore, owner_of_tool: Mapping[str, int]
) -> Iterator[tuple[int, RoutingQuestion]]:
    """The questions about the user messages at these turns. One that says nothing isn't asked about."""
    said: list[str] = []
    used: dict[str, None] = {}
    agent = ""
    for at, turn in enumerate(turns):
        for tool in turn.tool_calls:
            section = index.section_of(owner_of_tool[tool]) if tool in owner_of_tool else None
            used |= {} if section is None else {section: None}
        if turn.role == "assistant" and turn.text.strip():
            agent = turn.text.strip()
        if turn.role != "user":
            continue
        words = (own_words(turn, ignore).text or "").strip()
        if words and at in asked:
            yield at, _question(index, said, agent, [*used], words, turn.attachments)
        if words or turn.attachments:
            agent = ""
        said += [_ends_of(words, EARLIER_CHARS)] if words else []


def _question(
    index: SectionIndex,
    said: Sequence[str],
    agent: str,
    in_use: Sequence[str],
    words: str,
    attachments: Sequence[str],
) -> RoutingQuestion:
    content = {
        "earlier": _some(said),
        "agent": _ends_of(agent, AGENT_CHARS),
        "in_use": in_use,
        "attachments": [*dict.fromkeys(attachments)],
        "message": _ends_of(words, MESSAGE_CHARS),
    }
    return RoutingQuestion(sections=index.text, conversation=_as_json({k: v for k, v in content.items() if v}))


class AskedWords(NamedTuple):
    """What of the user's own words is in a question: the message, and messages before it."""

    message: str
    earlier: tuple[str, ...]


def asked_words(text: str, history: Sequence[str]) -> AskedWords:
    """What a question about this message would hold."""
    said = [_ends_of(words, EARLIER_CHARS) for words in map(str.strip, history) if words]
    return AskedWords(_encodable(_ends_of(text.strip(), MESSAGE_CHARS)), tuple(map(_encodable, _some(said))))


def words_in(question: RoutingQuestion) -> AskedWords:
    """What a question holds."""
    content: Any = json.loads(question.conversation)
    return AskedWords(content["message"], tuple(content.get("earlier", ())))


def answer_schema(ids: Sequence[str]) -> dict[str, Any]:
    """The JSON schema of an answer, for providers that hold a model to one."""
    names = {"type": "array", "items": {"type": "string", "enum": [*ids]} if ids else {"type": "string"}}
    return {
        "type": "object",
        "properties": {"needed": names, "perhaps": names},
        "required": ["needed", "perhaps"],
        "additionalProperties": False,
    }


def parse_answer(text: str, known_ids: Sequence[str]) -> RoutingAnswer | None:
    """The lists in a model's answer; None where it isn't one, or names nothing but sections that don't exist.

    Both are in the order of ``known_ids``; what stands in both is needed.
    """
    if len(text) > MAX_ANSWER_CHARS:
        return None
    ids = _Ids(known_ids)
    for found in _objects(text):
        answer = _of_json(found, ids)
        if answer is not None:
            return answer
    return None if "{" in text or "[" in text else _of_lines(text, ids)


class _Ids:
    """Section ids, as models may write them."""

    def __init__(self, known: Sequence[str]) -> None:
        self._known = tuple(known)
        self._by_name = {id.casefold(): id for id in known}
        last: dict[str, list[str]] = {}
        for id in known:
            last.setdefault(id.casefold().rpartition("/")[2], []).append(id)
        for name, meant in last.items():
            if len(meant) == 1:
                self._by_name.setdefault(name, meant[0])

    def answer(self, named: Mapping[str, Sequence[str]]) -> RoutingAnswer | None:
        found = {kind: {id for name in names if (id := self._meant(name)) is not None} for kind, names in named.items()}
        if any(named.values()) and not any(found.values()):
            return None
        needed, perhaps = found.get("needed", set()), found.get("perhaps", set())
        return RoutingAnswer(
            needed=tuple(id for id in self._known if id in needed),
            perhaps=tuple(id for id in self._known if id in perhaps - needed),
        )

    def _meant(self, name: str) -> str | None:
        return self._by_name.get(name.strip(" \t\r\n`'\"*.,;:()[]").casefold())

    def knows(self, name: str) -> bool:
        return self._meant(name) is not None


def _objects(text: str) -> Iterator[Any]:
    """The JSON objects in the text, outermost ones, those that stand last first; or the list that is all of it."""
    for tried in dict.fromkeys((text, _COMMA_AHEAD.sub("", text))):
        found: list[Any] = []
        at = 0
        for _ in range(MAX_OPENINGS):
            at = tried.find("{", at)
            if at < 0:
                break
            try:
                value, at = _DECODER.raw_decode(tried, at)
            except (ValueError, RecursionError):
                at += 1
            else:
                found.append(value)
        yield from reversed(found)
        if not found and (bare := _BARE_LIST.fullmatch(tried)) is not None:
            with contextlib.suppress(ValueError, RecursionError):
                yield json.loads(bare.group(1))


def _of_json(value: Any, ids: _Ids) -> RoutingAnswer | None:
    if isinstance(value, list):
        names = _names(value)
        return ids.answer({"needed": names}) if names else None
    if not isinstance(value, dict):
        return None
    named: dict[str, list[str]] = {}
    for key, inner in value.items():
        kind = _LABELS.get(re.sub(r"[^a-z]+", "_", str(key).lower()).strip("_").removesuffix("_sections"))
        if kind is not None:
            named.setdefault(kind, []).extend(_names(inner))
    if named:
        return ids.answer(named)
    inside = [answer for inner in value.values() if isinstance(inner, dict) and (answer := _of_json(inner, ids))]
    return inside[-1] if inside else None


def _names(value: Any) -> list[str]:
    """The names in a list, or in what models write in its place.

    What can't be read counts as a name that no section has: an answer of nothing else is none, and never "no section".
    """
    if isinstance(value, str):
        return [name for name in re.split(r"[,;\n]", value) if name.strip() and name.strip().lower() != "none"]
    if isinstance(value, dict):
        return [str(name) for name, is_named in value.items() if is_named]
    if not isinstance(value, list):
        return [] if value is None else [UNREADABLE]
    return [name for item in value if (name := _name(item)).strip()]


def _name(item: Any) -> str:
    """A list's item, or what an object in its place calls itself."""
    found = next((item[key] for key in _NAMING if key in item), UNREADABLE) if isinstance(item, dict) else item
    return found if isinstance(found, str) else UNREADABLE


def _of_lines(text: str, ids: _Ids) -> RoutingAnswer | None:
    """Of an answer without JSON: what stands behind ``needed:`` and ``perhaps:``."""
    labels = [*_LABEL.finditer(text)]
    if not labels:
        return None
    named: dict[str, list[str]] = {}
    ends = [label.start() for label in labels[1:]] + [len(text)]
    for label, end in zip(labels, ends, strict=True):
        kind = _LABELS[label.group(1).lower().replace(" ", "_")]
        words = _WORD.findall(text[label.end() : end])
        found = [word for word in words if ids.knows(word)]
        named.setdefault(kind, []).extend(found or ([] if _says_none(words) else [UNREADABLE]))
    return ids.answer(named)


def _says_none(words: Sequence[str]) -> bool:
    first = next((word.strip("-./").lower() for word in words if word.strip("-./")), "")
    return first in ("", "none", "nothing", "n/a")


def _some(said: Sequence[str]) -> Sequence[str]:
    return said if len(said) <= EARLIER_MESSAGES else [said[0], *said[1 - EARLIER_MESSAGES :]]


def _ends_of(text: str, most_chars: int) -> str:
    """The text, or its first two thirds and its last third, together no more than ``most_chars``."""
    if len(text) <= most_chars:
        return text
    tail = most_chars // 3
    return f"{text[: most_chars - tail - len(_GAP)]}{_GAP}{text[-tail:]}"


def _encodable(text: str) -> str:
    """Without lone surrogates, which no request can carry."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _as_json(content: Mapping[str, Any]) -> str:
    return _encodable(json.dumps(content, ensure_ascii=False))
