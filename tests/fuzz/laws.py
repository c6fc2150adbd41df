"""The promises, asked of one case: every word is about what left and what was told, none about how."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from litellm_prompt_router.request.late_places import NOTE_INTRODUCTION
from tests.fuzz.fuzz_case import FuzzCase
from tests.fuzz.hook_stand import BAG, Observed
from tests.fuzz.made_calls import MARKER, residue_of

MAX_MARKS = 4
_OWN_FIELDS = frozenset({"cache_control_injection_points", "prompt_cache_key"})
SYSTEM_FIELDS = frozenset({"system", "instructions", "systemInstruction", "system_instruction"})
_NAMES = ("model", "litellm_session_id", "prompt_cache_key", "metadata", "litellm_call_id")
"""What a client calls itself may be told."""
HISTORIES = ("messages", "input", "contents")
_MARK_KEYS = ("cache_control", "prompt_cache_breakpoint")
_NOTE = NOTE_INTRODUCTION.strip()[:40]


def broken_laws(case: FuzzCase, seen: Observed) -> list[str]:
    """What the case breaks, each as ``law: what was seen``."""
    return list(_broken(case, seen))


def _broken(case: FuzzCase, seen: Observed) -> Iterator[str]:
    for fault in seen.faults:
        yield f"no fault: {fault}"
    facts = seen.facts
    if facts is not None and facts.reason == "error":
        yield "no error outcome: reason error"
    came = case.edited_body()
    if form_of(seen.body) != form_of(came):
        yield "the client's body is never changed in place"
    is_rewritten = facts is not None and facts.outcome == "rewritten"
    sends_marks = facts is not None and facts.sends_added_marks
    if not is_rewritten and not sends_marks and form_of(sent_of(seen)) != form_of(came):
        yield f"what passes through stays as it came: {facts and facts.reason}"
    elif is_rewritten or sends_marks:
        yield from _kept(came, sent_of(seen))
    yield from _records(seen)
    told = [*seen.told, *(record.to_json() for record in seen.records)]
    names_itself_so = any(MARKER in _text(came.get(name)) for name in _NAMES)
    if not names_itself_so and any(MARKER in text for text in told):
        yield f"no message text in what is told: {next(text for text in told if MARKER in text)[:300]}"


def sent_of(seen: Observed) -> dict[str, Any]:
    return {name: value for name, value in seen.out.items() if name not in (BAG, "litellm_call_id")}


# What leaves


def _kept(came: Mapping[str, Any], sent: Mapping[str, Any]) -> Iterator[str]:
    for name in came.keys() | sent.keys():
        if name in SYSTEM_FIELDS or name in HISTORIES or name in _OWN_FIELDS:
            continue
        if form_of(_without_marks(came.get(name))) != form_of(_without_marks(sent.get(name))):
            yield f"tools and parameters stay: {name}"
    for name in HISTORIES:
        if name in came and not isinstance(came[name], str):
            yield from _history_kept(_listed(came[name]), _listed(sent.get(name)))
    before, after = _system_text(came), _system_text(sent)
    for line in residue_of(before):
        if line not in after:
            yield f"what no module covers goes through: {line[:60]!r}"
    own, all_marks = marks(came), marks(sent)
    if all_marks > max(MAX_MARKS, own):
        yield f"at most {MAX_MARKS} marks: {all_marks}, {own} of them the client's"


def _history_kept(came: Sequence[Any], sent: Sequence[Any]) -> Iterator[str]:
    """Behind the system prompt every message of the client's comes in its order, and what is between them is ours."""
    came, sent = came[_leading(came) :], list(sent)[_leading(sent) :]
    at = 0
    for message in came:
        while at < len(sent) and not _is_same(message, sent[at]):
            if not _is_ours(sent[at]):
                yield f"messages stay as they came: {_shown(message)} became {_shown(sent[at])}"
                return
            at += 1
        if at == len(sent):
            yield f"no message is lost: {_shown(message)}"
            return
        at += 1
    for message in sent[at:]:
        if not _is_ours(message):
            yield f"no message is added but late modules: {_shown(message)}"


def _leading(messages: Sequence[Any]) -> int:
    return next((n for n, each in enumerate(messages) if not _is_system(each)), len(messages))


def _is_system(message: Any) -> bool:
    if not isinstance(message, dict) or message.get("type", "message") not in ("message", "additional_tools"):
        return False
    return message.get("type") == "additional_tools" or message.get("role") in ("system", "developer")


def _is_ours(message: Any) -> bool:
    """A late module: a message of the operator's, or a note."""
    return _is_system(message) or _NOTE in _text(message)


def _is_same(came: Any, sent: Any) -> bool:
    if form_of(came) == form_of(sent):
        return True
    return form_of(plain_message(came)) == form_of(plain_message(sent, without_notes=True))


def plain_message(message: Any, *, without_notes: bool = False) -> Any:
    """Without marks and, of what left, without notes; a string as the block that says the same."""
    if not isinstance(message, dict):
        return message
    out = {name: value for name, value in message.items() if name not in _MARK_KEYS}
    for name in ("content", "output", "parts"):
        if name not in out:
            continue
        value = out[name]
        blocks = [value] if isinstance(value, (str, dict)) else value
        if not isinstance(blocks, list):
            if value is None:
                del out[name]
            continue
        plain = [{"text": each} if isinstance(each, str) else _plain_block(each, without_notes) for each in blocks]
        out[name] = [each for each in plain if each and not (without_notes and _NOTE in str(each.get("text")))]
        if not out[name]:
            del out[name]
    return out


def _plain_block(block: Any, without_notes: bool) -> Any:
    if not isinstance(block, dict):
        return {"odd": block}
    out = {name: value for name, value in block.items() if name not in _MARK_KEYS}
    if isinstance(out.get("text"), str) and out.get("type") in ("text", "input_text"):
        del out["type"]
        if not out["text"]:
            return {}
    if "content" in out and str(out.get("type")).endswith("tool_result"):
        out = plain_message(out, without_notes=without_notes)
    for name in ("functionResponse", "function_response"):
        held = out.get(name)
        if without_notes and isinstance(held, dict) and isinstance(held.get("response"), dict):
            response = {key: value for key, value in held["response"].items() if key != "operator_note"}
            out[name] = {**held, "response": response}
    return out


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if isinstance(value, dict) else []


def _system_text(body: Mapping[str, Any]) -> str:
    leading = [_listed(body.get(name)) for name in HISTORIES]
    return "\n".join(
        [
            *(_text(body[name]) for name in SYSTEM_FIELDS if name in body),
            *(_text(message) for messages in leading for message in messages[: _leading(messages)]),
        ]
    )


def _shown(value: Any) -> str:
    try:
        return str(value)[:200]
    except RecursionError:
        return "something deep"


def _text(value: Any) -> str:
    """All strings in a value, one a line."""
    texts: list[str] = []
    todo = [value]
    while todo:
        value = todo.pop()
        if isinstance(value, str):
            texts.append(value)
        elif isinstance(value, dict):
            todo += reversed(list(value.values()))
        elif isinstance(value, list):
            todo += reversed(value)
    return "\n".join(texts)


def _without_marks(value: Any) -> Any:
    if isinstance(value, list):
        return [
            {name: inner for name, inner in each.items() if name not in _MARK_KEYS} if isinstance(each, dict) else each
            for each in value
        ]
    return value


def marks(body: Mapping[str, Any]) -> int:
    """Breakpoints that a provider would count in a body, LiteLLM's points included."""
    points = body.get("cache_control_injection_points")
    found = len(points) if isinstance(points, list) else 0
    todo: list[Any] = [body.get(name) for name in (*HISTORIES, *SYSTEM_FIELDS, "tools")]
    depth = 200_000
    while todo and (depth := depth - 1):
        value = todo.pop()
        if isinstance(value, dict):
            found += any(isinstance(value.get(key), dict) for key in _MARK_KEYS)
            todo += value.values()
        elif isinstance(value, list):
            todo += value
    return found


def form_of(value: Any) -> tuple[Any, ...]:
    """By which two values are the same to the byte. The stack doesn't grow with their depth."""
    form: list[Any] = []
    todo: list[Any] = [value]
    while todo:
        value = todo.pop()
        kind = type(value)
        if kind is dict:
            form.append(("{", len(value)))
            for name, inner in value.items():
                form.append((type(name), name))
                todo.append(inner)
        elif kind is list or kind is tuple:
            form.append((kind, len(value)))
            todo += value
        elif kind is float:
            form.append(repr(value))
        elif kind in (str, int, bool, bytes, type(None)):
            form.append((kind, value))
        else:
            form.append((kind.__name__, repr(value)))
    return tuple(form)


# What is told


def _records(seen: Observed) -> Iterator[str]:
    wanted = 0 if seen.facts is None else 1
    if len(seen.records) != wanted:
        yield f"one record for each answered request: {len(seen.records)}"
    for record in seen.records:
        line = json.loads(record.to_json(), parse_constant=_no_constant)
        yield from _figures(line)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _figures(line: Mapping[str, Any]) -> Iterator[str]:
    for name, value in line.items():
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if is_number and (value < 0 or value in (math.inf, math.nan)) and name != "removed_tokens":
            yield f"no figure is negative: {name} {value}"
        if is_number and name.endswith("_tokens") and value > 10**12:
            yield f"no figure is beyond belief: {name} {value}"
    for name, reason in (
        ("billed_usd", "billed_reason"),
        ("output_tokens", "usage_reason"),
        ("estimated_net_saved_usd", "estimated_net_saved_reason"),
    ):
        if line[name] is None and not line[reason] and not (name == "estimated_net_saved_usd" and _is_apart(line)):
            yield f"unknown has its reason: {name}"
    bare, net = line["counterfactual_usd"], line["estimated_net_saved_usd"]
    if bare is not None and Decimal(bare) < 0:
        yield f"a counterfactual is never negative: {bare}"
    if net is not None and not (_is_unchanged(line) and Decimal(net) == 0):
        if bare is None or line["billed_usd"] is None:
            yield "a net figure has both its parts"
        elif Decimal(net) != Decimal(bare) - Decimal(line["billed_usd"]) - Decimal(line["routing_model_usd"] or 0):
            yield f"a net figure is the difference of its parts: {net}"


def _is_unchanged(line: Mapping[str, Any]) -> bool:
    """True of what saves nothing whatever it costs."""
    return bool(line["response_cached"] or line["outcome"] == "passthrough")


def _is_apart(line: Mapping[str, Any]) -> bool:
    """True of what has no part in savings: neither rewritten nor decided in shadow."""
    return bool(line["outcome"] == "passthrough" or line["status"] == "failure")
